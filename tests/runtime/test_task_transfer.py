"""How far what was seen holds in a task: joint normals written out, limits, and forecasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dtb_runtime.bundle import Bundle
from dtb_runtime.errors import UsageError
from dtb_runtime.latent import LatentDistribution
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.task_transfer import ELSEWHERE, LATER, OTHERS_FOR_ONE, in_part, shared_part

Observe = Callable[..., ObservedRun]
SLOW = [1.2, -0.6, 0.8]


@pytest.fixture
def prior(rng: np.random.Generator) -> LatentDistribution:
    root = rng.normal(size=(3, 3)) + 2 * np.eye(3)
    return LatentDistribution(rng.normal(size=3), root @ root.T)


@pytest.fixture
def posterior(rng: np.random.Generator) -> LatentDistribution:
    root = 0.3 * np.eye(3) + 0.1 * rng.normal(size=(3, 3))
    return LatentDistribution(rng.normal(size=3), root @ root.T)


def test_it_is_the_conditional_of_a_joint_normal(
    prior: LatentDistribution, posterior: LatentDistribution
) -> None:
    """Evidence that turns the prior into this posterior, seen by the other of two latents."""
    part = 0.7
    joint = np.block(
        [
            [prior.covariance, part * prior.covariance],
            [part * prior.covariance, prior.covariance],
        ]
    )
    # The evidence's own precision and its pull, on the first latent alone.
    precision = np.linalg.inv(joint)
    pull = precision @ np.concatenate([prior.mean, prior.mean])
    precision[:3, :3] += posterior.precision - prior.precision
    pull[:3] += posterior.precision @ posterior.mean - prior.precision @ prior.mean
    covariance = np.linalg.inv(precision)
    found = in_part(prior, posterior, part)
    np.testing.assert_allclose(found.covariance, covariance[3:, 3:], rtol=1e-8)
    np.testing.assert_allclose(found.mean, (covariance @ pull)[3:], rtol=1e-8)


def test_its_limits_are_posterior_and_prior(
    prior: LatentDistribution, posterior: LatentDistribution
) -> None:
    assert in_part(prior, posterior, 1.0) is posterior
    nothing = in_part(prior, posterior, 0.0)
    np.testing.assert_array_equal(nothing.mean, prior.mean)
    np.testing.assert_allclose(nothing.covariance, prior.covariance, rtol=1e-12)


def test_own_trials_count_many_times_those_of_other_tasks(observe: Observe) -> None:
    stroop, hammer = (observe(task, np.zeros(3), n_trials=30) for task in ("stroop", "hammer"))
    assert shared_part([], "hammer") == 1.0
    assert shared_part([stroop], "hammer") == ELSEWHERE
    assert shared_part([stroop], "stroop") == LATER
    both = shared_part([stroop, hammer], "hammer")
    own = hammer.n_answered / (hammer.n_answered + stroop.n_answered / OTHERS_FOR_ONE)
    assert both == pytest.approx(ELSEWHERE + (LATER - ELSEWHERE) * own)
    assert 0.95 < both < LATER


def test_each_trial_of_a_task_brings_its_forecast_nearer(observe: Observe) -> None:
    stroop = observe("stroop", np.zeros(3), n_trials=40)
    parts = [
        shared_part([stroop, observe("hammer", np.zeros(3), n_trials=n)], "hammer")
        for n in (1, 2, 4, 16)
    ]
    assert parts == sorted(parts)
    assert parts[0] > ELSEWHERE


def test_another_task_is_forecast_with_more_doubt(tiny: Bundle, observe: Observe) -> None:
    before = tiny.population_twin()
    after = before.calibrate(observe("stroop", SLOW, n_trials=30))
    assert after.prior is not None
    assert after.posterior is not None
    there, here = after.distribution("stroop"), after.distribution("hammer")
    assert there is not None
    assert here is not None
    volumes = [
        np.linalg.det(each.covariance) for each in (after.posterior, there, here, after.prior)
    ]
    assert volumes == sorted(volumes)
    away = [np.linalg.norm(each.mean - after.prior.mean) for each in (after.posterior, there, here)]
    np.testing.assert_allclose(away, away[0] * np.array([1.0, LATER, ELSEWHERE]))
    # One draw is the mean, in this task: a twin made of it forecasts the same.
    latent = after.draws(1, task="hammer")[0]
    np.testing.assert_array_equal(latent, here.mean.astype(np.float32))
    alone = replace(before, latent=latent, weights=tiny.decode(latent)).forecast("hammer", draws=1)
    expected = alone.trials["response_time"]
    found = after.forecast("hammer", draws=1).trials["response_time"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_task_that_is_none_is_refused(tiny: Bundle) -> None:
    with pytest.raises(UsageError, match="There is no task named 'strop'"):
        tiny.population_twin().distribution("strop")
    with pytest.raises(UsageError, match="There is no task named 'strop'"):
        tiny.population_twin().draws(2, task="strop")


def test_without_trials_every_task_has_the_prior(tiny: Bundle) -> None:
    twin = tiny.population_twin()
    assert twin.distribution("hammer") is twin.posterior is twin.distribution()
