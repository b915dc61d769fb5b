"""Resting time series, checked and correlated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .connectome_checks import SYMMETRY_TOLERANCE, listed, region_name, symmetric
from .errors import ConnectomeError
from .raw_array import RawArray

_CONSTANT_TOLERANCE = 1e-12  # of the largest value
MIN_TIME_POINTS = 3
"""With fewer, every correlation is 1 or -1."""


def turned(raw: RawArray, source: str) -> RawArray:
    """Time series as time by regions, where the names say that they are the other way round.

    Parameters
    ----------
    raw : RawArray
        Time series. Names of rows and none of columns, or as many names of regions as rows and not
        as columns, are those of regions by time.
    source : str
        What messages call it.

    Returns
    -------
    RawArray
        With a note where it was turned. Numbers count time points and are no names of regions:
        beside rows they are left out.
    """
    n_rows, n_columns = raw.values.shape
    names = raw.row_labels if raw.labels is None else raw.labels
    if names is not None and all(map(_is_number, names)):
        note = f"The numbers beside the rows of {source} were taken for an index of time points."
        is_index = raw.labels is None
        return replace(raw, row_labels=None, notes=(*raw.notes, note)) if is_index else raw
    is_of_rows = raw.labels is None or (len(names or ()) == n_rows != n_columns)
    if names is None or not is_of_rows:
        return raw
    note = (
        f"{source} names its {n_rows} rows ({listed(names)}) and not its {n_columns} columns, so "
        "it was taken for regions by time and turned."
    )
    values = np.ascontiguousarray(raw.values.T)
    return replace(raw, values=values, labels=names, row_labels=None, notes=(*raw.notes, note))


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def correlate(
    series: NDArray[np.float64], names: tuple[str, ...] | None, source: str, *, may_impute: bool
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Pearson correlations of resting time series.

    Parameters
    ----------
    series : numpy.ndarray, shape (n_timepoints, n_regions), float64
        It is written over.
    names : tuple of str or None
        Of the regions.
    source : str
        What messages call it.
    may_impute : bool
        Whether regions may be without data.

    Returns
    -------
    correlations : numpy.ndarray, shape (n_regions, n_regions)
        Symmetric, diagonal 1; of regions without data of no meaning.
    gaps : numpy.ndarray of int
        Regions without data, ascending: NaN throughout, or without any change.

    Raises
    ------
    ConnectomeError
        See `Connectome.from_timeseries`.
    """
    n_timepoints, n = series.shape
    if n < 2:
        raise ConnectomeError(f"{source} has {n} regions. A connectome needs at least two.")
    if n_timepoints < MIN_TIME_POINTS:
        raise ConnectomeError(
            f"{source} has {n_timepoints} time points, expected at least {MIN_TIME_POINTS} "
            "(and hundreds for a usable connectome). Rows are time, columns are regions."
        )
    if _looks_like_correlations(series):
        raise ConnectomeError(
            f"{source} is {n} x {n}, and symmetric, as a connectome is and "
            "time by regions is not. Drop --timeseries (timeseries=False)."
        )
    gaps = _without_data(series, names, source, may_impute=may_impute)
    series[:, gaps] = np.arange(n_timepoints)[:, None]
    bad = np.argwhere(~np.isfinite(series))
    if len(bad):
        time, region = bad[0]
        raise ConnectomeError(
            f"{source}: time point {time + 1} of {region_name(int(region), names)} is "
            f"{series[time, region]} ({len(bad)} such values). Remove these frames or regions "
            "before; nothing is filled in."
        )
    largest = np.abs(series).max(axis=0)
    series = series / np.where(largest > 0, largest, 1.0)  # no square overflows or vanishes
    # Also what an average of equal numbers leaves: changes in the last digits are no signal.
    constant = np.flatnonzero(np.ptp(series, axis=0) <= _CONSTANT_TOLERANCE)
    if len(constant) and not may_impute:
        still = listed([region_name(int(region), names) for region in constant])
        raise ConnectomeError(
            f"{source}: the series of {still} never changes, so it has no correlations. It was "
            "probably outside the scanned volume; use a scan that covers every region."
        )
    gaps = np.union1d(gaps, constant).astype(np.intp)
    series[:, gaps] = np.arange(n_timepoints)[:, None]
    series -= series.mean(axis=0)
    series /= np.sqrt((series**2).sum(axis=0))
    correlations, _ = symmetric(np.clip(series.T @ series, -1.0, 1.0), names, source)
    correlations[np.diag_indices(n)] = 1.0
    return correlations, gaps


def _looks_like_correlations(series: NDArray[np.float64]) -> bool:
    """Whether what should be time by regions is a symmetric matrix of regions by regions."""
    n_rows, n_columns = series.shape
    if n_rows != n_columns:
        return False
    off_diagonal = series.copy()
    np.fill_diagonal(off_diagonal, 0.0)  # NaN or infinite in some matrices
    largest = np.abs(off_diagonal).max()
    if not np.isfinite(largest):
        return False
    difference = np.abs(off_diagonal / 2 - off_diagonal.T / 2).max()  # halves: no overflow
    return bool(largest > 0 and difference <= SYMMETRY_TOLERANCE * largest)


def _without_data(
    series: NDArray[np.float64], labels: tuple[str, ...] | None, source: str, *, may_impute: bool
) -> NDArray[np.intp]:
    """Regions whose series is NaN throughout, after refusing them where nobody asked for them."""
    empty = np.flatnonzero(np.isnan(series).all(axis=0))
    if len(empty) and not may_impute:
        raise ConnectomeError(
            f"{source} has no data for {listed([region_name(int(i), labels) for i in empty])}: "
            "nothing is filled in. Use a scan that covers every region, or --impute cohort "
            "(Reading(impute=True)) for up to 5 % of them."
        )
    return empty
