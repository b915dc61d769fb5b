"""Who is judged on which trials: halves, people left out with a reason, folds by person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtb_models.cohorts import Participant, Run
from dtb_models.protocols import (
    HALF_S,
    PROTOCOLS,
    accuracy,
    first_half,
    folds,
    judged_people,
    run_of_task,
    second_half,
)
from dtb_models.tcp import TcpCohort
from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.tasks import get_task

People = Callable[..., list[Participant]]


def answering(person: Participant, task: str, **changes: np.ndarray) -> Participant:
    """The same person with other responses in one task."""
    runs = [
        replace(run, responses=replace(run.responses, **changes)) if run.task == task else run
        for run in person.runs
    ]
    return replace(person, runs=tuple(runs))


# ---- halves


@pytest.mark.parametrize(("task", "n_first", "n_second"), [("hammer", 54, 54), ("stroop", 37, 41)])
def test_halves_are_cut_by_onset(task: str, n_first: int, n_second: int) -> None:
    events = get_task(task).schedule()
    assert int(first_half(events).sum()) == n_first
    assert int(second_half(events).sum()) == n_second
    assert not (first_half(events) & second_half(events)).any()


def test_a_trial_on_the_border_is_of_the_second_half_and_later_ones_of_neither() -> None:
    events = get_task("hammer").schedule()
    onsets = np.linspace(0, 500, events.n_trials)
    onsets[50], onsets[90] = HALF_S, 2 * HALF_S
    moved = replace(events, onset_s=onsets)
    assert not first_half(moved)[50]
    assert second_half(moved)[50]
    assert not second_half(moved)[90]


# ---- who is judged


def test_no_answer_is_not_right_and_unusable_trials_do_not_count() -> None:
    responses = Responses(
        response_time_s=np.array([0.5, 0.5, np.nan, 0.1, 0.6]),
        correct=np.array([True, False, False, True, True]),
        usable=np.array([True, True, True, False, True]),
    )
    assert accuracy(responses) == 2 / 4
    assert np.isnan(accuracy(replace(responses, usable=np.zeros(5, np.bool_))))


def test_everybody_who_answers_well_is_judged_in_both_tasks(answering_people: People) -> None:
    people = judged_people(answering_people(4))
    assert [(run.participant_id, run.run.task) for run in people.runs] == [
        (f"sub-0{i}", task) for i in range(1, 5) for task in ("hammer", "stroop")
    ]
    assert people.counts() == {"hammer": {"judged": 4}, "stroop": {"judged": 4}}


def test_people_are_left_out_by_task_with_the_reason(answering_people: People) -> None:
    people = answering_people(6)
    correct = np.arange(108) % 2 == 0  # exactly chance
    time_s = np.full(108, 0.7)
    usable = np.ones(108, np.bool_)
    people[0] = answering(
        people[0], "hammer", correct=correct, response_time_s=time_s, usable=usable
    )
    people[1] = replace(people[1], runs=people[1].runs[1:])
    # Usable in the second half alone, where 7 answers are right.
    few = np.zeros(78, np.bool_)
    few[40:47] = True
    people[2] = answering(
        people[2], "stroop", usable=few, correct=few, response_time_s=np.full(78, 0.8)
    )
    people[3] = answering(people[3], "stroop", usable=np.zeros(78, np.bool_))
    people[4] = replace(people[4], runs=())
    judged = judged_people(people)
    assert dict(judged.left_out["hammer"]) == {
        "sub-01": "accuracy at or below chance",
        "sub-02": "no run hammerAP",
        "sub-05": "no run hammerAP",
    }
    assert dict(judged.left_out["stroop"]) == {
        "sub-03": "fewer than 8 right answers in a half",
        "sub-04": "accuracy at or below chance",
        "sub-05": "no run stroopAP",
    }
    assert judged.counts()["hammer"] == {
        "judged": 3,
        "accuracy at or below chance": 1,
        "no run hammerAP": 2,
    }
    assert judged.participant_ids == ("sub-01", "sub-02", "sub-03", "sub-04", "sub-06")
    assert [run.participant_id for run in judged.of_task("hammer")] == [
        "sub-03",
        "sub-04",
        "sub-06",
    ]


def test_the_first_ap_run_of_a_task_is_judged(answering_people: People) -> None:
    (person,) = answering_people(1)
    stroop = person.run("stroopAP_run-01")
    pa, second = replace(stroop, run="stroopPA_run-01"), replace(stroop, run="stroopAP_run-02")
    several = replace(person, runs=(pa, stroop, second))
    assert run_of_task(several, "stroop") is stroop
    assert run_of_task(several, "hammer") is None
    found: list[Run] = [judged.run for judged in judged_people([several]).runs]
    assert found == [stroop]


def test_seen_and_judged_trials_are_the_halves_of_the_judged_runs(answering_people: People) -> None:
    people = judged_people(answering_people(2))
    seen, judged = people.trials("seen"), people.trials()
    assert len(seen) == 2 * (54 + 37)
    assert len(judged) == 2 * (54 + 41)
    assert seen.onset_s.max() < HALF_S <= judged.onset_s.min()


def test_protocols_differ_in_what_was_seen() -> None:
    known = {name: (p.sees_first_half, p.trains_on_judged) for name, p in PROTOCOLS.items()}
    assert known == {
        "temporal": (True, True),
        "new-people": (False, False),
        "calibrated": (True, False),
    }


def test_of_the_real_people_the_known_number_is_judged(shared_data: Path) -> None:
    people = judged_people(TcpCohort(shared_data / "tcp").participants)
    assert people.counts() == {
        "hammer": {"judged": 169, "accuracy at or below chance": 3, "no run hammerAP": 8},
        "stroop": {"judged": 171, "accuracy at or below chance": 7, "no run stroopAP": 2},
    }


# ---- folds


@pytest.mark.parametrize(("n", "k"), [(10, 5), (11, 5), (180, 5), (3, 3), (7, 2)])
def test_folds_are_disjoint_even_and_everybody(n: int, k: int) -> None:
    ids = [f"sub-{i}" for i in range(n)]
    parts = folds(ids, k, seed=1)
    assert sorted(sum(parts, ())) == sorted(ids)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_folds_do_not_depend_on_the_order_but_on_the_seed() -> None:
    ids = [f"sub-{i}" for i in range(20)]
    assert folds(ids, 4, seed=1) == folds(ids[::-1], 4, seed=1)
    assert folds(ids, 4, seed=1) != folds(ids, 4, seed=2)


@pytest.mark.parametrize("k", [0, 1, 4])
def test_a_number_of_folds_out_of_range_is_refused(k: int) -> None:
    with pytest.raises(UsageError, match=rf"2 to 3 folds .* but {k} were asked for"):
        folds(["a", "b", "c"], k, seed=0)


def test_a_person_in_the_list_twice_is_refused() -> None:
    with pytest.raises(CohortError, match="found 1 repeated"):
        folds(["a", "b", "a"], 2, seed=0)
