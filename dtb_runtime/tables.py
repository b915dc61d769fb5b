"""Delimited text with a header, read whole and checked, for every table the runtime takes."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .errors import DataError

MAX_TEXT_BYTES = 256 * 1024 * 1024
"""A larger text file is refused unread: no parcellated connectome or cohort's table comes near."""
MAX_COLUMNS = 10_000
"""Of a table with a header."""
MAX_LINES = 5_000_000
"""The same, with lines that are blank: more than twice the people of any cohort."""
MAX_CELLS = 20_000_000
"""The same: as Python's text they take 1.5 GB at most."""
_MAX_LISTED = 10
_MAX_SHOWN = 60

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


def shortened(text: str) -> str:
    """A cell or a name for messages: on one line, and no more of it than helps."""
    return one_line(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")


def shown(text: str) -> str:
    """The same in quotes."""
    return repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")


def listed_names(names: Iterable[str]) -> str:
    """The first names, and how many more there are; ``none`` without any."""
    every = list(names)
    first = ", ".join(map(shortened, every[:_MAX_LISTED])) or "none"
    more = len(every) - _MAX_LISTED
    return f"{first} and {more} more" if more > 0 else first


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a table as text, by column."""

    source: str
    """File name, for messages."""
    columns: Mapping[str, tuple[str, ...]]
    """Column name to its cells, top to bottom, without surrounding blanks."""
    n_rows: int
    """Number of rows under the header."""


def read_text(path: Path, error: type[DataError], max_bytes: int | None = None) -> str:
    """Text of a file, without a byte order mark.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    error : type of DataError
        The class of what is raised.
    max_bytes : int, optional
        A larger file is refused unread; by default above `MAX_TEXT_BYTES`.

    Raises
    ------
    DataError
        The file is missing, a folder, not readable, too large, empty or not text.
    """
    limit = MAX_TEXT_BYTES if max_bytes is None else max_bytes
    check_is_file(path, error)
    source = file_label(path)
    advice = ". Save it as UTF-8 text, or give another file."
    if path.suffix:
        advice = (
            f", but its name ends in {one_line(path.suffix)}. Save it as UTF-8 text or give it its "
            "right ending."
        )
    try:
        size, data = read_bytes(path, limit)
    except OSError as cause:
        raise error(f"{one_line(str(path))} cannot be read: {cause.strerror or cause}.") from cause
    if size > limit:
        raise error(
            f"{source} is {size / 1e6:.0f} MB of text; at most {limit / 1e6:.0f} MB is read. "
            "Check that this is the file you meant."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise error(
            f"{source} is not a text file (byte {cause.start} is not UTF-8){advice}"
        ) from cause
    if "\0" in text:
        raise error(f"{source} is not a text file (it holds zero bytes){advice}")
    if not text or text.isspace():
        raise error(f"{source} is empty. Check how it was written, or pick another file.")
    return text


def read_bytes(path: Path, limit: int) -> tuple[int, bytes]:
    """A file's size and its content, of which nothing is read where it is larger than a limit.

    Some files, such as those of /proc, are longer than the system says; of these, no more is read
    than a byte beyond the limit. Raises OSError.
    """
    size = path.stat().st_size
    if size > limit:
        return size, b""
    with path.open("rb") as file:
        data = file.read(size + 1)
        if len(data) > size:
            data += file.read(limit - size)
    return len(data), data


def check_is_file(path: Path, error: type[DataError]) -> None:
    """Raise `error` with a sentence unless `path` is an existing regular file."""
    place = one_line(str(path))
    try:
        if path.is_dir():
            raise error(f"{place} is a folder, not a file. Give the path of a file inside it.")
        if not path.exists():
            raise error(f"There is no file at {place}. Check the path.")
        if not path.is_file():
            raise error(f"{place} is not a regular file. Give the path of a file on disk.")
    except OSError as cause:  # a name too long, a folder without permission
        raise error(f"{place} cannot be read: {cause.strerror or cause}.") from cause


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
        with more or fewer cells than the header; more than `MAX_COLUMNS` or `MAX_CELLS`.
    """
    source = file_label(path)
    rows = _rows(read_text(path, error), delimiter, source, error)
    if not rows:
        raise error(f"{source} holds no cell with anything in it. Check how it was written.")
    header = [name.strip() for name in rows[0]]
    repeated = sorted(name for name, count in Counter(header).items() if count > 1)
    if repeated:
        raise error(
            f"{source} has more than one column named {shown(repeated[0])}. "
            "Rename or remove all but one."
        )
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise error(
                f"{source}, row {number} under the header has {len(row)} cells, but the header "
                f"names {len(header)} columns. Make every row as long as the header."
            )
    cells = zip(*rows[1:], strict=True) if len(rows) > 1 else [()] * len(header)
    columns = {
        name: tuple(cell.strip() for cell in column)
        for name, column in zip(header, cells, strict=True)
    }
    return Table(source=source, columns=MappingProxyType(columns), n_rows=len(rows) - 1)


def _rows(text: str, delimiter: str, source: str, error: type[DataError]) -> list[list[str]]:
    """Cells row by row, without rows that are empty."""
    rows: list[list[str]] = []
    n_cells = 0
    try:
        # Strict, so that a quote that is never closed does not swallow rows.
        for row in csv.reader(
            _lines(text, delimiter, source, error), delimiter=delimiter, strict=True
        ):
            n_cells += len(row)
            if n_cells > MAX_CELLS:
                raise error(
                    f"{source} has more than {MAX_CELLS} cells. Check that this is the file you "
                    "meant, or divide it."
                )
            if any(row):
                rows.append(row)
    except csv.Error as cause:
        raise error(
            f"{source} cannot be read as a table: {one_line(str(cause))}. Check its quotes and "
            "separators."
        ) from cause
    return rows


def _lines(text: str, delimiter: str, source: str, error: type[DataError]) -> Iterator[str]:
    """Lines with any line ending, neither more nor wider ones than a table may have."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > MAX_LINES:
        raise error(
            f"{source} has more than {MAX_LINES} lines. Check that this is the file you meant, or "
            "divide it."
        )
    for line in text.split("\n"):
        n_columns = line.count(delimiter) + 1
        if n_columns > MAX_COLUMNS:
            raise error(
                f"{source} has a row of {n_columns} cells, expected at most {MAX_COLUMNS} columns. "
                "Check that this is the file you meant."
            )
        yield f"{line}\n"
