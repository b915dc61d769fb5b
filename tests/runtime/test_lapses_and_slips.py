"""Lapses and slips beside the networks, against Bayes' rule and a grid, and in forecasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta

from dtb_runtime.bundle import Bundle
from dtb_runtime.lapses_and_slips import (
    TRIALS_BEFORE,
    lapse_rates,
    rate_draws,
    rates_of_many_misses,
    slip_rates,
)
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.trial_likelihood import TrialLikelihood

Observe = Callable[..., ObservedRun]
LATENTS = np.random.default_rng(5).normal(0.0, 0.7, (6, 3))


def with_responses(run: ObservedRun, **changes: NDArray[np.generic]) -> ObservedRun:
    return ObservedRun(run.events, replace(run.responses, **changes))


def silent(run: ObservedRun) -> ObservedRun:
    """The same run, in which nothing was pressed."""
    n = run.events.n_trials
    return with_responses(
        run,
        response_time_s=np.full(n, np.nan),
        correct=np.zeros(n, np.bool_),
        usable=np.ones(n, np.bool_),
    )


def with_misses(run: ObservedRun, trials: NDArray[np.int64]) -> ObservedRun:
    """The same run, in which some trials got no answer."""
    time_s, usable = run.responses.response_time_s.copy(), run.responses.usable.copy()
    time_s[trials], usable[trials] = np.nan, True
    correct = run.responses.correct & ~np.isnan(time_s)
    return with_responses(run, response_time_s=time_s, correct=correct, usable=usable)


def test_lapses_are_what_makes_the_misses_likeliest(tiny: Bundle, observe: Observe) -> None:
    """The share of lapses on a grid, with 20 trials that were none before."""
    run = with_misses(observe("stroop", [0.2, -0.1, 0.1], n_trials=20), np.array([2, 9, 13]))
    own = TrialLikelihood.of(tiny, [run])
    (logits,) = own.logits(LATENTS[:1])
    logits += 1.5  # so fast that it could hardly miss anything
    survived = np.array([np.prod(1 / (1 + np.exp(logits[0, at]))) for at in own.runs[0].missed])
    grid = np.linspace(0.0, 0.999, 20001)[:, None]
    fit = np.log(grid + (1 - grid) * survived).sum(axis=1)
    fit += (TRIALS_BEFORE + own.runs[0].n_answered) * np.log(1 - grid[:, 0])
    rate = lapse_rates(own.runs, [logits[0]])["stroop"]
    assert rate > 0.01
    assert rate == pytest.approx(float(grid[fit.argmax(), 0]), abs=1e-3)


def test_whoever_misses_many_trials_is_not_slow(tiny: Bundle, observe: Observe) -> None:
    run = observe("stroop", [0.2, -0.1, 0.1], n_trials=72)
    missing = with_misses(run, np.arange(0, 72, 3))
    whole, lapsing = (tiny.population_twin().calibrate(each) for each in (run, missing))
    assert whole.calibration is not None
    assert lapsing.calibration is not None
    assert (
        lapsing.calibration.lapse_rates["stroop"] > whole.calibration.lapse_rates["stroop"] + 0.15
    )
    before, after = (each.forecast("stroop") for each in (whole, lapsing))
    assert after.trials["p_no_response"].mean() > before.trials["p_no_response"].mean() + 0.15
    low, high = before.indicator_intervals["reaction_time"]
    assert low < after.indicators["reaction_time"] < high


def test_a_few_misses_tell_of_speed(tiny: Bundle, observe: Observe) -> None:
    run = observe("stroop", [0.2, -0.1, 0.1], n_trials=72)
    missing = TrialLikelihood.of(tiny, [with_misses(run, np.arange(0, 72, 24))])
    assert not rates_of_many_misses(missing.runs)
    many = TrialLikelihood.of(tiny, [with_misses(run, np.arange(0, 72, 4))])
    n = many.runs[0].n_answered + len(many.runs[0].missed)
    expected = len(many.runs[0].missed) / (n + TRIALS_BEFORE)
    assert rates_of_many_misses(many.runs) == {"stroop": pytest.approx(expected)}


@pytest.mark.parametrize(("rate", "n_trials"), [(0.05, 60), (0.4, 30), (0.002, 200)])
def test_draws_of_a_rate_are_a_beta_distribution(rate: float, n_trials: int) -> None:
    draws = rate_draws(rate, n_trials, 500, seed=3)
    weight = n_trials + TRIALS_BEFORE
    expected = beta.ppf((np.arange(500) + 0.5) / 500, rate * weight, (1 - rate) * weight)
    inner = slice(25, 475)
    np.testing.assert_allclose(np.sort(draws)[inner], expected[inner], atol=0.2 * expected.std())
    assert draws.mean() == pytest.approx(rate, rel=0.1)
    assert np.abs(np.corrcoef(draws, np.arange(500))[0, 1]) < 0.15
    np.testing.assert_array_equal(draws, rate_draws(rate, n_trials, 500, seed=3))


def test_one_draw_of_a_rate_is_the_rate_and_none_stays_none() -> None:
    assert rate_draws(0.3, 50, 1, seed=0).tolist() == [0.3]
    assert rate_draws(0.0, 50, 4, seed=0).tolist() == [0.0] * 4


def test_in_a_run_without_any_answer_all_are_lapses_of_its_task(
    tiny: Bundle, observe: Observe
) -> None:
    hammer, stroop = (observe(task, np.zeros(3), n_trials=12) for task in ("hammer", "stroop"))
    twin, alone = (
        tiny.population_twin().calibrate(runs) for runs in ([hammer, silent(stroop)], [hammer])
    )
    assert twin.calibration is not None
    assert alone.calibration is not None
    assert twin.calibration.lapse_rates["stroop"] == pytest.approx(12 / (12 + TRIALS_BEFORE))
    assert twin.calibration.lapse_rates["hammer"] == alone.calibration.lapse_rates["hammer"]
    assert twin.calibration.misfits == alone.calibration.misfits
    for column in ("p_correct", "p_no_response", "response_time"):
        np.testing.assert_array_equal(
            twin.forecast("hammer").trials[column], alone.forecast("hammer").trials[column]
        )
    assert twin.calibration.slip_rates["stroop"] == 0.0


def test_slips_are_what_makes_the_answers_likeliest(tiny: Bundle, observe: Observe) -> None:
    """The weight of a mixture on a grid, with 20 answers that were no slip before."""
    run = observe("stroop", [0.2, -0.1, 0.1], n_trials=60)
    wrong = np.arange(60) % 3 == 0
    correct = run.responses.correct & ~wrong & ~np.isnan(run.responses.response_time_s)
    own = TrialLikelihood.of(tiny, [with_responses(run, correct=correct)])
    (logits,) = own.logits(LATENTS[:1])
    presses = own.runs[0].pressed.any(axis=1)
    odds = np.exp(logits[0, presses])
    pressed = own.runs[0].pressed[presses]
    meant = (odds * pressed).sum(axis=1) / odds.sum(axis=1)
    slipped = pressed.sum(axis=1) / 3
    grid = np.linspace(0.0, 0.999, 20001)[:, None]
    fit = np.log((1 - grid) * meant + grid * slipped).sum(axis=1)
    fit += TRIALS_BEFORE * np.log(1 - grid[:, 0])
    rate = slip_rates(own.runs, [logits[0]])["stroop"]
    assert rate == pytest.approx(float(grid[fit.argmax(), 0]), abs=1e-3)


def test_answers_as_networks_know_them_are_no_slips(tiny: Bundle, observe: Observe) -> None:
    run = observe("hammer", np.zeros(3), n_trials=60)
    right = ~np.isnan(run.responses.response_time_s)
    own = TrialLikelihood.of(tiny, [with_responses(run, correct=right)])
    (logits,) = own.logits(LATENTS[:1])
    logits[..., :] -= 2.0
    for trial in np.flatnonzero(own.runs[0].pressed.any(axis=1)):
        logits[0, trial][own.runs[0].pressed[trial]] += 6.0  # it would hardly press another one
    assert slip_rates(own.runs, [logits[0]])["hammer"] < 1e-3


def test_forecasts_of_a_task_have_its_own_slips_and_lapses(tiny: Bundle, observe: Observe) -> None:
    run = observe("stroop", np.zeros(3), n_trials=60)
    twin = tiny.population_twin().calibrate(run)
    assert twin.calibration is not None
    rates = {"slip_rates": {"stroop": 0.4}, "lapse_rates": {"stroop": 0.25}}
    plain, erring = (
        replace(twin, calibration=replace(twin.calibration, **own))
        for own in ({name: {"stroop": 0.0} for name in rates}, rates)
    )
    before, after = (each.forecast("stroop", draws=1).distributions for each in (plain, erring))
    pressed = before.option_probability.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        after.option_probability,
        0.75 * (0.6 * before.option_probability + 0.4 * pressed / 3),
        rtol=1e-9,
    )
    np.testing.assert_allclose(after.p_no_response, 0.25 + 0.75 * before.p_no_response)
    np.testing.assert_allclose(after.response_time_s, before.response_time_s, rtol=1e-9)
    hammer = [each.forecast("hammer", draws=4).trials["p_correct"] for each in (plain, erring)]
    np.testing.assert_array_equal(*hammer)
    low, high = erring.forecast("stroop").indicator_intervals["accuracy"]
    below, above = plain.forecast("stroop").indicator_intervals["accuracy"]
    assert high - low > above - below  # how often the person errs is not known exactly
