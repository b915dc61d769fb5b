"""Who simulated people are: a few connectome factors, and traits that load on them.

The joint distribution is Gaussian and the same whichever way it is drawn. Factors f are standard
normal; traits t have the correlations C; and t = sqrt(share) U f + noise, where U = C^(1/2) Q with
orthonormal rows of Q. Then cov(t) = C for every share, each trait's R2 on the factors is exactly
the share, and factors given some measured traits follow by conditioning, with a covariance that
is positive for every share up to 1. The last point is why U is built from C: real people's traits
can drive simulated connectomes without any case in which that is impossible.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import UsageError

TRAITS = (
    "processing_speed",
    "interference",
    "accuracy",
    "lapses",
    "affective_reactivity",
)
"""Traits as z scores over people; more is faster, a larger Stroop effect, more accurate, more
trials without a response, a larger face > shape response of the amygdala."""

TRAIT_CORRELATIONS = np.array(
    [
        [1.00, -0.30, 0.15, -0.40, 0.00],
        [-0.30, 1.00, -0.10, 0.10, 0.00],
        [0.15, -0.10, 1.00, -0.30, 0.00],
        [-0.40, 0.10, -0.30, 1.00, 0.00],
        [0.00, 0.00, 0.00, 0.00, 1.00],
    ]
)
"""Rank correlations of real people's measured traits, rounded; slower people show a larger
Stroop effect and miss more trials. Reactivity is not measured by behavior and stands apart."""


def person_generator(seed: int, participant_id: str, purpose: str) -> np.random.Generator:
    """Return the generator for one thing about one person.

    Keyed by name, so that nobody's numbers depend on who else is in the cohort, on the order of
    people, or on whether other things about them were drawn before.

    Parameters
    ----------
    seed : int
        The cohort's seed, not negative.
    participant_id : str
    purpose : str
        What is drawn, e.g. ``"rest"``.
    """
    digest = hashlib.sha256(f"{participant_id}\n{purpose}".encode()).digest()
    key = tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True, slots=True)
class TraitModel:
    """The joint distribution of connectome factors and traits.

    Raises
    ------
    UsageError
        If the share is outside [0, 1] or there are fewer factors than traits.
    """

    share: float
    """R2 of each trait on the true factors."""
    n_factors: int
    correlations: NDArray[np.float64]
    """(n_traits, n_traits) correlations C of the traits."""
    rotation: NDArray[np.float64]
    """(n_traits, n_factors) Q, with orthonormal rows."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UsageError(
                f"The share of trait variance that connectomes carry must lie in [0, 1], "
                f"found {self.share}."
            )
        if self.n_factors < len(self.correlations):
            raise UsageError(
                f"At least {len(self.correlations)} connectome factors are needed, one per trait, "
                f"found {self.n_factors}."
            )

    @classmethod
    def random(
        cls,
        *,
        share: float,
        n_factors: int,
        seed: int,
        correlations: NDArray[np.float64] = TRAIT_CORRELATIONS,
    ) -> TraitModel:
        """Return a model with a seeded random rotation between factors and traits."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        square = rng.standard_normal((max(n_factors, len(correlations)),) * 2)
        rotation = np.linalg.qr(square)[0][: len(correlations), :n_factors]
        return cls(share, n_factors, np.array(correlations, np.float64), rotation)

    @property
    def loadings(self) -> NDArray[np.float64]:
        """Covariance of traits and factors, shape (n_traits, n_factors)."""
        return np.asarray(np.sqrt(self.share) * _root(self.correlations) @ self.rotation)

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return one person's factors (n_factors,) and traits (n_traits,)."""
        factors = rng.standard_normal(self.n_factors)
        own = _root(self.correlations) @ rng.standard_normal(len(self.correlations))
        return factors, self.loadings @ factors + np.sqrt(1 - self.share) * own

    def draw_given(
        self, measured: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return factors and all traits of a person some of whose traits were measured.

        Parameters
        ----------
        measured : numpy.ndarray, shape (n_traits,)
            z scores; NaN where a trait was not measured and is to be drawn.
        rng : numpy.random.Generator
        """
        known = np.isfinite(measured)
        # Draw from the joint distribution, then move by the regression on what is known
        # (Matheron's rule): exact conditioning without a factorization per pattern of gaps.
        factors, traits = self.draw(rng)
        if not known.any():
            return factors, traits
        gain = np.linalg.solve(self.correlations[np.ix_(known, known)], (measured - traits)[known])
        factors = factors + self.loadings[known].T @ gain
        traits = traits + self.correlations[:, known] @ gain
        traits[known] = measured[known]
        return factors, traits


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
