"""Confounds of fMRIPrep: regressed out as nilearn's masker does, and how much the head moved."""

from __future__ import annotations

import json
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, LabelAxis, SeriesAxis

from dtb_runtime.errors import ConnectomeError, MissingDependencyError
from dtb_runtime.nifti_files import read_nifti
from dtb_runtime.raw_array import RawArray
from dtb_runtime.reading import DENOISING, Reading

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    maskers = pytest.importorskip("nilearn.maskers", reason="nilearn is the reference")
    fmriprep = pytest.importorskip("nilearn.interfaces.fmriprep", reason="nilearn is the reference")

STEM = "sub-01_task-rest_run-2"
SCAN = f"{STEM}_space-MNI152NLin2009cAsym_res-2_desc-preproc_bold.nii.gz"
TABLE = f"{STEM}_desc-confounds_timeseries.tsv"
SHAPE, N_FRAMES = (5, 5, 4), 120
MOTION = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
DERIVED = ("", "_derivative1", "_power2", "_derivative1_power2")


def write_table(folder: Path, columns: dict[str, Any], name: str = TABLE) -> Path:
    """Write columns of numbers as fMRIPrep does."""
    rows = zip(*columns.values(), strict=True)
    cells = [["n/a" if np.isnan(x) else repr(float(x)) for x in row] for row in rows]
    path = folder / name
    path.write_text("\n".join("\t".join(row) for row in [list(columns), *cells]) + "\n")
    return path


@pytest.fixture
def columns(rng: np.random.Generator) -> dict[str, Any]:
    """Confounds by name: two frames before the steady state, three of much motion."""
    names = [f"{base}{end}" for base in (*MOTION, "csf", "white_matter") for end in DERIVED]
    names += ["cosine00", "cosine01", "a_comp_cor_00", "a_comp_cor_01", "aroma_motion_01"]
    columns: dict[str, Any] = {name: rng.standard_normal(N_FRAMES) for name in names}
    for name in names:
        if "derivative1" in name:
            columns[name][0] = np.nan
    columns["std_dvars"] = rng.uniform(0.8, 1.2, N_FRAMES)
    columns["framewise_displacement"] = rng.uniform(0.05, 0.3, N_FRAMES)
    columns["framewise_displacement"][[40, 41, 90]] = 0.9
    columns["framewise_displacement"][0] = np.nan
    columns["non_steady_state_outlier00"] = (np.arange(N_FRAMES) == 0).astype(float)
    columns["non_steady_state_outlier01"] = (np.arange(N_FRAMES) == 1).astype(float)
    return columns


@pytest.fixture
def folder(tmp_path: Path, columns: dict[str, Any], rng: np.random.Generator) -> Path:
    """A derivative folder of fMRIPrep with one scan, and a label image beside it."""
    write_table(tmp_path, columns)
    component = {"Method": "aCompCor", "Mask": "combined", "Retained": True}
    meta = {f"a_comp_cor_0{i}": {**component, "SingularValue": 1.0} for i in range(2)}
    (tmp_path / TABLE).with_suffix(".json").write_text(json.dumps(meta))
    noise = np.nan_to_num(np.array([columns[name] for name in ("trans_x", "csf", "cosine00")]))
    weights = rng.standard_normal((*SHAPE, 3))
    data = 500 + rng.standard_normal((*SHAPE, N_FRAMES)) + 3 * weights @ noise
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    for name in (SCAN, SCAN.replace("preproc", "smoothAROMAnonaggr")):
        nibabel.save(nibabel.Nifti1Image(data, affine), tmp_path / name)
    labels = rng.integers(0, 5, SHAPE).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(labels, affine), tmp_path / "atlas.nii.gz")
    return tmp_path


def read(folder: Path, strategy: str | None, scan: str = SCAN) -> RawArray:
    """Read the scan with a strategy."""
    return read_nifti(folder / scan, Reading(atlas=str(folder / "atlas.nii.gz"), denoise=strategy))


# ---- the same numbers as nilearn


