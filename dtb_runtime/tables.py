"""Delimited text with a header, read whole and checked, for every table the runtime takes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .errors import DataError

MAX_TEXT_BYTES = 512 * 1024 * 1024
"""A larger text file is refused unread: no parcellated connectome or events table comes near."""

_MISSING = frozenset({"", "n/a", "na", "nan", "none"})


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value: empty, ``n/a``, ``NA``, ``NaN``, ``None``."""
    return cell.strip().lower() in _MISSING


def to_number(cell: str) -> float:
    """The number in a cell; raises ValueError if it is none, or is written as code (``1_000``)."""
    if "_" in cell:
        raise ValueError(f"{cell!r} is not a number")
    return float(cell)


def file_label(path: Path) -> str:
    """A file's name as one line of text that can be printed and stored anywhere.

    Names may hold line breaks, escape codes of terminals and bytes that are no text.
    """
    return one_line(path.name)


def one_line(text: str) -> str:
    """Text with what is not printable written as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a table as text, by column."""

    source: str
    """File name, for messages."""
    columns: Mapping[str, tuple[str, ...]]
    """Column name to its cells, top to bottom, without surrounding blanks."""
    n_rows: int
    """Number of rows under the header."""


def read_text(path: Path, error: type[DataError]) -> str:
    """Text of a file, without a byte order mark.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    error : type of DataError
        The class of what is raised.

    Raises
    ------
    DataError
        The file is missing, a folder, not readable, too large, empty or not text.
    """
    check_is_file(path, error)
    size = path.stat().st_size
    if size > MAX_TEXT_BYTES:
        raise error(
            f"{path.name} is {size / 1e9:.1f} GB of text; at most {MAX_TEXT_BYTES / 1e9:.1f} GB "
            "is read. Check that this is the file you meant."
        )
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise error(f"{path} cannot be read: {cause.strerror or cause}.") from cause
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(
            f"{path.name} is not a text file (byte {cause.start} is not UTF-8), but its name ends "
            f"in {path.suffix or 'nothing'}. Save it as UTF-8 text or give it its right ending."
        ) from cause
    if "\0" in text:
        raise error(
            f"{path.name} is not a text file (it holds zero bytes), but its name ends in "
            f"{path.suffix or 'nothing'}. Save it as UTF-8 text or give it its right ending."
        )
    if not text.strip():
        raise error(f"{path.name} is empty. Check how it was written, or pick another file.")
    return text


def check_is_file(path: Path, error: type[DataError]) -> None:
    """Raise `error` with a sentence unless `path` is an existing regular file."""
    try:
        if path.is_dir():
            raise error(f"{path} is a folder, not a file. Give the path of a file inside it.")
        if not path.exists():
            raise error(f"There is no file at {path}. Check the path.")
        if not path.is_file():
            raise error(f"{path} is not a regular file. Give the path of a file on disk.")
    except OSError as cause:  # a name too long, a folder without permission
        raise error(f"{path} cannot be read: {cause.strerror or cause}.") from cause


def read_table(path: Path, delimiter: str, error: type[DataError]) -> Table:
    """Cells of a delimited text file whose first row names the columns.

    Parameters
    ----------
    path : pathlib.Path
        The file, UTF-8.
    delimiter : str
        The character between cells. Cells may be quoted with ``"``.
    error : type of DataError
        The class of what is raised.

    Raises
    ------
    DataError
        What `read_text` refuses; nothing but empty cells; a column name that stands twice; a row
        with more or fewer cells than the header.
    """
    text = read_text(path, error)
    try:
        # Any line ending; strict, so that a quote that is never closed does not swallow rows.
        lines = io.StringIO(text, newline=None)
        rows = [row for row in csv.reader(lines, delimiter=delimiter, strict=True) if any(row)]
    except csv.Error as cause:
        raise error(
            f"{path.name} cannot be read as a table: {cause}. Check its quotes and separators."
        ) from cause
    if not rows:
        raise error(f"{path.name} holds no cell with anything in it. Check how it was written.")
    header = [name.strip() for name in rows[0]]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise error(
            f"{path.name} has more than one column named {repeated[0]!r}. "
            "Rename or remove all but one."
        )
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise error(
                f"{path.name}, row {number} under the header has {len(row)} cells, but the header "
                f"names {len(header)} columns. Make every row as long as the header."
            )
    cells = zip(*rows[1:], strict=True) if len(rows) > 1 else [()] * len(header)
    columns = {
        name: tuple(cell.strip() for cell in column)
        for name, column in zip(header, cells, strict=True)
    }
    return Table(source=file_label(path), columns=MappingProxyType(columns), n_rows=len(rows) - 1)
