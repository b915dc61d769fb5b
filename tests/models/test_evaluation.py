"""Evaluations: the right twin for each person, the right trials, and nothing that comes later."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtb_models.cohort_views import without_brain
from dtb_models.cohorts import Participant
from dtb_models.evaluated_people import starting_twin, trials_seen
from dtb_models.evaluation import (
    BundlePart,
    Evaluation,
    evaluate_people,
    judged_by,
    n_steps,
)
from dtb_models.judged_trials import JudgedTrials
from dtb_models.protocols import HALF_S, PROTOCOLS
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import UsageError
from dtb_runtime.forecast import Forecast
from dtb_runtime.twin import Twin

BUNDLES = Path(__file__).parents[1] / "bundles"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(BUNDLES / "tiny", device="cpu")


@pytest.fixture(scope="module", autouse=True)
def quick() -> object:
    """Few draws: what forecasts and calibrations are is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dtb_runtime.forecast.DRAWS", 2)
        patched.setattr("dtb_runtime.posterior_search.N_DRAWS", 8)
        patched.setattr("dtb_runtime.posterior_search.MAX_STEPS", 2)
        yield


@pytest.fixture(scope="module")
def cohort(bundle: Bundle) -> SimulatedCohort:
    parcellation = bundle.manifest.parcellation
    assert parcellation is not None
    return SimulatedCohort(parcellation, 26, seed=4, n_rest_runs=1, n_rest_frames=120)


def ids_of(people: tuple[Participant, ...]) -> tuple[str, ...]:
    return tuple(person.participant_id for person in people)


@pytest.fixture(scope="module")
def new_people(cohort: SimulatedCohort, bundle: Bundle) -> Evaluation:
    """Everybody by one bundle, from connectomes alone."""
    protocol = PROTOCOLS["new-people"]
    people = judged_by(cohort.participants, [bundle], protocol)
    parts = [BundlePart(bundle, cohort.participant_ids)]
    return evaluate_people(
        people, parts, protocol, parcellation=cohort.parcellation, seed=3, jobs=2
    )


Told = list[tuple[Twin, list[Forecast]]]


@pytest.fixture(scope="module")
def calibrated(cohort: SimulatedCohort, bundle: Bundle) -> tuple[Evaluation, Told, list[str]]:
    """Three people with a connectome and one without, after their own first half."""
    protocol = PROTOCOLS["calibrated"]
    participants = (*cohort.participants[:3], without_brain(cohort.participants[3]))
    people = judged_by(participants, [bundle], protocol)
    told: Told = []
    said: list[str] = []

    def on_progress(done: int, total: int, sentence: str) -> None:
        said.append(f"{done}/{total} {sentence}")

    evaluation = evaluate_people(
        people,
        [BundlePart(bundle, ids_of(participants))],
        protocol,
        on_person=lambda twin, forecasts: told.append((twin, list(forecasts))),
        on_progress=on_progress,
    )
    return evaluation, told, said


def test_every_method_has_the_rows_of_the_judged_trials(new_people: Evaluation) -> None:
    trials = new_people.people.trials()
    assert set(new_people.tables) == {
        "twin",
        "control/population",
        "connectome/edge_sums",
        "connectome/components",
        "rule/trial_type_mean",
        "rule/position_mean",
        "rule/always_correct",
    }
    for table in (*new_people.tables.values(), *new_people.shuffled):
        assert table.has_rows_of(trials)
    assert trials.onset_s.min() >= HALF_S
    assert len(new_people.shuffled) == 10
    assert new_people.window_s is None
    assert new_people.notes == ()
    for method in new_people.tables:
        assert new_people.meaning(method)


def test_new_people_are_forecast_from_their_own_connectome(
    new_people: Evaluation, cohort: SimulatedCohort, bundle: Bundle
) -> None:
    person = cohort.participants[5]
    run = person.runs[1]
    twin = bundle.personalize(person.connectome)  # type: ignore[arg-type]
    expected = twin.forecast(run.task, run.events).distributions.response_time_s
    table = new_people.tables["twin"]
    rows = (table.participant_id == person.participant_id) & (table.task == run.task)
    np.testing.assert_array_equal(table.rt_s[rows], expected[run.events.onset_s >= HALF_S])