@pytest.mark.parametrize("strategy", DENOISING)
def test_confounds_are_regressed_out_as_nilearns_masker_does(folder: Path, strategy: str) -> None:
    scan = SCAN.replace("preproc", "smoothAROMAnonaggr") if strategy == "ica_aroma" else SCAN
    raw = read(folder, strategy, scan)
    confounds, kept = fmriprep.load_confounds_strategy(str(folder / scan), strategy)
    masker = maskers.NiftiLabelsMasker(str(folder / "atlas.nii.gz"), standardize=None)
    theirs = masker.fit_transform(str(folder / scan), confounds=confounds, sample_mask=kept)
    np.testing.assert_allclose(raw.values, theirs, rtol=1e-9)
    n_removed = 2 if strategy != "scrubbing" else N_FRAMES - len(theirs)
    assert len(raw.values) == N_FRAMES - n_removed
    assert (n_removed > 4) == (strategy == "scrubbing")
    assert raw.labels == ("1", "2", "3", "4")
    assert raw.notes[0].startswith(
        f"{confounds.shape[1]} confounds of fMRIPrep were regressed out of {scan} (nilearn "
    )
    assert raw.notes[0].endswith(f"strategy {strategy}), and {n_removed} of 120 frames left out.")


def test_what_confounds_explain_is_gone(folder: Path, columns: dict[str, Any]) -> None:
    noise = columns["trans_x"][2:]
    as_it_is, cleaned = read(folder, None).values[2:], read(folder, "simple").values
    before = [abs(np.corrcoef(noise, series)[0, 1]) for series in as_it_is.T]
    after = [abs(np.corrcoef(noise, series)[0, 1]) for series in cleaned.T]
    assert max(before) > 0.2
    assert max(after) < 1e-9


def test_grayordinates_are_denoised_as_well(
    folder: Path, columns: dict[str, Any], rng: np.random.Generator
) -> None:
    axis = BrainModelAxis.from_surface(np.arange(12), 12, "CORTEX_LEFT")
    data = 100 + rng.standard_normal((N_FRAMES, 12)) + columns["csf"][:, None]
    path = folder / f"{STEM}_space-fsLR_den-91k_bold.dtseries.nii"
    nibabel.save(Cifti2Image(data, (SeriesAxis(0, 0.8, N_FRAMES), axis)), path)
    table = LabelAxis(["m"], [{i: (f"r{i}", (0.0, 0.0, 0.0, 0.0)) for i in range(4)}])
    keys = np.repeat([[1, 2, 3]], 4, axis=0).reshape(1, 12).astype(np.float32)
    nibabel.save(Cifti2Image(keys, (table, axis)), folder / "a.dlabel.nii")
    raw = read_nifti(path, Reading(atlas=str(folder / "a.dlabel.nii"), denoise="simple"))
    confounds, kept = fmriprep.load_confounds_strategy(str(path), "simple")
    means = np.array([data[:, keys[0] == key].mean(axis=1) for key in (1, 2, 3)]).T
    design = confounds.to_numpy()[kept]
    design = np.column_stack([np.ones(len(design)), design - design.mean(axis=0)])
    beta = np.linalg.lstsq(design, means[kept], rcond=None)[0]
    np.testing.assert_allclose(raw.values, means[kept] - design[:, 1:] @ beta[1:], rtol=1e-9)
    assert raw.mean_fd_mm is not None


def test_a_region_without_data_stays_nan(folder: Path) -> None:
    image = nibabel.load(folder / SCAN)
    data = image.get_fdata()
    data[nibabel.load(folder / "atlas.nii.gz").get_fdata() == 3] = 0.0
    nibabel.save(nibabel.Nifti1Image(data, image.affine), folder / SCAN)
    raw = read(folder, "simple")
    assert np.isnan(raw.values).all(axis=0).tolist() == [False, False, True, False]
    assert np.isfinite(raw.values[:, [0, 1, 3]]).all()


# ---- how much the head moved


