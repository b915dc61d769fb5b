"""Text files of numbers: matrices and time series, with or without names of rows and columns."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import ConnectomeError
from .raw_array import (
    MAX_REGIONS,
    MAX_TIME_POINTS,
    check_bytes,
    check_no_triangle,
    check_shape,
)
from .table_names import commented_header, index_names, is_number, names_of, taken_header
from .tables import file_label, is_missing, one_line, read_text, shown, to_number

_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # where `str.splitlines` does
_MAX_LINES = 5 * MAX_TIME_POINTS  # of them some may be blank, or comments
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")


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
        None is a comma where there is any, else blanks and tabs. Semicolons count as well where a
        comma would, if all lines have them and no decimal commas.

    Raises
    ------
    ConnectomeError
        The file cannot be read, it holds something else, or more than `MAX_REGIONS` columns.
    """
    source = file_label(path)
    text = read_text(path, ConnectomeError)
    filled = _lines_of(text, source)
    # numpy takes "nan(1)" for a number.
    is_plain = '"' not in text and "(" not in text
    del text  # it may be as large as the lines
    lines = [line for line in filled if not line.startswith("#")]
    if not lines:
        raise ConnectomeError(f"{source} holds only comments. Pick a file with numbers.")
    if delimiter != "\t" and all(";" in line for line in lines):
        delimiter = _semicolons(lines, delimiter, source)
    if delimiter is None and any("," in line for line in lines):
        delimiter = ","
    _check_size(lines, delimiter, source)
    quick = _read_quickly(filled, lines, delimiter) if is_plain else None
    return quick or _read_cells(filled, lines, delimiter, source)


def _lines_of(text: str, source: str) -> list[str]:
    """Lines that are not blank; refused where they alone would fill the memory."""
    if sum(map(text.count, _LINE_ENDS)) > _MAX_LINES:
        raise ConnectomeError(
            f"{source} has more than {_MAX_LINES} lines, expected at most {MAX_TIME_POINTS} rows. "
            "Check that this is the file you meant."
        )
    return [line for line in text.splitlines() if line.strip()]


def _semicolons(lines: list[str], delimiter: str | None, source: str) -> str | None:
    """What separates cells where every line has a semicolon: it, unless its numbers have commas."""
    last = lines[-1]
    if "," not in last:
        return ";"
    for cell in last.split(";", MAX_REGIONS):
        if _DECIMAL_COMMA.fullmatch(cell.strip().strip('"')):
            raise ConnectomeError(
                f"{source} separates values by semicolons and writes decimals with a comma "
                f"({shown(cell.strip())} in its last row). Write decimals with a point: "
                "pandas.read_csv(file, sep=';', decimal=',') reads such a file, and its to_csv "
                "writes one that is read here."
            )
    return delimiter


def _check_size(lines: list[str], delimiter: str | None, source: str) -> None:
    """Refuse more numbers than are ever read, before there are any."""
    for number, line in enumerate(lines, start=1):
        if len(line) <= 2 * MAX_REGIONS:  # fewer characters are fewer numbers
            continue
        cells = line.split(delimiter, MAX_REGIONS + 1)
        if len(cells) > MAX_REGIONS + 1:  # one may be an index
            if len(lines) == 1:
                check_no_triangle((line.strip().count(delimiter or " ") + 1,), source)
            raise ConnectomeError(
                f"{source}: row {number} has more than {MAX_REGIONS} columns, expected at most "
                "that many, one a region. Check that this is the file you meant."
            )
    n_columns = len(lines[0].split(delimiter, MAX_REGIONS))
    if n_columns == 1 and len(lines) > MAX_TIME_POINTS:
        check_no_triangle((len(lines) - (not is_number(lines[0])),), source)
    check_shape((len(lines) - 1, n_columns), source)  # one may be a header
    check_bytes((len(lines), n_columns), np.dtype(np.float64).itemsize, source)


def _read_quickly(
    filled: list[str], lines: list[str], delimiter: str | None
) -> NumericTable | None:
    """Read a table without a cell that is anything but a number or a name, None for any other.

    Three times as quick as cell by cell, and the same for whatever it takes; a test says so.
    """
    header = taken_header([_split(line, delimiter) for line in lines[:2]])
    body = lines if header is None else lines[1:]
    first = _split(body[0], delimiter) if body else []
    if len(first) < 2:
        return None
    row_labels = None
    if not is_number(first[0]):
        parts = [line.split(delimiter, 1) for line in body]
        row_labels = [part[0].strip() for part in parts]
        if any(len(part) < 2 for part in parts) or any(map(is_number, row_labels)):
            return None
        body = [part[1] for part in parts]
    if header is None:
        header = commented_header(filled, delimiter, len(first))
    elif row_labels is None and (header[0] == "" or len(header) != len(first)):
        return None  # the numbers begin with an index
    elif row_labels is not None and len(header) == len(first):
        header = header[1:]  # the corner above the index column
    values = _parse_quickly(body, delimiter, len(first) - (row_labels is not None))
    if values is None or (header is not None and len(header) != values.shape[1]):
        return None
    return NumericTable(values, names_of(header), names_of(row_labels))


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
    filled: list[str], lines: list[str], delimiter: str | None, source: str
) -> NumericTable:
    """Read any table cell by cell, and twice: all its cells at once could fill the memory."""
    begin = list(islice(_cells(lines, delimiter, source), 2))
    header = taken_header(begin)
    if not begin:
        raise ConnectomeError(
            f"{source} has a header but no numbers under it. Check how it was written."
        )
    n_cells, n_above = len(begin[0]), int(header is not None)
    if header is None:
        header = commented_header(filled, delimiter, n_cells)
    first = [row[:2] for row in islice(_cells(lines, delimiter, source), n_above, None)]
    row_labels = index_names(first, header, n_cells, source)
    if header is not None and row_labels is not None and len(header) == n_cells:
        header = header[1:]  # the corner above the index column
    body = islice(_cells(lines, delimiter, source), n_above, None)
    shape = len(first), n_cells - (row_labels is not None)
    values = _parse(body, shape, row_labels is not None, source)
    if header is not None and len(header) != values.shape[1]:
        raise ConnectomeError(
            f"{source} names {len(header)} columns in its header but holds {values.shape[1]} "
            "numbers a row. Give each column one name."
        )
    return NumericTable(values, names_of(header), names_of(row_labels))


def _cells(lines: list[str], delimiter: str | None, source: str) -> Iterator[list[str]]:
    if delimiter is None:
        yield from (line.split() for line in lines)
        return
    try:
        # Strict, so that a quote that is never closed does not swallow rows.
        for row in csv.reader(lines, delimiter=delimiter, strict=True):
            yield list(map(str.strip, row))
    except csv.Error as cause:
        raise ConnectomeError(
            f"{source} cannot be read as a table: {one_line(str(cause))}. Check its "
            "quotes and separators."
        ) from cause


def _parse(
    rows: Iterable[list[str]], shape: tuple[int, int], has_index: bool, source: str
) -> NDArray[np.float64]:
    values = np.empty(shape)
    n_columns = shape[1]
    for number, cells in enumerate(rows, start=1):
        row = cells[has_index:]
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
        raise ConnectomeError(
            f"{source}: {shown(cell)} in row {row} of the numbers, column {column}, is not a "
            "number. Write decimals with a point, and separate values as the file's ending says."
        ) from None
