"""Judged trials as tab-separated text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import CohortError
from dtb_runtime.tables import is_missing, read_table, to_number

from .judged_trials import FLAGS, TEXT, JudgedTrials

MISSING = "n/a"
"""BIDS' word for a missing value."""
_COLUMNS = tuple(field.name for field in fields(JudgedTrials))
_WHOLE = (*FLAGS, "trial")
_NEVER_MISSING = (*_WHOLE, "onset_s")


def judged_tsv(trials: JudgedTrials) -> bytes:
    """Return judged trials as text, one row a trial, numbers with all their digits."""
    columns = [_cells(getattr(trials, name)) for name in _COLUMNS]
    lines = ["\t".join(_COLUMNS), *("\t".join(row) for row in zip(*columns, strict=True))]
    return ("\n".join(lines) + "\n").encode()


def read_judged_trials(path: str | Path) -> JudgedTrials:
    """Read a table that `judged_tsv` made; the numbers are the same to the last digit.

    Raises
    ------
    CohortError
        If the file cannot be read, lacks a column, or a cell is no number where one must be.
    """
    table = read_table(Path(path), "\t", CohortError)
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise CohortError(
            f"{table.source} has no column {missing[0]!r}, so it is no table of judged trials. "
            "Give a file that an evaluation wrote."
        )
    return JudgedTrials(**{n: _read(table.columns[n], n, table.source) for n in _COLUMNS})


def _cells(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "f":
        return [MISSING if np.isnan(value) else repr(float(value)) for value in values]
    if values.dtype.kind == "b":
        return ["1" if value else "0" for value in values]
    return [str(value) for value in values]


def _read(cells: Sequence[str], name: str, source: str) -> NDArray[Any]:
    if name in TEXT:
        return np.array(cells, np.str_)
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if is_missing(cell) and name not in _NEVER_MISSING:
            continue
        try:
            values[row] = to_number(cell)
        except ValueError:
            values[row] = np.nan
        is_whole = name not in _WHOLE or values[row] == np.floor(values[row])
        if np.isnan(values[row]) or not is_whole:
            kind = "a whole number" if name in _WHOLE else "a number"
            raise CohortError(
                f"{source}, row {row + 1}: {name} is {cell!r}, expected {kind}. Correct this cell."
            )
    return values
