"""Parts of a cohort: the right people, the right trials, nothing of what comes later."""

from __future__ import annotations

import numpy as np
import pytest

from dtb_models.cohort_views import (
    HALF_FRAMES,
    FirstHalves,
    SomePeople,
    first_half_of_run,
    without_brain,
)
from dtb_models.cohorts import Participant, Run, contributors
from dtb_models.protocols import HALF_S
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.errors import UsageError
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.parcellation import Parcellation


@pytest.fixture(scope="module")
def cohort(small_parcellation: Parcellation) -> SimulatedCohort:
    return SimulatedCohort(small_parcellation, 5, seed=2, n_rest_runs=1, n_rest_frames=60)


def test_some_people_are_these_in_the_cohorts_order(cohort: SimulatedCohort) -> None:
    ids = cohort.participant_ids
    view = SomePeople(cohort, [ids[3], ids[0]])
    assert [person.participant_id for person in view.participants] == [ids[0], ids[3]]
    assert view.participants[1] is cohort.participants[3]
    assert (view.kind, view.warning, view.parcellation) == (
        cohort.kind,
        cohort.warning,
        cohort.parcellation,
    )
    assert view.description == f"{cohort.description} 2 of these 5 people."
    assert contributors(view) == contributors(cohort)
    assert set(view.rest_runs(ids[0])) == set(cohort.rest_runs(ids[0]))
    with pytest.raises(UsageError, match=f"no participant '{ids[1]}'"):
        view.rest_runs(ids[1])


@pytest.mark.parametrize(("ids", "found"), [([], "nobody"), (["sub-X"], "'sub-X'")])
def test_a_view_of_nobody_is_refused(cohort: SimulatedCohort, ids: list[str], found: str) -> None:
    with pytest.raises(UsageError, match=f"found {found}"):
        SomePeople(cohort, ids)


def test_a_first_half_holds_nothing_of_the_second(cohort: SimulatedCohort) -> None:
    person = cohort.participants[1]
    (halved,) = [
        each
        for each in FirstHalves(cohort).participants
        if each.participant_id == person.participant_id
    ]
    assert [run.run for run in halved.runs] == [run.run for run in person.runs]
    for half, whole in zip(halved.runs, person.runs, strict=True):
        n = half.events.n_trials
        assert n == int((whole.events.onset_s < HALF_S).sum()) < whole.events.n_trials
        assert half.events.onset_s.max() < HALF_S
        assert half.events.trial_group == whole.events.trial_group[:n]
        assert half.events.columns.keys() == whole.events.columns.keys()
        np.testing.assert_array_equal(
            half.responses.response_time_s, whole.responses.response_time_s[:n]
        )
        assert whole.bold is not None
        assert half.bold is not None
        np.testing.assert_array_equal(half.bold, whole.bold[:HALF_FRAMES])
        # The same trials as those that a twin learns from.
        seen = ObservedRun(whole.events, whole.responses).until(HALF_S)
        assert seen is not None
        assert seen.events.n_trials == n


def test_only_first_runs_have_a_first_half(cohort: SimulatedCohort) -> None:
    person = cohort.participants[0]
    run = person.runs[1]
    later = Run(run.task, "stroopPA_run-01", run.events, run.responses)
    late = Participant("sub-late", (later,))
    both = Participant("sub-both", (run, later))

    class Two(SimulatedCohort):
        participants = (late, both)  # type: ignore[assignment]

    view = FirstHalves(Two(cohort.parcellation, 2))
    assert [(p.participant_id, len(p.runs)) for p in view.participants] == [("sub-both", 1)]


def test_a_run_that_begins_late_has_no_first_half(cohort: SimulatedCohort) -> None:
    from dataclasses import replace

    run = cohort.participants[0].runs[0]
    late = replace(run, events=replace(run.events, onset_s=run.events.onset_s + HALF_S))
    assert first_half_of_run(late) is None


def test_without_a_brain_trials_are_left(cohort: SimulatedCohort) -> None:
    person = without_brain(cohort.participants[0])
    assert person.connectome is None
    assert [run.has_bold for run in person.runs] == [False, False]
    assert person.runs[0].responses is cohort.participants[0].runs[0].responses
