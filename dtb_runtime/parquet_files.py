"""Parquet files: one column a region, with or without a column that names the rows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ConnectomeError
from .library_failures import library_failures, optional_package
from .raw_array import RawArray, check_bytes, check_shape, size_text
from .reading import Reading
from .table_names import names_of
from .tables import file_label, one_line

_PANDAS_INDEX = "__index_level_0__"  # what pandas calls an index without a name
_ROWS_AT_ONCE = 4096


def read_parquet(path: Path, _reading: Reading) -> RawArray:
    """Read a Parquet file whose columns of numbers are regions.

    The index that pandas wrote, or else the first column if it is text, names the rows; an index of
    numbers or times is left out, and a note says so. Names of columns that only count them
    (``0``, ``1``, ...) are no labels. What is null is NaN.

    Raises
    ------
    ConnectomeError
        The file is no Parquet or damaged, too large by what it claims, or another column holds
        something else than numbers.
    MissingDependencyError
        pyarrow is not installed.
    """
    source = file_label(path)
    pyarrow = _pyarrow()
    with (
        library_failures(
            f"{source} cannot be read as Parquet",
            "Fetch it again if it was cut short, or write it again.",
        ),
        pyarrow.parquet.ParquetFile(os.fspath(path), memory_map=False, pre_buffer=False) as file,
    ):
        schema, n_rows = file.schema_arrow, int(file.metadata.num_rows)
        names = [str(name) for name in schema.names]
        check_bytes((n_rows, len(names)), 8, source)
        index, notes = _index_of(schema, source, pyarrow)
        regions = [name for name in names if name != index]
        check_shape((n_rows, len(regions)), source)
        _check_columns(schema, regions, source, pyarrow)
        if not regions or not n_rows:
            raise ConnectomeError(
                f"{source} is {size_text((n_rows, len(regions)))}, expected a filled table: "
                "one column of numbers for each region."
            )
        is_text = index is not None and _is_text(schema.field(index).type, pyarrow)
        values, texts = _table(file, regions, index if is_text else None, n_rows)
    if len(values) != n_rows:
        raise ConnectomeError(
            f"{source} says that it has {n_rows} rows and has {len(values)}. It is damaged; write "
            "it again."
        )
    labels = names_of([name.strip() for name in regions])
    return RawArray(values, labels, texts if is_text else None, notes=notes)


def _pyarrow() -> ModuleType:
    with optional_package("pyarrow", "Reading Parquet files", "cohort"):
        import pyarrow
        import pyarrow.parquet
    module: ModuleType = pyarrow
    return module


def _index_of(schema: Any, source: str, pyarrow: ModuleType) -> tuple[str | None, tuple[str, ...]]:
    """The column that names the rows, if there is one, and what is to be noted of it."""
    names = [str(name) for name in schema.names]
    index = [name for name in _written_by_pandas(schema) if name in names]
    if len(index) > 1:
        raise ConnectomeError(
            f"{source} has an index of several columns ({', '.join(map(one_line, index))}). Keep "
            "one that names the rows, or none."
        )
    if not index and _PANDAS_INDEX in names:
        index = [_PANDAS_INDEX]
    if not index and names and _is_text(schema.types[0], pyarrow):
        index = [names[0]]
    if not index or _is_text(schema.types[names.index(index[0])], pyarrow):
        return (index[0] if index else None), ()
    kind = schema.types[names.index(index[0])]
    note = f"The index {one_line(index[0])!r} of {source} ({one_line(str(kind))}) was left out."
    return index[0], (note,)


def _written_by_pandas(schema: Any) -> list[str]:
    """Names of the index columns, by what pandas noted in the file."""
    try:
        noted = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    except (ValueError, RecursionError):  # whoever wrote it, it is no note of pandas
        return []
    columns = noted.get("index_columns", []) if isinstance(noted, dict) else []
    if not isinstance(columns, list):
        return []
    return [name for name in columns if isinstance(name, str)]


def _check_columns(schema: Any, regions: list[str], source: str, pyarrow: ModuleType) -> None:
    if len({str(name) for name in schema.names}) != len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise ConnectomeError(
            f"{source} has more than one column {one_line(str(twice))!r}. Give each region its own "
            "name."
        )
    for name in regions:
        kind = schema.field(name).type
        is_number = (
            pyarrow.types.is_floating(kind)
            or pyarrow.types.is_integer(kind)
            or pyarrow.types.is_boolean(kind)
        )
        if not is_number:
            raise ConnectomeError(
                f"{source}: column {one_line(name)!r} holds values of type {one_line(str(kind))}, "
                "expected real numbers. Keep the columns of regions, and before them at most one "
                "column of text that names the rows."
            )


def _is_text(kind: Any, pyarrow: ModuleType) -> bool:
    if pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pyarrow.types.is_string(kind)
        or pyarrow.types.is_large_string(kind)
        or pyarrow.types.is_string_view(kind)
    )


def _table(
    file: Any, regions: list[str], index: str | None, n_rows: int
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Numbers and row names, a few rows at a time: the table is held once."""
    values = np.empty((n_rows, len(regions)))
    texts: list[str] = []
    wanted = regions if index is None else [index, *regions]
    done = 0
    for batch in file.iter_batches(_ROWS_AT_ONCE, columns=wanted, use_threads=False):
        if done + batch.num_rows > n_rows:
            return values[:0], ()  # more than it says
        for place, name in enumerate(regions):
            column = batch.column(batch.schema.get_field_index(name))
            rows = column.to_numpy(zero_copy_only=False)
            values[done : done + batch.num_rows, place] = rows.astype(np.float64)
        if index is not None:
            column = batch.column(batch.schema.get_field_index(index))
            texts += ("" if text is None else str(text).strip() for text in column.to_pylist())
        done += batch.num_rows
    return values[:done], tuple(texts)
