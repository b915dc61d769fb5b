"""Parts of runs, joined to the runs they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.errors import UsageError
from dtb_runtime.events import Events
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.run_joining import canonical_order, join_runs
from dtb_runtime.trial_likelihood import RunEvidence
from dtb_runtime.trials_seen import read_observed

Answers = Callable[..., Responses]
Recorded = Callable[..., list[list[str]]]
Write = Callable[[Path, list[list[str]]], Path]
Same = Callable[[ObservedRun, ObservedRun], None]


def parts_of(rows: list[list[str]], *bounds: int) -> list[list[list[str]]]:
    """The same file cut into several before the given trials."""
    header, trials = rows[0], rows[1:]
    edges = [0, *bounds, len(trials)]
    return [[header, *trials[a:b]] for a, b in pairwise(edges)]


@pytest.mark.parametrize("task", ["hammer", "stroop"])
@pytest.mark.parametrize("bounds", [(7,), (24,), (3, 30, 31)])
def test_parts_of_a_run_are_joined_to_the_run(
    task: str,
    bounds: tuple[int, ...],
    tmp_path: Path,
    assert_same_run: Same,
    recorded: Recorded,
    write: Write,
) -> None:
    rows = recorded(task)
    whole = read_observed(write(tmp_path / "whole.tsv", rows), task)
    parts = [
        read_observed(write(tmp_path / f"part{i}.tsv", part), task)
        for i, part in enumerate(parts_of(rows, *bounds))
    ]
    for order in list(permutations(parts))[:6]:
        (joined,) = join_runs(order)
        assert_same_run(joined, whole)
        assert joined.events.source == " + ".join(f"part{i}.tsv" for i in range(len(parts)))


def test_what_lies_between_two_parts_is_not_known(
    tmp_path: Path, recorded: Recorded, write: Write
) -> None:
    """A trial without an answer before a gap says nothing about the gap."""
    rows = recorded("stroop")
    rows[10][-2:] = ["n/a", "0"]
    first, _, last = parts_of(rows, 10, 20)
    parts = [read_observed(write(tmp_path / f"{i}.tsv", own), "stroop")
             for i, own in enumerate((first, last))]  # fmt: skip
    (joined,) = join_runs(parts)
    assert joined.events.n_trials == 78 - 10
    evidence = RunEvidence.of(joined, 3)
    gap = np.arange(joined.events.offset_step[9], joined.events.onset_step[10])
    assert len(gap) > 200
    assert not np.isin(gap, evidence.steps).any()
    assert joined.events.offset_step[9] - 1 in evidence.steps


def test_runs_of_one_task_stay_apart(
    tmp_path: Path, assert_same_run: Same, recorded: Recorded, write: Write
) -> None:
    runs = [
        read_observed(write(tmp_path / f"sub-1_task-stroop{which}_run-01_events.tsv",
                            recorded("stroop", seed=seed)))
        for seed, which in enumerate(("AP", "PA"))
    ]  # fmt: skip
    for order in (runs, runs[::-1]):
        first, second = join_runs(order)
        assert_same_run(first, runs[0])
        assert_same_run(second, runs[1])


@pytest.mark.parametrize(
    ("names", "n_runs"),
    [
        (("a_run-01_events.tsv", "a_run-02_events.tsv"), 2),
        (("a_acq-1_events.tsv", "a_acq-2_events.tsv"), 2),
        (("task-stroopAP_events.tsv", "task-stroopPA_events.tsv"), 2),
        (("x/a_run-01_events.tsv", "y/a_run-01_events.tsv"), 1),
        (("a_run-01_desc-early.tsv", "a_run-01_desc-late.tsv"), 1),
        (("a_run-01_events.tsv", "late.tsv"), 1),
    ],
)
def test_names_can_say_that_halves_are_of_different_runs(
    names: tuple[str, str], n_runs: int, tmp_path: Path, recorded: Recorded, write: Write
) -> None:
    halves = parts_of(recorded("stroop"), 40)
    paths = [write(tmp_path / name, half) for name, half in zip(names, halves, strict=True)]
    assert len(join_runs([read_observed(path, "stroop") for path in paths])) == n_runs


def test_tasks_stay_apart_and_come_in_order(
    stroop: Events, hammer: Events, answers: Answers
) -> None:
    runs = [ObservedRun(events, answers(events)) for events in (stroop, hammer)]
    assert [run.task for run in join_runs(runs)] == ["hammer", "stroop"]
    assert join_runs([]) == ()


def test_the_same_trials_twice_are_refused(
    tmp_path: Path, recorded: Recorded, write: Write
) -> None:
    rows = recorded("stroop")
    whole, copy = (read_observed(write(tmp_path / n, rows), "stroop") for n in ("a.tsv", "b.tsv"))
    half = read_observed(write(tmp_path / "half.tsv", parts_of(rows, 40)[1]), "stroop")
    for parts in ((whole, copy), (whole, half), (half, copy), (whole, whole)):
        with pytest.raises(UsageError, match="hold the same trials of the task 'stroop', which"):
            join_runs(parts)
    named = read_observed(write(tmp_path / "task-stroop_run-2.tsv", rows))
    with pytest.raises(UsageError, match=r"task-stroop_run-2\.tsv.* hold the same trials"):
        join_runs([whole, named])


def test_two_runs_without_any_answer_are_the_same_only_if_they_are_whole(
    stroop: Events, answers: Answers
) -> None:
    """Nobody's misses differ, so nothing else could tell two runs of a schedule apart."""
    run = ObservedRun(stroop, answers(stroop, np.nan, correct=False))
    other = run.until(100.0)
    assert other is not None
    assert len(join_runs([run, other])) == 2
    with pytest.raises(UsageError, match="hold the same trials"):
        join_runs([run, run])


