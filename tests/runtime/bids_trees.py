"""Small derivatives data sets in the naming of other programs, written by pandas."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def series(person: int, n_regions: int = 12) -> Floats:
    """A resting series of somebody, shape (200, n_regions)."""
    rng = np.random.default_rng(person)
    shared = rng.standard_normal((200, 3)) @ rng.standard_normal((3, n_regions))
    return np.asarray(shared + rng.standard_normal((200, n_regions)))


def describe(root: Path, made_by: str, **more: Any) -> Path:
    """Make the folder of a derivatives data set and say by whom it was made."""
    root.mkdir(parents=True, exist_ok=True)
    document = {
        "Name": f"{made_by} derivatives",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": made_by}],
        **more,
    }
    (root / "dataset_description.json").write_text(json.dumps(document), encoding="utf-8")
    return root


def put_matrix(path: Path, person: int, labels: Sequence[str]) -> Path:
    """Write somebody's correlations with their labels in the header and the first column."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(np.corrcoef(series(person, len(labels)).T), index=labels, columns=labels)
    frame.to_csv(path, sep="\t", index_label="Node")
    return path


def put_series(path: Path, person: int, labels: Sequence[str]) -> Path:
    """Write somebody's series, time by regions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(series(person, len(labels)), columns=labels).to_csv(path, sep="\t", index=False)
    return path


def giga_connectome(
    root: Path, labels: Sequence[str], people: Sequence[str] = ("01", "02", "03")
) -> Path:
    """Two atlases and series of everybody, as giga_connectome names them."""
    describe(root, "giga_connectome")
    others = [f"region-{number}" for number in range(5)]
    for number, label in enumerate(people):
        stem = root / f"sub-{label}" / "func" / f"sub-{label}_task-rest"
        end = "meas-PearsonCorrelation_desc-denoiseSimple_relmat.tsv"
        put_matrix(Path(f"{stem}_seg-tiny12_{end}"), number, labels)
        put_matrix(Path(f"{stem}_seg-Schaefer20187Networks_{end}"), number, others)
        put_series(Path(f"{stem}_seg-tiny12_desc-denoiseSimple_timeseries.tsv"), number, labels)
    return root


def xcp_d(
    root: Path,
    labels: Sequence[str],
    people: Mapping[str, Sequence[str]],
    tasks: Sequence[str] = ("rest", "stroop"),
    atlas: str = "tiny12",
) -> Path:
    """Sessions and tasks of people, as XCP-D names them; `people` maps labels to sessions."""
    describe(root, "xcp_d", DatasetDOI="doi:10.1234/made.up")
    number = 0
    for label, sessions in people.items():
        for session in sessions:
            folder = root / f"sub-{label}" / f"ses-{session}" / "func"
            for task in tasks:
                stem = f"sub-{label}_ses-{session}_task-{task}_space-fsLR"
                name = f"{stem}_seg-{atlas}_stat-pearsoncorrelation_relmat.tsv"
                put_matrix(folder / name, number, labels)
                put_series(folder / f"{stem}_seg-{atlas}_stat-mean_timeseries.tsv", number, labels)
                number += 1
                (folder / f"{stem}_seg-{atlas}_stat-coverage_bold.tsv").write_text(
                    "a\n1\n", encoding="utf-8"
                )
    return root


def put_participants(folder: Path, rows: Sequence[Sequence[str]], **sidecar: Any) -> None:
    """Write a table of participants, header first, and its sidecar where there is something."""
    text = "\n".join("\t".join(row) for row in rows) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "participants.tsv").write_text(text, encoding="utf-8")
    if sidecar:
        (folder / "participants.json").write_text(json.dumps(sidecar), encoding="utf-8")


def xcp_d_files(
    root: Path, label: str = "01", *, atlases: Sequence[str] = ("Glasser", "Gordon")
) -> Path:
    """What XCP-D leaves of one scan in grayordinates, as names of files that hold nothing.

    Other versions of it say ``atlas-`` for ``seg-``, and ``_motion.tsv``.
    """
    stem = f"sub-{label}_task-rest_acq-mb"
    names = [f"{stem}_{end}" for end in ("desc-filtered_motion.tsv", "design.tsv", "outliers.tsv")]
    names += [f"{stem}_desc-abcc_qc.hdf5"]
    dense = f"{stem}_space-fsLR_den-91k"
    names += [f"{dense}_desc-{each}_bold.dtseries.nii" for each in ("denoised", "denoisedSmoothed")]
    names += [f"{dense}_stat-{each}_boldmap.dscalar.nii" for each in ("alff", "reho")]
    for atlas in atlases:
        of_atlas = f"{stem}_space-fsLR_seg-{atlas}"
        table = f"{of_atlas}_stat-pearsoncorrelation"
        names += [f"{of_atlas}_den-91k_stat-coverage_boldmap.pscalar.nii"]
        names += [f"{of_atlas}_den-91k_stat-mean_timeseries.ptseries.nii"]
        names += [f"{of_atlas}_den-91k_stat-pearsoncorrelation_boldmap.pconn.nii"]
        names += [f"{of_atlas}_stat-{each}_bold.tsv" for each in ("alff", "coverage", "reho")]
        names += [f"{of_atlas}_stat-mean_timeseries.tsv", f"{table}_relmat.tsv"]
        names += [f"{table}_desc-300volumes_relmat.tsv"]  # --create-matrices all 300
    return put_names(describe(root, "xcp_d") / f"sub-{label}" / "func", names)


def fmriprep_files(root: Path, label: str = "01") -> Path:
    """What fMRIPrep leaves of one scan in the space of MNI and in grayordinates, by name only."""
    stem = f"sub-{label}_task-rest"
    names = [f"{stem}_desc-confounds_timeseries.tsv"]
    for space in ("MNI152NLin2009cAsym", "MNI152NLin6Asym_res-2"):
        names += [f"{stem}_space-{space}_{end}.nii.gz" for end in ("boldref", "desc-preproc_bold")]
        names += [f"{stem}_space-{space}_desc-brain_mask.nii.gz"]
    names += [f"{stem}_space-fsLR_den-91k_bold.dtseries.nii"]
    return put_names(describe(root, "fMRIPrep") / f"sub-{label}" / "func", names)


def put_names(folder: Path, names: Sequence[str]) -> Path:
    """Make files that hold nothing to speak of; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("x", encoding="utf-8")
    return folder
