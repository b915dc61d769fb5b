"""Files with an array of numbers, read as they are: one reader for each file name ending.

A reader turns a path into a `RawArray` and judges only the file: whether the numbers are a
connectome is decided in `connectome`. Another format is one more function in `READERS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFileError, load_npy, load_npz
from .errors import ConnectomeError
from .numeric_tables import read_table
from .tables import check_is_file

MAX_ARRAY_BYTES = 2**30
"""A larger array is refused before memory is asked for: it is no parcellated data."""

_ARRAY_NAMES: Mapping[str, Literal["connectome", "timeseries"]] = MappingProxyType(
    {"connectome": "connectome", "correlations": "connectome", "timeseries": "timeseries"}
)


@dataclass(frozen=True, slots=True, eq=False)
class RawArray:
    """What a file holds, before anything is known about what it means."""

    values: NDArray[np.float64]
    """Shape (rows, columns); a cell that says n/a is NaN."""
    labels: tuple[str, ...] | None = None
    """Names of the columns."""
    row_labels: tuple[str, ...] | None = None
    """Names of the rows, where the file has them."""
    kind: Literal["connectome", "timeseries"] | None = None
    """What the file itself says that it holds."""


_LABEL_NAME = re.compile(r"label|(^|_)(names?|regions?|rois?|parcels?)$", re.IGNORECASE)

Reader = Callable[[Path], RawArray]


def read_array(path: str | Path) -> RawArray:
    """Read a file with the reader of its name's ending.

    Parameters
    ----------
    path : str or pathlib.Path
        The file; its ending must be in `READERS`.

    Raises
    ------
    ConnectomeError
        No reader has this ending; the file is missing, a folder, empty or damaged; it does not
        hold one two-dimensional array of real numbers.
    """
    path = Path(path)
    check_is_file(path, ConnectomeError)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ConnectomeError(
            f"{path.name} has the ending {path.suffix or '(none)'!r}, expected one of "
            f"{', '.join(READERS)}. Save the connectome in one of these formats."
        )
    if path.stat().st_size == 0:
        raise ConnectomeError(
            f"{path.name} is empty. Check how it was written, or pick another file."
        )
    return reader(path)


def read_npy(path: Path) -> RawArray:
    """Read a .npy file; arrays of Python objects are refused, since reading them runs code."""
    try:
        with path.open("rb") as file:
            array = load_npy(file, path.name, MAX_ARRAY_BYTES)
    except ArrayFileError as cause:
        raise ConnectomeError(str(cause)) from cause
    except OSError as cause:
        raise ConnectomeError(
            f"{path} cannot be read: {cause.strerror or cause}. Check its permissions."
        ) from cause
    return RawArray(_real_matrix(array, path.name))


def read_npz(path: Path) -> RawArray:
    """Read a .npz file: `connectome`, `correlations`, `timeseries`, or its only 2-D array.

    Region names may stand beside it as `labels`, an array of text.
    """
    try:
        arrays = load_npz(path, path.name, MAX_ARRAY_BYTES, _wanted)
    except ArrayFileError as cause:
        raise ConnectomeError(str(cause)) from cause
    named = [name for name in _ARRAY_NAMES if name in arrays]
    if {"connectome", "correlations"} <= arrays.keys():
        raise ConnectomeError(
            f"{path.name} holds both 'connectome' and 'correlations'. Keep the one that is meant."
        )
    two_dimensional = [name for name, array in arrays.items() if array.ndim == 2]
    if not named and len(two_dimensional) != 1:
        found = ", ".join(f"{name} {_size(array)}" for name, array in arrays.items())
        raise ConnectomeError(
            f"{path.name} holds {found or 'nothing'}; expected an array named "
            f"{', '.join(_ARRAY_NAMES)} or only one two-dimensional array. Save the array under "
            "one of these names."
        )
    key = named[0] if named else two_dimensional[0]
    labels = None
    if "labels" in arrays and key != "labels":
        labels = _label_texts(arrays["labels"], f"{path.name}[labels]")
    values = _real_matrix(arrays[key], f"{path.name}[{key}]")
    return RawArray(values, labels, kind=_ARRAY_NAMES.get(key))


def _wanted(names: Set[str]) -> Set[str]:
    """Names to read: where one says what it is, the others are not ours to judge."""
    unread = sorted(name for name in names if _LABEL_NAME.search(name))
    if unread and "labels" not in names:
        raise ArrayFileError(
            f"The order of regions may be in the array {unread[0]!r}, but labels are read from "
            "'labels' alone",
            "Rename that array to labels, or leave it out if the order is the bundle's.",
        )
    return names & {*_ARRAY_NAMES, "labels"} if names & _ARRAY_NAMES.keys() else names


def _label_texts(array: NDArray[np.generic], name: str) -> tuple[str, ...]:
    if array.dtype.kind != "U" or array.ndim != 1:
        raise ConnectomeError(
            f"{name} is a {_size(array)} array of {array.dtype}, expected a list of text. "
            "Save labels as numpy.array([...], dtype=str)."
        )
    return tuple(str(label).strip() for label in array)


def _size(array: NDArray[np.generic]) -> str:
    return " x ".join(str(n) for n in array.shape) or "scalar"


def _real_matrix(array: NDArray[np.generic], name: str) -> NDArray[np.float64]:
    if array.dtype.kind not in "fiub":
        raise ConnectomeError(
            f"{name} holds values of type {array.dtype}, expected real numbers. "
            "Save it as a float array."
        )
    if array.ndim != 2 or 0 in array.shape:
        raise ConnectomeError(
            f"{name} is {_size(array)} ({array.ndim}-dimensional), expected a filled table of two "
            "dimensions: regions by regions, or time by regions."
        )
    return array.astype(np.float64)


def read_tsv(path: Path) -> RawArray:
    """Read tab-separated numbers; a header row and an index column of labels are optional."""
    return _read_delimited(path, "\t")


def read_csv(path: Path) -> RawArray:
    """Read comma-separated numbers; a header row and an index column of labels are optional."""
    return _read_delimited(path, ",")


def read_txt(path: Path) -> RawArray:
    """Read numbers separated by commas, where there are any, else by blanks or tabs."""
    return _read_delimited(path, None)


def _read_delimited(path: Path, delimiter: str | None) -> RawArray:
    found = read_table(path, delimiter)
    return RawArray(found.values, found.labels, found.row_labels)


READERS: Mapping[str, Reader] = MappingProxyType(
    {
        ".npy": read_npy,
        ".npz": read_npz,
        ".tsv": read_tsv,
        ".csv": read_csv,
        ".txt": read_txt,
    }
)
"""The reader of each file name ending, in lower case."""
