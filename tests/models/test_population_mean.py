"""The prior's mean, moved until its draws behave as people do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_models.population_mean import FARTHEST, matched_mean
from dtb_runtime.latent import LatentDistribution

Floats = NDArray[np.float64]


@pytest.fixture
def population(rng: np.random.Generator) -> LatentDistribution:
    root = rng.normal(size=(4, 4))
    return LatentDistribution(rng.normal(size=4), root @ root.T / 4 + 0.2 * np.eye(4))


def distance(population: LatentDistribution, mean: Floats) -> float:
    moved = mean - population.mean
    return float(np.sqrt(moved @ population.precision @ moved))


def test_a_linear_figure_is_met_in_one_step_and_by_the_shortest_way(
    population: LatentDistribution, rng: np.random.Generator
) -> None:
    slopes = rng.normal(size=(4, 2)) / 10

    def behavior(latents: NDArray[np.float32]) -> Floats:
        return 1 + latents.astype(np.float64) @ slopes

    wanted = 1 + population.mean @ slopes + np.array([0.02, -0.01])
    found = matched_mean(population, wanted, behavior)
    np.testing.assert_allclose(1 + found @ slopes, wanted, rtol=1e-4)
    # Of all means with these figures the one nearest to the given one: a Lagrange condition.
    pull = population.precision @ (found - population.mean)
    left = pull - slopes @ np.linalg.lstsq(slopes, pull, rcond=None)[0]
    np.testing.assert_allclose(left, 0, atol=1e-4)


def test_a_skewed_figure_is_met(population: LatentDistribution) -> None:
    def behavior(latents: NDArray[np.float32]) -> Floats:
        return np.exp(0.3 * latents[:, :1].astype(np.float64))

    wanted = np.exp(0.3 * population.mean[:1])  # less than the mean over draws, by Jensen
    found = matched_mean(population, wanted, behavior)
    drawn = LatentDistribution(found, population.covariance).draws(32)
    assert behavior(drawn).mean() == pytest.approx(wanted[0], rel=1e-3)
    assert found[0] < population.mean[0]


def test_what_the_latent_does_not_move_leaves_the_mean(population: LatentDistribution) -> None:
    found = matched_mean(population, np.array([2.0]), lambda z: np.ones((len(z), 1)))
    np.testing.assert_array_equal(found, population.mean)


def test_figures_that_cannot_be_told_leave_the_mean(population: LatentDistribution) -> None:
    found = matched_mean(population, np.array([2.0]), lambda z: np.full((len(z), 1), np.nan))
    np.testing.assert_array_equal(found, population.mean)


def test_a_draw_that_does_not_say_is_left_out(population: LatentDistribution) -> None:
    def behavior(latents: NDArray[np.float32]) -> Floats:
        figures = 1 + latents[:, :1].astype(np.float64) / 10
        figures[3] = np.nan
        return figures

    wanted = 1 + (population.mean[:1] + 0.1 * population.sd[0]) / 10
    found = matched_mean(population, wanted, behavior)
    drawn = LatentDistribution(found, population.covariance).draws(32)
    assert np.nanmean(behavior(drawn)) == pytest.approx(wanted[0], rel=1e-5)


def test_nothing_to_match_leaves_the_mean(population: LatentDistribution) -> None:
    found = matched_mean(population, np.zeros(0), lambda z: np.zeros((len(z), 0)))
    np.testing.assert_array_equal(found, population.mean)


def test_the_mean_stays_among_people(population: LatentDistribution) -> None:
    found = matched_mean(
        population, np.array([10.0]), lambda z: 1 + z[:, :1].astype(np.float64) / 100
    )
    assert distance(population, found) == pytest.approx(FARTHEST)
