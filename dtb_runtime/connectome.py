"""The connectome: a person's resting-state correlations between regions, checked once.

Nothing is repaired in silence. What is set (a diagonal of zeros) stands in `Connectome.notes`;
everything else that is wrong raises `ConnectomeError` with a sentence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .connectome_checks import (
    SYMMETRY_TOLERANCE,
    as_matrix,
    check_diagonal,
    check_finite,
    check_range,
    checked_labels,
    label_differences,
    listed,
    own_labels,
    region_name,
    symmetric,
)
from .edges import edges_from_correlations
from .errors import ConnectomeError, UsageError
from .readers import RawArray, read_array
from .tables import file_label

_CONSTANT_TOLERANCE = 1e-12  # of the largest value
MIN_TIME_POINTS = 3
"""With fewer, every correlation is 1 or -1."""


@dataclass(frozen=True, slots=True, eq=False)
class Connectome:
    """Correlations between the regions of one person's resting brain.

    Make one with `read_connectome`, `from_matrix` or `from_timeseries`, which check it.
    """

    correlations: NDArray[np.float32]
    """Shape (n_regions, n_regions): r in [-1, 1], symmetric, diagonal 1, read-only."""
    labels: tuple[str, ...] | None = None
    """Names of the regions in the order of the rows, if known."""
    source: str = "array"
    """File name, for messages."""
    notes: tuple[str, ...] = ()
    """What was set or is doubtful, one sentence each."""
    n_timepoints: int | None = None
    """Length of the time series it was computed from, if it was."""

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return int(self.correlations.shape[0])

    def edges(self) -> NDArray[np.float32]:
        """Fisher z of the upper triangle, shape (n_edges,), row by row."""
        return edges_from_correlations(self.correlations)

    def digest(self) -> str:
        """SHA-256 of the float32 correlations, as hexadecimal text."""
        little_endian = np.ascontiguousarray(self.correlations, dtype="<f4")
        return hashlib.sha256(little_endian.tobytes()).hexdigest()

    def aligned(self, labels: Sequence[str], parcellation: str) -> Connectome:
        """The same connectome with its regions in the order of a parcellation.

        Parameters
        ----------
        labels : sequence of str
            Names of the parcellation's regions, in its order.
        parcellation : str
            Its name, for messages.

        Returns
        -------
        Connectome
            Rows and columns in the order of `labels`. A connectome without labels is taken to be
            in this order already.

        Raises
        ------
        ConnectomeError
            The number of regions differs, or a label is missing or unknown.
        """
        labels = tuple(labels)
        if self.n_regions != len(labels):
            raise ConnectomeError(self._size_message(labels, parcellation))
        if self.labels is None:
            return replace(self, labels=labels)
        if self.labels == labels:
            return self
        differences = label_differences(self.labels, labels)
        if differences:
            raise ConnectomeError(
                f"{self.source} has other region labels than parcellation {parcellation!r}: "
                f"{differences}. Rename them, or drop all labels if the order is the same."
            )
        position = {label: index for index, label in enumerate(self.labels)}
        order = [position[label] for label in labels]
        correlations = self.correlations[np.ix_(order, order)]
        correlations.setflags(write=False)
        return replace(self, correlations=correlations, labels=labels)

    def _size_message(self, labels: tuple[str, ...], parcellation: str) -> str:
        n, expected = self.n_regions, len(labels)
        needs = f"this bundle needs {expected} x {expected} (parcellation {parcellation!r})"
        if self.n_timepoints == expected:
            return (
                f"{self.source} was read as {expected} time points of {n} regions, but {needs}. "
                "It looks transposed: save it as time by regions."
            )
        found = f"{self.source} is {n} x {n}"
        if self.n_timepoints is not None:
            found = f"{self.source} holds time series of {n} regions"
        differences = label_differences(self.labels, labels) if self.labels else ""
        return (
            f"{found}, but {needs}{': ' if differences else ''}{differences}. Parcellate with the "
            f"atlas named in its manifest, or pick a bundle for {n} regions: dtb-run bundles."
        )

    @classmethod
    def from_matrix(
        cls,
        matrix: ArrayLike,
        *,
        labels: Sequence[str] | None = None,
        fisher_z: bool = False,
        source: str = "array",
    ) -> Connectome:
        """Check a matrix of correlations.

        Parameters
        ----------
        matrix : array_like, shape (n_regions, n_regions)
            Correlations r, or Fisher z if `fisher_z`; symmetric to 1e-4 in r. The diagonal is 1,
            or 0 or NaN throughout or in part, which is set to 1 and noted.
        labels : sequence of str, optional
            Names of the regions in the order of the rows; by default the column names of a table
            that has some (a pandas DataFrame).
        fisher_z : bool
            Whether the values are Fisher z.
        source : str
            What messages call it.

        Raises
        ------
        ConnectomeError
            It is not square, not finite, not symmetric, out of range, or has another diagonal;
            labels are missing or stand twice.
        """
        values = as_matrix(matrix, source)
        labels = own_labels(matrix) if labels is None else labels
        n = values.shape[0]
        if values.shape[1] != n:
            raise ConnectomeError(
                f"{source} is {n} x {values.shape[1]}, but a connectome is square (regions by "
                "regions). If its rows are time points, pass --timeseries (timeseries=True)."
            )
        if n < 2:
            raise ConnectomeError(f"{source} has {n} regions. A connectome needs at least two.")
        names = checked_labels(labels, n, source)
        diagonal = np.diagonal(values).copy()
        values[np.diag_indices(n)] = 1.0
        check_finite(values, names, source)
        check_range(values, names, fisher_z, source)
        notes = check_diagonal(diagonal, names, fisher_z, source)
        if fisher_z:
            values = np.tanh(values)
            values[np.diag_indices(n)] = 1.0
        correlations, note = symmetric(values, names, source)
        return cls(_read_only(correlations), names, source, notes + note)

    @classmethod
    def from_timeseries(
        cls,
        timeseries: ArrayLike,
        *,
        labels: Sequence[str] | None = None,
        source: str = "array",
    ) -> Connectome:
        """Pearson correlations of resting time series.

        Parameters
        ----------
        timeseries : array_like, shape (n_timepoints, n_regions)
            One column a region; denoised and parcellated, any unit.
        labels : sequence of str, optional
            Names of the regions in the order of the columns; by default as in `from_matrix`.
        source : str
            What messages call it.

        Raises
        ------
        ConnectomeError
            Fewer than three time points or two regions; a value is not finite; a region is
            constant.
        """
        series = as_matrix(timeseries, source)
        labels = own_labels(timeseries) if labels is None else labels
        n_timepoints, n = series.shape
        if n < 2:
            raise ConnectomeError(f"{source} has {n} regions. A connectome needs at least two.")
        if n_timepoints < MIN_TIME_POINTS:
            raise ConnectomeError(
                f"{source} has {n_timepoints} time points, expected at least {MIN_TIME_POINTS} "
                "(and hundreds for a usable connectome). Rows are time, columns are regions."
            )
        names = checked_labels(labels, n, source)
        if _looks_like_correlations(series):
            raise ConnectomeError(
                f"{source} is {n} x {n}, and symmetric, as a connectome is and "
                "time by regions is not. Drop --timeseries (timeseries=False)."
            )
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
        if len(constant):
            still = listed([region_name(int(region), names) for region in constant])
            raise ConnectomeError(
                f"{source}: the series of {still} never changes, so it has no correlations. It was "
                "probably outside the scanned volume; use a scan that covers every region."
            )
        series -= series.mean(axis=0)
        series /= np.sqrt((series**2).sum(axis=0))
        correlations, _ = symmetric(np.clip(series.T @ series, -1.0, 1.0), names, source)
        correlations[np.diag_indices(n)] = 1.0
        notes: tuple[str, ...] = ()
        if n_timepoints < n:
            notes = (
                f"{source} has {n_timepoints} time points for {n} regions, so its correlations "
                "are noisy; rows must be time points.",
            )
        return cls(_read_only(correlations), names, source, notes, n_timepoints)


def read_connectome(
    path: str | Path, *, fisher_z: bool = False, timeseries: bool = False
) -> Connectome:
    """Read a connectome, or the resting time series it is computed from.

    Parameters
    ----------
    path : str or pathlib.Path
        A file whose ending is in `readers.READERS`. With region labels where the format has them.
    fisher_z : bool
        The file holds Fisher z instead of correlations.
    timeseries : bool
        The file holds time series (time by regions).

    Raises
    ------
    ConnectomeError
        The file cannot be read, or is not what it should be.
    UsageError
        Both flags are given.
    """
    path = Path(path)
    if fisher_z and timeseries:
        raise UsageError(
            "Fisher z and time series exclude each other: a time series has no correlations yet. "
            "Pass --timeseries alone."
        )
    raw = read_array(path)
    source = file_label(path)
    if raw.kind == "timeseries" and not timeseries:
        raise ConnectomeError(
            f"{source} says that it holds time series. Pass --timeseries (timeseries=True)."
        )
    if raw.kind == "connectome" and timeseries:
        raise ConnectomeError(
            f"{source} says that it holds a connectome. Drop --timeseries (timeseries=False)."
        )
    if timeseries and raw.labels is None and raw.row_labels is not None:
        raise ConnectomeError(
            f"{source} names its rows ({listed(raw.row_labels)}) and not its columns, as if it "
            "were regions by time. Save it as time by regions."
        )
    if timeseries:
        return Connectome.from_timeseries(raw.values, labels=raw.labels, source=source)
    labels = _matrix_labels(raw, source)
    return Connectome.from_matrix(raw.values, labels=labels, fisher_z=fisher_z, source=source)


def _looks_like_correlations(series: NDArray[np.float64]) -> bool:
    """Whether what should be time by regions is a symmetric matrix of regions by regions."""
    n_rows, n_columns = series.shape
    if n_rows != n_columns:
        return False
    off_diagonal = series.copy()
    np.fill_diagonal(off_diagonal, 0.0)  # NaN or infinite in some matrices
    largest = np.abs(off_diagonal).max()
    difference = np.abs(off_diagonal / 2 - off_diagonal.T / 2).max()  # halves: no overflow
    return bool(0 < largest < np.inf and difference <= SYMMETRY_TOLERANCE * largest)


def _matrix_labels(raw: RawArray, source: str) -> tuple[str, ...] | None:
    if raw.labels is None or raw.row_labels is None:
        return raw.labels or raw.row_labels
    for number, (row, column) in enumerate(zip(raw.row_labels, raw.labels, strict=False), start=1):
        if row != column:
            raise ConnectomeError(
                f"{source}: row {number} is labeled {row!r} but column {number} {column!r}. "
                "Rows and columns of a connectome must have the same order."
            )
    return raw.labels


def _read_only(correlations: NDArray[np.float64]) -> NDArray[np.float32]:
    single = correlations.astype(np.float32)
    single.setflags(write=False)
    return single
