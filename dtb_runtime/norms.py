"""Where one person stands among the people a bundle was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .bundle_layout import NORMS_FILE
from .demographics import (
    COHORT,
    SAME_AGE_AND_SEX,
    Demographics,
    Percentile,
    Sex,
    check_person,
    percent_between,
)
from .errors import BundleError
from .latent import LatentPrior
from .strangeness import Strangeness

N_QUANTILES = 101
"""Quantiles kept of each indicator: the percentiles 0, 1, ..., 100."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentNorms:
    """Where the cohort's latents lie."""

    mean: NDArray[np.float64]
    """Shape (latent,)."""
    precision: NDArray[np.float64]
    """Inverse of the covariance, shape (latent, latent)."""
    distance: NDArray[np.float64]
    """Mahalanobis distance of each person held out of training, ascending, shape (people,).

    Those who were trained on lie nearer than any new person does, and would make everybody new
    look unusual.
    """


@dataclass(frozen=True, slots=True, eq=False)
class EdgeNorms:
    """How alike the cohort's connectomes are."""

    direction: NDArray[np.float32]
    """Mean edges, centered and scaled to length 1, shape (edges,)."""
    similarity: NDArray[np.float64]
    """Pearson r with the mean of each person held out of training, ascending, shape (people,)."""
    mean: NDArray[np.float32]
    """Mean edges (Fisher z), shape (edges,)."""
    sd: NDArray[np.float32] | None = None
    """SD of each edge between people, shape (edges,); None for a bundle that does not say."""


@dataclass(frozen=True, slots=True, eq=False)
class Norms:
    """Distributions over the training cohort."""

    latent: LatentNorms | None
    """None for a bundle without a latent."""
    edges: EdgeNorms | None
    """None for a bundle that does not say."""
    indicator_quantiles: Mapping[str, NDArray[np.float64]]
    """Indicator name to its percentiles 0 to 100 in the cohort, shape (101,)."""
    indicator_offsets: Mapping[str, float] = field(default_factory=dict)
    """How much more of an indicator the median twin at the mean of what connectomes tell has than
    the median person of the cohort; empty for a bundle that does not say."""
    demographics: Demographics | None = None
    """How indicators depend on age and sex; None for a bundle that does not say."""
    prior: LatentPrior | None = None
    """None for a bundle without a latent, or one that does not say how sure it is of it."""

    def strangeness(
        self, edges: NDArray[np.float32], latent: NDArray[np.float32] | None
    ) -> Strangeness | None:
        """How unusual one person is, None if the bundle has no norms to say so.

        Parameters
        ----------
        edges : numpy.ndarray, shape (n_edges,)
            Fisher z of the upper triangle.
        latent : numpy.ndarray, shape (latent,), or None
            What the hypernetwork makes of them.

        Raises
        ------
        BundleError
            The distance of the latent is not finite.
        """
        distance = distance_percentile = similarity = similarity_percentile = None
        if latent is not None and self.latent is not None:
            offset = latent.astype(np.float64) - self.latent.mean
            with np.errstate(over="ignore", invalid="ignore"):
                distance = float(np.sqrt(offset @ self.latent.precision @ offset))
            if not np.isfinite(distance):
                raise damaged("the distance of a person from its latents is not finite")
            distance_percentile = _percent_below(self.latent.distance, distance)
        if self.edges is not None:
            centered = edges - edges.mean(dtype=np.float64)
            length = float(np.linalg.norm(centered))
            similarity = float(centered @ self.edges.direction) / length if length > 0 else 0.0
            similarity_percentile = _percent_below(self.edges.similarity, similarity)
        if distance is None and similarity is None:
            return None
        return Strangeness.in_words(
            distance, distance_percentile, similarity, similarity_percentile
        )

    def indicator_sd(self, name: str) -> float:
        """SD of an indicator over the training cohort, from its quantiles.

        Parameters
        ----------
        name : str
            One that `indicator_quantiles` has.
        """
        quantiles = self.indicator_quantiles[name]
        low, high = quantiles[:-1], quantiles[1:]  # uniform between neighbors
        mean = np.mean((low + high) / 2)
        square = np.mean((np.square(low) + low * high + np.square(high)) / 3)
        return float(np.sqrt(square - np.square(mean)))

    def indicator_percentile(
        self,
        name: str,
        value: float | Sequence[float],
        *,
        of_mean_twin: bool = False,
        age: float | None = None,
        sex: Sex | None = None,
    ) -> Percentile | None:
        """Where a value of an indicator stands in the cohort.

        Parameters
        ----------
        name : str
            Name of the indicator.
        value : float or sequence of float
            Its value; or its values in the draws of what is not known of a person, each of which
            is one whom it may be. Then the percentile is the mean of theirs: the chance that
            somebody of the cohort has a lower value than this person.
        of_mean_twin : bool
            The value is that of a twin at the mean of what its connectome tells. Such a twin is
            nobody: most errors and much of what makes people uneven average out in it. So what
            such twins have too much (`indicator_offsets`) is taken off first.
        age : float, optional
            Years. With age and sex, and where the bundle knows what they do, the comparison is
            with people like this one.
        sex : {"female", "male"}, optional

        Returns
        -------
        Percentile or None
            Percent of those compared with that have a lower value, and who they are; None if the
            bundle has no norms of this indicator or a value is NaN.

        Raises
        ------
        UsageError
            `age` is no number of years, or `sex` another than those two.
        """
        check_person(age, sex)
        quantiles = self.indicator_quantiles.get(name)
        values = [value] if isinstance(value, float | int) else list(value)
        if quantiles is None or not values or np.isnan(values).any():
            return None
        if of_mean_twin:
            values = [each - self.indicator_offsets.get(name, 0.0) for each in values]
        compared_to = COHORT
        if age is not None and sex is not None:
            demographics = self.demographics
            if demographics is None or name not in demographics.coefficients:
                problem: str | None = "not known by age and sex"
            else:
                problem = demographics.why_not(age)
                if problem is None:
                    percents = [demographics.percent(name, each, age, sex) for each in values]
                    return Percentile(float(np.mean(percents)), SAME_AGE_AND_SEX)
            compared_to = f"{COHORT} ({problem})"
        percents = [percent_between(each, quantiles) for each in values]
        return Percentile(float(np.mean(percents)), compared_to)


def damaged(what: str) -> BundleError:
    """Error that says what is wrong with the norms of a bundle, and what to do."""
    return BundleError(f"{NORMS_FILE} cannot be used: {what}. Export the bundle again.")


def _percent_below(ascending: NDArray[np.float64], value: float) -> float:
    """Percent of values below, those equal counted half."""
    below = np.searchsorted(ascending, value, side="left")
    up_to = np.searchsorted(ascending, value, side="right")
    return float(50.0 * (below + up_to) / len(ascending))
