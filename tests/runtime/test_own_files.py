"""Everybody's own files: what is removed is ours, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.errors import ConnectomeError
from dtb_runtime.own_files import OwnFiles


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return folder


def test_a_person_without_a_session_keeps_the_sessions(tmp_path: Path) -> None:
    root = made(tmp_path / "people", "sub-1/a.tsv", "sub-1/ses-1/a.tsv", "sub-2/a.tsv")
    OwnFiles(root).clear(CohortEntry("sub-1", None, None))
    left = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert left == ["sub-1/ses-1/a.tsv", "sub-2/a.tsv"]


def test_only_parts_are_removed_where_there_are_parts(tmp_path: Path) -> None:
    root = made(tmp_path / "people", "sub-1/common/a.tsv", "sub-1/other/a.tsv", "sub-1/notes")
    files = OwnFiles(root, ("common", "personal"))
    entry = CohortEntry("sub-1", None, None)
    assert not files.are_there(entry)
    made(root, "sub-1/personal/a.tsv")
    assert files.are_there(entry)
    files.clear(entry)
    left = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert left == ["sub-1/notes", "sub-1/other/a.tsv"]


@pytest.mark.parametrize("label", ["/precious", "../precious", "sub-" + "1" * 300])
def test_names_that_may_be_anything_name_no_folder(tmp_path: Path, label: str) -> None:
    made(tmp_path / "precious", "a.tsv")
    root = made(tmp_path / "people", "sub-1/a.tsv")
    problem = None if label.startswith("sub-") else "It is no participant id."
    entry = CohortEntry(label, None, None, problem=problem)
    files = OwnFiles(root)
    files.clear(entry)
    with pytest.raises(ConnectomeError):
        files.of(entry)
    assert (tmp_path / "precious" / "a.tsv").exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    made(tmp_path / "elsewhere", "a.tsv")
    root = tmp_path / "people"
    (root / "sub-1").mkdir(parents=True)
    (root / "sub-1" / "common").symlink_to(tmp_path / "elsewhere")
    (root / "sub-2").symlink_to(tmp_path / "elsewhere")
    OwnFiles(root, ("common",)).clear(CohortEntry("sub-1", None, None))
    OwnFiles(root).clear(CohortEntry("sub-2", None, None))
    assert (tmp_path / "elsewhere" / "a.tsv").exists()
    assert not (root / "sub-1" / "common").exists()
