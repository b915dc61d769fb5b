"""Where one person stands among the people a bundle was trained on."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFileError, load_npz
from .bundle_layout import MAX_BUNDLE_BYTES, NORMS_FILE
from .demographics import (
    COHORT,
    SAME_AGE_AND_SEX,
    Demographics,
    Percentile,
    Sex,
    check_person,
    percent_between,
)
from .errors import BundleError, DataError
from .latent import LatentDistribution, LatentPrior
from .manifest import Manifest

N_QUANTILES = 101
"""Quantiles kept of each indicator: the percentiles 0, 1, ..., 100."""
UNUSUAL_PERCENTILE = 95.0
"""A connectome further out than this share of the cohort is called unusual."""


_LARGEST = 1e30  # squares of what is larger overflow in float32 and further on


@dataclass(frozen=True, slots=True)
class Strangeness:
    """How unusual a connectome is for the cohort its bundle was trained on."""

    distance: float | None
    """Mahalanobis distance of the latent from the cohort's mean; None without a latent."""
    distance_percentile: float | None
    """Percent of the cohort's held-out people that are nearer; 100: nobody is as far out."""
    similarity_to_cohort: float | None
    """Pearson r of the edges (Fisher z) with the cohort's mean edges."""
    similarity_percentile: float | None
    """Percent of the cohort's held-out people that are less similar; 0: nobody is as dissimilar."""
    sentence: str
    """The same in words."""

    @property
    def is_outside(self) -> bool:
        """Whether nobody in the cohort is as far out, by either measure."""
        return _outlyingness(self) >= 100.0

    def to_json(self) -> dict[str, float | str | None]:
        """The fields as JSON values."""
        return asdict(self)


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


@dataclass(frozen=True, slots=True, eq=False)
class Norms:
    """Distributions over the training cohort."""

    latent: LatentNorms | None
    """None for a bundle without a latent."""
    edges: EdgeNorms | None
    """None for a bundle that does not say."""
    indicator_quantiles: Mapping[str, NDArray[np.float64]]
    """Indicator name to its percentiles 0 to 100 in the cohort, shape (101,)."""
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
                raise _damaged("the distance of a person from its latents is not finite")
            distance_percentile = _percent_below(self.latent.distance, distance)
        if self.edges is not None:
            centered = edges - edges.mean(dtype=np.float64)
            length = float(np.linalg.norm(centered))
            similarity = float(centered @ self.edges.direction) / length if length > 0 else 0.0
            similarity_percentile = _percent_below(self.edges.similarity, similarity)
        if distance is None and similarity is None:
            return None
        return _in_words(distance, distance_percentile, similarity, similarity_percentile)

    def indicator_percentile(
        self, name: str, value: float, *, age: float | None = None, sex: Sex | None = None
    ) -> Percentile | None:
        """Where a value of an indicator stands in the cohort.

        Parameters
        ----------
        name : str
            Name of the indicator.
        value : float
            Its value.
        age : float, optional
            Years. With age and sex, and where the bundle knows what they do, the comparison is
            with people like this one.
        sex : {"female", "male"}, optional

        Returns
        -------
        Percentile or None
            Percent of those compared with that have a lower value, and who they are; None if the
            bundle has no norms of this indicator or `value` is NaN.

        Raises
        ------
        UsageError
            `age` is no number of years, or `sex` another than those two.
        """
        check_person(age, sex)
        quantiles = self.indicator_quantiles.get(name)
        if quantiles is None or np.isnan(value):
            return None
        compared_to = COHORT
        if age is not None and sex is not None:
            if self.demographics is None or name not in self.demographics.coefficients:
                problem: str | None = "not known by age and sex"
            else:
                problem = self.demographics.why_not(age)
                if problem is None:
                    percent = self.demographics.percent(name, value, age, sex)
                    return Percentile(percent, SAME_AGE_AND_SEX)
            compared_to = f"{COHORT} ({problem})"
        return Percentile(percent_between(value, quantiles), compared_to)


