"""From connectomes to latents: a linear regression that knows how sure each latent is.

People's latents are ``z = a + B c + e`` with c the scores of the connectome on the edge basis and e
normal with covariance S; what the population fit and BOLD say about z is a normal measurement of
it with a precision of its own for every person and number (0 where nothing was measured). B has a
ridge penalty. Expectation maximization gives a, B and S (a linear mixed model; Laird and Ware
1982); how many components and which penalty, cross-validation over people: the log density that
left-out people's measurements get.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COMPONENTS = (0, 3, 5, 8, 12, 16, 24, 32)
"""Numbers of components tried; 0 is a connectome that says nothing."""
PENALTIES = (0.03, 0.1, 0.3, 1.0)
"""Ridge penalties tried, relative to the number of people (scores have unit variance)."""
N_FOLDS = 10
N_STEPS = 12
"""Steps of expectation maximization; its changes are below a thousandth after ten."""
FLOOR = 1e-4
"""Smallest residual variance of a latent."""


@dataclass(frozen=True, slots=True)
class LatentRegression:
    """What connectomes say about latents, and what they leave open."""

    intercept: Floats
    """(latent,)"""
    coefficients: Floats
    """(latent, components)"""
    covariance: Floats
    """(latent, latent) of what is left open, for a new person: the estimate's own uncertainty is
    in it."""

    def predict(self, scores: Floats) -> Floats:
        """Return expected latents, shape (people, latent), of scores (people, components)."""
        used = scores[:, : self.coefficients.shape[1]]
        return np.asarray(self.intercept + used @ self.coefficients.T)


@dataclass(frozen=True, slots=True)
class Measurements:
    """What is known of each person's latent without the connectome."""

    value: Floats
    """(people, latent); 0 where nothing was measured"""
    precision: Floats
    """(people, latent) one over the variance of the measurement; 0 where there is none"""

    def of(self, people: NDArray[np.intp]) -> Measurements:
        """Return those of some of the people."""
        return Measurements(self.value[people], self.precision[people])


@dataclass(frozen=True, slots=True)
class EncoderFit:
    """The chosen regression, the population without connectomes, and what validation said."""

    regression: LatentRegression
    population: LatentRegression
    """With no components: mean and covariance of people whose connectome is not known."""
    n_components: int
    penalty: float
    out_of_fold: Floats
    """(people, latent) what each person's connectome says when the person is left out."""
    density_gain: float
    """Mean log density that left-out people's measurements gain by their connectome, in nats."""


def fit_encoder(
    scores: Floats, measured: Measurements, *, seed: int, components: Sequence[int] = COMPONENTS
) -> EncoderFit:
    """Choose components and penalty by cross-validation over people, and fit.

    Parameters
    ----------
    scores : ndarray, shape (people, components)
        Of the connectomes on the edge basis, unit variance, most important first.
    measured : Measurements
    seed : int
        Of the folds.
    components : sequence of int
        Numbers of components to try.
    """
    n_people = len(scores)
    order = np.random.default_rng(seed).permutation(n_people)
    folds = [order[i::N_FOLDS] for i in range(min(N_FOLDS, n_people))]
    tried: dict[tuple[int, float], float] = {}
    for n in sorted({min(c, scores.shape[1]) for c in components}):
        for penalty in PENALTIES if n else PENALTIES[:1]:
            tried[n, penalty] = _validated(scores[:, :n], measured, penalty, folds)[0]
    n, penalty = max(tried, key=lambda key: (tried[key], -key[0]))
    _, out_of_fold = _validated(scores[:, :n], measured, penalty, folds)
    without = tried[0, PENALTIES[0]] if (0, PENALTIES[0]) in tried else float("nan")
    return EncoderFit(
        regression=regress(scores[:, :n], measured, penalty),
        population=regress(scores[:, :0], measured, penalty),
        n_components=n,
        penalty=penalty,
        out_of_fold=out_of_fold,
        density_gain=tried[n, penalty] - without,
    )


def regress(scores: Floats, measured: Measurements, penalty: float) -> LatentRegression:
    """Fit intercept, coefficients and residual covariance by expectation maximization."""
    n_people, n_components = scores.shape
    size = measured.value.shape[1]
    design = np.column_stack([np.ones(n_people), scores])
    ridge = np.diag([0.0] + [penalty * n_people] * n_components)
    hat = np.linalg.solve(design.T @ design + ridge, design.T)  # (1 + components, people)
    freedom = float(np.trace(hat @ design))
    covariance, expected = np.eye(size), np.zeros((n_people, size))
    precision = measured.precision[:, :, None] * np.eye(size)
    for _ in range(N_STEPS):
        prior = np.linalg.inv(covariance)
        spread = np.linalg.inv(prior + precision)  # (people, latent, latent)
        pull = expected @ prior + measured.precision * measured.value
        latent = np.einsum("pkl,pl->pk", spread, pull)
        weights = hat @ latent
        expected = design @ weights
        away = latent - expected
        covariance = (away.T @ away + spread.sum(0)) / n_people + FLOOR * np.eye(size)
    # A new person's residual also holds the error of the coefficients: as many parts more as the
    # regression took out of the training people's.
    inflation = (n_people + freedom) / max(n_people - freedom, 1.0)
    return LatentRegression(weights[0], weights[1:].T, covariance * inflation)


def _validated(
    scores: Floats, measured: Measurements, penalty: float, folds: Sequence[NDArray[np.intp]]
) -> tuple[float, Floats]:
    """Return the mean log density of left-out measurements, and the left-out predictions."""
    everybody = np.arange(len(scores))
    predicted = np.zeros_like(measured.value)
    density = 0.0
    for fold in folds:
        others = np.setdiff1d(everybody, fold)
        regression = regress(scores[others], measured.of(others), penalty)
        predicted[fold] = regression.predict(scores[fold])
        for person in fold:
            density += _log_density(regression, predicted[person], measured, int(person))
    return density / len(scores), predicted


def _log_density(
    regression: LatentRegression, mean: Floats, measured: Measurements, person: int
) -> float:
    known = measured.precision[person] > 0
    if not known.any():
        return 0.0
    covariance = regression.covariance[np.ix_(known, known)]
    covariance = covariance + np.diag(1 / measured.precision[person, known])
    away = (measured.value[person] - mean)[known]
    _, log_determinant = np.linalg.slogdet(covariance)
    squared = away @ np.linalg.solve(covariance, away)
    return float(-0.5 * (squared + log_determinant + known.sum() * np.log(2 * np.pi)))
