"""Where an evaluation goes, and what is removed of the one before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dtb_models.evaluation_files import check_place, check_resumed, clear
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


def of(**changes: object) -> dict[str, Any]:
    return {"data": "tcp", "protocol": "calibrated", "bundle": None, "seed": 0} | changes


def test_only_the_same_evaluation_is_gone_on_with(tmp_path: Path) -> None:
    there = {"data": {"source": "tcp"}, "protocol": "calibrated", "bundle": None, "seed": 0}
    check_resumed(tmp_path, **of())  # nothing is there
    (tmp_path / "metrics.json").write_text(json.dumps(there), encoding="utf-8")
    check_resumed(tmp_path, **of())
    for name, value in (("protocol", "temporal"), ("bundle", "tiny"), ("seed", 1), ("data", "hcp")):
        said = rf"holds an evaluation with .*not with {name} {value!r}"
        with pytest.raises(OutputError, match=said):
            check_resumed(tmp_path, **of(**{name: value}))


def test_a_bundle_is_not_judged_where_networks_were_trained(tmp_path: Path) -> None:
    (tmp_path / "folds").mkdir()
    with pytest.raises(OutputError, match="with networks trained for it, not with bundle 'tiny'"):
        check_resumed(tmp_path, **of(bundle="tiny"))
    check_resumed(tmp_path, **of())


def test_figures_that_cannot_be_read_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be read, so it is not known whose figures"):
        check_resumed(tmp_path, **of())
