"""An array as a file holds it, before anything is known of what it means; what all readers give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .errors import ConnectomeError

MAX_ARRAY_BYTES = 2**30
"""A larger array is refused before memory is asked for: it is no parcellated data."""

MAX_REGIONS = 5000
"""Of a connectome or time series: no parcellation comes near, and a matrix of them takes 0.2 GB."""
MAX_TIME_POINTS = 100_000
"""Of time series: more than two hours at ten a second."""

Kind = Literal["connectome", "timeseries"]
Scale = Literal["r", "z", "maybe z"]
SCALES: tuple[Scale | None, ...] = (None, *get_args(Scale))

_SMALLEST_TRIANGLE = 10
"""Numbers of a list that may be one triangle of a matrix; shorter lists are anything."""


@dataclass(frozen=True, slots=True, eq=False)
class RawArray:
    """What a file holds, as its reader found it."""

    values: NDArray[np.float64]
    """Shape (rows, columns); time by regions for time series. What is not there is NaN."""
    labels: tuple[str, ...] | None = None
    """Names of the columns."""
    row_labels: tuple[str, ...] | None = None
    """Names of the rows, where the file has them."""
    kind: Kind | None = None
    """What the file itself says that it holds."""
    scale: Scale | None = None
    """Of a connectome: correlations r or Fisher z, where the format or the file's name says it;
    ``"maybe z"`` where z statistics are called so as well."""
    why: str = ""
    """What says so, for people: ``"CONN writes Fisher z"``. Empty where nothing does."""
    mean_fd_mm: float | None = None
    """Mean framewise displacement of the scan in mm, where the file came with it."""
    notes: tuple[str, ...] = ()
    """What was done to get these numbers that people should know, one sentence each."""


def size_text(shape: tuple[int, ...]) -> str:
    """A shape as messages say it: ``360 x 360``."""
    return " x ".join(map(str, shape)) or "scalar"


def check_bytes(shape: tuple[int, ...], itemsize: int, name: str) -> None:
    """Refuse an array by what its header claims, before memory is asked for.

    Parameters
    ----------
    shape : tuple of int
    itemsize : int
        Bytes of one number.
    name : str
        What messages call the array.

    Raises
    ------
    ConnectomeError
        It is larger than `MAX_ARRAY_BYTES`, or a length is negative.
    """
    n_bytes = itemsize
    for length in shape:
        n_bytes *= int(length)  # Python's own numbers do not overflow
    if min(shape, default=0) < 0:
        raise ConnectomeError(
            f"{name} claims the size {size_text(shape)}. The file is damaged; fetch it again."
        )
    if n_bytes > MAX_ARRAY_BYTES:
        raise ConnectomeError(
            f"{name} claims {n_bytes / 1e9:.1f} GB ({size_text(shape)}); at most "
            f"{MAX_ARRAY_BYTES / 1e9:.1f} GB is read. Check that this is the file you meant."
        )


def check_shape(shape: tuple[int, ...], name: str) -> None:
    """Refuse a table larger than any connectome or time series; other dimensions are not judged.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns: regions by regions, or time by regions.
    name : str
        What messages call the table.

    Raises
    ------
    ConnectomeError
        It has more than `MAX_REGIONS` columns, or more than `MAX_TIME_POINTS` rows.
    """
    if len(shape) == 2 and (shape[0] > MAX_TIME_POINTS or shape[1] > MAX_REGIONS):
        check_no_triangle(shape, name)
        raise ConnectomeError(
            f"{name} is {size_text(shape)}, expected at most {MAX_REGIONS} columns, one a region, "
            f"and {MAX_TIME_POINTS} rows. Check that this is the file you meant, and that rows are "
            "time points."
        )


def is_triangle(shape: tuple[int, ...]) -> bool:
    """Whether an array is a list of as many numbers as one triangle of a square matrix has."""
    n = max(shape, default=0)
    if n < _SMALLEST_TRIANGLE or any(length not in (1, n) for length in shape):
        return False
    return shape.count(n) == 1 and math.isqrt(8 * n + 1) ** 2 == 8 * n + 1


def check_no_triangle(shape: tuple[int, ...], name: str) -> None:
    """Refuse a list that is probably one triangle of a matrix, and say how to make it whole.

    In which order the pairs of regions stand in it cannot be seen, so it is not guessed.

    Parameters
    ----------
    shape : tuple of int
    name : str
        What messages call the array.

    Raises
    ------
    ConnectomeError
        `is_triangle` holds.
    """
    if not is_triangle(shape):
        return
    n = max(shape)
    side = (math.isqrt(8 * n + 1) + 1) // 2
    raise ConnectomeError(
        f"{name} is a list of {n} numbers, as many as one triangle of a {side} x {side} matrix has "
        f"(or of {side - 1} x {side - 1} with its diagonal). Save the whole matrix: "
        "scipy.spatial.distance.squareform(numbers) makes it of the triangle above the diagonal "
        "row by row, nilearn.connectome.vec_to_sym_matrix of what nilearn wrote."
    )


def real_matrix(array: NDArray[np.generic], name: str) -> NDArray[np.float64]:
    """The array as float64, after refusing what is no filled table of real numbers.

    Parameters
    ----------
    array : numpy.ndarray
        Of any kind and shape.
    name : str
        What messages call it.

    Raises
    ------
    ConnectomeError
    """
    if array.dtype.kind not in "fiub":
        raise ConnectomeError(
            f"{name} holds values of type {array.dtype}, expected real numbers. "
            "Save it as a float array."
        )
    if array.ndim != 2 or 0 in array.shape:
        check_no_triangle(array.shape, name)
        raise ConnectomeError(
            f"{name} is {size_text(array.shape)} ({array.ndim}-dimensional), expected a filled "
            "table of two dimensions: regions by regions, or time by regions."
        )
    check_shape(array.shape, name)
    return array.astype(np.float64, copy=False)