def test_the_mean_framewise_displacement_comes_with_the_scan(
    folder: Path, columns: dict[str, Any]
) -> None:
    expected = np.nanmean(columns["framewise_displacement"])
    assert read(folder, None).mean_fd_mm == pytest.approx(expected, rel=1e-12)
    assert read(folder, "scrubbing").mean_fd_mm == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "is_its"),
    [
        (f"{STEM}_desc-confounds_regressors.tsv", True),
        ("sub-01_task-rest_desc-confounds_timeseries.tsv", True),
        ("sub-01_task-rest_run-3_desc-confounds_timeseries.tsv", False),
        ("sub-02_task-rest_run-2_desc-confounds_timeseries.tsv", False),
        ("sub-01_task-rest_dir-AP_run-2_desc-confounds_timeseries.tsv", False),
        ("confounds.tsv", False),
    ],
)
def test_the_table_of_this_scan_is_found(folder: Path, name: str, is_its: bool) -> None:
    (folder / TABLE).rename(folder / name)
    raw = read(folder, None)
    assert (raw.mean_fd_mm is not None) == is_its
    assert len(raw.notes) == 1


def test_the_closest_of_several_tables_counts(folder: Path, columns: dict[str, Any]) -> None:
    for stem in ("sub-01", "sub-01_task-rest"):
        name = f"{stem}_desc-confounds_timeseries.tsv"
        write_table(folder, {"framewise_displacement": [9.0, 9.0]}, name)
    raw = read(folder, None)
    assert raw.mean_fd_mm == pytest.approx(np.nanmean(columns["framewise_displacement"]))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"csf\n1\n2\n", r"timeseries\.tsv has no framewise_displacement\.$"),
        (b"framewise_displacement\nn/a\n", "has no values of framewise_displacement"),
        (b"framewise_displacement\nmuch\n", r"\(could not convert string to float: 'much'\)"),
        (b"framewise_displacement\n-1\n", "that are negative or infinite"),
        (b"framewise_displacement\tb\n1\n", "row 1 under the header has 1 cells"),
        (b"\xff\xff", "is not a text file"),
    ],
)
def test_a_table_that_does_not_tell_it_is_noted(folder: Path, content: bytes, why: str) -> None:
    (folder / TABLE).write_bytes(content)
    raw = read(folder, None)
    assert raw.mean_fd_mm is None
    assert raw.notes[1].startswith("How much the head moved is not known: ")
    assert re.search(why, raw.notes[1])


# ---- confounds that cannot be had


def refusal(folder: Path, strategy: str = "simple", scan: str = SCAN) -> str:
    """What a reader says."""
    with pytest.raises(ConnectomeError) as caught:
        read(folder, strategy, scan)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_confounds_are_one_sentence(folder: Path) -> None:
    (folder / TABLE).unlink()
    assert refusal(folder) == (
        f"There is no table of confounds beside {SCAN}, expected {TABLE} and its .json in the same "
        "folder. Copy both there from fMRIPrep's output, or drop --denoise."
    )


def test_several_tables_are_one_sentence(folder: Path, columns: dict[str, Any]) -> None:
    other = "sub-01_desc-confounds_timeseries.tsv"
    write_table(folder, columns, other)
    assert f"may be its own: {other}, {TABLE}. Keep one" in refusal(folder)


@pytest.mark.parametrize("strategy", DENOISING)
def test_another_name_is_refused(folder: Path, strategy: str) -> None:
    (folder / SCAN).rename(folder / "rest.nii.gz")
    text = refusal(folder, strategy, scan="rest.nii.gz")
    kind = "smoothAROMAnonaggr" if strategy == "ica_aroma" else "preproc"
    assert text.startswith(
        f"rest.nii.gz is not named as fMRIPrep names a scan for --denoise {strategy}, expected "
        f"sub-..._desc-{kind}_bold.nii.gz"
    )


def test_names_that_nothing_needs_are_refused(folder: Path) -> None:
    (folder / SCAN).rename(folder / "rest.nii.gz")
    name = "_".join(f"a{i}-1" for i in range(25)) + "_desc-preproc_bold.nii.gz"
    (folder / "rest.nii.gz").rename(folder / name)
    assert "is not named as fMRIPrep does" in refusal(folder, scan=name)


