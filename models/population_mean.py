"""Where the prior over people is centered: so that draws from it are as fast as people are.

A normal distribution has the mean and covariance of people's latents and not their shape, so the
response times of its draws need not average to those of the people. A person of whom nothing is
known is forecast from such draws, and they would be off for everybody alike. So the mean is moved
until they agree, by the shortest way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.forecast import DRAWS
from dtb_runtime.latent import LatentDistribution

Floats = NDArray[np.float64]

MOST_RUNS = 8
"""Means that are tried, the given one among them."""
FARTHEST = 0.5
"""SDs of the prior that the mean may be moved by; what would ask for more is no matter of shape."""
CLOSE = 1e-3
"""Difference from what is wanted that is left alone, in SDs of the draws."""
LEAST_KNOWN = 0.5
"""Share of the draws whose figures must be known."""


def matched_mean(
    population: LatentDistribution,
    wanted: Floats,
    behavior: Callable[[NDArray[np.float32]], Floats],
) -> Floats:
    """Return the mean with which draws behave, on average, as is wanted.

    Parameters
    ----------
    population : LatentDistribution
        Over people.
    wanted : ndarray, shape (n_figures,)
        Means over people.
    behavior : callable
        Takes latents, shape (draws, latent), and returns the figures of each, shape
        (draws, n_figures); NaN where a draw does not say, which is then left out.

    Returns
    -------
    ndarray, shape (latent,)
        The given mean where no step leads nearer, or too few draws say.

    Notes
    -----
    How the mean of a figure follows that of a normal distribution is the covariance of figure and
    latent times the precision (Stein 1981), which the draws tell without another run. Of all steps
    with the wanted effect the one taken is the shortest in SDs of the prior.
    """
    best, least = population.mean, np.inf
    step = np.zeros_like(best)
    for _ in range(MOST_RUNS):
        mean = _within(population, best + step)
        draws = LatentDistribution(mean, population.covariance).draws(DRAWS)
        figures = behavior(draws)
        known = np.isfinite(figures).all(axis=1)
        if known.mean() < LEAST_KNOWN:
            step = step / 2
            continue
        figures, away = figures[known], (draws - mean)[known]
        missing, spread = wanted - figures.mean(axis=0), figures.std(axis=0)
        if not (spread > 0).all():
            return best
        off = float(np.max(np.abs(missing) / spread, initial=0.0))
        if not off < least:
            step = step / 2
            continue
        best, least = mean, off
        if off < CLOSE:
            break
        along = away.T @ (figures - figures.mean(axis=0)) / len(away)
        effect = along.T @ population.precision @ along
        step = along @ np.linalg.pinv(effect, rcond=1e-6, hermitian=True) @ missing
    return best


def _within(population: LatentDistribution, mean: Floats) -> Floats:
    """Return a mean that is no farther away than `FARTHEST`."""
    moved = mean - population.mean
    length = float(np.sqrt(moved @ population.precision @ moved))
    return np.asarray(population.mean + moved * min(1.0, FARTHEST / max(length, FARTHEST)))
