"""The connectome: a person's resting-state correlations between regions, checked once.

Nothing is repaired in silence. What is set (a diagonal of zeros) stands in `Connectome.notes`;
everything else that is wrong raises `ConnectomeError` with a sentence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ConnectomeError
from .readers import RawArray, read_array

FISHER_CLIP = 1.0 - 1e-6
"""|r| is clipped here before Fisher's transform, so that z stays under 7.26."""
SYMMETRY_TOLERANCE = 1e-4
"""Largest difference between r above and below the diagonal that is put down to rounding."""
MIN_TIME_POINTS = 3
"""With fewer, every correlation is 1 or -1."""

_DIAGONAL_TOLERANCE = 1e-4
_RANGE_TOLERANCE = 1e-6  # float32 correlations overshoot 1 by about 1e-7
_MAX_LISTED = 5


def fisher_z(correlations: ArrayLike) -> NDArray[np.float64]:
    """Fisher's z of correlations: arctanh of r clipped to +-(1 - 1e-6).

    The one place where r becomes z, for training and runtime alike. Its inverse is `numpy.tanh`.

    Parameters
    ----------
    correlations : array_like
        Correlations r in [-1, 1], any shape.

    Returns
    -------
    numpy.ndarray, float64, same shape
        z in [-7.26, 7.26].
    """
    r = np.asarray(correlations, dtype=np.float64)
    return np.arctanh(np.clip(r, -FISHER_CLIP, FISHER_CLIP))


def edges_from_correlations(correlations: ArrayLike) -> NDArray[np.float32]:
    """Fisher z of the upper triangle, row by row, without the diagonal.

    Parameters
    ----------
    correlations : array_like, shape (..., n_regions, n_regions)
        Correlations r. Only the upper triangle is read.

    Returns
    -------
    numpy.ndarray, shape (..., n_regions * (n_regions - 1) / 2), float32

    Examples
    --------
    >>> edges_from_correlations([[1, 0.5, 0], [0.5, 1, -0.5], [0, -0.5, 1]]).round(3).tolist()
    [0.5490000247955322, 0.0, -0.5490000247955322]

    See Also
    --------
    correlations_from_edges : the inverse.
    """
    r = np.asarray(correlations)
    rows, columns = np.triu_indices(r.shape[-1], k=1)
    return fisher_z(r[..., rows, columns]).astype(np.float32)


