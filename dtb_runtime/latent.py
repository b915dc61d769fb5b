"""Normal distributions over latents: what is known about one person, or about people."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .errors import BundleError, DataError, UsageError

LARGEST = 1e15
"""Largest magnitude of a mean or covariance; products of larger ones lose their last digits."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentDistribution:
    """A multivariate normal distribution of the latent. Immutable; arrays are read-only.

    Raises
    ------
    DataError
        Other shapes, numbers that are not finite, or a covariance that is not symmetric and
        positive definite.
    """

    mean: NDArray[np.float64]
    """Shape (latent_size,)."""
    covariance: NDArray[np.float64]
    """Shape (latent_size, latent_size), symmetric and positive definite."""
    root: NDArray[np.float64] = field(init=False, repr=False)
    """Lower triangle with ``root @ root.T == covariance`` (Cholesky)."""

    def __post_init__(self) -> None:
        mean = np.array(self.mean, dtype=np.float64)
        covariance = np.array(self.covariance, dtype=np.float64)
        if mean.ndim != 1 or not mean.size or covariance.shape != (mean.size, mean.size):
            raise DataError(
                "A distribution of latents needs a mean of shape (n,) and a covariance of shape "
                f"(n, n), found {mean.shape} and {covariance.shape}."
            )
        for name, array in (("mean", mean), ("covariance", covariance)):
            if not (np.abs(array) <= LARGEST).all():  # false for NaN
                raise DataError(f"The {name} of latents is not finite, or beyond {LARGEST:g}.")
        scale = np.sqrt(np.abs(np.diag(covariance)))
        if (np.abs(covariance - covariance.T) > 1e-6 * np.outer(scale, scale)).any():
            raise DataError("The covariance of latents is not symmetric.")
        covariance = (covariance + covariance.T) / 2.0
        try:
            root = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
        except np.linalg.LinAlgError as cause:
            raise DataError("The covariance of latents is not positive definite.") from cause
        for name, array in (("mean", mean), ("covariance", covariance), ("root", root)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def size(self) -> int:
        """Length of a latent."""
        return len(self.mean)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Inverse of the covariance, shape (latent_size, latent_size)."""
        inverse_root = np.linalg.inv(self.root)
        return np.asarray(inverse_root.T @ inverse_root)

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation of each number, shape (latent_size,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def draws(self, n: int, *, seed: int = 0) -> NDArray[np.float32]:
        """Latents that stand for the distribution.

        Made so that few of them do: each comes with its mirror image about the mean. Beyond two
        for each dimension they have exactly the mean and covariance of the distribution; fewer lie
        in directions at right angles to one another. With one, or an odd number, the mean itself
        is among them.

        Parameters
        ----------
        n : int
            How many, at least 1.
        seed : int
            The same seed gives the same draws.

        Returns
        -------
        numpy.ndarray, shape (n, latent_size), float32

        Raises
        ------
        UsageError
            Less than one draw, or a negative seed.
        """
        if n < 1:
            raise UsageError(f"At least 1 draw is needed, found {n}.")
        return (self.mean + self.standard_draws(n, seed=seed) @ self.root.T).astype(np.float32)

    def standard_draws(self, n: int, *, seed: int = 0) -> NDArray[np.float64]:
        """The same draws before they are given mean and covariance, shape (n, latent_size)."""
        if seed < 0:
            raise UsageError(f"A seed must be 0 or more, found {seed}.")
        draws = np.zeros((n, self.size))
        n_pairs = n // 2
        if n_pairs:
            half = _directions(np.random.default_rng(seed), n_pairs, self.size)
            half *= np.sqrt(n / (2 * n_pairs))  # the mean itself adds nothing to the covariance
            draws[: 2 * n_pairs : 2], draws[1 : 2 * n_pairs : 2] = half, -half
        return draws


@dataclass(frozen=True, slots=True, eq=False)
class LatentPrior:
    """What is known about a person's latent before any trial of theirs was seen."""

    population: LatentDistribution
    """Over all people."""
    connectome_covariance: NDArray[np.float64]
    """How far latents lie around what the hypernetwork reads from connectomes, shape (latent,
    latent)."""

    def around(self, latent: NDArray[np.float32]) -> LatentDistribution:
        """The distribution over people with a connectome that the hypernetwork reads so.

        Parameters
        ----------
        latent : numpy.ndarray, shape (latent,)
            What the hypernetwork makes of the connectome.

        Raises
        ------
        BundleError
            The latent is beyond every number that can be reckoned with.
        """
        try:
            return LatentDistribution(latent.astype(np.float64), self.connectome_covariance)
        except DataError as cause:
            raise BundleError(
                f"The latent of this person cannot be used: {cause} Export the bundle again."
            ) from cause


def _directions(rng: np.random.Generator, n: int, size: int) -> NDArray[np.float64]:
    """Vectors with mean square 1 per dimension, shape (n, size)."""
    vectors = rng.standard_normal((n, size))
    if n > size:
        # Their second moments, made exact.
        root = np.linalg.cholesky(vectors.T @ vectors / n)
        return np.asarray(np.linalg.solve(root, vectors.T).T, dtype=np.float64)
    # At right angles, with the lengths that normal draws have.
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    length *= np.sqrt(size / np.mean(np.square(length)))
    orthogonal, triangle = np.linalg.qr(vectors.T)
    return np.asarray((orthogonal * np.sign(np.diag(triangle))).T * length, dtype=np.float64)
