"""Observed trials: read, joined to runs, turned into targets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.errors import EventsError, UsageError
from dtb_runtime.events import SCHEDULES_DIR, Events, Responses
from dtb_runtime.tasks import get_task
from dtb_runtime.trial_likelihood import RunEvidence
from dtb_runtime.trials_seen import (
    ObservedRun,
    canonical_order,
    join_runs,
    press_targets,
    read_observed,
)


def answers(events: Events, time_s: float = 0.7, correct: bool = True) -> Responses:
    n = events.n_trials
    return Responses(
        response_time_s=np.full(n, time_s),
        correct=np.full(n, correct),
        usable=np.ones(n, np.bool_),
    )


@pytest.fixture
def stroop() -> Events:
    return get_task("stroop").schedule()


@pytest.fixture
def hammer() -> Events:
    return get_task("hammer").schedule()


def test_press_lands_in_the_step_that_holds_it_and_masks_until_the_next_trial(
    hammer: Events,
) -> None:
    targets, counted = press_targets(hammer, answers(hammer), 3, masked=True)
    for trial in range(hammer.n_trials):
        pressed_s = hammer.onset_s[trial] + 0.7
        steps = np.flatnonzero(targets[hammer.onset_step[trial] :].sum(1))
        step = int(steps[0] + hammer.onset_step[trial])
        assert step * 0.08 <= pressed_s + 1e-5
        assert pressed_s < (step + 1) * 0.08 + 1e-5
        assert targets[step].argmax() == hammer.correct_option[trial]
        end = hammer.n_steps if trial + 1 == hammer.n_trials else hammer.onset_step[trial + 1]
        assert counted[hammer.onset_step[trial] : step + 1].all()
        assert not counted[step + 1 : end].any()
    assert targets.sum() == hammer.n_trials


def test_a_wrong_press_is_shared_between_the_options_it_can_have_been(stroop: Events) -> None:
    targets, _ = press_targets(stroop, answers(stroop, correct=False), 3, masked=True)
    pressed = targets[targets.sum(1) > 0]
    assert len(pressed) == stroop.n_trials
    np.testing.assert_array_equal(np.sort(pressed, 1), np.tile([0, 0.5, 0.5], (len(pressed), 1)))
    rows = np.flatnonzero(targets.sum(1) > 0)
    assert (targets[rows, stroop.correct_option] == 0).all()


def test_a_wrong_press_of_two_options_is_the_other_one(hammer: Events) -> None:
    targets, _ = press_targets(hammer, answers(hammer, correct=False), 3, masked=True)
    rows = np.flatnonzero(targets.sum(1) > 0)
    np.testing.assert_array_equal(targets[rows, 1 - hammer.correct_option], 1)


def test_no_response_counts_every_step_and_presses_none(stroop: Events) -> None:
    targets, counted = press_targets(stroop, answers(stroop, np.nan), 3, masked=True)
    assert targets.sum() == 0
    assert counted.all()


def test_an_unusable_response_hides_its_trial(stroop: Events) -> None:
    responses = replace(answers(stroop), usable=np.arange(stroop.n_trials) != 3)
    targets, counted = press_targets(stroop, responses, 3, masked=True)
    trial = slice(int(stroop.onset_step[3]), int(stroop.onset_step[4]))
    assert not counted[trial].any()
    assert targets[trial].sum() == 0


def test_the_papers_form_counts_every_step(stroop: Events) -> None:
    responses = replace(answers(stroop), usable=np.arange(stroop.n_trials) != 3)
    targets, counted = press_targets(stroop, responses, 3, masked=False)
    assert counted.all()
    assert targets.sum() == stroop.n_trials - 1


def recorded(task: str, *, seed: int = 1) -> list[list[str]]:
    """Rows of the default schedule with responses as a scanner's file has them; header first."""
    rng = np.random.default_rng(seed)
    lines = (SCHEDULES_DIR / f"{task}.tsv").read_text(encoding="utf-8").splitlines()
    header, *rows = (line.split("\t") for line in lines)
    out = [[*header, "response_time", "accuracy_binarized"]]
    for row in rows:
        time, kind = f"{rng.uniform(0.3, 1.5):.4f}", rng.random()
        if kind < 0.1:
            out.append([*row, "n/a", "0"])
        else:
            out.append([*row, time, "1" if kind < 0.9 else "0"])
    return out


def write(path: Path, rows: list[list[str]]) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")
    return path


def parts_of(rows: list[list[str]], *bounds: int) -> list[list[list[str]]]:
    """The same file cut into several before the given trials."""
    header, trials = rows[0], rows[1:]
    edges = [0, *bounds, len(trials)]
    return [[header, *trials[a:b]] for a, b in pairwise(edges)]


def assert_same_run(one: ObservedRun, other: ObservedRun) -> None:
    """The network and the likelihood see no difference."""
    for name in ("onset_s", "duration_s", "onset_step", "offset_step", "correct_option"):
        np.testing.assert_array_equal(getattr(one.events, name), getattr(other.events, name))
    for name in ("response_time_s", "correct", "usable"):
        np.testing.assert_array_equal(getattr(one.responses, name), getattr(other.responses, name))
    a, b = (RunEvidence.of(run, 3) for run in (one, other))
    for x, y in ((a.stimulus, b.stimulus), (a.steps, b.steps), (a.pressed, b.pressed)):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_a_recorded_file_is_read(task: str, tmp_path: Path) -> None:
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
        ("sub-01_task-colors_events.tsv", "stroop"),
        ("mytask-hammer_events.tsv", "stroop"),
    ],
)
def test_the_task_is_told_by_the_name_then_by_the_columns(
    name: str, task: str, tmp_path: Path
) -> None:
    assert read_observed(write(tmp_path / name, recorded(task))).task == task


