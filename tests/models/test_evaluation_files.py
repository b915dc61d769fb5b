"""Where an evaluation goes, and what is removed of the one before."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtb_models.evaluation_files import check_place, clear
from dtb_runtime.errors import OutputError


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that holds an evaluation, its trainings, and a file that is none of it."""
    names = (
        "metrics.json",
        "judged/twin.tsv",
        "predictions/sub-1_desc-twin_summary.json",
        "folds/plan.json",
        "notes.txt",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_what_was_trained_stays(out: Path) -> None:
    clear(out)
    left = [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()]
    assert sorted(left) == ["folds/plan.json", "notes.txt"]


def test_what_cannot_be_removed_is_said(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match=r"metrics\.json .* cannot be removed: Permission denied"):
        clear(out)


def test_an_evaluation_that_is_there_is_not_written_over(out: Path) -> None:
    with pytest.raises(OutputError, match=r"holds an evaluation already \(metrics\.json\)"):
        check_place(out, resume=False, force=False)
    check_place(out, resume=True, force=False)
    check_place(out, resume=False, force=True)