def test_shuffled_twins_are_those_of_other_people(
    new_people: Evaluation, cohort: SimulatedCohort
) -> None:
    """All schedules are the same here, so another's forecast is found in another's rows."""
    own = _forecasts(new_people.tables["twin"])
    for table in new_people.shuffled:
        exchanged = _forecasts(table)
        donors = {
            one: next(other for other, rt in own.items() if np.array_equal(rt, exchanged[one]))
            for one in own
        }
        assert all(one != other for one, other in donors.items())
        assert sorted(donors.values()) == sorted(cohort.participant_ids)


def _forecasts(table: JudgedTrials) -> dict[str, np.ndarray]:
    return {
        str(one): table.rt_s[table.participant_id == one] for one in np.unique(table.participant_id)
    }


def test_the_population_is_the_same_for_everybody(new_people: Evaluation, bundle: Bundle) -> None:
    forecasts = list(_forecasts(new_people.tables["control/population"]).values())
    for other in forecasts[1:]:
        np.testing.assert_array_equal(other, forecasts[0])


def test_how_many_work_at_a_time_changes_nothing(
    new_people: Evaluation, cohort: SimulatedCohort, bundle: Bundle
) -> None:
    protocol = PROTOCOLS["new-people"]
    some = cohort.participants[:2]
    people = judged_by(some, [bundle], protocol)
    alone = evaluate_people(people, [BundlePart(bundle, ids_of(tuple(some)))], protocol)
    table = new_people.tables["twin"]
    rows = np.isin(table.participant_id, ids_of(tuple(some)))
    np.testing.assert_array_equal(alone.tables["twin"].rt_q95, table.rt_q95[rows])
    assert "fewer than 20 people to learn from" in alone.notes[0]
    assert not any(name.startswith("connectome/") for name in alone.tables)


def test_a_calibrated_twin_has_seen_both_first_halves_and_no_more(
    calibrated: tuple[Evaluation, Told, list[str]], cohort: SimulatedCohort, bundle: Bundle
) -> None:
    evaluation, told, _ = calibrated
    assert [twin.participant_id for twin, _ in told] == list(cohort.participant_ids[:4])
    for twin, forecasts in told:
        assert {run.task for run in twin.observed} == {"hammer", "stroop"}
        assert max(run.events.onset_s.max() for run in twin.observed) < HALF_S
        assert [forecast.task for forecast in forecasts] == ["hammer", "stroop"]
    person = cohort.participants[0]
    runs = told[0][0].observed
    assert sum(run.events.n_trials for run in runs) == sum(
        int((run.events.onset_s < HALF_S).sum()) for run in person.runs
    )
    start, edges = starting_twin(person, bundle)
    again = start.calibrate(trials_seen(person, bundle))
    np.testing.assert_array_equal(again.latent, told[0][0].latent)
    assert edges is not None
    assert evaluation.window_s == (HALF_S, 2 * HALF_S)


def test_without_a_connectome_a_twin_begins_with_the_population(
    calibrated: tuple[Evaluation, Told, list[str]], bundle: Bundle
) -> None:
    evaluation, told, _ = calibrated
    np.testing.assert_array_equal(
        told[3][0].prior.mean,  # type: ignore[union-attr]
        bundle.norms.prior.population.mean,  # type: ignore[union-attr]
    )
    assert told[0][0].connectome_digest is not None
    assert told[3][0].connectome_digest is None
    alone = evaluation.tables["control/connectome_alone"]
    nobody = evaluation.persons[3].participant_id
    assert np.isnan(alone.rt_s[alone.participant_id == nobody]).all()
    assert np.isfinite(alone.rt_s[alone.participant_id != nobody]).all()
    (shuffled,) = evaluation.shuffled
    assert np.isnan(shuffled.rt_s[shuffled.participant_id == nobody]).all()
    assert not np.array_equal(shuffled.rt_s[:5], evaluation.tables["twin"].rt_s[:5])