def correlations_from_edges(edges: ArrayLike, n_regions: int) -> NDArray[np.float32]:
    """Symmetric matrix of correlations with diagonal 1 from Fisher z of its upper triangle.

    Parameters
    ----------
    edges : array_like, shape (n_regions * (n_regions - 1) / 2,)
        Fisher z, row by row.
    n_regions : int
        Number of regions.

    Returns
    -------
    numpy.ndarray, shape (n_regions, n_regions), float32
    """
    correlations = np.eye(n_regions, dtype=np.float32)
    rows, columns = np.triu_indices(n_regions, k=1)
    correlations[rows, columns] = np.tanh(np.asarray(edges, dtype=np.float64))
    correlations[columns, rows] = correlations[rows, columns]
    return correlations


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
        differences = _label_differences(self.labels, labels)
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
        differences = _label_differences(self.labels, labels) if self.labels else ""
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
            Names of the regions in the order of the rows.
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
        values = _as_matrix(matrix, source)
        n = values.shape[0]
        if values.shape[1] != n:
            raise ConnectomeError(
                f"{source} is {n} x {values.shape[1]}, but a connectome is square (regions by "
                "regions). If its rows are time points, pass --timeseries (timeseries=True)."
            )
        if n < 2:
            raise ConnectomeError(f"{source} has only one region. A connectome needs at least two.")
        names = _checked_labels(labels, n, source)
        diagonal = np.diagonal(values).copy()
        values[np.diag_indices(n)] = 1.0
        _check_finite(values, names, source)
        _check_range(values, names, fisher_z, source)
        notes = _check_diagonal(diagonal, names, fisher_z, source)
        if fisher_z:
            values = np.tanh(values)
            values[np.diag_indices(n)] = 1.0
        correlations, note = _symmetric(values, names, source)
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
            Names of the regions in the order of the columns.
        source : str
            What messages call it.

        Raises
        ------
        ConnectomeError
            Fewer than three time points or two regions; a value is not finite; a region is
            constant.
        """
        series = _as_matrix(timeseries, source)
        n_timepoints, n = series.shape
        if n < 2:
            raise ConnectomeError(f"{source} has only one region. A connectome needs at least two.")
        if n_timepoints < MIN_TIME_POINTS:
            raise ConnectomeError(
                f"{source} has {n_timepoints} time points, expected at least {MIN_TIME_POINTS} "
                "(and hundreds for a usable connectome). Rows are time, columns are regions."
            )
        names = _checked_labels(labels, n, source)
        bad = np.argwhere(~np.isfinite(series))
        if len(bad):
            time, region = bad[0]
            raise ConnectomeError(
                f"{source}: time point {time + 1} of {_region(int(region), names)} is "
                f"{series[time, region]} ({len(bad)} such values). Remove these frames or regions "
                "before; nothing is filled in."
            )
        constant = np.flatnonzero(np.ptp(series, axis=0) == 0)
        if len(constant):
            listed = _listed([_region(int(region), names) for region in constant])
            raise ConnectomeError(
                f"{source}: {listed} never changes, so it has no correlations. The region was "
                "probably outside the scanned volume; use a scan that covers it."
            )
        series = series / np.abs(series).max(axis=0)  # so that no square overflows or vanishes
        series -= series.mean(axis=0)
        series /= np.sqrt((series**2).sum(axis=0))
        correlations, _ = _symmetric(np.clip(series.T @ series, -1.0, 1.0), names, source)
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
    """
    path = Path(path)
    if fisher_z and timeseries:
        raise ConnectomeError(
            "Fisher z and time series exclude each other: a time series has no correlations yet. "
            "Pass --timeseries alone."
        )
    raw = read_array(path)
    if raw.kind == "timeseries" and not timeseries:
        raise ConnectomeError(
            f"{path.name} says that it holds time series. Pass --timeseries (timeseries=True)."
        )
    if raw.kind == "connectome" and timeseries:
        raise ConnectomeError(
            f"{path.name} says that it holds a connectome. Drop --timeseries (timeseries=False)."
        )
    if timeseries:
        return Connectome.from_timeseries(raw.values, labels=raw.labels, source=path.name)
    labels = _matrix_labels(raw, path.name)
    return Connectome.from_matrix(raw.values, labels=labels, fisher_z=fisher_z, source=path.name)


def participant_id_from(path: str | Path) -> str | None:
    """The ``sub-<label>`` in a file's name, or None."""
    found = re.search(r"(?<![A-Za-z0-9])sub-[A-Za-z0-9]+", Path(path).name)
    return found.group() if found else None


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


def _as_matrix(matrix: ArrayLike, source: str) -> NDArray[np.float64]:
    array = np.asarray(matrix)
    if array.dtype.kind not in "fiub" or array.ndim != 2:
        raise ConnectomeError(
            f"{source} is {array.ndim}-dimensional of type {array.dtype}, expected a "
            "two-dimensional array of real numbers."
        )
    return array.astype(np.float64)


def _checked_labels(
    labels: Sequence[str] | None, n_regions: int, source: str
) -> tuple[str, ...] | None:
    if labels is None:
        return None
    names = tuple(str(label).strip() for label in labels)
    if len(names) != n_regions:
        raise ConnectomeError(
            f"{source} has {len(names)} labels for {n_regions} regions. Give each region one label."
        )
    if "" in names:
        raise ConnectomeError(
            f"{source}: region {names.index('') + 1} has an empty label. Name it."
        )
    repeated = [name for index, name in enumerate(names) if name in names[:index]]
    if repeated:
        raise ConnectomeError(
            f"{source} has more than one region labeled {_listed(sorted(set(repeated)))}. "
            "Give each region its own label."
        )
    return names


def _region(index: int, labels: tuple[str, ...] | None) -> str:
    return f"region {index + 1}" if labels is None else f"region {labels[index]!r}"


def _pair(row: int, column: int, labels: tuple[str, ...] | None) -> str:
    if labels is None:
        return f"row {row + 1}, column {column + 1}"
    return f"regions {labels[row]!r} and {labels[column]!r}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MAX_LISTED])
    more = len(names) - _MAX_LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _label_differences(labels: Sequence[str], expected: Sequence[str]) -> str:
    found, wanted = set(labels), set(expected)
    missing = [label for label in expected if label not in found]
    unknown = [label for label in labels if label not in wanted]
    parts = []
    if missing:
        parts.append(f"missing {_listed(missing)}")
    if unknown:
        parts.append(f"unknown {_listed(unknown)}")
    return "; ".join(parts)


