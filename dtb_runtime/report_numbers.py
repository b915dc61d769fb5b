"""Numbers of a report: taken from tables and JSON within bounds, and written for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .indicator_names import TASK_OF
from .json_object import JsonObject
from .tables import Table, is_missing, shortened, shown, to_number

Floats = NDArray[np.float64]

LARGEST = 1e9
"""Beyond it no indicator, response time or BOLD is, and axes could not be drawn."""
NONE = "n/a"
"""A cell without a number."""
_LABELS: Mapping[str, str] = {
    "reaction_time": "Response time",
    "accuracy": "Accuracy",
    "stroop_effect": "Stroop effect",
    "face_shape_effect": "Face minus shape time",
    "amygdala_response": "Amygdala response",
}
_UNITS: Mapping[str, str] = {
    "reaction_time": "s",
    "stroop_effect": "s",
    "face_shape_effect": "s",
    "amygdala_response": "t",
}


def label_of(indicator: str) -> str:
    """An indicator as people call it: ``Response time, hammer, face``."""
    measure, *where = indicator.split(":")
    if measure == "contrast" and len(where) == 2:
        return f"BOLD of {where[1]}, {where[0]}"
    return ", ".join((_LABELS.get(measure, measure), *where))


def unit_of(indicator: str) -> str:
    """Its unit, empty where it has none."""
    measure = indicator.partition(":")[0]
    return "t" if measure == "contrast" else _UNITS.get(measure, "")


def with_unit(indicator: str) -> str:
    """Its label with its unit in brackets."""
    unit = unit_of(indicator)
    return f"{label_of(indicator)} ({unit})" if unit else label_of(indicator)


def main_indicators(names: Iterable[str]) -> list[str]:
    """Those that are not of one task or trial type alone, in our order; others of files last."""
    first = [name for name in names if ":" not in name]
    order = {name: place for place, name in enumerate(_LABELS)}
    return sorted(first, key=lambda name: (order.get(name, len(order)), name))


def task_of(indicator: str) -> str | None:
    """The task that an indicator is of; None where it is of all."""
    measure, *where = indicator.split(":")
    return where[0] if where else TASK_OF.get(measure)


def number(value: float | None) -> str:
    """A number with what is known of it: milliseconds, or a tenth of a t."""
    if value is None or math.isnan(value):
        return NONE
    size = abs(value)
    if size >= 10.0:
        return f"{value:.1f}" if size < 1e5 else f"{value:.3g}"
    return f"{value + 0.0:.3f}"


def interval(bounds: Sequence[float | None] | None) -> str:
    """From the first to the second."""
    if bounds is None or any(end is None for end in bounds):
        return NONE
    return f"{number(bounds[0])} to {number(bounds[1])}"


def signed(value: float | None) -> str:
    """A change of two digits, with its sign."""
    if value is None or math.isnan(value):
        return NONE
    text = f"{value:+.2f}"
    return text if float(text) else "0.00"


def whole(value: float | None) -> str:
    """A percent without its sign."""
    return NONE if value is None or math.isnan(value) else f"{value:.0f}"


def bounded(value: float, where: str) -> float:
    """A number that can be drawn.

    Raises
    ------
    DataError
        It is beyond `LARGEST`.
    """
    if abs(value) > LARGEST:
        raise DataError(
            f"{where}: {value:g} is beyond all that such numbers can be ({LARGEST:g}). Check how "
            "the file was made."
        )
    return value


def numbers_in(document: JsonObject) -> dict[str, float]:
    """All values of an object of numbers, by name; those that are null are left out."""
    found = {}
    for name in document.remaining_keys():
        value = document.optional_number(name)
        if value is not None:
            found[name] = bounded(value, f"{document.where}, {name}")
    return found


def column(table: Table, name: str) -> Floats:
    """A column of numbers, shape (n_rows,), NaN where a cell says that there is none.

    Raises
    ------
    DataError
        There is no such column, or a cell holds something else.
    """
    if name not in table.columns:
        raise DataError(
            f"{table.source} has no column {shown(name)}. Check that this is the file that the "
            "command wrote."
        )
    numbers = np.empty(table.n_rows)
    for row, cell in enumerate(table.columns[name]):
        where = f"{table.source}, row {row + 1}, {shortened(name)}"
        if is_missing(cell):
            numbers[row] = np.nan
            continue
        try:
            numbers[row] = to_number(cell)
        except ValueError:
            raise DataError(f"{where}: expected a number, found {shown(cell)}.") from None
        if not math.isfinite(numbers[row]):
            raise DataError(f"{where}: expected a number, found {shown(cell)}.")
        bounded(float(numbers[row]), where)
    return numbers


def texts(table: Table, name: str) -> tuple[str, ...]:
    """A column of texts. Raises `DataError` where there is none of this name."""
    if name not in table.columns:
        raise DataError(
            f"{table.source} has no column {shown(name)}. Check that this is the file that the "
            "command wrote."
        )
    return table.columns[name]