def test_learning_is_timed_and_progress_told(
    calibrated: tuple[Evaluation, Told, list[str]],
) -> None:
    evaluation, _, said = calibrated
    assert all(person.learning is not None for person in evaluation.persons)
    assert n_steps(evaluation.people) == 12
    assert said[0] == f"1/12 twins: {evaluation.persons[0].participant_id}"
    assert said[-1].startswith("12/12 ")


def test_folds_have_a_bundle_each_and_rules_see_the_others(
    cohort: SimulatedCohort, bundle: Bundle
) -> None:
    protocol = PROTOCOLS["new-people"]
    people = judged_by(cohort.participants[:4], [bundle], protocol)
    # The same weights under another digest: what a second training would leave.
    second = replace(bundle, digest="0" * 64)
    ids = cohort.participant_ids
    parts = [BundlePart(bundle, ids[:2]), BundlePart(second, ids[2:4])]
    evaluation = evaluate_people(people, parts, protocol, has_folds=True, seed=1)
    assert [p.bundle.digest for p in evaluation.persons[::3]] == [bundle.digest, second.digest]
    own = _forecasts(evaluation.tables["twin"])
    exchanged = _forecasts(evaluation.shuffled[0])
    np.testing.assert_array_equal(exchanged[ids[0]], own[ids[1]])  # the only other in its part
    np.testing.assert_array_equal(exchanged[ids[3]], own[ids[2]])
    means = _forecasts(evaluation.tables["rule/trial_type_mean"])
    assert np.array_equal(means[ids[0]], means[ids[1]])  # both from the other two people
    assert not np.array_equal(means[ids[0]], means[ids[2]])


def test_the_paper_layout_is_judged_from_connectomes(cohort: SimulatedCohort) -> None:
    plain = load_bundle(BUNDLES / "tiny_plain", device="cpu")
    protocol = PROTOCOLS["temporal"]
    people = judged_by(cohort.participants[:2], [plain], protocol)
    evaluation = evaluate_people(
        people,
        [BundlePart(plain, cohort.participant_ids)],
        protocol,
        parcellation=cohort.parcellation,
    )
    assert all(person.learning is None for person in evaluation.persons)
    assert "control/connectome_alone" not in evaluation.tables
    assert "rule/own_mean" in evaluation.tables
    # Without a population the mean connectome stands for it.
    population = _forecasts(evaluation.tables["control/population"])
    np.testing.assert_array_equal(*population.values())
    assert evaluation.persons[0].contrasts["hammer"].measured.t.shape == (5,)


@pytest.mark.parametrize(
    ("name", "protocol", "message"),
    [
        ("tiny_plain", "calibrated", r"cannot learn .* temporal \(PROTOCOLS\['new-people'\] or"),
        ("tiny", "new-people", "made from connectomes alone, but 2 of 2 people have none"),
        ("tiny_plain", "temporal", "made from connectomes alone"),
    ],
)
def test_what_a_bundle_cannot_do_is_said(
    cohort: SimulatedCohort, name: str, protocol: str, message: str
) -> None:
    people = [without_brain(person) for person in cohort.participants[:2]]
    with pytest.raises(UsageError, match=message):
        judged_by(
            people,
            [load_bundle(BUNDLES / name, device="cpu")],
            PROTOCOLS[protocol],  # type: ignore[index]
        )


def test_nobody_to_judge_is_said(cohort: SimulatedCohort, bundle: Bundle) -> None:
    person = replace(cohort.participants[0], runs=())
    with pytest.raises(UsageError, match="None of the 1 people can be judged in hammer or stroop"):
        judged_by([person], [bundle], PROTOCOLS["calibrated"])


def test_everybody_needs_a_bundle(cohort: SimulatedCohort, bundle: Bundle) -> None:
    protocol = PROTOCOLS["new-people"]
    people = judged_by(cohort.participants[:2], [bundle], protocol)
    with pytest.raises(UsageError, match="judged, but with no bundle"):
        evaluate_people(people, [BundlePart(bundle, cohort.participant_ids[:1])], protocol)


def test_a_bundle_is_evaluated_without_torch() -> None:
    names = ("evaluation", "evaluation_report", "evaluation_files", "evaluation_maps")
    modules = ", ".join(f"dtb_models.{name}" for name in (*names, "evaluation_planted"))
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
