"""The regression of latents on connectomes: closed forms, planted truth, nothing to be found."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_models import encoder_fit
from dtb_models.encoder_fit import (
    FLOOR,
    EncoderFit,
    Floats,
    Fold,
    Measurements,
    fit_encoder,
    regress,
    split_folds,
)

SURE = 1e12
"""A precision that leaves nothing of a measurement open."""


def drawn(
    n_people: int, coefficients: Floats, residual: Floats, seed: int
) -> tuple[Floats, Floats]:
    """Return scores of unit variance and latents made of them, with a residual covariance."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((n_people, coefficients.shape[1]))
    away = rng.multivariate_normal(np.zeros(len(residual)), residual, n_people)
    return scores, 0.5 + scores @ coefficients.T + away


COEFFICIENTS = np.array([[0.8, 0.0, -0.3], [0.0, 0.5, 0.2]])
RESIDUAL = np.array([[0.3, 0.15], [0.15, 0.5]])


@pytest.mark.parametrize("penalty", [0.03, 1.0])
def test_sure_latents_are_regressed_by_ridge(penalty: float) -> None:
    scores, latents = drawn(50, COEFFICIENTS, RESIDUAL, 1)
    found = regress(scores, Measurements(latents, np.full((50, 2), SURE)), penalty)

    # Ridge without a penalty on the intercept: center, shrink, and put the means back.
    x, y = scores - scores.mean(0), latents - latents.mean(0)
    slopes = np.linalg.solve(x.T @ x + 50 * penalty * np.eye(3), x.T @ y)
    np.testing.assert_allclose(found.coefficients, slopes.T, rtol=1e-6)
    intercept = latents.mean(0) - scores.mean(0) @ slopes
    np.testing.assert_allclose(found.intercept, intercept, rtol=1e-6)
    residual = y - x @ slopes
    of_training_people = residual.T @ residual / 50 + FLOOR * np.eye(2)
    hat = x @ np.linalg.solve(x.T @ x + 50 * penalty * np.eye(3), x.T)
    freedom = 1 + np.trace(hat)
    expected = of_training_people * (50 + freedom) / (50 - freedom)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-5)
    np.testing.assert_allclose(found.predict(scores), intercept + scores @ slopes, rtol=1e-6)


def test_the_covariance_is_that_of_new_people() -> None:
    """The residuals of the training people alone would be too small by a quarter."""
    expected, seen = [], []
    for seed in range(40):
        scores, latents = drawn(240, np.zeros((2, 20)), RESIDUAL, seed)
        measured = Measurements(latents[:120], np.full((120, 2), SURE))
        found = regress(scores[:120], measured, 0.03)
        away = latents[120:] - found.predict(scores[120:])
        expected.append(found.covariance)
        seen.append(away.T @ away / 120)
    np.testing.assert_allclose(np.mean(expected, 0), np.mean(seen, 0), rtol=0.12)


@pytest.mark.parametrize("share_unmeasured", [0.0, 0.4])
def test_planted_coefficients_and_covariance_are_recovered(share_unmeasured: float) -> None:
    scores, latents = drawn(3000, COEFFICIENTS, RESIDUAL, 2)
    rng = np.random.default_rng(3)
    precision = rng.uniform(1, 20, latents.shape)
    precision[rng.random(latents.shape) < share_unmeasured] = 0
    noise = rng.standard_normal(latents.shape) / np.sqrt(np.where(precision > 0, precision, 1))
    measured = Measurements(np.where(precision > 0, latents + noise, 0.0), precision)
    found = regress(scores, measured, 1e-6)
    np.testing.assert_allclose(found.intercept, 0.5, atol=0.06)
    np.testing.assert_allclose(found.coefficients, COEFFICIENTS, atol=0.06)
    np.testing.assert_allclose(found.covariance, RESIDUAL, atol=0.06)


def log_likelihood(
    scores: Floats, measured: Measurements, intercept: Floats, slopes: Floats, covariance: Floats
) -> float:
    """Return the log density of everybody's measurements, latents integrated out."""
    total = 0.0
    for own, value, precision in zip(scores, measured.value, measured.precision, strict=True):
        spread = covariance + np.diag(1 / precision)
        away = value - intercept - slopes @ own
        _, log_determinant = np.linalg.slogdet(2 * np.pi * spread)
        total -= 0.5 * (log_determinant + away @ np.linalg.inv(spread) @ away)
    return total


def test_every_step_raises_the_likelihood_up_to_its_maximum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores, latents = drawn(200, COEFFICIENTS, RESIDUAL, 4)
    rng = np.random.default_rng(5)
    precision = rng.uniform(0.5, 8, latents.shape)
    measured = Measurements(
        latents + rng.standard_normal(latents.shape) / np.sqrt(precision), precision
    )
    monkeypatch.setattr(encoder_fit, "FLOOR", 0.0)
    monkeypatch.setattr(encoder_fit, "TOLERANCE", 0.0)
    inflation = (200 + 4) / (200 - 4)

    def after(n_steps: int) -> tuple[Floats, Floats, Floats]:
        monkeypatch.setattr(encoder_fit, "N_STEPS", n_steps)
        found = regress(scores, measured, 0.0)
        return found.intercept, found.coefficients, found.covariance / inflation

    course = [log_likelihood(scores, measured, *after(n)) for n in (1, 2, 4, 8, 12)]
    assert (np.diff(course) > 0).all()
    intercept, slopes, covariance = after(500)
    top = log_likelihood(scores, measured, intercept, slopes, covariance)
    assert top - course[-1] < 0.2
    for _ in range(20):
        away = rng.standard_normal((2, 2)) * 0.05
        nearby = (
            intercept + 0.05 * rng.standard_normal(2),
            slopes + 0.05 * rng.standard_normal((2, 3)),
            covariance + (away + away.T) / 2,
        )
        assert log_likelihood(scores, measured, *nearby) < top


