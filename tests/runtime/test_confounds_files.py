"""Tables of confounds beside a scan: what a scan's result depends on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.confounds_files import confounds_of, files_beside
from dtb_runtime.meant_files import is_scan
from dtb_runtime.scored_person import ScoredPerson, file_stamp, stamp_of

SCAN = "sub-01_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
TABLE = "sub-01_task-rest_desc-confounds_timeseries.tsv"


def _touch(path: Path) -> Path:
    path.write_text("x", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a_bold.nii", True),
        ("a_bold.nii.gz", True),
        ("a_bold.NII.GZ", True),
        ("a_bold.dtseries.nii", True),
        ("a_timeseries.ptseries.nii", False),
        ("a_boldmap.pconn.nii", False),
        ("a_bold.pscalar.nii", False),
        ("a_bold.dscalar.nii", False),
        ("a_dseg.dlabel.nii", False),
        ("a_bold.tsv", False),
        ("a.nii.tsv", False),
    ],
)
def test_scans_are_known_by_their_ending(name: str, expected: bool) -> None:
    assert is_scan(name) is expected


def test_the_table_with_most_entities_of_the_scan_is_its_own(tmp_path: Path) -> None:
    scan = _touch(tmp_path / SCAN)
    assert confounds_of(scan) is None
    table = _touch(tmp_path / TABLE)
    _touch(tmp_path / "sub-01_task-stroop_desc-confounds_timeseries.tsv")
    _touch(tmp_path / "sub-01_desc-confounds_regressors.tsv")
    assert confounds_of(scan) == table
    _touch(tmp_path / "sub-01_task-rest_desc-confounds_regressors.tsv")
    assert confounds_of(scan) is None  # which of both it is, nobody knows
    assert len(files_beside(scan)) == 3
    assert files_beside(_touch(tmp_path / "sub-01_task-rest_relmat.tsv")) == ()


def test_a_scan_has_changed_when_its_confounds_have(tmp_path: Path) -> None:
    entry = CohortEntry("sub-01", None, _touch(tmp_path / SCAN))
    alone = stamp_of(entry)
    assert alone == file_stamp(tmp_path / SCAN)
    stamps = [alone]
    table, sidecar = _touch(tmp_path / TABLE), (tmp_path / TABLE).with_suffix(".json")
    stamps.append(stamp_of(entry))
    _touch(sidecar)
    stamps.append(stamp_of(entry))
    for path in (table, sidecar, tmp_path / SCAN):
        os.utime(path, ns=(0, 5))
        stamps.append(stamp_of(entry))
        assert stamp_of(entry) == stamps[-1]
    assert len(set(stamps)) == len(stamps)
    person = ScoredPerson.ok(entry, {"x": 1.0}, stamp=stamps[-1])
    assert ScoredPerson.from_line(person.to_line(), "here").stamp == stamps[-1]
    _touch(tmp_path / "sub-02_task-rest_desc-confounds_timeseries.tsv")  # of somebody else
    assert stamp_of(entry) == stamps[-1]
    (tmp_path / SCAN).unlink()
    assert stamp_of(entry) is None
