"""Which array of a file with several is meant, and which one names its regions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .errors import ConnectomeError
from .raw_array import Kind, RawArray, check_no_triangle, is_triangle, size_text
from .tables import one_line, shortened

ARRAY_NAMES: Mapping[str, Kind] = MappingProxyType(
    {"connectome": "connectome", "correlations": "connectome", "timeseries": "timeseries"}
)
"""Names that say what an array in a file of several is."""

LABELS = "labels"
"""The name of the array of region names; no other is read."""

LABEL_NAME = re.compile(
    r"label|(^|_)(names?|regions?|rois?|parcels?|nodes?|columns?|channels?|areas?|order)$",
    re.IGNORECASE,
)
"""Names under which region names, or their order, may stand."""

_Z_NAMES = frozenset({"fcz", "zfc", "fisherz"})
"""Names of Fisher z, in lower case and without what is no letter."""
_MAYBE_Z_NAMES = frozenset({"z", "zmat", "zmatrix"})
"""Names of Fisher z, and of z statistics, which are several times as large."""

STRUCT = "struct"
"""What MATLAB calls a group of fields."""

_OF_CONN = "names"
_MAX_LISTED = 10


@dataclass(frozen=True, slots=True)
class Stored:
    """One array in a file, as it is described there, unread."""

    name: str
    """Of a variable, or the path of a data set: ``"group/fc"``."""
    shape: tuple[int, ...]
    holds: Literal["numbers", "text", "other"]
    what: str
    """Its type in the format's own words, for messages: ``"cell array"``."""
    separator: str = "/"
    """Between the parts of its path: in MATLAB a point, ``"sub.fc"``."""

    @property
    def last(self) -> str:
        """The last part of its path."""
        return self.name.rpartition(self.separator)[2]

    @property
    def group(self) -> str:
        """The path before the last part."""
        return self.name.rpartition(self.separator)[0]

    @property
    def is_struct(self) -> bool:
        """Whether it is one of MATLAB's, whose fields have names."""
        return self.what == STRUCT

    @property
    def is_matrix(self) -> bool:
        """Whether it could be regions by regions or time by regions."""
        return self.holds == "numbers" and len(self.shape) == 2 and min(self.shape) > 1

    def __str__(self) -> str:
        return f"{shortened(self.name)} ({self.what}, {size_text(self.shape)})"


def array_meant(
    found: Sequence[Stored], variable: str | None, source: str, what: str = "variable"
) -> Stored:
    """The array that is to be read.

    Parameters
    ----------
    found : sequence of Stored
        All arrays of the file.
    variable : str or None
        The name that the caller gave.
    source : str
        The file, for messages.
    what : str
        What the format calls an array.

    Returns
    -------
    Stored
        Of numbers. The one named; else the one whose name is in `ARRAY_NAMES`; else the only
        matrix.

    Raises
    ------
    ConnectomeError
        There is no such array, it holds no numbers, or nobody can tell which one is meant.
    """
    if variable is not None:
        return _named(found, variable, source, what)
    known = [each for each in found if each.last in ARRAY_NAMES]
    if len(known) > 1:
        both = " and ".join(repr(one_line(each.name)) for each in known[:2])
        raise ConnectomeError(
            f"{source} holds both {both}. Keep the one that is meant, or name it with --variable."
        )
    if known:
        return _checked(known[0], found, source, what)
    matrices = [each for each in found if each.is_matrix]
    if len(matrices) == 1:
        return matrices[0]
    lists = [each for each in found if each.holds == "numbers" and is_triangle(each.shape)]
    if not matrices and len(lists) == 1:
        check_no_triangle(lists[0].shape, f"{source}[{one_line(lists[0].name)}]")
    struct = next((shortened(each.name) for each in found if each.is_struct), None)
    field = "" if struct is None else f" (a field of a struct as {struct}.FIELD)"
    raise ConnectomeError(
        f"{source} holds {listed_arrays(found)}; expected {_a(what)} named "
        f"{', '.join(ARRAY_NAMES)} or only one matrix of numbers. Save the matrix under one of "
        f"these names, or name it with --variable{field}."
    )


