"""How much the head moved: from XCP-D's tables, as pandas reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dtb_runtime.bundle import Bundle
from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.raw_array import RawArray
from dtb_runtime.scored_person import file_stamp, stamp_of
from dtb_runtime.xcp_d_motion import mean_fd_of, motion_table_of, with_mean_fd

STEM = "sub-01_ses-1_task-rest_run-01"
MATRIX = f"{STEM}_space-fsLR_seg-Glasser_stat-pearsoncorrelation_relmat.tsv"
PLAIN, FILTERED = f"{STEM}_motion.tsv", f"{STEM}_desc-filtered_motion.tsv"
PARAMETERS = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
RAW = RawArray(np.eye(3), notes=("before",))


def put_table(folder: Path, name: str, *, has_filtered: bool, seed: int = 0) -> pd.DataFrame:
    """Write a table of motion as XCP-D does."""
    rng = np.random.default_rng(seed)
    columns = [*PARAMETERS, "framewise_displacement"]
    if has_filtered:
        columns += [f"{column}_filtered" for column in columns]
    table = pd.DataFrame(rng.uniform(0.01, 0.4, (150, len(columns))), columns=columns)
    table.to_csv(folder / name, sep="\t", index=False, na_rep="n/a")
    return table


@pytest.mark.parametrize(
    "name",
    [
        MATRIX,
        f"{STEM}_space-fsLR_den-91k_desc-denoised_bold.dtseries.nii",
        f"{STEM}_space-MNI152NLin6Asym_atlas-mine_stat-mean_timeseries.tsv",
        f"{STEM}_space-fsLR_seg-x_den-91k_stat-pearsoncorrelation_boldmap.pconn.nii",
    ],
)
@pytest.mark.parametrize("table", [PLAIN, FILTERED])
def test_the_table_of_the_scan_is_found(tmp_path: Path, name: str, table: str) -> None:
    assert motion_table_of(tmp_path / name) is None
    expected = put_table(tmp_path, table, has_filtered=table == FILTERED)
    assert motion_table_of(tmp_path / name) == tmp_path / table
    found = with_mean_fd(RAW, tmp_path / name)
    assert found.mean_fd_mm == pytest.approx(expected["framewise_displacement"].mean(), rel=1e-12)
    assert found.notes == ("before",)
    assert found.values is RAW.values


@pytest.mark.parametrize(
    "name",
    [
        MATRIX.replace("run-01", "run-02"),
        MATRIX.replace("sub-01", "sub-02"),
        MATRIX.replace("_run-01", ""),  # of all runs
        f"{STEM}_seg-Glasser_relmat.tsv",  # not XCP-D's
        "space-fsLR_relmat.tsv",
        "A01.npy",
    ],
)
def test_other_files_have_no_table(tmp_path: Path, name: str) -> None:
    put_table(tmp_path, PLAIN, has_filtered=False)
    put_table(tmp_path, f"{STEM}_outliers.tsv", has_filtered=False)
    assert motion_table_of(tmp_path / name) is None
    assert with_mean_fd(RAW, tmp_path / name) is RAW


def test_what_is_known_already_stays(tmp_path: Path) -> None:
    put_table(tmp_path, PLAIN, has_filtered=False)
    known = RawArray(np.eye(3), mean_fd_mm=0.5)
    assert with_mean_fd(known, tmp_path / MATRIX) is known


def test_of_two_tables_the_one_without_a_filter_counts(tmp_path: Path) -> None:
    put_table(tmp_path, FILTERED, has_filtered=True, seed=1)
    expected = put_table(tmp_path, PLAIN, has_filtered=False)
    found = with_mean_fd(RAW, tmp_path / MATRIX)
    assert found.mean_fd_mm == pytest.approx(expected["framewise_displacement"].mean(), rel=1e-12)


def test_that_motion_was_filtered_is_said(tmp_path: Path) -> None:
    expected = put_table(tmp_path, FILTERED, has_filtered=False)
    found = with_mean_fd(RAW, tmp_path / MATRIX)
    assert found.mean_fd_mm == pytest.approx(expected["framewise_displacement"].mean(), rel=1e-12)
    assert found.notes[1:] == (
        f"The framewise displacement in {FILTERED} is of motion that XCP-D has filtered, which is "
        "less than what others measure.",
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"trans_x\n1\n2\n", "_motion.tsv has no framewise_displacement."),
        (b"framewise_displacement\nn/a\n", "has no values of framewise_displacement."),
        (b"framewise_displacement\n-1\n", "that are negative or infinite."),
        (b"framewise_displacement\ninf\n", "that are negative or infinite."),
        (b"framewise_displacement\nmuch\n", "(could not convert string to float: 'much')."),
        (b"framewise_displacement\tb\n1\n", "row 1 under the header has 1 cells"),
        (b"\xff\xff", "is not a text file"),
        (b"", "is empty"),
    ],
)
def test_a_table_that_does_not_tell_it_is_noted(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / PLAIN).write_bytes(content)
    mean, (note,) = mean_fd_of(tmp_path / PLAIN)
    assert mean is None
    assert note.startswith(f"How much the head moved is not known: {STEM}_motion.tsv")
    assert why in note
    assert "\n" not in note


def test_frames_without_a_number_do_not_count(tmp_path: Path) -> None:
    text = "framewise_displacement\nn/a\n0.1\n\n0.3\n"
    (tmp_path / PLAIN).write_text(text, encoding="utf-8")
    expected = pd.read_table(tmp_path / PLAIN)["framewise_displacement"].mean()
    assert mean_fd_of(tmp_path / PLAIN) == (pytest.approx(expected), ())


def test_a_connectome_of_xcp_d_comes_with_it(tmp_path: Path, tiny: Bundle) -> None:
    assert tiny.manifest.parcellation is not None
    labels = tiny.manifest.parcellation.labels
    expected = put_table(tmp_path, PLAIN, has_filtered=False)["framewise_displacement"].mean()
    series = np.random.default_rng(1).standard_normal((150, len(labels)))
    as_series = MATRIX.replace("stat-pearsoncorrelation_relmat", "stat-mean_timeseries")
    np.savetxt(tmp_path / MATRIX, np.corrcoef(series.T), delimiter="\t", header="\t".join(labels))
    np.savetxt(tmp_path / as_series, series, delimiter="\t", header="\t".join(labels))
    for name in (MATRIX, as_series):
        path = tmp_path / name
        path.write_text(path.read_text().removeprefix("# "))
        assert read_connectome(path).mean_fd_mm == pytest.approx(expected)
    twin = tiny.personalize(read_connectome(tmp_path / MATRIX))
    assert twin.facts is not None
    assert twin.facts.numbers["mean_fd_mm"] == pytest.approx(expected)
    (row,) = tiny.score([CohortEntry("sub-01", "ses-1", tmp_path / MATRIX)])
    assert row.values["mean_fd_mm"] == pytest.approx(expected, rel=1e-5)


def test_who_has_another_table_has_changed(tmp_path: Path) -> None:
    (tmp_path / MATRIX).write_text("x")
    entry = CohortEntry("sub-01", None, tmp_path / MATRIX)
    stamps = [stamp_of(entry)]
    assert stamps == [file_stamp(tmp_path / MATRIX)]
    put_table(tmp_path, FILTERED, has_filtered=True)
    stamps.append(stamp_of(entry))
    put_table(tmp_path, PLAIN, has_filtered=True)
    stamps.append(stamp_of(entry))
    assert len(set(stamps)) == 3
    put_table(tmp_path, f"{STEM}_outliers.tsv", has_filtered=False)
    assert stamp_of(entry) == stamps[-1]