def read_norms(data: bytes, manifest: Manifest) -> Norms:
    """Read and check the content of `norms.npz`.

    Parameters
    ----------
    data : bytes
        The file. Arrays: ``latent_mean``, ``latent_covariance`` and ``latent_distance``;
        ``population_mean``, ``population_covariance`` and ``connectome_covariance``;
        ``edge_mean`` and ``edge_similarity``; ``indicator_names`` and ``indicator_quantiles``;
        ``demographic_names``, ``demographic_coefficients``, ``demographic_quantiles`` and
        ``demographic_ages``.
        Each group is there whole or not at all.
    manifest : Manifest
        Gives the sizes.

    Raises
    ------
    BundleError
        Not such a file, an array missing, unknown, of the wrong shape or not finite.
    """
    try:
        arrays = load_npz(io.BytesIO(data), NORMS_FILE, MAX_BUNDLE_BYTES)
    except ArrayFileError as cause:
        raise _damaged(cause.problem) from cause
    latent, edges, people = manifest.latent_size, manifest.n_edges, None
    groups: tuple[Mapping[str, tuple[int | None, ...]], ...] = (
        {
            "latent_mean": (latent,),
            "latent_covariance": (latent, latent),
            "latent_distance": (people,),
        },
        {
            "population_mean": (latent,),
            "population_covariance": (latent, latent),
            "connectome_covariance": (latent, latent),
        },
        {"edge_mean": (edges,), "edge_similarity": (people,)},
        {"indicator_names": (None,), "indicator_quantiles": (None, N_QUANTILES)},
        {
            "demographic_names": (None,),
            "demographic_coefficients": (None, 4),
            "demographic_quantiles": (None, N_QUANTILES),
            "demographic_ages": (3,),
        },
    )
    unknown = sorted(set(arrays) - {name for group in groups for name in group})
    if unknown:
        raise _damaged(f"unknown array {unknown[0]!r}")
    for group in groups:
        _check_group(arrays, group)
    if latent == 0 and not arrays.keys().isdisjoint(("latent_mean", "population_mean")):
        raise _damaged("it has norms of a latent, but the manifest says there is none")
    return Norms(
        latent=_latent_norms(arrays),
        edges=_edge_norms(arrays),
        indicator_quantiles=_indicator_quantiles(arrays),
        demographics=_demographics(arrays),
        prior=_latent_prior(arrays),
    )


def _check_group(
    arrays: Mapping[str, NDArray[np.generic]], group: Mapping[str, tuple[int | None, ...]]
) -> None:
    present = [name for name in group if name in arrays]
    if present and len(present) < len(group):
        missing = next(name for name in group if name not in arrays)
        raise _damaged(f"it has {present[0]!r} without {missing!r}")
    for name in present:
        array, shape = arrays[name], group[name]
        kind = "U" if name.endswith("_names") else "f"
        fits = array.ndim == len(shape) and all(
            expected in (None, length) for expected, length in zip(shape, array.shape, strict=True)
        )
        if array.dtype.kind != kind or not fits or array.size == 0:
            expected = tuple("any" if length is None else length for length in shape)
            raise _damaged(f"{name} is {array.dtype} {array.shape}, expected shape {expected}")
        if kind == "f":
            _check_values(name, array.astype(np.float64))


def _check_values(name: str, array: NDArray[np.float64]) -> None:
    if not (np.abs(array) <= _LARGEST).all():  # false for NaN
        raise _damaged(f"{name} is not finite, or beyond {_LARGEST:g}")
    is_sorted = name.endswith("_quantiles") or name in ("latent_distance", "edge_similarity")
    if is_sorted and (np.diff(array, axis=-1) < 0).any():
        raise _damaged(f"{name} is not in ascending order")


