"""Files with an array of numbers, read as they are: one reader for each file name ending.

A reader turns a path into a `RawArray` and judges only the file: whether the numbers are a
connectome is decided in `connectome`. Another format is one more function in `READERS`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFileError, load_npy, load_npz
from .errors import ConnectomeError
from .tables import check_is_file, is_missing, read_text, to_number

MAX_ARRAY_BYTES = 2**30
"""A larger array is refused before memory is asked for: it is no parcellated data."""

_MAX_SHOWN = 40  # characters of a bad cell

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
    text = read_text(path, ConnectomeError)
    if delimiter is None and "," in text:
        delimiter = ","
    filled = [line for line in text.splitlines() if line.strip()]
    lines = [line for line in filled if not line.startswith("#")]
    if not lines:
        raise ConnectomeError(f"{path.name} holds only comments. Pick a file with numbers.")
    rows = _cells(lines, delimiter, path.name)
    header = _take_header(rows)
    if header is None:
        header = _commented_header(filled, delimiter, len(rows[0]))
    row_labels = _take_index(rows, header)
    if not rows:
        raise ConnectomeError(
            f"{path.name} has a header but no numbers under it. Check how it was written."
        )
    if header is not None and row_labels is not None and len(header) == len(rows[0]) + 1:
        header = header[1:]  # the corner above the index column
    values = _parse(rows, row_labels is not None, path.name)
    if header is not None and len(header) != values.shape[1]:
        raise ConnectomeError(
            f"{path.name} names {len(header)} columns in its header but holds {values.shape[1]} "
            "numbers a row. Give each column one name."
        )
    return RawArray(values, _names(header), _names(row_labels))


def _cells(lines: list[str], delimiter: str | None, source: str) -> list[list[str]]:
    if delimiter is None:
        return [line.split() for line in lines]
    try:
        # Strict, so that a quote that is never closed does not swallow rows.
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        return [list(map(str.strip, row)) for row in reader]
    except csv.Error as cause:
        raise ConnectomeError(
            f"{source} cannot be read as a table: {cause}. Check its quotes and separators."
        ) from cause


def _commented_header(lines: list[str], delimiter: str | None, n_columns: int) -> list[str] | None:
    """Names in a comment above the numbers, where `numpy.savetxt` puts its header.

    Only the last comment counts, and only if it has one name a column: any other is prose.
    """
    first_row = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    if first_row == 0:
        return None
    text = lines[first_row - 1].lstrip("#").strip()
    names = text.split(delimiter) if delimiter else text.split()
    is_header = len(names) == n_columns > 1 and not any(_is_number(name) for name in names)
    return [name.strip() for name in names] if is_header else None


def _is_number(cell: str) -> bool:
    try:
        to_number(cell)
    except ValueError:
        return is_missing(cell)
    return True


def _counts(cells: Sequence[str]) -> bool:
    """Whether the cells count 0, 1, 2 ... or 1, 2, 3 ..., as pandas writes absent names."""
    return list(cells) in (
        [str(i) for i in range(len(cells))],
        [str(i + 1) for i in range(len(cells))],
    )


def _take_header(rows: list[list[str]]) -> list[str] | None:
    """Remove and return the first row if it is one of names."""
    first = rows[0]
    # More than one name: a single word in a row of numbers is a bad cell or an index.
    n_names = sum(not _is_number(cell) for cell in first)
    after_corner = first[1:] if first[0] == "" else first
    is_header = n_names > 1 or (n_names == 1 and len(first) == 1)
    if is_header or (len(after_corner) > 2 and _counts(after_corner)) or _has_ids(rows):
        return rows.pop(0)
    return None


def _has_ids(rows: list[list[str]]) -> bool:
    """Whether the first row names regions by ascending numbers, above one of other numbers."""
    first = rows[0]
    if len(first) < 3 or len(rows) < 2 or not all(cell.isdecimal() for cell in first):
        return False
    ids = [int(cell) for cell in first]
    return all(a < b for a, b in pairwise(ids)) and not all(c.isdecimal() for c in rows[1])


def _take_index(rows: list[list[str]], header: list[str] | None) -> list[str] | None:
    """Remove and return the first cell of every row if these are names."""
    if not rows or any(len(row) < 2 for row in rows):
        return None
    first = [row[0] for row in rows]
    are_names = not any(_is_number(cell) for cell in first)
    # Above an index, pandas writes an empty corner, and R none.
    is_pandas = header is not None and header[0] == ""
    is_r = header is not None and len(header) == len(rows[0]) - 1 and _counts(first)
    if not (are_names or is_pandas or is_r):
        return None
    for row in rows:
        del row[0]
    return first


def _names(labels: list[str] | None) -> tuple[str, ...] | None:
    return None if labels is None or _counts(labels) else tuple(labels)


def _parse(rows: list[list[str]], has_index: bool, source: str) -> NDArray[np.float64]:
    n_columns = len(rows[0])
    values = np.empty((len(rows), n_columns))
    for number, row in enumerate(rows, start=1):
        if len(row) != n_columns:
            raise ConnectomeError(
                f"{source}: row {number} of the numbers has {len(row)} values, but row 1 has "
                f"{n_columns}. Make every row equally long."
            )
        try:
            if "_" in "".join(row):  # which numpy reads as Python code does
                raise ValueError
            values[number - 1] = row
        except ValueError:
            values[number - 1] = [
                _parse_cell(cell, number, column + has_index, source)
                for column, cell in enumerate(row, start=1)
            ]
    return values


def _parse_cell(cell: str, row: int, column: int, source: str) -> float:
    if is_missing(cell):
        return np.nan
    try:
        return to_number(cell)
    except ValueError:
        shown = cell if len(cell) <= _MAX_SHOWN else f"{cell[:_MAX_SHOWN]}..."
        raise ConnectomeError(
            f"{source}: {shown!r} in row {row} of the numbers, column {column}, is not a number. "
            "Write decimals with a point, and separate values as the file's ending says."
        ) from None


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
