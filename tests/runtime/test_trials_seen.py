"""A person's own trials, read from files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dtb_runtime.errors import EventsError, UsageError
from dtb_runtime.trials_seen import read_observed

Recorded = Callable[..., list[list[str]]]
Write = Callable[[Path, list[list[str]]], Path]


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_a_recorded_file_is_read(
    task: str, tmp_path: Path, recorded: Recorded, write: Write
) -> None:
    rows = recorded(task)
    path = write(tmp_path / f"sub-01_task-{task}AP_run-01_events.tsv", rows)
    run = read_observed(path)
    assert run.task == task
    assert run.n_observed == len(rows) - 1
    n_missed = sum(row[-2] == "n/a" for row in rows[1:])
    assert 0 < n_missed == run.n_observed - run.n_answered
    assert repr(run) == f"ObservedRun({task!r}, {path.name!r}, {len(rows) - 1} trials)"


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("sub-01_task-stroop_events.tsv", "stroop"),
        ("sub-01_ses-1_task-StroopPA_run-2_events.tsv", "stroop"),
        ("task-hammer.tsv", "hammer"),
        ("block1.tsv", "stroop"),  # by its columns, as what follows
        ("sub-01_colors_events.tsv", "stroop"),
        ("mytask-hammer_events.tsv", "stroop"),
    ],
)
def test_the_task_is_told_by_the_name_then_by_the_columns(
    name: str, task: str, tmp_path: Path, recorded: Recorded, write: Write
) -> None:
    assert read_observed(write(tmp_path / name, recorded(task))).task == task


def test_a_task_that_cannot_be_told_is_asked_for(
    tmp_path: Path, recorded: Recorded, write: Write
) -> None:
    rows = [["onset", "duration", "trial_type", "response_time", "accuracy_binarized"],
            ["1.0", "2.0", "go", "0.5", "1"]]  # fmt: skip
    said = {"a.tsv": "has no task-<label>", "task-gonogo_events.tsv": "says task-gonogo"}
    for name, found in said.items():
        path = write(tmp_path / name, rows)
        with pytest.raises(UsageError, match=f"which task {name} is of: its name {found}, its"):
            read_observed(path)
    with pytest.raises(UsageError, match="There is no task named 'go'"):
        read_observed(path, "go")
    both = [[*hammer, *stroop] for hammer, stroop in zip(
        [row[:-2] for row in recorded("hammer")[:3]],
        [row[3:] for row in recorded("stroop")[:3]], strict=True)]  # fmt: skip
    with pytest.raises(UsageError, match="its columns are those of hammer and stroop"):
        read_observed(write(tmp_path / "both.tsv", both))
    assert read_observed(tmp_path / "both.tsv", "hammer").task == "hammer"


def test_a_name_of_another_task_is_not_overruled_by_columns(
    tmp_path: Path, recorded: Recorded, write: Write
) -> None:
    path = write(tmp_path / "sub-01_task-colors_events.tsv", recorded("stroop"))
    with pytest.raises(UsageError, match="its name says task-colors, its columns are those of str"):
        read_observed(path)
    assert read_observed(path, "stroop").task == "stroop"


def test_a_schedule_without_responses_was_not_observed(
    tmp_path: Path, recorded: Recorded, write: Write
) -> None:
    path = write(tmp_path / "stroop.tsv", [row[:-2] for row in recorded("stroop")])
    with pytest.raises(EventsError, match="no column 'response_time'"):
        read_observed(path)
    with pytest.raises(EventsError, match="There is no file at"):
        read_observed(tmp_path / "none.tsv")