def _latent_norms(arrays: Mapping[str, NDArray[np.generic]]) -> LatentNorms | None:
    if "latent_mean" not in arrays:
        return None
    mean, covariance, distance = (
        arrays[f"latent_{name}"].astype(np.float64) for name in ("mean", "covariance", "distance")
    )
    try:
        inverse_root = np.linalg.inv(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError as cause:
        raise _damaged("latent_covariance is not positive definite") from cause
    precision = inverse_root.T @ inverse_root
    return LatentNorms(_read_only(mean), _read_only(precision), _read_only(distance))


def _latent_prior(arrays: Mapping[str, NDArray[np.generic]]) -> LatentPrior | None:
    if "population_mean" not in arrays:
        return None
    mean, covariance, around = (
        arrays[name].astype(np.float64)
        for name in ("population_mean", "population_covariance", "connectome_covariance")
    )
    distributions = []
    for name, center, spread in (
        ("population", mean, covariance),
        ("connectome", np.zeros_like(mean), around),
    ):
        try:
            distributions.append(LatentDistribution(center, spread))
        except DataError as cause:
            sentence = str(cause).removesuffix(".")
            raise _damaged(f"{name}_covariance: {sentence}") from cause
    return LatentPrior(distributions[0], distributions[1].covariance)


def _edge_norms(arrays: Mapping[str, NDArray[np.generic]]) -> EdgeNorms | None:
    if "edge_mean" not in arrays:
        return None
    centered = arrays["edge_mean"].astype(np.float64)
    centered -= centered.mean()
    length = float(np.linalg.norm(centered))
    if length == 0:
        raise _damaged("edge_mean is the same everywhere")
    direction = (centered / length).astype(np.float32)
    direction.setflags(write=False)
    return EdgeNorms(direction, _read_only(arrays["edge_similarity"].astype(np.float64)))


def _indicator_quantiles(
    arrays: Mapping[str, NDArray[np.generic]],
) -> Mapping[str, NDArray[np.float64]]:
    if "indicator_names" not in arrays:
        return MappingProxyType({})
    return _rows(arrays, "indicator_names", "indicator_quantiles")


def _demographics(arrays: Mapping[str, NDArray[np.generic]]) -> Demographics | None:
    if "demographic_names" not in arrays:
        return None
    center, lowest, highest = (float(age) for age in arrays["demographic_ages"].astype(np.float64))
    if not 0.0 <= lowest <= center <= highest:
        raise _damaged(
            "demographic_ages must be the center, the lowest and the highest age, found "
            f"{center:g}, {lowest:g} and {highest:g}"
        )
    return Demographics(
        coefficients=_rows(arrays, "demographic_names", "demographic_coefficients"),
        residual_quantiles=_rows(arrays, "demographic_names", "demographic_quantiles"),
        age_center=center,
        age_range=(lowest, highest),
    )


def _rows(
    arrays: Mapping[str, NDArray[np.generic]], names: str, values: str
) -> Mapping[str, NDArray[np.float64]]:
    """Rows of an array by name."""
    labels = [str(name) for name in arrays[names]]
    rows = _read_only(arrays[values].astype(np.float64))
    if len(labels) != len(rows) or len(set(labels)) != len(labels):
        raise _damaged(f"{names} does not name each row of {values} once")
    return MappingProxyType(dict(zip(labels, rows, strict=True)))


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    array.setflags(write=False)
    return array


def _damaged(what: str) -> BundleError:
    return BundleError(f"{NORMS_FILE} cannot be used: {what}. Export the bundle again.")


def _percent_below(ascending: NDArray[np.float64], value: float) -> float:
    """Percent of values below, those equal counted half."""
    below = np.searchsorted(ascending, value, side="left")
    up_to = np.searchsorted(ascending, value, side="right")
    return float(50.0 * (below + up_to) / len(ascending))


def _outlyingness(strangeness: Strangeness) -> float:
    """Percent of the cohort that is less unusual, by the measure that finds more."""
    distance, similarity = strangeness.distance_percentile, strangeness.similarity_percentile
    return max(
        0.0 if distance is None else distance, 0.0 if similarity is None else 100.0 - similarity
    )


def _in_words(
    distance: float | None,
    distance_percentile: float | None,
    similarity: float | None,
    similarity_percentile: float | None,
) -> Strangeness:
    facts = []
    # Both in the same direction: more percent is more unusual.
    if similarity is not None and similarity_percentile is not None:
        facts.append(
            f"it is less like the cohort's mean connectome (r = {similarity:.2f}) than those of "
            f"{100.0 - similarity_percentile:.0f} % of its people"
        )
    if distance is not None:
        facts.append(
            "what the network reads from it lies farther from the cohort's mean than for "
            f"{distance_percentile:.0f} % of its people"
        )
    unworded = Strangeness(distance, distance_percentile, similarity, similarity_percentile, "")
    outlyingness = _outlyingness(unworded)
    if outlyingness >= 100.0:
        verdict = (
            "This connectome lies outside the training cohort, so the forecast is an extrapolation"
        )
    elif outlyingness > UNUSUAL_PERCENTILE:
        verdict = "This connectome is unusual for the training cohort"
    else:
        verdict = "This connectome is typical of the training cohort"
    return Strangeness(
        distance,
        distance_percentile,
        similarity,
        similarity_percentile,
        f"{verdict}: {', and '.join(facts)}.",
    )