@pytest.mark.parametrize(
    ("strategy", "missing", "said"),
    [
        ("simple", "csf", "csf"),
        ("simple", "trans_x_p", "trans_x_power2"),
        ("scrubbing", "std_dvars", "std_dvars"),
        ("scrubbing", "framewise", "framewise_displacement"),
        ("scrubbing", "csf_d", "csf_derivative1, csf_derivative1_power2"),
        ("compcor", "a_comp", "a_comp_cor_00"),
        ("compcor", "rot_z", "rot_z, rot_z_derivative1, rot_z_power2, rot_z_derivative1_power2"),
    ],
)
def test_columns_that_a_strategy_needs_are_named(
    folder: Path, columns: dict[str, Any], strategy: str, missing: str, said: str
) -> None:
    write_table(folder, {k: v for k, v in columns.items() if not k.startswith(missing)})
    assert refusal(folder, strategy) == (
        f"{TABLE} lacks {said}, which the strategy '{strategy}' needs. Give the table as fMRIPrep "
        "wrote it, choose another strategy, or drop --denoise."
    )


def test_aroma_needs_white_matter_and_csf(folder: Path, columns: dict[str, Any]) -> None:
    write_table(folder, {k: v for k, v in columns.items() if not k.startswith("white")})
    text = refusal(folder, "ica_aroma", SCAN.replace("preproc", "smoothAROMAnonaggr"))
    assert text.startswith(f"{TABLE} lacks white_matter, which the strategy 'ica_aroma' needs.")


def test_a_missing_sidecar_is_named(folder: Path) -> None:
    sidecar = (folder / TABLE).with_suffix(".json")
    sidecar.unlink()
    text = refusal(folder, "compcor")
    assert text.startswith(f"There is no {sidecar.name} beside {TABLE}, which the strategy 'comp")


def test_what_nobody_foresaw_is_in_nilearns_words(folder: Path) -> None:
    (folder / TABLE).with_suffix(".json").write_text("{}")
    assert "for the strategy 'compcor' cannot be read (" in refusal(folder, "compcor")


def test_a_column_that_nilearn_can_do_without_is_not_missed(
    folder: Path, columns: dict[str, Any]
) -> None:
    """What we say is missing is said only where nilearn fails."""
    unused = ("cosine", "std_dvars", "csf_", "white_matter_", "a_comp", "aroma")
    write_table(folder, {k: v for k, v in columns.items() if not k.startswith(unused)})
    assert np.isfinite(read(folder, "simple").values).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read"),
        (b"\xff\xfe\0", "cannot be read"),
        (b"a\tb\n1\n1\t2\t3\n", "cannot be read"),
        (b"transX\n1\n", "lacks trans_x, trans_x_derivative1"),
        (b"csf\nx\ny\n", "lacks trans_x, trans_x_derivative1"),
    ],
)
def test_damaged_confounds_are_refused(folder: Path, content: bytes, said: str) -> None:
    (folder / TABLE).write_bytes(content)
    assert said in refusal(folder)


def test_confounds_of_another_scan_are_refused(folder: Path, columns: dict[str, Any]) -> None:
    write_table(folder, {name: column[:-1] for name, column in columns.items()})
    assert "has 120 time points, but its confounds 119" in refusal(folder)


def test_gaps_in_confounds_are_refused(folder: Path, columns: dict[str, Any]) -> None:
    columns["csf"][7] = np.nan
    write_table(folder, columns)
    assert "have values that are no numbers in csf" in refusal(folder)


def test_too_few_frames_for_the_confounds_are_refused(
    folder: Path, columns: dict[str, Any]
) -> None:
    columns["framewise_displacement"][10:] = 2.0
    write_table(folder, columns)
    assert "time points left for 34 confounds" in refusal(folder, "scrubbing")


def test_denoising_without_nilearn_names_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nilearn", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'dtb-runtime\[imaging\]'"):
        read(folder, "simple")
    assert read(folder, None).values.shape == (N_FRAMES, 4)


def test_scans_without_nibabel_name_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(MissingDependencyError, match="pip install nibabel"):
        read(folder, None)
