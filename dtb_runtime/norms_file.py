"""A bundle's norms on disk: the arrays of ``norms.npz``, checked."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFileError, load_npz
from .bundle_layout import NORMS_FILE
from .demographics import Demographics
from .errors import DataError
from .latent import LatentDistribution, LatentPrior
from .manifest import Manifest
from .norms import N_QUANTILES, EdgeNorms, LatentNorms, Norms, damaged
from .tables import shown

MAX_NORMS_BYTES = 128 * 1024**2
"""Limit for the arrays, unpacked; two numbers for each edge of 5000 regions take 100 MB."""
_LARGEST = 1e30  # squares of what is larger overflow in float32 and further on


def read_norms(data: bytes, manifest: Manifest) -> Norms:
    """Read and check the content of `norms.npz`.

    Parameters
    ----------
    data : bytes
        The file. Arrays: ``latent_mean``, ``latent_covariance`` and ``latent_distance``;
        ``population_mean``, ``population_covariance`` and ``connectome_covariance``;
        ``edge_mean`` and ``edge_similarity``; ``edge_sd``, which is of no use without these;
        ``indicator_names`` and ``indicator_quantiles``, ``indicator_offsets`` beside them;
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
        arrays = load_npz(io.BytesIO(data), NORMS_FILE, MAX_NORMS_BYTES)
    except ArrayFileError as cause:
        raise damaged(cause.problem) from cause
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
        {"edge_sd": (edges,)},
        {"indicator_names": (None,), "indicator_quantiles": (None, N_QUANTILES)},
        {"indicator_offsets": (None,)},
        {
            "demographic_names": (None,),
            "demographic_coefficients": (None, 4),
            "demographic_quantiles": (None, N_QUANTILES),
            "demographic_ages": (3,),
        },
    )
    unknown = sorted(set(arrays) - {name for group in groups for name in group})
    if unknown:
        raise damaged(f"unknown array {shown(unknown[0])}")
    for group in groups:
        _check_group(arrays, group)
    if latent == 0 and not arrays.keys().isdisjoint(("latent_mean", "population_mean")):
        raise damaged("it has norms of a latent, but the manifest says there is none")
    return Norms(
        latent=_latent_norms(arrays),
        edges=_edge_norms(arrays),
        indicator_quantiles=_indicator_quantiles(arrays),
        indicator_offsets=_indicator_offsets(arrays),
        demographics=_demographics(arrays),
        prior=_latent_prior(arrays),
    )


def _check_group(
    arrays: Mapping[str, NDArray[np.generic]], group: Mapping[str, tuple[int | None, ...]]
) -> None:
    present = [name for name in group if name in arrays]
    if present and len(present) < len(group):
        missing = next(name for name in group if name not in arrays)
        raise damaged(f"it has {present[0]!r} without {missing!r}")
    for name in present:
        array, shape = arrays[name], group[name]
        kind = "U" if name.endswith("_names") else "f"
        fits = array.ndim == len(shape) and all(
            expected in (None, length) for expected, length in zip(shape, array.shape, strict=True)
        )
        if array.dtype.kind != kind or not fits or array.size == 0:
            expected = tuple("any" if length is None else length for length in shape)
            raise damaged(f"{name} is {array.dtype} {array.shape}, expected shape {expected}")
        if kind == "f":
            _check_values(name, array.astype(np.float64))


def _check_values(name: str, array: NDArray[np.float64]) -> None:
    if not (np.abs(array) <= _LARGEST).all():  # false for NaN
        raise damaged(f"{name} is not finite, or beyond {_LARGEST:g}")
    is_sorted = name.endswith("_quantiles") or name in ("latent_distance", "edge_similarity")
    if is_sorted and (np.diff(array, axis=-1) < 0).any():
        raise damaged(f"{name} is not in ascending order")


def _latent_norms(arrays: Mapping[str, NDArray[np.generic]]) -> LatentNorms | None:
    if "latent_mean" not in arrays:
        return None
    mean, covariance, distance = (
        arrays[f"latent_{name}"].astype(np.float64) for name in ("mean", "covariance", "distance")
    )
    try:
        inverse_root = np.linalg.inv(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError as cause:
        raise damaged("latent_covariance is not positive definite") from cause
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
            raise damaged(f"{name}_covariance: {sentence}") from cause
    return LatentPrior(distributions[0], distributions[1].covariance)


def _edge_norms(arrays: Mapping[str, NDArray[np.generic]]) -> EdgeNorms | None:
    if "edge_mean" not in arrays:
        if "edge_sd" in arrays:
            raise damaged("it has 'edge_sd' without 'edge_mean'")
        return None
    centered = arrays["edge_mean"].astype(np.float64)
    centered -= centered.mean()
    length = float(np.linalg.norm(centered))
    if length == 0:
        raise damaged("edge_mean is the same everywhere")
    direction = (centered / length).astype(np.float32)
    direction.setflags(write=False)
    sd = None
    if "edge_sd" in arrays:
        sd = arrays["edge_sd"].astype(np.float32)
        sd.setflags(write=False)
        if (sd < 0).any():
            raise damaged("edge_sd is negative somewhere")
    mean = arrays["edge_mean"].astype(np.float32)
    mean.setflags(write=False)
    return EdgeNorms(direction, _read_only(arrays["edge_similarity"].astype(np.float64)), mean, sd)


def _indicator_quantiles(
    arrays: Mapping[str, NDArray[np.generic]],
) -> Mapping[str, NDArray[np.float64]]:
    if "indicator_names" not in arrays:
        return MappingProxyType({})
    return _rows(arrays, "indicator_names", "indicator_quantiles")


def _indicator_offsets(arrays: Mapping[str, NDArray[np.generic]]) -> Mapping[str, float]:
    if "indicator_offsets" not in arrays:
        return MappingProxyType({})
    if "indicator_names" not in arrays:
        raise damaged("it has 'indicator_offsets' without 'indicator_names'")
    names = [str(name) for name in arrays["indicator_names"]]
    offsets = arrays["indicator_offsets"].astype(np.float64).tolist()
    if len(names) != len(offsets):
        raise damaged("indicator_offsets does not give one number for each of indicator_names")
    return MappingProxyType(dict(zip(names, offsets, strict=True)))


def _demographics(arrays: Mapping[str, NDArray[np.generic]]) -> Demographics | None:
    if "demographic_names" not in arrays:
        return None
    center, lowest, highest = (float(age) for age in arrays["demographic_ages"].astype(np.float64))
    if not 0.0 <= lowest <= center <= highest:
        raise damaged(
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
        raise damaged(f"{names} does not name each row of {values} once")
    return MappingProxyType(dict(zip(labels, rows, strict=True)))


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    array.setflags(write=False)
    return array
