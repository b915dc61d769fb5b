"""Normal distributions of latents, and draws that stand for them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.errors import BundleError, DataError, UsageError
from dtb_runtime.latent import LatentDistribution, LatentPrior


def distribution(size: int) -> LatentDistribution:
    rng = np.random.default_rng(size)
    root = rng.standard_normal((size, size)) + 2 * np.eye(size)
    return LatentDistribution(rng.standard_normal(size), root @ root.T)


def test_what_it_says_about_itself_agrees() -> None:
    four = distribution(4)
    assert four.size == 4
    np.testing.assert_allclose(four.precision @ four.covariance, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(four.root @ four.root.T, four.covariance, rtol=1e-12)
    np.testing.assert_array_equal(four.root, np.tril(four.root))
    np.testing.assert_allclose(four.sd**2, np.diag(four.covariance))
    for array in (four.mean, four.covariance, four.root):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_it_keeps_its_own_copy() -> None:
    mean = np.zeros(2)
    two = LatentDistribution(mean, np.eye(2))
    mean[0] = 7.0
    assert two.mean[0] == 0.0


@pytest.mark.parametrize("size", [1, 3, 16])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 31, 32, 33, 34, 64, 257])
def test_draws_have_the_mean_and_the_whole_variance(size: int, n: int) -> None:
    """Whatever the number: in SDs of the distribution, the mean square is one per dimension."""
    own = distribution(size)
    draws = own.draws(n)
    assert draws.shape == (n, size)
    assert draws.dtype == np.float32
    np.testing.assert_allclose(draws.mean(axis=0, dtype=np.float64), own.mean, atol=1e-6)
    if n > 1:
        standard = np.linalg.solve(own.root, (draws - own.mean).T)
        assert np.square(standard).sum(axis=0).mean() == pytest.approx(size, rel=1e-5)


@pytest.mark.parametrize(("size", "n"), [(1, 3), (3, 8), (3, 9), (16, 34), (16, 64)])
def test_more_than_two_draws_a_dimension_have_the_covariance(size: int, n: int) -> None:
    own = distribution(size)
    found = np.cov(own.draws(n).astype(np.float64).T, bias=True)
    np.testing.assert_allclose(np.atleast_2d(found), own.covariance, rtol=1e-5, atol=1e-5)


def test_fewer_draws_lie_at_right_angles() -> None:
    pairs = distribution(16).standard_draws(16)[::2]
    products = pairs @ pairs.T
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-12)
    assert np.ptp(np.diag(products)) > 1.0  # lengths vary as those of normal draws do


def test_draws_come_in_mirrored_pairs() -> None:
    own = distribution(5)
    standard = own.standard_draws(9)
    np.testing.assert_array_equal(standard[0:8:2], -standard[1:8:2])
    np.testing.assert_array_equal(standard[8], 0.0)


def test_one_draw_is_the_mean() -> None:
    own = distribution(3)
    np.testing.assert_array_equal(own.draws(1), own.mean[np.newaxis].astype(np.float32))


def test_many_draws_are_normal() -> None:
    """Shares beyond 1 and 2 SDs, against those of the normal distribution."""
    draws = np.abs(distribution(3).standard_draws(20_000))
    for bound, share in ((1.0, 0.3173), (2.0, 0.0455)):
        np.testing.assert_allclose((draws > bound).mean(axis=0), share, atol=0.012)


def test_the_seed_decides() -> None:
    own = distribution(4)
    assert own.draws(16, seed=3).tobytes() == own.draws(16, seed=3).tobytes()
    assert not np.array_equal(own.draws(16, seed=3), own.draws(16, seed=4))


@pytest.mark.parametrize(
    ("n", "seed", "message"), [(0, 0, "At least 1 draw"), (2, -1, "0 or more")]
)
def test_no_draws_and_no_seed_are_refused(n: int, seed: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        distribution(2).draws(n, seed=seed)


@pytest.mark.parametrize(
    ("mean", "covariance", "message"),
    [
        (np.zeros(2), np.eye(3), r"found \(2,\) and \(3, 3\)"),
        (np.zeros((2, 1)), np.eye(2), "a mean of shape"),
        (np.zeros(0), np.zeros((0, 0)), "a mean of shape"),
        (np.array([0.0, np.nan]), np.eye(2), "mean of latents is not finite"),
        (np.zeros(2), np.diag([1.0, np.inf]), "covariance of latents is not finite"),
        (np.zeros(2), 1e20 * np.eye(2), "beyond 1e"),
        (np.zeros(2), np.array([[1.0, 0.5], [0.4, 1.0]]), "not symmetric"),
        (np.zeros(2), np.array([[1.0, 2.0], [2.0, 1.0]]), "not positive definite"),
        (np.zeros(2), -np.eye(2), "not positive definite"),
    ],
)
def test_what_is_no_distribution_is_refused(
    mean: NDArray[np.float64], covariance: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        LatentDistribution(mean, covariance)


def test_a_prior_lies_around_what_the_connectome_says() -> None:
    four = distribution(4)
    prior = LatentPrior(four, 0.5 * four.covariance)
    latent = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    around = prior.around(latent)
    np.testing.assert_array_equal(around.mean.astype(np.float32), latent)
    np.testing.assert_array_equal(around.covariance, 0.5 * four.covariance)
    with pytest.raises(BundleError, match="latent of this person cannot be used"):
        prior.around(np.full(4, np.inf, np.float32))