def test_a_task_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    rows = [["onset", "duration", "trial_type", "response_time", "accuracy_binarized"],
            ["1.0", "2.0", "go", "0.5", "1"]]  # fmt: skip
    for name, found in (("a.tsv", "no task-<label>"), ("task-gonogo_events.tsv", "task-gonogo")):
        path = write(tmp_path / name, rows)
        with pytest.raises(UsageError, match=f"which task {name} is of: its name has {found}, and"):
            read_observed(path)
    with pytest.raises(UsageError, match="There is no task named 'go'"):
        read_observed(path, "go")
    both = [[*hammer, *stroop] for hammer, stroop in zip(
        [row[:-2] for row in recorded("hammer")[:3]],
        [row[3:] for row in recorded("stroop")[:3]], strict=True)]  # fmt: skip
    with pytest.raises(UsageError, match="its columns fit hammer and stroop of hammer, stroop"):
        read_observed(write(tmp_path / "both.tsv", both))
    assert read_observed(tmp_path / "both.tsv", "hammer").task == "hammer"


def test_a_schedule_without_responses_was_not_observed(tmp_path: Path) -> None:
    path = write(tmp_path / "stroop.tsv", [row[:-2] for row in recorded("stroop")])
    with pytest.raises(EventsError, match="no column 'response_time'"):
        read_observed(path)
    with pytest.raises(EventsError, match="There is no file at"):
        read_observed(tmp_path / "none.tsv")


def test_trials_and_responses_must_go_together(stroop: Events) -> None:
    short = answers(stroop)
    with pytest.raises(EventsError, match="has 78 trials, but there are responses to 77 or 78"):
        ObservedRun(stroop, replace(short, usable=short.usable[1:]))
    for bad in (np.inf, -0.1, 1e7):
        with pytest.raises(EventsError, match="response times must be seconds after the onset"):
            ObservedRun(stroop, answers(stroop, bad))
        unusable = replace(answers(stroop, bad), usable=np.zeros(stroop.n_trials, np.bool_))
        assert ObservedRun(stroop, unusable).n_observed == 0


def test_until_keeps_the_trials_that_begin_before(stroop: Events) -> None:
    run = ObservedRun(stroop, answers(stroop))
    half = run.until(196.8)
    assert half is not None
    n = half.events.n_trials
    assert half.events.onset_s[-1] < 196.8 <= stroop.onset_s[n]
    assert half.n_observed == n
    assert run.until(0.0) is None
    assert run.until(float(stroop.onset_s[0])) is None
    whole = run.until(1e6)
    assert whole is not None
    assert_same_run(whole, run)


@pytest.mark.parametrize("task", ["hammer", "stroop"])
@pytest.mark.parametrize("bounds", [(7,), (24,), (3, 30, 31)])
def test_parts_of_a_run_are_joined_to_the_run(
    task: str, bounds: tuple[int, ...], tmp_path: Path
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


def test_what_lies_between_two_parts_is_not_known(tmp_path: Path) -> None:
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


def test_runs_of_one_task_stay_apart(tmp_path: Path) -> None:
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
    names: tuple[str, str], n_runs: int, tmp_path: Path
) -> None:
    halves = parts_of(recorded("stroop"), 40)
    paths = [write(tmp_path / name, half) for name, half in zip(names, halves, strict=True)]
    assert len(join_runs([read_observed(path, "stroop") for path in paths])) == n_runs


def test_tasks_stay_apart_and_come_in_order(stroop: Events, hammer: Events) -> None:
    runs = [ObservedRun(events, answers(events)) for events in (stroop, hammer)]
    assert [run.task for run in join_runs(runs)] == ["hammer", "stroop"]
    assert join_runs([]) == ()


def test_the_same_trials_twice_are_refused(tmp_path: Path) -> None:
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
    stroop: Events,
) -> None:
    """Nobody's misses differ, so nothing else could tell two runs of a schedule apart."""
    run = ObservedRun(stroop, answers(stroop, np.nan, correct=False))
    other = run.until(100.0)
    assert other is not None
    assert len(join_runs([run, other])) == 2
    with pytest.raises(UsageError, match="hold the same trials"):
        join_runs([run, run])


def test_two_runs_of_a_schedule_that_share_no_answer_are_two(stroop: Events) -> None:
    runs = [ObservedRun(stroop, answers(stroop, time)) for time in (0.7, 0.8)]
    for order in (runs, runs[::-1]):
        assert [run.responses.response_time_s[0] for run in join_runs(order)] == [
            run.responses.response_time_s[0] for run in join_runs(runs)
        ]


def test_too_many_parts_are_refused(stroop: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtb_runtime.trials_seen.MAX_PARTS", 2)
    runs = [ObservedRun(stroop, answers(stroop, 0.5 + 0.1 * i)) for i in range(3)]
    with pytest.raises(UsageError, match="There are 3 runs and parts of runs, expected at most 2"):
        canonical_order(runs)


def test_only_what_trials_are_made_of_is_kept(tmp_path: Path) -> None:
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


def test_real_runs_are_cut_and_joined_again(shared_data: Path) -> None:
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
