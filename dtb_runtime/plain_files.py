"""NumPy arrays and text tables: files that the runtime reads with what it has anyway."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .array_choice import ARRAY_NAMES, LABEL_NAME
from .array_files import ArrayFileError, load_npy, load_npz
from .errors import ConnectomeError
from .numeric_tables import read_table
from .raw_array import MAX_ARRAY_BYTES, RawArray, check_shape, real_matrix, size_text
from .reading import Reading
from .tables import file_label


def read_npy(path: Path, _reading: Reading) -> RawArray:
    """Read a .npy file; arrays of Python objects are refused, since reading them runs code."""
    try:
        with path.open("rb") as file:
            array = load_npy(file, file_label(path), MAX_ARRAY_BYTES, check_shape)
    except ArrayFileError as cause:
        raise ConnectomeError(str(cause)) from cause
    except OSError as cause:
        raise ConnectomeError(
            f"{path} cannot be read: {cause.strerror or cause}. Check its permissions."
        ) from cause
    return RawArray(real_matrix(array, file_label(path)))


def read_npz(path: Path, reading: Reading) -> RawArray:
    """Read a .npz file: `connectome`, `correlations`, `timeseries`, or its only 2-D array.

    Of several others, the one that `reading.variable` names. Region names may stand beside it as
    `labels`, an array of text.
    """
    source, variable = file_label(path), reading.variable
    try:
        wanted = partial(_wanted, variable=variable)
        arrays = load_npz(path, source, MAX_ARRAY_BYTES, wanted, check_shape)
    except ArrayFileError as cause:
        raise ConnectomeError(str(cause)) from cause
    key = variable if variable is not None else _only_array(arrays, source)
    labels = None
    if "labels" in arrays and key != "labels":
        labels = _label_texts(arrays["labels"], f"{source}[labels]")
    values = real_matrix(arrays[key], f"{source}[{key}]")
    return RawArray(values, labels, kind=ARRAY_NAMES.get(key))


def _only_array(arrays: Mapping[str, NDArray[np.generic]], source: str) -> str:
    """The name of the array that is meant, where nobody named it."""
    named = [name for name in ARRAY_NAMES if name in arrays]
    if {"connectome", "correlations"} <= arrays.keys():
        raise ConnectomeError(
            f"{source} holds both 'connectome' and 'correlations'. Keep the one that is meant, or "
            "name it with --variable."
        )
    two_dimensional = [name for name, array in arrays.items() if array.ndim == 2]
    if not named and len(two_dimensional) != 1:
        found = ", ".join(f"{name} {size_text(array.shape)}" for name, array in arrays.items())
        raise ConnectomeError(
            f"{source} holds {found or 'nothing'}; expected an array named "
            f"{', '.join(ARRAY_NAMES)} or only one two-dimensional array. Save the array under "
            "one of these names, or name it with --variable."
        )
    return named[0] if named else two_dimensional[0]


def _wanted(names: Set[str], *, variable: str | None) -> Set[str]:
    """Names to read: where one says what it is, the others are not ours to judge."""
    if variable is not None and variable not in names:
        raise ArrayFileError(
            f"There is no array {variable!r} among {', '.join(sorted(names)) or 'none'}",
            "Name one of those with --variable.",
        )
    unread = sorted(name for name in names if LABEL_NAME.search(name))
    if unread and "labels" not in names:
        raise ArrayFileError(
            f"The order of regions may be in the array {unread[0]!r}, but labels are read from "
            "'labels' alone",
            "Rename that array to labels, or leave it out if the order is the bundle's.",
        )
    if variable is not None:
        return names & {variable, "labels"}
    return names & {*ARRAY_NAMES, "labels"} if names & ARRAY_NAMES.keys() else names


def _label_texts(array: NDArray[np.generic], name: str) -> tuple[str, ...]:
    if array.dtype.kind != "U" or array.ndim != 1:
        raise ConnectomeError(
            f"{name} is a {size_text(array.shape)} array of {array.dtype}, expected a list of "
            "text. Save labels as numpy.array([...], dtype=str)."
        )
    return tuple(str(label).strip() for label in array)


def read_tsv(path: Path, _reading: Reading) -> RawArray:
    """Read tab-separated numbers; a header row and an index column of labels are optional."""
    return _read_delimited(path, "\t")


def read_csv(path: Path, _reading: Reading) -> RawArray:
    """Read comma-separated numbers; a header row and an index column of labels are optional."""
    return _read_delimited(path, ",")


def read_txt(path: Path, _reading: Reading) -> RawArray:
    """Read numbers separated by commas, where there are any, else by blanks or tabs."""
    return _read_delimited(path, None)


def _read_delimited(path: Path, delimiter: str | None) -> RawArray:
    found = read_table(path, delimiter)
    return RawArray(found.values, found.labels, found.row_labels)
