"""Statistics of maps: of a group, and of two maps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtb_runtime.errors import DataError, UsageError

Floats = NDArray[np.float64]

FEWEST_REGIONS = 3
"""Over fewer regions a correlation of maps is always 1, -1 or nothing."""


def group_t(maps: ArrayLike) -> Floats:
    """Return the one-sample t over people in every region.

    Parameters
    ----------
    maps : array_like, shape (n_people, n_regions)
        Each person's t or estimate; a NaN leaves the person out of that region.

    Returns
    -------
    numpy.ndarray, shape (n_regions,)
        NaN where fewer than two people are left or they do not differ.

    Raises
    ------
    DataError
        If `maps` is not a table.
    """
    table = map_table(maps)
    known = np.isfinite(table)
    n = known.sum(axis=0)
    several = n > 1
    mean = np.divide(np.where(known, table, 0).sum(0), n, out=np.zeros(len(n)), where=n > 0)
    squares = np.square(np.where(known, table - mean, 0)).sum(0)
    variance = np.divide(squares, n - 1, out=np.zeros(len(n)), where=several)
    # A spread of rounding errors would give a t of 1e16.
    differs = several & (np.sqrt(variance) > 1e-12 * np.abs(mean))
    t = np.full(len(n), np.nan)
    np.divide(mean, np.sqrt(variance / np.maximum(n, 1)), out=t, where=differs)
    return t


def map_r(maps: ArrayLike, others: ArrayLike) -> Floats:
    """Return the correlation over regions of each map with its counterpart.

    Parameters
    ----------
    maps, others : array_like, shape (n_people, n_regions) or (n_regions,)
        One map stands beside every row of the other table.

    Returns
    -------
    numpy.ndarray, shape (n_people,) or ()
        NaN where fewer than three regions are finite in both, or one of the two is flat there.

    Raises
    ------
    DataError
        If the two do not have the same regions, or differ in their number of people.
    """
    a, b = np.asarray(maps, np.float64), np.asarray(others, np.float64)
    try:
        a, b = np.broadcast_arrays(a, b)
        if np.shape(maps)[-1:] != np.shape(others)[-1:] or a.ndim == 0:
            raise ValueError
    except ValueError:
        raise DataError(
            "Maps to compare must have the same regions and people, or one must be a single map; "
            f"found shapes {np.shape(maps)} and {np.shape(others)}."
        ) from None
    both = np.isfinite(a) & np.isfinite(b)
    n = both.sum(axis=-1)
    centered = []
    for each in (a, b):
        kept = np.where(both, each, 0)
        mean = kept.sum(axis=-1) / np.maximum(n, 1)
        deviation = np.where(both, kept - mean[..., None], 0)
        size = np.sqrt(np.square(deviation).sum(axis=-1))
        flat = size <= 1e-12 * np.sqrt(np.square(kept).sum(axis=-1))
        size = np.where(flat | (n < FEWEST_REGIONS), np.nan, size)
        centered.append(deviation / size[..., None])
    return np.asarray((centered[0] * centered[1]).sum(axis=-1))


def group_map_figures(
    predicted: Mapping[str, ArrayLike], measured: Mapping[str, ArrayLike]
) -> dict[str, float]:
    """Return r of predicted and measured group t maps.

    Parameters
    ----------
    predicted, measured : mapping of str to array_like, shape (n_people, n_regions)
        Task to each person's t or estimate.

    Returns
    -------
    dict of str to float
        ``group_t_r`` over task x region, and ``group_t_r:<task>`` over the regions of each task.

    Raises
    ------
    UsageError
        If there is no task, or the two hold different ones.
    DataError
        If they differ in regions.
    """
    if not predicted or set(predicted) != set(measured):
        raise UsageError(
            "Predicted and measured maps must be of the same tasks, at least one; found "
            f"{sorted(predicted)} and {sorted(measured)}."
        )
    tasks = sorted(predicted)
    pairs = {task: (group_t(predicted[task]), group_t(measured[task])) for task in tasks}
    figures = {f"group_t_r:{task}": float(map_r(*pair)) for task, pair in pairs.items()}
    ours, theirs = (np.concatenate([pairs[task][side] for task in tasks]) for side in (0, 1))
    return {"group_t_r": float(map_r(ours, theirs)), **figures}


def others_forecasts_r(predicted: ArrayLike, measured: ArrayLike) -> Floats:
    """Return how well forecasts of other people fit each person's own map, mean over the others.

    Parameters
    ----------
    predicted : array_like, shape (n_people, n_regions) or (n_people, n_people, n_regions)
        A forecast map of everybody; or row i, column j: of person j, as whatever judges person i
        forecasts it.
    measured : array_like, shape (n_people, n_regions)

    Returns
    -------
    numpy.ndarray, shape (n_people,)

    Raises
    ------
    DataError
        If there are fewer than two people, or a shape does not fit.
    """
    table, forecasts = map_table(measured), np.asarray(predicted, np.float64)
    n = len(table)
    if n < 2 or forecasts.shape not in ((n, *table.shape), table.shape):
        raise DataError(
            "Forecasts of others need at least two people and one map of everybody, or one for "
            f"each pair; found shapes {forecasts.shape} and {table.shape}."
        )
    rows = forecasts if forecasts.ndim == 3 else np.broadcast_to(forecasts, (n, *table.shape))
    others = ~np.eye(n, dtype=bool)
    return np.array([map_r(rows[i][others[i]], table[i]).mean() for i in range(n)])


def mean_of_others(maps: ArrayLike) -> Floats:
    """Return for each person the mean map of all other people, shape (n_people, n_regions).

    Raises
    ------
    DataError
        If there are fewer than two people, or a value is not finite.
    """
    table = map_table(maps)
    if len(table) < 2 or not np.isfinite(table).all():
        raise DataError(
            "The mean of the other people needs finite maps of at least two people, found "
            f"{len(table)}."
        )
    return np.asarray((table.sum(axis=0) - table) / (len(table) - 1))


def map_table(maps: ArrayLike) -> Floats:
    """Return maps as a table, shape (n_people, n_regions).

    Raises
    ------
    DataError
        If they are none.
    """
    table = np.asarray(maps, np.float64)
    if table.ndim != 2 or table.shape[1] == 0:
        raise DataError(f"Maps must be a table of people by regions, found shape {table.shape}.")
    return table