def test_two_runs_of_a_schedule_that_share_no_answer_are_two(
    stroop: Events, answers: Answers
) -> None:
    runs = [ObservedRun(stroop, answers(stroop, time)) for time in (0.7, 0.8)]
    for order in (runs, runs[::-1]):
        assert [run.responses.response_time_s[0] for run in join_runs(order)] == [
            run.responses.response_time_s[0] for run in join_runs(runs)
        ]


def test_too_many_parts_are_refused(
    stroop: Events, monkeypatch: pytest.MonkeyPatch, answers: Answers
) -> None:
    monkeypatch.setattr("dtb_runtime.run_joining.MAX_PARTS", 2)
    runs = [ObservedRun(stroop, answers(stroop, 0.5 + 0.1 * i)) for i in range(3)]
    with pytest.raises(UsageError, match="There are 3 runs and parts of runs, expected at most 2"):
        canonical_order(runs)


def test_only_what_trials_are_made_of_is_kept(
    tmp_path: Path, assert_same_run: Same, recorded: Recorded, write: Write
) -> None:
    path = write(tmp_path / "a.tsv", recorded("hammer"))
    (kept,) = canonical_order([read_observed(path, "hammer")])
    assert set(kept.events.columns) == {
        "stimLeft",
        "stimTop",
        "stimRight",
        "cueStartTime",
        "cueEndTime",
    }
    (again,) = canonical_order([kept])
    assert_same_run(again, kept)


def test_real_runs_are_cut_and_joined_again(shared_data: Path, assert_same_run: Same) -> None:
    """Real trials last until the next one begins, and some responses cannot be used."""
    paths = sorted((shared_data / "tcp").glob("sub-*/func/*_events.tsv"))[:24]
    assert len(paths) == 24
    unusable = 0
    for path in paths:
        whole = read_observed(path)
        unusable += whole.events.n_trials - whole.n_observed
        early = whole.until(196.8)
        assert early is not None
        late = _from(whole, early.events.n_trials)
        (joined,) = join_runs([late, early])
        assert_same_run(joined, whole)
    assert unusable > 0


def _from(run: ObservedRun, first: int) -> ObservedRun:
    """The trials from one on."""

    def rest(owner: Events | Responses, names: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
        return {name: getattr(owner, name)[first:] for name in names}

    events = replace(
        run.events,
        trial_type=run.events.trial_type[first:],
        trial_group=run.events.trial_group[first:],
        columns={name: cells[first:] for name, cells in run.events.columns.items()},
        **rest(
            run.events,
            ("onset_s", "duration_s", "correct_option", "onset_step", "offset_step"),
        ),
    )
    own = rest(run.responses, ("response_time_s", "correct", "usable"))
    return ObservedRun(events, replace(run.responses, **own))


def test_the_same_answers_are_known_whatever_they_are_called(
    tmp_path: Path, recorded: Recorded, write: Write
) -> None:
    """Rounded to milliseconds, one of them edited, with other names, or from another frame."""
    rows = recorded("stroop")
    whole = read_observed(write(tmp_path / "a.tsv", rows), "stroop")
    header = rows[0]
    time, onset, color = (
        header.index(name) for name in ("response_time", "onset", "stimulus_color")
    )

    def changed(name: str, change: Callable[[int, list[str]], None]) -> ObservedRun:
        table = [list(row) for row in rows]
        for i, row in enumerate(table[1:]):
            change(i, row)
        return read_observed(write(tmp_path / name, table), "stroop")

    def rounded(_: int, row: list[str]) -> None:
        if row[time] != "n/a":
            row[time] = f"{float(row[time]):.3f}"

    def edited(i: int, row: list[str]) -> None:
        if i == 3:
            row[time] = "1.234"

    def shifted(_: int, row: list[str]) -> None:
        row[onset] = f"{float(row[onset]) + 0.001:.6f}"

    def renamed(_: int, row: list[str]) -> None:
        row[color] = row[color].upper()

    for change in (rounded, edited, shifted, renamed):
        with pytest.raises(UsageError, match="hold the same trials"):
            join_runs([whole, changed(f"{change.__name__}.tsv", change)])
