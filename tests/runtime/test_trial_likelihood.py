"""How probable trials are, against a survival likelihood written out trial by trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.trial_likelihood import (
    LAPSES,
    RunEvidence,
    TrialLikelihood,
)

Observe = Callable[..., ObservedRun]
Reference = Callable[[NDArray[np.float64], list[ObservedRun]], NDArray[np.float64]]
LATENTS = np.random.default_rng(5).normal(0.0, 0.7, (6, 3))


def likelihood(tiny: Bundle, *runs: ObservedRun) -> tuple[TrialLikelihood, NDArray[np.float64]]:
    own = TrialLikelihood.of(tiny, runs)
    return own, own.log_likelihood(own.logits(LATENTS))


@pytest.fixture(params=["hammer", "stroop"])
def run(request: pytest.FixtureRequest, observe: Observe) -> ObservedRun:
    return observe(request.param, [0.2, -0.1, 0.1], n_trials=20)


def with_responses(run: ObservedRun, **changes: NDArray[np.generic]) -> ObservedRun:
    return ObservedRun(run.events, replace(run.responses, **changes))


def test_it_is_the_survival_likelihood(
    tiny: Bundle, run: ObservedRun, reference_log_likelihood: Reference
) -> None:
    assert 0 < np.count_nonzero(~run.responses.correct) < run.events.n_trials  # errors, misses
    _, found = likelihood(tiny, run)
    np.testing.assert_allclose(found, reference_log_likelihood(LATENTS, [run]), rtol=2e-6)
    assert np.ptp(found) > 1.0


def test_two_runs_add_up(tiny: Bundle, observe: Observe) -> None:
    runs = [observe(task, np.zeros(3), n_trials=5) for task in ("hammer", "stroop")]
    both = likelihood(tiny, *runs)[1]
    apart = [likelihood(tiny, run)[1] for run in runs]
    np.testing.assert_allclose(both, apart[0] + apart[1], rtol=1e-12)


def test_a_trial_without_an_answer_is_a_window_without_a_press(
    tiny: Bundle, run: ObservedRun, reference_log_likelihood: Reference
) -> None:
    n = run.events.n_trials
    misses = with_responses(
        run,
        response_time_s=np.full(n, np.nan),
        correct=np.zeros(n, np.bool_),
        usable=np.ones(n, np.bool_),
    )
    own, found = likelihood(tiny, misses)
    np.testing.assert_allclose(found, reference_log_likelihood(LATENTS, [misses]), rtol=2e-6)
    # Every step of every window counts, and none outside: not before the first trial either.
    windows = [
        np.arange(*bounds)
        for bounds in zip(run.events.onset_step, run.events.offset_step, strict=True)
    ]
    np.testing.assert_array_equal(own.runs[0].steps, np.concatenate(windows))
    assert not own.runs[0].pressed.any()


def test_a_trial_that_cannot_be_used_tells_nothing(tiny: Bundle, run: ObservedRun) -> None:
    usable = np.arange(run.events.n_trials) != 3
    time_s = run.responses.response_time_s.copy()
    found = []
    for time in (0.3, 1.2):
        time_s[3] = time
        changed = with_responses(run, usable=usable, response_time_s=time_s.copy())
        found.append(likelihood(tiny, changed)[1])
    np.testing.assert_array_equal(found[0], found[1])


def test_the_network_runs_no_further_than_the_last_trial(run: ObservedRun) -> None:
    evidence = RunEvidence.of(run, n_actions=3)
    assert len(evidence.stimulus) <= run.events.offset_step[-1] + 1 < run.events.n_steps
    assert evidence.steps.max() == len(evidence.stimulus) - 1


def test_an_answer_at_the_very_end_of_its_window_counts(
    tiny: Bundle, run: ObservedRun, reference_log_likelihood: Reference
) -> None:
    n = run.events.n_trials
    at_end = with_responses(
        run,
        response_time_s=run.events.duration_s.copy(),
        correct=np.ones(n, np.bool_),
        usable=np.arange(n) == n - 1,
    )
    own, found = likelihood(tiny, at_end)
    assert own.runs[0].pressed.sum() == 1
    np.testing.assert_allclose(found, reference_log_likelihood(LATENTS, [at_end]), rtol=2e-6)


def test_slopes_and_curvatures_are_derivatives(tiny: Bundle, run: ObservedRun) -> None:
    """Against central differences; that of a step with a press is Fisher's."""
    own = TrialLikelihood.of(tiny, [run])
    (logits,) = own.logits(LATENTS[:1])
    slope, curvature = own.residuals([logits[0]])
    n_options = logits.shape[2]
    at = [0, 7, *(np.flatnonzero(own.runs[0].pressed.any(axis=1))[:8])]
    h = 1e-4
    for step in at:
        for option in range(n_options):
            moved = np.repeat(logits, 3, axis=0)
            moved[1, step, option] += h
            moved[2, step, option] -= h
            cost = -own.log_likelihood([moved])
            i = step * n_options + option
            assert slope[i] == pytest.approx((cost[1] - cost[2]) / (2 * h), abs=1e-6)
            if not own.runs[0].pressed[step].any():
                second = (cost[1] + cost[2] - 2 * cost[0]) / h**2
                assert curvature[i] == pytest.approx(second, abs=1e-4)
    p = 1 / (1 + np.exp(-logits[0]))
    full = np.ones(len(p), np.bool_)
    for steps in own.runs[0].missed:
        full[steps] = False
    np.testing.assert_allclose(curvature.reshape(p.shape)[full], (p * (1 - p))[full], rtol=1e-9)


def test_a_missed_trial_counts_as_far_as_it_is_no_lapse(tiny: Bundle, run: ObservedRun) -> None:
    """Central differences in a missed window, and the chance of a lapse by Bayes' rule."""
    time_s = run.responses.response_time_s.copy()
    time_s[2] = np.nan
    correct = run.responses.correct & ~np.isnan(time_s)
    own = TrialLikelihood.of(tiny, [with_responses(run, response_time_s=time_s, correct=correct)])
    (logits,) = own.logits(LATENTS[:1])
    logits += 1.5  # so fast that it could hardly miss anything
    slope, _ = own.residuals([logits[0]])
    steps = own.runs[0].missed[0]
    survived = (1 - LAPSES) * np.prod(1 / (1 + np.exp(logits[0, steps])))
    lapse = LAPSES / (LAPSES + survived)
    assert lapse > 0.5
    n_options, h = logits.shape[2], 1e-4
    for step in range(steps.start, steps.start + 3):
        moved = np.repeat(logits, 2, axis=0)
        moved[0, step, 0] += h
        moved[1, step, 0] -= h
        cost = -own.log_likelihood([moved])
        p = 1 / (1 + np.exp(-logits[0, step, 0]))
        assert slope[step * n_options] == pytest.approx((cost[0] - cost[1]) / (2 * h), abs=1e-6)
        assert slope[step * n_options] == pytest.approx((1 - lapse) * p, rel=1e-6)


def test_certain_hazards_have_finite_logits(
    tiny: Bundle, run: ObservedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 the sigmoid reaches 0 and 1."""
    n = len(RunEvidence.of(run, 3).stimulus)
    for output in (0.0, 1.0):
        actions = np.full((len(LATENTS), n, 3), output, np.float32)
        monkeypatch.setattr(
            Bundle, "run_main", lambda _, w, __, own=actions: (own[: len(w)], None, None)
        )
        own, found = likelihood(tiny, run)
        assert np.isfinite(found).all()
        assert np.isfinite(own.logits(LATENTS)[0]).all()
        assert (found < -100).all()
