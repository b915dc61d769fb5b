"""What makes an array a connectome: one check and one sentence for each way it can fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ConnectomeError
from .raw_array import check_no_triangle, check_shape
from .table_names import names_of
from .tables import shortened, shown

SYMMETRY_TOLERANCE = 1e-4
"""Largest difference between r above and below the diagonal that is put down to rounding."""
_DIAGONAL_TOLERANCE = 1e-4
_RANGE_TOLERANCE = 1e-6  # float32 correlations overshoot 1 by about 1e-7
_LARGEST_Z = 20.0  # arctanh of the double just below 1 is 18.7
_MAX_LISTED = 5
MAX_LABEL = 200
"""Characters of a region's name."""


def as_matrix(matrix: ArrayLike, source: str) -> NDArray[np.float64]:
    """A float64 copy of a two-dimensional array of real numbers."""
    if isinstance(matrix, np.ma.MaskedArray) and np.ma.is_masked(matrix):
        n_masked = int(np.ma.getmaskarray(matrix).sum())
        raise ConnectomeError(
            f"{source} masks {n_masked} values, and a mask would be lost. Every pair of regions "
            "needs a number; nothing is filled in."
        )
    try:
        array = np.asarray(matrix)
    except ValueError as cause:
        raise ConnectomeError(
            f"{source} has rows of different lengths, expected a two-dimensional array of real "
            "numbers."
        ) from cause
    if array.dtype.kind in "fiub":
        check_no_triangle(array.shape, source)
    if array.dtype.kind not in "fiub" or array.ndim != 2:
        raise ConnectomeError(
            f"{source} is {array.ndim}-dimensional of type {array.dtype}, expected a "
            "two-dimensional array of real numbers."
        )
    check_shape(array.shape, source)
    with np.errstate(over="ignore"):  # of a longer float: infinite, which is refused
        return array.astype(np.float64)


def own_labels(array: ArrayLike) -> tuple[str, ...] | None:
    """Names of the columns that a table in memory (a pandas DataFrame) brings along, if any.

    Names that only count are none, as in files of tables.
    """
    return _names(getattr(array, "columns", None))


def own_row_labels(array: ArrayLike) -> tuple[str, ...] | None:
    """The same of the rows."""
    return _names(getattr(array, "index", None)) if hasattr(array, "columns") else None


def _names(given: Iterable[object] | None) -> tuple[str, ...] | None:
    names = [] if given is None else list(given)
    texts = [name for name in names if isinstance(name, str)]
    return names_of(texts) if texts and len(texts) == len(names) else None


def check_same_order(
    rows: Sequence[str] | None, columns: Sequence[str] | None, source: str
) -> None:
    """Refuse a matrix whose rows are named in another order than its columns."""
    for number, (row, column) in enumerate(zip(rows or (), columns or (), strict=False), start=1):
        if row != column:
            raise ConnectomeError(
                f"{source}: row {number} is labeled {row!r} but column {number} {column!r}. "
                "Rows and columns of a connectome must have the same order."
            )


def checked_labels(
    labels: Sequence[str] | None, n_regions: int, source: str
) -> tuple[str, ...] | None:
    """Labels without surrounding blanks: one a region, none empty, all different."""
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
    longest = max(names, key=len, default="")
    if len(longest) > MAX_LABEL:
        raise ConnectomeError(
            f"{source}: the label {shown(longest)} has {len(longest)} characters, expected at most "
            f"{MAX_LABEL}. Shorten it, or check that this is the file you meant."
        )
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ConnectomeError(
            f"{source} has more than one region labeled {listed(repeated)}. "
            "Give each region its own label."
        )
    return names


def region_name(index: int, labels: tuple[str, ...] | None) -> str:
    """What messages call a region: its label, else its position counted from 1."""
    return f"region {index + 1}" if labels is None else f"region {shown(labels[index])}"


