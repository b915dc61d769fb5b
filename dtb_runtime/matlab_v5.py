"""MATLAB files of the versions 5 to 7.2, through scipy."""

from __future__ import annotations

import math
import os
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .array_choice import STRUCT, Stored
from .errors import ConnectomeError
from .hdf5_values import MAX_TEXTS
from .library_failures import library_failures, optional_package
from .matlab_headers import headers_of
from .raw_array import check_bytes, size_text
from .tables import file_label, one_line

_AGAIN = "Fetch it again if it was cut short, or write it again with save(file, name, '-v7')."


class MatlabV5:
    """The variables of a file, described; each is read when it is asked for.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    ConnectomeError
        The file is damaged.
    MissingDependencyError
        scipy is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._source = file_label(path)
        self._scipy = _scipy_io()
        self.found = headers_of(path)
        """All variables."""
        self._structs: dict[str, Any] = {}

    def fields(self, stored: Stored) -> tuple[Stored, ...]:
        """The fields of a struct, described; for that scipy reads all of it, and it is kept.

        Raises
        ------
        ConnectomeError
            It is an array of structs, or damaged.
        """
        if math.prod(stored.shape) != 1:
            raise ConnectomeError(
                f"{self._source}[{one_line(stored.name)}] is an array of {size_text(stored.shape)} "
                "structs, and only one struct has fields that can be named. Save the matrix itself "
                "as a variable."
            )
        value = self._value(stored.name)
        names = value.dtype.names if _is_struct(value) else ()
        return tuple(_field(f"{stored.name}.{name}", value.flat[0][name]) for name in names)

    def numbers(self, stored: Stored) -> NDArray[np.generic]:
        """A variable that holds numbers; a sparse matrix is filled with zeros.

        Raises
        ------
        ConnectomeError
            It is too large by what it claims, or damaged.
        """
        where = f"{self._source}[{one_line(stored.name)}]"
        check_bytes(stored.shape, 8, where)
        value = self._value(stored.name)
        if hasattr(value, "toarray"):
            with self._failures():
                value.check_format(full_check=True)  # else a damaged one writes anywhere
                value = value.toarray()
        return np.asarray(value)

    def texts(self, stored: Stored) -> tuple[str, ...]:
        """A variable that holds text: rows of a char matrix, or cells with one text each.

        Raises
        ------
        ConnectomeError
            A cell holds something else; there are too many; it is damaged.
        """
        where = f"{self._source}[{one_line(stored.name)}]"
        if math.prod(stored.shape) > MAX_TEXTS:
            raise ConnectomeError(
                f"{where} holds more than {MAX_TEXTS:,} texts. Save one name for each region."
            )
        value = np.asarray(self._value(stored.name))
        cells = list(np.ravel(value, order="F"))
        return tuple(_text(cell, f"{where}, cell {i}") for i, cell in enumerate(cells, start=1))

    def _value(self, name: str) -> Any:
        """A variable, or a field of one that `fields` described."""
        struct, _, field = name.rpartition(".")
        if struct in self._structs:
            value = self._structs[struct].flat[0][field]
        else:
            with self._failures(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what could not be read is told below
                read = self._scipy.loadmat(
                    os.fspath(self._path), appendmat=False, variable_names=[name]
                )
            value = read.get(name)
        if value is None or isinstance(value, str):
            raise ConnectomeError(
                f"{self._source}[{one_line(name)}] cannot be read: it is damaged. {_AGAIN}"
            )
        if _is_struct(value):
            self._structs[name] = value
        return value

    def _failures(self) -> AbstractContextManager[None]:
        return library_failures(f"{self._source} cannot be read as a MATLAB file", _AGAIN)


def _scipy_io() -> ModuleType:
    with optional_package("scipy", "Reading MATLAB files", "imaging"):
        import scipy.io.matlab
    module: ModuleType = scipy.io.matlab
    return module


def _is_struct(value: object) -> bool:
    # Objects and functions come as arrays of other classes.
    return type(value) is np.ndarray and bool(value.dtype.names) and value.size == 1


def _field(name: str, value: Any) -> Stored:
    """Describe the content of a field, in the words of `matlab_headers`."""
    holds: Literal["numbers", "text", "other"] = "other"
    what = "MATLAB object"
    if hasattr(value, "toarray"):
        holds, what = "numbers", "sparse matrix"
    elif type(value) is np.ndarray:
        if value.dtype.names:
            what = STRUCT
        elif value.dtype.kind in "fiubc":
            holds, what = "numbers", "matrix of numbers"
        elif value.dtype.kind in "UO":
            holds, what = "text", "char array" if value.dtype.kind == "U" else "cell array"
    return Stored(name, tuple(getattr(value, "shape", ())), holds, what, ".")


def _text(cell: object, where: str) -> str:
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size <= 1:
        return "".join(cell.ravel().tolist()).strip()
    raise ConnectomeError(
        f"{where} holds no text. Save one name for each region, as a cell array of char."
    )
