"""Tables that name the regions of a label image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .connectome_checks import listed
from .errors import ConnectomeError
from .tables import file_label, one_line, read_table, read_text, shown, to_number

ID_COLUMNS = ("index", "value", "id")
"""Columns with the number that a region has in the image; the first that is there counts."""
NAME_COLUMNS = ("name", "label", "region")
"""Columns with its name."""

_DELIMITERS = {".tsv": "\t", ".csv": ","}


def read_label_table(path: Path) -> Mapping[int, str]:
    """Names of regions by their numbers.

    Parameters
    ----------
    path : pathlib.Path
        ``.tsv`` or ``.csv`` with one of `ID_COLUMNS` and one of `NAME_COLUMNS` in any case, as
        BIDS writes ``dseg.tsv``; or ``.txt`` with a number, a name and a color a line, as in
        FreeSurfer's color tables. The number 0 is the background and left out.

    Returns
    -------
    mapping of int to str
        In the order of numbers.

    Raises
    ------
    ConnectomeError
        It is no such table, or a number or a name stands twice.
    """
    names, _ = _read(path)
    return names


def names_of_regions(ids: Sequence[int], path: Path, image: str) -> Mapping[int, str]:
    """What `read_label_table` reads, where it names all regions of an image.

    Parameters
    ----------
    ids : sequence of int
        Numbers of the regions in the image, from 1 on.
    path : pathlib.Path
        The table.
    image : str
        The image, for messages.

    Raises
    ------
    ConnectomeError
        A region has no name; what `read_label_table` refuses.
    """
    names, name_of_0 = _read(path)
    unnamed = [str(region) for region in ids if region not in names]
    if unnamed:
        source = file_label(path)
        advice = "Give the table of this label image."
        if name_of_0 is not None and all(region - 1 in {0, *names} for region in ids):
            advice = (
                f"{source} seems to count from 0, which it names {shown(name_of_0)}, and the image "
                "from 1. If so, add 1 to the numbers of the table."
            )
        raise ConnectomeError(
            f"{image} has regions that {source} does not name: {listed(unnamed)}. {advice}"
        )
    return names


def _read(path: Path) -> tuple[Mapping[int, str], str | None]:
    """Names by numbers from 1 on, and what the table says of 0."""
    source, ending = file_label(path), path.suffix.lower()
    if ending in _DELIMITERS:
        rows = _table_rows(path, _DELIMITERS[ending], source)
    elif ending == ".txt":
        rows = _lut_rows(read_text(path, ConnectomeError), source)
    else:
        raise ConnectomeError(
            f"{source} has the ending {path.suffix or '(none)'!r}, expected a table of region "
            "names as .tsv, .csv or .txt."
        )
    return _checked(rows, source)


def _table_rows(path: Path, delimiter: str, source: str) -> list[tuple[str, str]]:
    table = read_table(path, delimiter, ConnectomeError)
    columns = {name.lower(): cells for name, cells in table.columns.items()}
    ids = next((columns[name] for name in ID_COLUMNS if name in columns), None)
    names = next((columns[name] for name in NAME_COLUMNS if name in columns), None)
    if ids is None or names is None:
        wanted, kind = (ID_COLUMNS, "number") if ids is None else (NAME_COLUMNS, "name")
        raise ConnectomeError(
            f"{source} has the columns {one_line(listed(list(table.columns)))}, expected the "
            f"{kind} of each region in one named {' or '.join(wanted)}. Rename it."
        )
    return list(zip(ids, names, strict=True))


def _lut_rows(text: str, source: str) -> list[tuple[str, str]]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        region, name = _lut_row(line)
        # ITK-SNAP's tables have the color first.
        if not name or name.split()[0].isdecimal():
            raise ConnectomeError(
                f"{source}, line {number}: expected a number and the name of a region, as in "
                f"'17 Left-Hippocampus 220 216 20 0', found {line[:60]!r}. Save the "
                "table like this, or as .tsv with columns index and name."
            )
        rows.append((region, name))
    return rows


def _lut_row(line: str) -> tuple[str, str]:
    """Number and name; the color may be absent, and may lack its fourth value."""
    if "\t" in line:
        region, name, *_ = line.split("\t")
        return region.strip(), name.strip()
    region, *words = line.split()
    n_numbers = next((n for n, word in enumerate(words[::-1]) if not word.isdecimal()), len(words))
    n_color = min(n_numbers, 4) if n_numbers >= 3 else 0
    return region, " ".join(words[: len(words) - n_color])


def _checked(rows: Iterable[tuple[str, str]], source: str) -> tuple[Mapping[int, str], str | None]:
    names: dict[int, str] = {}
    name_of_0 = None
    for cell, name in rows:
        region = _region_number(cell, source)
        if region == 0:
            name_of_0 = name
            continue
        if region in names:
            raise ConnectomeError(
                f"{source} names region {region} twice ({one_line(names[region])}, "
                f"{one_line(name)}). Keep one."
            )
        if not name:
            raise ConnectomeError(f"{source} gives region {region} an empty name. Name it.")
        names[region] = name
    if not names:
        raise ConnectomeError(f"{source} names no region. Pick the table of the atlas.")
    by_name: dict[str, int] = {}
    for region, name in names.items():
        if by_name.setdefault(name, region) != region:
            raise ConnectomeError(
                f"{source} names regions {by_name[name]} and {region} both {name!r}. "
                "Give each region its own name."
            )
    return dict(sorted(names.items())), name_of_0


def _region_number(cell: str, source: str) -> int:
    try:
        number = to_number(cell)
    except ValueError:
        number = -1.0
    if not (0 <= number < 2**31 and number == int(number)):
        raise ConnectomeError(
            f"{source}: {cell[:40]!r} is not the number of a region, expected a whole "
            "number from 0 (background) on."
        )
    return int(number)
