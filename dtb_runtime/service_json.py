"""JSON of requests and answers: bounded before it is read, and read strictly and quickly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json, to_json

from .errors import DataError
from .json_object import kind_of
from .tables import one_line, shortened

MAX_VALUES = 8_000_000
"""Of one body: as Python's objects they take 500 MB at most. Written with eight characters each,
numbers fill the largest body before there are so many."""
MAX_CONTAINERS = 400_000
"""Lists and objects of one body: three times the rows of 64 people with 2,000 regions each."""
NUMBER_BYTES = 20
"""That a number takes in an answer, with all its digits and its comma."""
MAX_COLONS = 20_000
"""Of one body: more keys than any request has, of which every one that is wrong costs memory."""


def read_json(data: bytes) -> object:
    """The value that a body holds.

    Not more than 200 deep; neither NaN nor infinity. Of a key that stands twice in an object the
    last value counts, as in most programs.

    Raises
    ------
    DataError
        It is no JSON, no UTF-8, or larger than any request.
    """
    for what, n, most in (
        ("values", data.count(b",") + 1, MAX_VALUES),
        ("lists and objects", data.count(b"[") + data.count(b"{"), MAX_CONTAINERS),
        ("keys", data.count(b":"), MAX_COLONS),
    ):
        if n > most:
            raise DataError(
                f"The body's JSON has about {n} {what}, expected at most {most}. Send fewer people "
                "at a time, or binary tensors."
            )
    try:
        value: object = from_json(data, allow_inf_nan=False)
    except ValueError as cause:
        raise DataError(
            f"The body is not valid JSON: {shortened(str(cause))}. Send one object in UTF-8; NaN "
            "and infinity are no JSON."
        ) from cause
    return value


def write_json(value: object) -> bytes:
    """A value as JSON, in which NaN is null."""
    return to_json(value, inf_nan_mode="null")


def numbers(values: list[Any], where: str) -> NDArray[np.float64]:
    """A list of JSON numbers, shape (values,).

    Parameters
    ----------
    values : list
        As `read_json` gives it.
    where : str
        What messages call it.

    Raises
    ------
    DataError
        One of them is no number, or one beyond float64.
    """
    if not set(map(type, values)) <= {int, float}:
        at = next(i for i, value in enumerate(values) if type(value) not in (int, float))
        raise DataError(
            f"{where}: expected numbers, but value {at + 1} is {one_line(kind_of(values[at]))}."
        )
    try:
        found = np.array(values, dtype=np.float64)
    except OverflowError:
        found = np.array([np.inf])
    if not np.isfinite(found).all():
        raise DataError(f"{where} holds a number that is larger than any in float64. Correct it.")
    return found
