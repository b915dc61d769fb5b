"""Reliability: of people whose true values are known, and what is known of the real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtb_models.cohorts import Participant, Run
from dtb_models.protocols import judged_people
from dtb_models.reliability import highest_r, reliabilities, spearman_brown
from dtb_models.tcp import TcpCohort
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.tasks import get_task

N_PEOPLE, BETWEEN_S, WITHIN_S = 600, 0.1, 0.35


def people(rng: np.random.Generator, *, drift_s: float = 0.0) -> list[Participant]:
    """People with a true mean time and a true effect, and noise of known size in each trial."""
    events = get_task("stroop").schedule()
    slow = np.array(events.trial_group) == "incongruent"
    second = events.onset_s >= 196.8
    made = []
    for i in range(N_PEOPLE):
        level, effect, change = rng.normal((2.0, 0.2, 0.0), (BETWEEN_S, BETWEEN_S, drift_s))
        times = level + effect * slow + change * second
        responses = Responses(
            response_time_s=times + rng.normal(0, WITHIN_S, events.n_trials),
            correct=np.ones(events.n_trials, np.bool_),
            usable=np.ones(events.n_trials, np.bool_),
        )
        run = Run("stroop", "stroopAP_run-01", events, responses)
        made.append(Participant(f"sub-{i:03d}", (run,)))
    return made


def test_the_reliability_of_a_mean_is_the_share_of_true_variance(
    rng: np.random.Generator,
) -> None:
    found = reliabilities(judged_people(people(rng)))["mean_rt:stroop"]
    groups = np.array(get_task("stroop").schedule().trial_group)
    share_slow = np.mean(groups == "incongruent")
    true = BETWEEN_S**2 * (1 + share_slow**2)
    for figure, n_trials in ((found.seen, 37), (found.judged, 41), (found.whole, 78)):
        expected = true / (true + WITHIN_S**2 / n_trials)
        assert figure.value == pytest.approx(expected, abs=0.03)
        assert figure.low < expected < figure.high
        assert figure.n == N_PEOPLE
    assert found.whole_from_halves.value == pytest.approx(found.whole.value, abs=0.03)
    r = found.between_halves.value
    assert found.whole_from_halves.value == pytest.approx(2 * r / (1 + r))


def test_an_effect_is_less_reliable_than_a_mean(rng: np.random.Generator) -> None:
    found = reliabilities(judged_people(people(rng)))["effect:stroop"]
    groups = np.array(get_task("stroop").schedule().trial_group)
    n = [int((groups == name).sum()) for name in ("congruent", "incongruent")]
    expected = BETWEEN_S**2 / (BETWEEN_S**2 + WITHIN_S**2 * (1 / n[0] + 1 / n[1]))
    assert found.whole.value == pytest.approx(expected, abs=0.06)


def test_the_bound_is_reached_by_the_true_values_and_by_the_seen_half(
    rng: np.random.Generator,
) -> None:
    cohort = people(rng)
    found = reliabilities(judged_people(cohort))["mean_rt:stroop"]
    assert found.bound_of_truth == pytest.approx(np.sqrt(found.judged.value))
    # With people who do not change, a mean of the seen half reaches its bound.
    assert found.between_halves.value == pytest.approx(found.bound_of_seen, abs=0.02)
    assert found.bound_of_seen < found.bound_of_truth


def test_people_who_change_between_halves_correlate_below_the_bound(
    rng: np.random.Generator,
) -> None:
    found = reliabilities(judged_people(people(rng, drift_s=0.1)))["mean_rt:stroop"]
    assert found.between_halves.value < found.bound_of_seen - 0.1


def test_who_has_no_effect_to_be_seen_is_left_out_of_its_reliability(
    rng: np.random.Generator,
) -> None:
    cohort = people(rng)[:50]
    (run,) = cohort[7].runs
    groups = np.array(run.events.trial_group)
    correct = (groups == "congruent") | (run.events.onset_s >= 196.8)
    wrong = replace(run, responses=replace(run.responses, correct=correct))
    cohort[7] = replace(cohort[7], runs=(wrong,))
    found = reliabilities(judged_people(cohort))
    assert found["mean_rt:stroop"].seen.n == 50
    assert found["effect:stroop"].seen.n == 49
    assert found["effect:stroop"].judged.n == 50


def test_too_few_people_have_no_reliability(rng: np.random.Generator) -> None:
    assert reliabilities(judged_people(people(rng)[:4])) == {}


def test_spearman_and_brown() -> None:
    np.testing.assert_allclose(spearman_brown([0.0, 0.5, 1.0]), [0.0, 2 / 3, 1.0])
    assert spearman_brown(0.4, 3) == pytest.approx(3 * 0.4 / (1 + 2 * 0.4))
    assert spearman_brown(0.7, 1) == pytest.approx(0.7)
    assert np.isnan(spearman_brown(-1.0))


def test_the_highest_r() -> None:
    assert highest_r(0.81, 0.64) == pytest.approx(0.72)
    assert highest_r(-0.1, 0.9) == 0.0
    assert np.isnan(highest_r(np.nan, 0.9))


def test_the_real_peoples_response_times_are_as_reliable_as_known(shared_data: Path) -> None:
    found = reliabilities(judged_people(TcpCohort(shared_data / "tcp").participants))
    # Known of all runs of 212 people; here is one run a task, half the trials of Stroop.
    assert found["mean_rt:stroop"].whole.value == pytest.approx(0.98, abs=0.015)
    assert found["mean_rt:hammer"].whole.value == pytest.approx(0.96, abs=0.03)
    assert found["effect:stroop"].whole.value == pytest.approx(0.67, abs=0.1)
    assert found["effect:hammer"].whole.value == pytest.approx(0.76, abs=0.08)
