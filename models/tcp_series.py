"""Parcellated series and head motion from the derivatives of the TCP release."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import CohortError, MissingDependencyError
from dtb_runtime.tables import read_text

from .cohorts import Bold
from .tcp_layout import participant_id_of

if TYPE_CHECKING:
    import h5py


def read_series(path: str | Path, n_regions: int) -> Bold:
    """Read one run's parcellated series.

    The file's only two-dimensional data set is taken, whatever its name, and oriented by the axis
    that has the regions: the release does not say either.

    Parameters
    ----------
    path : str or pathlib.Path
        HDF5 file with one data set of shape (n_regions, n_frames) or (n_frames, n_regions).
    n_regions : int

    Returns
    -------
    numpy.ndarray, shape (n_frames, n_regions), float32
        Unchecked for values that are not finite.

    Raises
    ------
    CohortError
        If the file is missing, is no HDF5, has no or several such data sets, or neither or both of
        its axes could be the regions.
    MissingDependencyError
        If h5py is not installed.
    """
    path = Path(path)
    try:
        import h5py
    except ImportError as cause:
        raise MissingDependencyError(
            "Reading the TCP's HDF5 series needs h5py, which is not installed: "
            'pip install "dtb-runtime[imaging]".'
        ) from cause

    if not path.is_file():
        raise CohortError(f"There is no file at {path}. Download it, or leave this run out.")
    try:
        with h5py.File(path, "r") as file:
            found = list(_datasets(file))
            if len(found) != 1:
                names = ", ".join(dataset.name for dataset in found) or "none"
                raise CohortError(
                    f"{path.name} must hold exactly one two-dimensional data set of numbers, found "
                    f"{len(found)} ({names}). Keep the parcellated series only."
                )
            values = np.squeeze(np.asarray(found[0]))
    except OSError as cause:
        raise CohortError(
            f"{path} cannot be read as HDF5 ({cause}). Download it again; with git-annex or "
            "DataLad, get the file's content first."
        ) from cause
    return _oriented(values, n_regions, path)


def fault_of(series: Bold) -> str | None:
    """Say what makes a series unusable, or None if every region is finite and varies."""
    bad = np.flatnonzero(~np.all(np.isfinite(series), axis=0))
    if len(bad):
        return f"{len(bad)} regions are not finite, the first at position {bad[0]}"
    if len(series) < 2:
        return f"it has {len(series)} frame"
    flat = np.flatnonzero(np.ptp(series, axis=0) == 0)
    if len(flat):
        return f"{len(flat)} regions never change, the first at position {flat[0]}"
    return None


def read_motion(path: str | Path) -> Mapping[str, NDArray[np.float64]]:
    """Read a table of framewise displacement, people down the rows or across the columns.

    Parameters
    ----------
    path : str or pathlib.Path
        Comma-separated. Either the first cell of each row names a person and the rest of the row
        are that person's values, or the first row names people and their values stand below.

    Returns
    -------
    mapping of str to numpy.ndarray, shape (n_values,)
        BIDS participant id to displacement in mm; what stands empty or is no number is left out at
        the end of a person's values and NaN before.

    Raises
    ------
    CohortError
        If the file cannot be read or names nobody.
    """
    path = Path(path)
    rows = [row for row in csv.reader(read_text(path, CohortError).splitlines()) if any(row)]
    header = [participant_id_of(cell) for cell in rows[0]]
    first = [participant_id_of(row[0]) for row in rows]
    people: dict[str, NDArray[np.float64]] = {}
    if sum(name is not None for name in header) > sum(name is not None for name in first):
        for column, name in enumerate(header):
            if name is not None:
                people[name] = _values(row[column] if column < len(row) else "" for row in rows[1:])
    else:
        for name, row in zip(first, rows, strict=True):
            if name is not None:
                people[name] = _values(iter(row[1:]))
    if not people:
        raise CohortError(
            f"{path.name} must name people (NDAR_INV...) in its first row or its first column, "
            f"found {rows[0][0]!r} first. Without names, motion cannot be matched to people."
        )
    return people


def _datasets(group: h5py.Group) -> Iterator[h5py.Dataset]:
    """Yield the data sets of numbers that have two axes longer than 1, in all groups."""
    for item in group.values():
        if hasattr(item, "dtype"):
            if item.dtype.kind in "fiu" and sum(length > 1 for length in item.shape) == 2:
                yield item
        elif hasattr(item, "values"):
            yield from _datasets(item)


def _oriented(values: NDArray[np.floating], n_regions: int, path: Path) -> Bold:
    is_regions = [length == n_regions for length in values.shape]
    if sum(is_regions) != 1:
        which = "neither" if not any(is_regions) else "both"
        raise CohortError(
            f"{path.name} must have one axis of {n_regions} regions, found shape "
            f"{values.shape[0]} x {values.shape[1]}, where {which} could be it. Give the regions "
            "table of the atlas that these series were parcellated with."
        )
    if is_regions[0]:
        values = values.T
    return np.ascontiguousarray(values, np.float32)


def _values(cells: Iterator[str]) -> NDArray[np.float64]:
    numbers = []
    for cell in cells:
        try:
            numbers.append(float(cell))
        except ValueError:
            numbers.append(float("nan"))
    while numbers and not np.isfinite(numbers[-1]):
        numbers.pop()
    array = np.array(numbers, np.float64)
    array.setflags(write=False)
    return array
