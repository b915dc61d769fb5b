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
N_STEPS = 100
"""Steps of expectation maximization, at most."""
TOLERANCE = 1e-3
"""Relative change of the residual covariance below which a step is the last."""
LEAST_GAIN = 1.0
"""Standard errors by which connectomes must help left-out people to be listened to at all. It is
lenient: the gain is that of the best of many regressions, on the folds that chose it."""
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


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """People left out together, and their scores on a basis that was made without them."""

    people: NDArray[np.intp]
    others: NDArray[np.intp]
    scores: Floats
    """(people, components) of those left out"""
    scores_of_others: Floats
    """(others, components)"""


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


def split_folds(n_people: int, seed: int) -> list[NDArray[np.intp]]:
    """Return who is left out together: ten parts of the people, drawn from the seed."""
    order = np.random.default_rng(seed).permutation(n_people)
    return [np.sort(order[i::N_FOLDS]) for i in range(min(N_FOLDS, n_people))]


def fit_encoder(
    scores: Floats,
    measured: Measurements,
    folds: Sequence[Fold],
    *,
    components: Sequence[int] = COMPONENTS,
) -> EncoderFit:
    """Choose components and penalty by cross-validation over people, and fit.

    Connectomes count as saying nothing unless left-out people's measurements gain enough by them
    (`LEAST_GAIN`).

    Parameters
    ----------
    scores : ndarray, shape (people, components)
        Of the connectomes on the edge basis, unit variance, most important first.
    measured : Measurements
    folds : sequence of Fold
        Together everybody.
    components : sequence of int
        Numbers of components to try.
    """
    without, _ = _validated(folds, 0, measured, PENALTIES[0])
    found: dict[tuple[int, float], Floats] = {}
    most = min([scores.shape[1], *(fold.scores.shape[1] for fold in folds)])
    for n in sorted({min(c, most) for c in components}):
        for penalty in PENALTIES if n else PENALTIES[:1]:
            found[n, penalty], _ = _validated(folds, n, measured, penalty)
    n, penalty = max(found, key=lambda key: (found[key].mean(), -key[0]))
    gain = found[n, penalty] - without
    if 0 in components and gain.mean() <= LEAST_GAIN * gain.std() / np.sqrt(len(gain)):
        n, penalty = 0, PENALTIES[0]
    density, out_of_fold = _validated(folds, n, measured, penalty)
    return EncoderFit(
        regression=regress(scores[:, :n], measured, penalty),
        population=regress(scores[:, :0], measured, penalty),
        n_components=n,
        penalty=penalty,
        out_of_fold=out_of_fold,
        density_gain=float((density - without).mean()),
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
        before, covariance = covariance, (away.T @ away + spread.sum(0)) / n_people
        covariance = covariance + FLOOR * np.eye(size)
        if np.linalg.norm(covariance - before) < TOLERANCE * np.linalg.norm(covariance):
            break
    # A new person's residual also holds the error of the coefficients: as many parts more as the
    # regression took out of the training people's.
    inflation = (n_people + freedom) / max(n_people - freedom, 1.0)
    return LatentRegression(weights[0], weights[1:].T, covariance * inflation)


def _validated(
    folds: Sequence[Fold], n_components: int, measured: Measurements, penalty: float
) -> tuple[Floats, Floats]:
    """Return the log density of each left-out person's measurements, and the predictions."""
    predicted = np.zeros_like(measured.value)
    density = np.zeros(len(predicted))
    for fold in folds:
        seen = fold.scores_of_others[:, :n_components]
        regression = regress(seen, measured.of(fold.others), penalty)
        predicted[fold.people] = regression.predict(fold.scores[:, :n_components])
        for person in fold.people:
            density[person] = _log_density(regression, predicted[person], measured, int(person))
    return density, predicted


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
