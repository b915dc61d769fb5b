"""Text files of numbers: matrices and time series, with or without names of rows and columns."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import ConnectomeError
from .tables import is_missing, read_text, to_number

_MAX_SHOWN = 40  # characters of a bad cell


@dataclass(frozen=True, slots=True, eq=False)
class NumericTable:
    """Numbers of a text file, with the names of rows and columns that it gives."""

    values: NDArray[np.float64]
    """Shape (rows, columns); a cell that says n/a is NaN."""
    labels: tuple[str, ...] | None
    row_labels: tuple[str, ...] | None


def read_table(path: Path, delimiter: str | None) -> NumericTable:
    """Read delimited numbers; a header row and an index column of labels are optional.

    Parameters
    ----------
    path : pathlib.Path
    delimiter : str or None
        None is a comma where there is any, else blanks and tabs.

    Raises
    ------
    ConnectomeError
        The file cannot be read, or it holds something else.
    """
    text = read_text(path, ConnectomeError)
    filled = [line for line in text.splitlines() if line.strip()]
    lines = [line for line in filled if not line.startswith("#")]
    if not lines:
        raise ConnectomeError(f"{path.name} holds only comments. Pick a file with numbers.")
    if delimiter is None and any("," in line for line in lines):
        delimiter = ","
    # numpy takes "nan(1)" for a number.
    quick = None if '"' in text or "(" in text else _read_quickly(filled, lines, delimiter)
    return quick or _read_cells(filled, lines, delimiter, path)


def _read_quickly(
    filled: list[str], lines: list[str], delimiter: str | None
) -> NumericTable | None:
    """Read a table without a cell that is anything but a number or a name, None for any other.

    Three times as quick as cell by cell, and the same for whatever it takes; a test says so.
    """
    header = _take_header([_split(line, delimiter) for line in lines[:2]])
    body = lines if header is None else lines[1:]
    first = _split(body[0], delimiter) if body else []
    if len(first) < 2:
        return None
    row_labels = None
    if not _is_number(first[0]):
        parts = [line.split(delimiter, 1) for line in body]
        row_labels = [part[0].strip() for part in parts]
        if any(len(part) < 2 for part in parts) or any(map(_is_number, row_labels)):
            return None
        body = [part[1] for part in parts]
    if header is None:
        header = _commented_header(filled, delimiter, len(first))
    elif row_labels is None and (header[0] == "" or len(header) != len(first)):
        return None  # the numbers begin with an index
    elif row_labels is not None and len(header) == len(first):
        header = header[1:]  # the corner above the index column
    values = _parse_quickly(body, delimiter, len(first) - (row_labels is not None))
    if values is None or (header is not None and len(header) != values.shape[1]):
        return None
    return NumericTable(values, _names(header), _names(row_labels))


def _split(line: str, delimiter: str | None) -> list[str]:
    return [cell.strip() for cell in line.split(delimiter)]


def _parse_quickly(
    lines: list[str], delimiter: str | None, n_columns: int
) -> NDArray[np.float64] | None:
    values = np.empty((len(lines), n_columns))
    separator = delimiter or " "
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy's word for what it cannot read
        for row, line in zip(values, lines, strict=True):
            if delimiter is not None and (" " in line or line.count(delimiter) != n_columns - 1):
                return None
            try:
                numbers = np.fromstring(line, sep=separator)
            except (DeprecationWarning, ValueError):
                return None
            if len(numbers) != n_columns:
                return None
            row[:] = numbers
    return values


def _read_cells(
    filled: list[str], lines: list[str], delimiter: str | None, path: Path
) -> NumericTable:
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
    return NumericTable(values, _names(header), _names(row_labels))


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
    """Names in a comment, where `numpy.savetxt` puts its header: one name a column.

    The last comment above the numbers comes first, then any other. A comment of another number of
    words is prose.
    """
    first_row = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    above, below = lines[:first_row][::-1], lines[first_row:]
    for line in (*above, *(line for line in below if line.startswith("#"))):
        text = line.lstrip("#").strip()
        for separator in (*filter(None, [delimiter]), "\t", ",", None):
            names = [name.strip() for name in text.split(separator)]
            if len(names) == n_columns > 1 and not any(_is_number(name) for name in names):
                return names
    return None


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
