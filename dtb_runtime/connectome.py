"""The connectome: a person's resting-state correlations between regions, checked once.

Nothing is repaired in silence. What is set (a diagonal of zeros) stands in `Connectome.notes`;
everything else that is wrong raises `ConnectomeError` with a sentence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .connectome_checks import (
    as_matrix,
    check_diagonal,
    check_finite,
    check_is_whole,
    check_range,
    check_same_order,
    checked_labels,
    listed,
    own_labels,
    own_row_labels,
    region_name,
    symmetric,
)
from .edges import edges_from_correlations
from .errors import ConnectomeError
from .region_names import RegionMatch, match_regions
from .resting_series import correlate

AS_R, AS_Z = "correlations r", "Fisher z"
"""What numbers are taken for."""
R_BY_DIAGONAL, R_BY_DEFAULT = "its diagonal is 1", "nothing says otherwise"
"""Why a matrix was taken for correlations r whose file does not say it."""
_IMPUTE = " Or take up to 5 % of regions from the cohort: --impute cohort (Reading(impute=True))."


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
    taken_for: str = AS_R
    """What the numbers were taken for, and why."""
    mean_fd_mm: float | None = None
    """Mean framewise displacement of the scan in mm, if known."""
    may_impute: bool = False
    """Whether regions without data may be taken from a bundle's cohort. Without it there are
    none: whoever makes a connectome refuses them."""
    imputed: tuple[str, ...] = ()
    """Regions that were."""
    is_by_position: bool = False
    """Whether its labels were given to it by `aligned`, since it had none."""

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return int(self.correlations.shape[0])

    @property
    def missing(self) -> tuple[int, ...]:
        """Regions without data: their rows and columns are NaN but for the diagonal."""
        if not self.may_impute:
            return ()
        n_gaps = np.isnan(self.correlations).sum(axis=1)
        return tuple(int(i) for i in np.flatnonzero(n_gaps == self.n_regions - 1))

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
            The number of regions differs, or a label is missing or unknown. Labels fit without
            regard to case, to what precedes and to where the hemisphere stands, where that is
            unambiguous (`match_regions`).
        """
        labels = tuple(labels)
        if self.labels is None:
            if self.n_regions != len(labels):
                raise ConnectomeError(self._size_message(labels, parcellation))
            return replace(self, labels=labels, is_by_position=True)
        if self.labels == labels:
            return self
        match = match_regions(self.labels, labels)
        if match.unknown or (match.missing and not self.may_impute):
            if self.n_regions != len(labels):
                raise ConnectomeError(self._size_message(labels, parcellation, match))
            advice = "Rename them, or drop all labels if the order is the same."
            if all(label.isdecimal() for label in self.labels):
                advice = "Give names of regions; of a label image with --atlas-labels TABLE."
            raise ConnectomeError(
                f"{self.source} has other region labels than parcellation {parcellation!r}: "
                f"{match.differences}. {advice}"
            )
        has_data = match.order >= 0
        correlations = self.correlations[np.ix_(match.order, match.order)]
        correlations[~has_data] = np.nan
        correlations[:, ~has_data] = np.nan
        np.fill_diagonal(correlations, 1.0)
        correlations.setflags(write=False)
        notes = self.notes
        if match.renamed:
            mine, theirs = match.renamed[0]
            notes = (
                *notes,
                f"{len(match.renamed)} regions of {self.source} were matched by name without "
                "regard to case, to what precedes and to where the hemisphere stands, such as "
                f"{mine!r} for {theirs!r}.",
            )
        return replace(self, correlations=correlations, labels=labels, notes=notes)

    def _size_message(
        self, labels: tuple[str, ...], parcellation: str, match: RegionMatch | None = None
    ) -> str:
        n, expected = self.n_regions, len(labels)
        differences = "" if match is None else match.differences
        needs = f"this bundle needs {expected} x {expected} (parcellation {parcellation!r})"
        if match is None and self.n_timepoints == expected:
            return (
                f"{self.source} was read as {expected} time points of {n} regions, but {needs}. "
                "It looks transposed: save it as time by regions."
            )
        found = f"{self.source} is {n} x {n}"
        if self.n_timepoints is not None:
            found = f"{self.source} holds time series of {n} regions"
        if match is not None and not match.missing:
            return f"{found}, but {needs}: {differences}; all others fit. Save it without them."
        return (
            f"{found}, but {needs}{': ' if differences else ''}{differences}. Parcellate with the "
            f"atlas named in its manifest, or pick a bundle for {n} regions: dtb-run bundles."
            f"{_IMPUTE if differences.startswith('missing') and ';' not in differences else ''}"
        )

    @classmethod
    def from_matrix(
        cls,
        matrix: ArrayLike,
        *,
        labels: Sequence[str] | None = None,
        fisher_z: bool = False,
        source: str = "array",
        may_impute: bool = False,
    ) -> Connectome:
        """Check a matrix of correlations.

        Parameters
        ----------
        matrix : array_like, shape (n_regions, n_regions)
            Correlations r, or Fisher z if `fisher_z`; symmetric to 1e-4 in r. The diagonal is 1,
            or 0 or NaN throughout or in part, which is set to 1 and noted.
        labels : sequence of str, optional
            Names of the regions in the order of the rows; by default the column names of a table
            that has some (a pandas DataFrame), which its rows must have as well if they are named.
        fisher_z : bool
            Whether the values are Fisher z.
        source : str
            What messages call it.
        may_impute : bool
            Take regions of which every correlation is NaN or 0 as without data, instead of refusing
            them: `Bundle.personalize` then takes them from its cohort.

        Raises
        ------
        ConnectomeError
            It is not square, not finite, not symmetric, out of range, or has another diagonal;
            one triangle alone is filled; labels are missing or stand twice.
        """
        values = as_matrix(matrix, source)
        if labels is None:
            labels = own_labels(matrix)
            check_same_order(own_row_labels(matrix), labels, source)
        n = values.shape[0]
        if values.shape[1] != n:
            raise ConnectomeError(
                f"{source} is {n} x {values.shape[1]}, but a connectome is square (regions by "
                "regions). If its rows are time points, pass --timeseries (timeseries=True); if "
                "its columns are, transpose it before."
            )
        if n < 2:
            raise ConnectomeError(f"{source} has {n} regions. A connectome needs at least two.")
        names = checked_labels(labels, n, source)
        diagonal = np.diagonal(values).copy()
        values[np.diag_indices(n)] = 1.0
        check_is_whole(values, source)
        gaps = _regions_without_data(values, names, source, may_impute=may_impute)
        values[gaps], values[:, gaps] = 0.0, 0.0
        values[np.diag_indices(n)] = 1.0
        check_finite(values, names, source)
        check_range(values, names, fisher_z, source, diagonal=diagonal)
        notes = check_diagonal(diagonal, names, fisher_z, source)
        if fisher_z:
            values = np.tanh(values)
            values[np.diag_indices(n)] = 1.0
        correlations, note = symmetric(values, names, source)
        single = _with_gaps(correlations, gaps)
        taken_for = f"{AS_Z} (as was said)" if fisher_z else f"{AS_R} ({_why_r(diagonal)})"
        notes = (*notes, *note)
        return cls(single, names, source, notes, taken_for=taken_for, may_impute=may_impute)

    @classmethod
    def from_timeseries(
        cls,
        timeseries: ArrayLike,
        *,
        labels: Sequence[str] | None = None,
        source: str = "array",
        may_impute: bool = False,
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
        may_impute : bool
            Take regions whose series is NaN throughout, or never changes, as without data, instead
            of refusing them: `Bundle.personalize` then takes them from its cohort.

        Raises
        ------
        ConnectomeError
            Fewer than three time points or two regions; a value is not finite; a region is
            constant.
        """
        series = as_matrix(timeseries, source)
        labels = own_labels(timeseries) if labels is None else labels
        n_timepoints, n = series.shape
        names = checked_labels(labels, n, source) if n > 1 else None
        correlations, gaps = correlate(series, names, source, may_impute=may_impute)
        notes: tuple[str, ...] = ()
        if n_timepoints <= n:
            unseen = " Nobody can see which way round they are." if n_timepoints == n else ""
            notes = (
                f"{source} has {n_timepoints} time points for {n} regions, so its correlations "
                f"are noisy; rows must be time points.{unseen}",
            )
        taken_for = f"time series of {n_timepoints} points, correlated (Pearson)"
        single = _with_gaps(correlations, gaps)
        return cls(single, names, source, notes, n_timepoints, taken_for, may_impute=may_impute)


def _why_r(diagonal: NDArray[np.float64]) -> str:
    """Why numbers are correlations r, where neither format nor name says it."""
    return R_BY_DIAGONAL if np.allclose(diagonal, 1.0) else R_BY_DEFAULT


def _regions_without_data(
    values: NDArray[np.float64], labels: tuple[str, ...] | None, source: str, *, may_impute: bool
) -> NDArray[np.intp]:
    """Regions whose correlations are all NaN or all 0, after refusing what nobody asked for.

    Those of NaN are refused later, with all other values that are no numbers.
    """
    n = len(values)
    is_zero = (values == 0).sum(axis=1) == n - 1
    if may_impute:  # where one region lacks data as zeros and another as NaN, each has both
        n_gaps = ((values == 0) | np.isnan(values)).sum(axis=1)
        return np.flatnonzero(n_gaps == n - 1)
    if is_zero.any() and not is_zero.all():
        empty = listed([region_name(int(i), labels) for i in np.flatnonzero(is_zero)])
        raise ConnectomeError(
            f"{source}: every correlation of {empty} is exactly 0, as where a scan has no data. "
            "Use a scan that covers every region, or --impute cohort (Reading(impute=True)) for "
            "up to 5 % of them."
        )
    return np.zeros(0, dtype=np.intp)


def _with_gaps(
    correlations: NDArray[np.float64], gaps: Sequence[int] | NDArray[np.intp]
) -> NDArray[np.float32]:
    """Correlations as they are kept, NaN where a region has no data."""
    correlations[gaps], correlations[:, gaps] = np.nan, np.nan
    np.fill_diagonal(correlations, 1.0)
    return _read_only(correlations)


def _read_only(correlations: NDArray[np.float64]) -> NDArray[np.float32]:
    single = correlations.astype(np.float32)
    single.setflags(write=False)
    return single