def pair_name(row: int, column: int, labels: tuple[str, ...] | None) -> str:
    """What messages call the place of one value."""
    if labels is None:
        return f"row {row + 1}, column {column + 1}"
    return f"regions {shown(labels[row])} and {shown(labels[column])}"


def listed(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    first = ", ".join(map(shortened, names[:_MAX_LISTED]))
    more = len(names) - _MAX_LISTED
    return f"{first} and {more} more" if more > 0 else first


def check_is_whole(values: NDArray[np.float64], source: str) -> None:
    """Refuse a square matrix of which one triangle alone is filled."""
    n = len(values)
    if values[0, n - 1] and values[n - 1, 0] and np.isfinite(values[[0, n - 1], [n - 1, 0]]).all():
        return  # the quickest way to know, and true of most
    is_filled = (values != 0) & ~np.isnan(values)
    above, below = bool(np.triu(is_filled, 1).any()), bool(np.tril(is_filled, -1).any())
    if above == below:
        return
    full, empty, half = ("above", "below", "triu(matrix, 1)")
    if below:
        full, empty, half = ("below", "above", "tril(matrix, -1)")
    raise ConnectomeError(
        f"{source} is filled {full} its diagonal and empty (0 or NaN) {empty} it: one triangle of "
        f"a connectome. Save the whole matrix: half + half.T, where half = numpy.{half}."
    )


def check_finite(values: NDArray[np.float64], labels: tuple[str, ...] | None, source: str) -> None:
    """Refuse NaN and infinity off the diagonal, which the caller has set."""
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    row, column = np.argwhere(bad)[0]
    n = values.shape[0]
    whole = np.flatnonzero(bad.sum(axis=1) == n - 1)
    without = f", none at all for {listed([region_name(int(r), labels) for r in whole])}"
    advice = ""
    if len(whole):
        advice = (
            " Regions without any data: --impute cohort (Reading(impute=True)), up to 5 % of them."
        )
    raise ConnectomeError(
        f"{source}: the value at {pair_name(int(row), int(column), labels)} is "
        f"{values[row, column]} "
        f"({int(bad.sum())} such values{without if len(whole) else ''}). "
        f"Every pair of regions needs a number; nothing is filled in.{advice}"
    )


def check_range(
    values: NDArray[np.float64],
    labels: tuple[str, ...] | None,
    is_z: bool,
    source: str,
    *,
    diagonal: NDArray[np.float64],
) -> None:
    """Refuse what is no correlation (or Fisher z), and clip float rounding beyond 1."""
    worst = float(max(values.max(), -values.min()))
    if worst <= (_LARGEST_Z if is_z else 1.0 + _RANGE_TOLERANCE):
        if not is_z and worst > 1.0:
            np.clip(values, -1.0, 1.0, out=values)
        return
    size = np.abs(values)
    row, column = (int(i) for i in np.unravel_index(int(size.argmax()), size.shape))
    found = f"{source}: the value at {pair_name(row, column, labels)} is {values[row, column]:.4g}"
    if worst > _LARGEST_Z:
        raise ConnectomeError(
            f"{found}, which is neither a correlation (between -1 and 1) nor its Fisher z. "
            "Give correlations, not covariances or counts."
        )
    if np.allclose(diagonal, 1.0):  # of which the Fisher z is infinite
        raise ConnectomeError(
            f"{found}, but correlations lie between -1 and 1, and by the diagonal of 1 these are "
            "no Fisher z. Check how they were made; if all others are Fisher z, set the diagonal "
            "to 0 and pass --fisher-z (fisher_z=True)."
        )
    raise ConnectomeError(
        f"{found}, but correlations lie between -1 and 1. This looks like Fisher z: pass "
        "--fisher-z (fisher_z=True) if it is. Distances (1 - r) are to be turned into r before."
    )


def check_diagonal(
    diagonal: NDArray[np.float64], labels: tuple[str, ...] | None, is_z: bool, source: str
) -> tuple[str, ...]:
    """Notes about a diagonal that was set, after refusing one that means something else."""
    # A matrix minus the identity has a diagonal of rounding errors.
    is_nan, is_zero = np.isnan(diagonal), np.abs(diagonal) <= _RANGE_TOLERANCE
    is_one = np.abs((np.tanh(diagonal) if is_z else diagonal) - 1.0) <= _DIAGONAL_TOLERANCE
    is_other = ~(is_nan | is_zero | is_one)
    if is_other.any():
        region = int(np.flatnonzero(is_other)[0])
        value = diagonal[region]
        if is_z and abs(value - 1.0) <= _DIAGONAL_TOLERANCE:
            advice = (
                "That is a diagonal of correlations: if they are r, drop --fisher-z "
                "(fisher_z=False), or what says Fisher z in the file's name; if they are Fisher z, "
                "set the diagonal to 0."
            )
        elif not is_z and (np.isinf(value) or abs(np.tanh(value) - 1.0) <= _DIAGONAL_TOLERANCE):
            advice = "This looks like Fisher z: pass --fisher-z (fisher_z=True) if it is."
        else:
            advice = "Give correlations, not covariances or partial correlations."
        raise ConnectomeError(
            f"{source}: the diagonal of {region_name(region, labels)} is {value:.4g}, expected "
            f"{'infinity' if is_z else '1'} (or 0 or NaN, which is set). {advice}"
        )
    kinds = [name for name, where in (("0", is_zero), ("NaN", is_nan)) if where.any()]
    if not kinds:
        return ()
    n_set = int((is_zero | is_nan).sum())
    where = "" if n_set == len(diagonal) else f" for {n_set} of {len(diagonal)} regions"
    notes = (f"The diagonal of {source} was {' or '.join(kinds)}{where} and was set to 1.",)
    if is_z or is_one.any():
        return notes
    return (
        *notes,
        f"A diagonal of {' or '.join(kinds)} does not tell r from Fisher z: {source} was taken for "
        "r. Pass --fisher-z (fisher_z=True) if it is z.",
    )


def check_spread(values: NDArray[np.float32], source: str) -> None:
    """Refuse matrices that no scan gives: one number everywhere, or nothing but 0 and 1."""
    upper = values[np.triu_indices(len(values), k=1)]
    if len(upper) < 2:
        return
    if upper.max() == upper.min():
        raise ConnectomeError(
            f"{source}: all its correlations are {upper[0]:.4g}. No scan gives that; check how it "
            "was made."
        )
    if np.isin(upper, (0.0, 1.0)).all():
        raise ConnectomeError(
            f"{source} holds nothing but 0 and 1, as a graph of thresholded correlations does. "
            "Give the correlations themselves."
        )


def symmetric(
    values: NDArray[np.float64], labels: tuple[str, ...] | None, source: str
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """The mean of a matrix and its transpose, after refusing more than rounding between them.

    Returns
    -------
    numpy.ndarray, shape (n_regions, n_regions), float64
        Exactly symmetric.
    tuple of str
        A note, if the difference was larger than float32 rounding.
    """
    if (values == values.T).all():  # most are, and this is the quickest way to know
        return values, ()
    difference = np.abs(values - values.T)
    worst = float(difference.max())
    row, column = sorted(int(i) for i in np.unravel_index(int(difference.argmax()), values.shape))
    if worst > SYMMETRY_TOLERANCE:
        raise ConnectomeError(
            f"{source} is not symmetric: {pair_name(row, column, labels)} is "
            f"{values[row, column]:.4g} one way and {values[column, row]:.4g} the other. "
            "Functional connectivity has no direction; check the order of rows and columns."
        )
    notes: tuple[str, ...] = ()
    if worst > _RANGE_TOLERANCE:
        notes = (
            f"Values of {source} above and below the diagonal differ by up to {worst:.1e} and "
            "were averaged.",
        )
    return (values + values.T) / 2.0, notes