def _check_finite(values: NDArray[np.float64], labels: tuple[str, ...] | None, source: str) -> None:
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    row, column = np.argwhere(bad)[0]
    n = values.shape[0]
    whole = np.flatnonzero(bad.sum(axis=1) == n - 1)
    without = f", none at all for {_listed([_region(int(r), labels) for r in whole])}"
    raise ConnectomeError(
        f"{source}: the value at {_pair(row, column, labels)} is {values[row, column]} "
        f"({int(bad.sum())} such values{without if len(whole) else ''}). "
        "Every pair of regions needs a number; nothing is filled in."
    )


def _check_range(
    values: NDArray[np.float64], labels: tuple[str, ...] | None, is_z: bool, source: str
) -> None:
    if is_z:
        return
    size = np.abs(values)
    if size.max() > 1.0 + _RANGE_TOLERANCE:
        row, column = np.unravel_index(int(size.argmax()), size.shape)
        raise ConnectomeError(
            f"{source}: the value at {_pair(int(row), int(column), labels)} is "
            f"{values[row, column]:.4g}, but correlations lie between -1 and 1. This looks like "
            "Fisher z: pass --fisher-z (fisher_z=True) if it is."
        )
    np.clip(values, -1.0, 1.0, out=values)


def _check_diagonal(
    diagonal: NDArray[np.float64], labels: tuple[str, ...] | None, is_z: bool, source: str
) -> tuple[str, ...]:
    """Notes about a diagonal that was set, after refusing one that means something else."""
    is_nan, is_zero = np.isnan(diagonal), diagonal == 0
    is_one = np.abs((np.tanh(diagonal) if is_z else diagonal) - 1.0) <= _DIAGONAL_TOLERANCE
    is_other = ~(is_nan | is_zero | is_one)
    if is_other.any():
        region = int(np.flatnonzero(is_other)[0])
        value = diagonal[region]
        if is_z and abs(value - 1.0) <= _DIAGONAL_TOLERANCE:
            advice = "That is a diagonal of correlations: drop --fisher-z (fisher_z=False)."
        elif not is_z and (np.isinf(value) or abs(np.tanh(value) - 1.0) <= _DIAGONAL_TOLERANCE):
            advice = "This looks like Fisher z: pass --fisher-z (fisher_z=True) if it is."
        else:
            advice = "Give correlations, not covariances or partial correlations."
        raise ConnectomeError(
            f"{source}: the diagonal of {_region(region, labels)} is {value:.4g}, expected "
            f"{'infinity' if is_z else '1'} (or 0 or NaN, which is set). {advice}"
        )
    kinds = [name for name, where in (("0", is_zero), ("NaN", is_nan)) if where.any()]
    if not kinds:
        return ()
    n_set = int((is_zero | is_nan).sum())
    where = "" if n_set == len(diagonal) else f" for {n_set} of {len(diagonal)} regions"
    return (f"The diagonal of {source} was {' or '.join(kinds)}{where} and was set to 1.",)


def _symmetric(
    values: NDArray[np.float64], labels: tuple[str, ...] | None, source: str
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    difference = np.abs(values - values.T)
    worst = float(difference.max())
    row, column = sorted(int(i) for i in np.unravel_index(int(difference.argmax()), values.shape))
    if worst > SYMMETRY_TOLERANCE:
        raise ConnectomeError(
            f"{source} is not symmetric: {_pair(row, column, labels)} is {values[row, column]:.4g} "
            f"one way and {values[column, row]:.4g} the other. Functional connectivity has no "
            "direction; check that rows and columns have the same order."
        )
    notes: tuple[str, ...] = ()
    if worst > _RANGE_TOLERANCE:
        notes = (
            f"Values of {source} above and below the diagonal differ by up to {worst:.1e} and "
            "were averaged.",
        )
    return (values + values.T) / 2.0, notes


def _read_only(correlations: NDArray[np.float64]) -> NDArray[np.float32]:
    single = correlations.astype(np.float32)
    single.setflags(write=False)
    return single