def test_what_was_not_measured_does_not_matter() -> None:
    scores, latents = drawn(60, COEFFICIENTS, RESIDUAL, 6)
    precision = np.full(latents.shape, 5.0)
    precision[:20, 1] = 0
    found = regress(scores, Measurements(latents, precision), 0.1)
    latents[:20, 1] = 99
    again = regress(scores, Measurements(latents, precision), 0.1)
    np.testing.assert_array_equal(again.coefficients, found.coefficients)
    np.testing.assert_array_equal(again.covariance, found.covariance)


def fit_on(
    scores: Floats, measured: Measurements, seed: int = 0, **options: tuple[int, ...]
) -> EncoderFit:
    """Fit with folds whose scores are the same whoever is left out."""
    everybody = np.arange(len(scores))
    folds = []
    for people in split_folds(len(scores), seed):
        others = np.setdiff1d(everybody, people)
        folds.append(Fold(people, others, scores[people], scores[others]))
    return fit_encoder(scores, measured, folds, **options)


def planted(n_people: int, seed: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """One latent, of which the first of six scores explains three quarters."""
    coefficients = np.zeros((1, 6))
    coefficients[0, 0] = np.sqrt(0.75)
    return *drawn(n_people, coefficients, np.array([[0.25]]), seed), np.ones(n_people, np.bool_)


def test_planted_connectomes_are_used_and_gain_what_they_tell() -> None:
    scores, latents, _ = planted(400, 7)
    fit = fit_on(scores, Measurements(latents, np.full((400, 1), 1e6)), seed=0)
    assert fit.n_components == 3  # the fewest that hold it
    assert fit.penalty == min(encoder_fit.PENALTIES)
    # The information in nats that one normal variable has about another at this correlation.
    assert fit.density_gain == pytest.approx(-0.5 * np.log(1 - 0.75), abs=0.1)
    assert np.corrcoef(fit.out_of_fold[:, 0], latents[:, 0])[0, 1] ** 2 == pytest.approx(
        0.75, abs=0.06
    )
    assert fit.population.coefficients.shape == (1, 0)
    np.testing.assert_allclose(fit.population.intercept, latents.mean(0), atol=1e-3)
    np.testing.assert_allclose(fit.population.covariance, np.cov(latents.T), rtol=0.02)
    assert fit.regression.covariance[0, 0] == pytest.approx(0.25, rel=0.2)


def test_the_gain_is_that_in_what_was_measured_noise_and_all() -> None:
    scores, latents, _ = planted(600, 11)
    noisy = latents + np.random.default_rng(12).standard_normal(latents.shape) / np.sqrt(2)
    fit = fit_on(scores, Measurements(noisy, np.full((600, 1), 2.0)), seed=0)
    # Of a variance of 1 + 1 / 2 the connectome explains 0.75.
    assert fit.density_gain == pytest.approx(-0.5 * np.log(1 - 0.75 / 1.5), abs=0.05)
    assert fit.regression.covariance[0, 0] == pytest.approx(0.25, abs=0.1)


def test_left_out_people_have_no_say_in_what_is_predicted_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoder_fit, "PENALTIES", (0.1,))
    scores, latents, _ = planted(40, 8)
    precision = np.full((40, 1), 10.0)

    def predicted() -> Floats:
        return fit_on(
            scores, Measurements(latents, precision), seed=0, components=(3,)
        ).out_of_fold[:, 0]

    before = predicted()
    latents[5] += 0.3
    after = predicted()
    assert after[5] == before[5]
    # Ten parts of four people: the three others of the person's part do not see it either.
    assert np.count_nonzero(after == before) == 4


def test_connectomes_that_say_nothing_are_mostly_left_out() -> None:
    n_chosen, gains, explained = [], [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        scores, latents = rng.standard_normal((150, 8)), rng.standard_normal((150, 4))
        noisy = latents + rng.standard_normal(latents.shape) / np.sqrt(5)
        measured = Measurements(noisy, np.full(latents.shape, 5.0))
        fit = fit_on(scores, measured, seed=0, components=(0, 3, 8))
        n_chosen.append(fit.n_components)
        gains.append(fit.density_gain)
        explained.append(fit.out_of_fold.var())
        if fit.n_components == 0:
            assert fit.density_gain == 0
            assert fit.regression.coefficients.shape == (4, 0)
            np.testing.assert_array_equal(fit.regression.covariance, fit.population.covariance)
    assert np.mean(np.array(n_chosen) == 0) >= 0.5
    # Chosen by chance, they change nothing to speak of.
    assert max(gains) < 0.2
    assert max(explained) < 0.1


def test_there_may_be_fewer_scores_or_people_than_is_tried() -> None:
    rng = np.random.default_rng(9)
    latents = rng.standard_normal((5, 2))
    measured = Measurements(latents, np.full((5, 2), 4.0))
    for n_scores in (0, 4):
        fit = fit_on(rng.standard_normal((5, n_scores)), measured, seed=0)
        assert fit.n_components in (0, 3, 4)
        assert fit.out_of_fold.shape == (5, 2)
        np.linalg.cholesky(fit.regression.covariance)
        np.linalg.cholesky(fit.population.covariance)


def test_the_seed_decides_who_is_left_out_together() -> None:
    scores, latents, _ = planted(40, 10)
    measured = Measurements(latents, np.full((40, 1), 10.0))
    first, again, other = (fit_on(scores, measured, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.out_of_fold, again.out_of_fold)
    assert not np.array_equal(first.out_of_fold, other.out_of_fold)
