"""NumPy arrays and text tables: files that the runtime reads with what it has anyway."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .array_choice import (
    ARRAY_NAMES,
    LABEL_NAME,
    LABELS,
    Stored,
    array_meant,
    labels_beside,
    named_array,
)
from .array_files import ArrayFileError, load_npy, load_npz
from .errors import ConnectomeError
from .numeric_tables import read_table
from .raw_array import MAX_ARRAY_BYTES, RawArray, check_shape, real_matrix, size_text
from .reading import Reading
from .tables import file_label, listed_names, one_line, shortened, shown


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
    """Read a .npz file: `connectome`, `correlations`, `timeseries`, or its only matrix of numbers.

    Of several others, the one that `reading.variable` names. Region names may stand beside it as
    `labels`, an array of text.
    """
    source = file_label(path)
    names: list[str] = []

    def choose(there: Set[str]) -> Set[str]:
        names.extend(there)
        return _wanted(there, reading.variable, source)

    try:
        arrays = load_npz(path, source, MAX_ARRAY_BYTES, choose, check_shape)
    except ArrayFileError as cause:
        raise ConnectomeError(str(cause)) from cause
    found = [_stored(name, arrays.get(name)) for name in names]
    meant = array_meant(found, reading.variable, source, "array")
    named_by = labels_beside(found, meant, source)
    labels = None
    if named_by is not None:
        labels = _label_texts(arrays[named_by.name], f"{source}[{one_line(named_by.name)}]")
    values = real_matrix(arrays[meant.name], f"{source}[{one_line(meant.name)}]")
    return named_array(meant, values, labels)


def _wanted(names: Set[str], variable: str | None, source: str) -> Set[str]:
    """Names to read: where one says what it is, the others are not ours to judge.

    But for those that may name regions where nothing is called so: they are looked at.
    """
    if variable is not None and variable not in names:
        raise ArrayFileError(
            f"There is no array {shown(variable)} in {source}, which holds "
            f"{listed_names(sorted(names))}",
            "Name one of those with --variable.",
        )
    if variable is None and not names & ARRAY_NAMES.keys():
        return names
    meant = ARRAY_NAMES.keys() if variable is None else {variable}
    groups = {name.rpartition("/")[0] for name in names & meant}
    labels = {f"{group}/{LABELS}".lstrip("/") for group in groups}
    if not names & labels:
        labels = {name for name in names if LABEL_NAME.search(name)}
    return names & {*meant, *labels}


def _stored(name: str, array: NDArray[np.generic] | None) -> Stored:
    """Describe an array of an archive; None is one that was not read."""
    if array is None:
        return Stored(name, (), "other", "array that was not read")
    kind = array.dtype.kind
    holds: Literal["numbers", "text", "other"] = "text" if kind == "U" else "other"
    if kind in "fiubc":  # complex ones too: that they are not real is said later
        holds = "numbers"
    return Stored(name, array.shape, holds, f"array of {shortened(str(array.dtype))}")


def _label_texts(array: NDArray[np.generic], name: str) -> tuple[str, ...]:
    if array.ndim != 1:
        raise ConnectomeError(
            f"{name} is a {size_text(array.shape)} array of text, expected a list. Save one name "
            "for each region, as numpy.array([...], dtype=str)."
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
