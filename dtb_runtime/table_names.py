"""Names of rows and columns in text files of numbers: headers, comments, an index."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .errors import ConnectomeError
from .tables import is_missing, shown, to_number

_MAX_DIGITS = 18  # of a number that names a region; Python reads no more than 4300


def commented_header(lines: list[str], delimiter: str | None, n_columns: int) -> list[str] | None:
    """Names in a comment, where `numpy.savetxt` puts its header: one name a column.

    The last comment above the numbers comes first, then any other. A comment of another number of
    words is prose.
    """
    first_row = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    above, below = lines[:first_row][::-1], lines[first_row:]
    for line in (*above, *(line for line in below if line.startswith("#"))):
        text = line.lstrip("#").strip()
        for separator in (*filter(None, [delimiter]), "\t", ",", ";", None):
            names = [name.strip() for name in text.split(separator, n_columns)]
            if len(names) == n_columns > 1 and not any(is_number(name) for name in names):
                return names
    # One name a line.
    names = [line.lstrip("#").strip() for line in above[::-1]]
    if len(names) == n_columns > 1 and all(map(_is_name, names)):
        return names
    return None


def _is_name(cell: str) -> bool:
    """Whether it is one word, and no number."""
    return len(cell.split()) == 1 and not is_number(cell)


def is_number(cell: str) -> bool:
    """Whether it is one, or says that there is none."""
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


def taken_header(rows: list[list[str]]) -> list[str] | None:
    """Remove and return the first row if it is one of names."""
    first = rows[0]
    # More than one name: a single word in a row of numbers is a bad cell or an index.
    n_names = sum(not is_number(cell) for cell in first)
    after_corner = first[1:] if first[0] == "" else first
    is_header = n_names > 1 or (n_names == 1 and len(first) == 1)
    if is_header or (len(after_corner) > 2 and _counts(after_corner)) or _has_ids(rows):
        return rows.pop(0)
    return None


def _has_ids(rows: list[list[str]]) -> bool:
    """Whether the first row names regions by ascending numbers, above one of other numbers."""
    first = rows[0]
    if len(first) < 3 or len(rows) < 2 or not all(map(_is_id, first)):
        return False
    ids = [int(cell) for cell in first]
    return all(a < b for a, b in pairwise(ids)) and not all(c.isdecimal() for c in rows[1])


def _is_id(cell: str) -> bool:
    return cell.isdecimal() and len(cell) <= _MAX_DIGITS


def index_names(
    first: list[list[str]], header: list[str] | None, n_cells: int, source: str
) -> list[str] | None:
    """The first cell of every row if these are names; `first` has the two first of each."""
    if any(len(row) < 2 for row in first):
        return None
    names = [row[0] for row in first]
    are_names = not any(is_number(cell) for cell in names)
    # Above an index, pandas writes an empty corner, and R none.
    is_pandas = header is not None and header[0] == ""
    is_r = header is not None and len(header) == n_cells - 1 and _counts(names)
    if is_pandas and header is not None and names != header[1:]:
        words = [name for name in names if not is_number(name)]
        if words and len(words) < len(names) / 2:
            raise ConnectomeError(
                f"{source} has a row {shown(words[0])} among rows that are counted. If it sums up "
                "the others, as a mean does, leave it out."
            )
    return names if are_names or is_pandas or is_r else None


def names_of(labels: list[str] | None) -> tuple[str, ...] | None:
    """Names of rows or columns; None where they only count."""
    return None if labels is None or _counts(labels) else tuple(labels)