def named_array(
    meant: Stored, values: NDArray[np.float64], labels: tuple[str, ...] | None
) -> RawArray:
    """What was read, with what its name says that it is.

    Parameters
    ----------
    meant : Stored
    values : numpy.ndarray, shape (rows, columns)
    labels : tuple of str, optional
    """
    kind = ARRAY_NAMES.get(meant.last)
    name = re.sub(r"[^a-z]", "", meant.last.lower())
    diagonal = np.diagonal(values)
    # Correlations with themselves are 1, of which the Fisher z is infinite: no name says otherwise.
    if kind is None and name in _Z_NAMES | _MAYBE_Z_NAMES and not (diagonal == 1.0).any():
        why = f"its name is {one_line(meant.last)}"
        is_sure = name in _Z_NAMES or not np.isfinite(diagonal).any()
        return RawArray(values, labels, scale="z" if is_sure else "maybe z", why=why)
    return RawArray(values, labels, kind=kind)


def labels_beside(found: Sequence[Stored], meant: Stored, source: str) -> Stored | None:
    """The array of region names of a matrix.

    Parameters
    ----------
    found : sequence of Stored
        Arrays that could name its regions.
    meant : Stored
        The matrix.
    source : str
        The file, for messages.

    Returns
    -------
    Stored or None
        The one named ``labels`` in the group of the matrix; None if nothing names its regions.

    Raises
    ------
    ConnectomeError
        It holds no text; or there is none, and region names seem to stand elsewhere: what says
        which region is which is never ignored.
    """
    own = f"{meant.group}{meant.separator}{LABELS}" if meant.group else LABELS
    others = [each for each in found if each.name != meant.name]
    for each in others:
        if each.name == own:
            if each.holds != "text":
                raise ConnectomeError(
                    f"{source}[{one_line(own)}] is {_a(each.what)} of size "
                    f"{size_text(each.shape)}, expected text. Save one name for each region, as a "
                    "list of text."
                )
            return each
    for each in others:
        is_single = each.holds != "other" and max(each.shape, default=1) <= 1
        if is_single:  # "n_regions", "atlas_name"
            continue
        is_long = each.holds == "text" and max(each.shape) in meant.shape
        if is_long or LABEL_NAME.search(each.last):
            break
    else:
        return None
    if each.name == _OF_CONN and meant.name == "Z":
        raise ConnectomeError(
            f"{source} has CONN's Z and names, but not names2 (as text), which says what its "
            "columns are. Give the file as CONN wrote it, resultsROI_Subject*_Condition*.mat."
        )
    raise ConnectomeError(
        f"{source}: the order of regions may be in {one_line(each.name)!r}, but labels are read "
        f"from {one_line(own)!r} alone. Rename it to {one_line(own)}, or leave it out if the order "
        "is the bundle's."
    )


def listed_arrays(found: Sequence[Stored]) -> str:
    """The first arrays of a file, for messages."""
    shown = ", ".join(map(str, found[:_MAX_LISTED])) or "nothing"
    more = len(found) - _MAX_LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _named(found: Sequence[Stored], variable: str, source: str, what: str) -> Stored:
    same = [each for each in found if each.name == variable]
    if not same:
        raise ConnectomeError(
            f"There is no {what} {one_line(variable)!r} in {source}, which holds "
            f"{listed_arrays(found)}. Name one of those with --variable."
        )
    if len(same) > 1:
        raise ConnectomeError(
            f"{source} holds more than one {what} {one_line(variable)!r}. Save the one that is "
            "meant into a file of its own."
        )
    return _checked(same[0], found, source, what)


def _checked(stored: Stored, found: Sequence[Stored], source: str, what: str) -> Stored:
    if stored.holds != "numbers":
        advice = f"Save the matrix itself as {_a(what)}."
        if stored.is_struct:
            fields = [each for each in found if each.group == stored.name]
            there = listed_arrays(fields) if fields else f"{one_line(stored.name)}.FIELD"
            advice = f"Name one of its fields with --variable: {there}."
        raise ConnectomeError(
            f"{source}[{one_line(stored.name)}] is {_a(stored.what)}, expected a matrix of real "
            f"numbers. {advice}"
        )
    return stored


def _a(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeio' else 'a'} {noun}"
