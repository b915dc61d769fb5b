"""MATLAB files of version 7.3, which are HDF5 files with conventions of MATLAB's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from .array_choice import STRUCT, Stored
from .errors import ConnectomeError
from .hdf5_objects import MAX_OBJECTS, described, names_in
from .hdf5_values import MAX_TEXTS, numbers_of
from .matlab_headers import NUMBER_CLASSES
from .tables import one_line

if TYPE_CHECKING:
    import h5py

_GROUPS: Mapping[str, str] = MappingProxyType(
    {"struct": STRUCT, "function_handle": "function handle"}
)
_MAX_CHARS = 10_000  # of one text


class MatlabV73:
    """The variables of a file, described; each is read when it is asked for.

    MATLAB keeps arrays column by column, so every data set is the transpose of its variable.

    Parameters
    ----------
    file : h5py.File
    source : str
        Its name, for messages.

    Raises
    ------
    ConnectomeError
        It holds links, or data sets that take their numbers from elsewhere.
    """

    def __init__(self, file: h5py.File, source: str) -> None:
        self._file = file
        self._source = source
        self._items: dict[str, h5py.Dataset | h5py.Group] = {}
        self.found = self._stored_in(file)
        """All variables."""

    def fields(self, stored: Stored) -> tuple[Stored, ...]:
        """The fields of a struct, described.

        Raises
        ------
        ConnectomeError
            As when the file was opened.
        """
        return self._stored_in(self._items[stored.name], f"{stored.name}.")

    def numbers(self, stored: Stored) -> NDArray[np.generic]:
        """A variable that holds numbers, rows and columns as in MATLAB.

        Raises
        ------
        ConnectomeError
            It is too large by what it claims, or packed with a filter that is not built in.
        """
        data_set = self._items[stored.name]
        if "MATLAB_empty" in data_set.attrs:
            return np.zeros((0, 0))
        return numbers_of(data_set, self._source).T

    def texts(self, stored: Stored) -> tuple[str, ...]:
        """A variable that holds text: rows of a char matrix, or cells with one text each.

        Raises
        ------
        ConnectomeError
            A cell holds something else; there are too many; what `numbers` refuses.
        """
        import h5py

        data_set = self._items[stored.name]
        where = f"{self._source}[{one_line(stored.name)}]"
        if math.prod(data_set.shape) > MAX_TEXTS:
            raise ConnectomeError(
                f"{where} holds more than {MAX_TEXTS:,} characters or cells. Save one name for "
                "each region."
            )
        if _class_of(data_set) == "char":
            return _rows(data_set, where)
        if h5py.check_ref_dtype(data_set.dtype) is not h5py.Reference:
            raise ConnectomeError(
                f"{where} is no list of text. Save one name for each region, as a cell array of "
                "char."
            )
        texts: list[str] = []
        for number, reference in enumerate(np.ravel(data_set[()]), start=1):
            cell = self._file[reference] if reference else None
            is_text = isinstance(cell, h5py.Dataset) and _class_of(cell) == "char"
            rows = _rows(cell, f"{where}, cell {number}") if is_text else ()
            if len(rows) != 1:
                raise ConnectomeError(
                    f"{where}, cell {number} holds no text. Save one name for each region, as a "
                    "cell array of char."
                )
            texts += rows
        return tuple(texts)

    def _stored_in(self, group: h5py.Group, prefix: str = "") -> tuple[Stored, ...]:
        """Describe the variables of the file, or the fields of a struct."""
        if len(group) > MAX_OBJECTS:
            raise ConnectomeError(
                f"{self._source} holds more than {MAX_OBJECTS:,} variables. Save the matrix into a "
                "file of its own."
            )
        # What cells refer to stands beside the variables, under names that no variable can have.
        names = [name for name in names_in(group, self._source) if name[:1] != "#"]
        return tuple(self._stored(group, name, f"{prefix}{name}") for name in names)

    def _stored(self, group: h5py.Group, key: str, name: str) -> Stored:
        import h5py

        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise ConnectomeError(
                f"{one_line(name)!r} in {self._source} is a link to elsewhere, as MATLAB writes "
                "none, and links are not followed. Save the variables again."
            )
        item = self._items[name] = group[key]
        matlab_class = _class_of(item)
        if not isinstance(item, h5py.Dataset):
            what = _GROUPS.get(matlab_class, "MATLAB object")
            if "MATLAB_sparse" in item.attrs:
                what = "sparse matrix in version 7.3 (save full(x))"
            return Stored(name, (), "other", what, ".")
        stored = described(item, self._source)
        if item.shape is None:
            return Stored(name, (), stored.holds, stored.what, ".")
        shape = stored.shape[::-1]
        if "MATLAB_object_decode" in item.attrs:
            what = f"MATLAB object of class {one_line(matlab_class)}"
            return Stored(name, shape, "other", what, ".")
        holds: Literal["numbers", "text", "other"] = "other"
        what = f"variable of class {one_line(matlab_class)}" if matlab_class else stored.what
        if matlab_class in ("char", "cell"):
            holds, what = "text", "char array" if matlab_class == "char" else "cell array"
            shape = shape[:-1] if matlab_class == "char" else shape  # rows, as for version 5
        elif stored.holds == "numbers" and (matlab_class in NUMBER_CLASSES or not matlab_class):
            holds, what = "numbers", f"matrix of class {matlab_class or 'unknown'}"
        return Stored(name, shape, holds, what, ".")


def _class_of(item: h5py.Dataset | h5py.Group) -> str:
    """The class that MATLAB gave a variable; empty without one."""
    value = item.attrs.get("MATLAB_class", b"")
    if isinstance(value, bytes):
        return bytes(value).decode("ascii", "backslashreplace")
    return value if isinstance(value, str) else "unknown"


def _rows(data_set: h5py.Dataset, where: str) -> tuple[str, ...]:
    """The rows of a char array, without blanks around them; one empty text where it is empty."""
    if described(data_set, where).holds != "numbers" or len(data_set.shape) not in (1, 2):
        raise ConnectomeError(f"{where} is no char array as MATLAB writes one. Save it again.")
    if "MATLAB_empty" in data_set.attrs:
        return ("",)
    if math.prod(data_set.shape) > MAX_TEXTS or data_set.shape[0] > _MAX_CHARS:
        raise ConnectomeError(f"{where} is longer than the name of a region. Save names only.")
    codes = np.atleast_2d(numbers_of(data_set, where).T)
    units = np.ascontiguousarray(codes).astype("<u2")  # UTF-16, whatever the width
    try:
        return tuple(row.tobytes().decode("utf-16-le").strip(" \0") for row in units)
    except UnicodeDecodeError as cause:
        raise ConnectomeError(
            f"{where} holds text that cannot be decoded. Save it again."
        ) from cause
