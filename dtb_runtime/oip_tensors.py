"""The protocol's tensors: their datatypes, and their values in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from math import prod
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .json_object import kind_of
from .oip_models import ANY, TensorInfo
from .service_json import numbers
from .tables import one_line

Array: TypeAlias = NDArray[Any]
"""FP32, FP64, or text (an array of str objects, or of numpy's own text)."""
DTYPES: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {"FP32": np.dtype("<f4"), "FP64": np.dtype("<f8")}
)
"""Those of numbers that models here take and give."""
BYTES = "BYTES"
"""The datatype of texts, in UTF-8."""


def takes(spec: TensorInfo, datatype: str) -> bool:
    """Whether an input may be given in a datatype: as it is described, numbers in FP64 too."""
    return datatype == spec.datatype or (datatype == "FP64" and spec.datatype == "FP32")


def check_shape(spec: TensorInfo, shape: Sequence[int], longest: Mapping[str, int]) -> None:
    """Refuse an input's shape that its model does not take.

    Parameters
    ----------
    spec : TensorInfo
    shape : sequence of int
        As the request says it.
    longest : mapping of str to int
        Greatest length by the name of an axis that requests choose.

    Raises
    ------
    DataError
    """
    expected = ", ".join(
        str(length) if length != ANY else axis
        for length, axis in zip(spec.shape, spec.axes, strict=True)
    )
    if len(shape) != len(spec.shape) or any(
        own != length for own, length in zip(shape, spec.shape, strict=True) if length != ANY
    ):
        raise DataError(
            f"Input {spec.name!r} has shape {[*shape]}, expected [{expected}]. Send what the "
            "model's description says."
        )
    for length, own, axis in zip(spec.shape, shape, spec.axes, strict=True):
        if length == ANY and not 1 <= own <= longest[axis]:
            raise DataError(
                f"Input {spec.name!r} has shape {[*shape]} [{expected}], expected from 1 to "
                f"{longest[axis]} along {axis}. Divide it among several requests."
            )


def tensor_of_json(data: list[Any], datatype: str, shape: Sequence[int], where: str) -> Array:
    """Values as a request's JSON has them, flat or nested as the shape is.

    Raises
    ------
    DataError
        Their number, nesting or kind is another one; text that is no text, numbers that are none,
        not finite, or too large for the datatype.
    """
    values = _flat(data, shape, where)
    if datatype == BYTES:
        for at, value in enumerate(values, start=1):
            if not isinstance(value, str):
                raise DataError(
                    f"{where}: expected texts, but value {at} is {one_line(kind_of(value))}."
                )
        return np.array(values, dtype=object).reshape(shape)
    found = numbers(values, where)
    with np.errstate(over="ignore"):
        own = found.astype(DTYPES[datatype], copy=False)
    if not np.isfinite(own).all():
        raise DataError(f"{where} holds a number that is larger than any in {datatype}.")
    return own.reshape(shape)


def _flat(data: list[Any], shape: Sequence[int], where: str) -> list[Any]:
    """Values in one list; of nested ones each list must be as long as its axis."""
    n = prod(shape)
    if not data or not isinstance(data[0], list):
        if len(data) != n:
            raise DataError(
                f"{where} has {len(data)} values, but its shape {[*shape]} has {n}. Send as many "
                "as the shape says."
            )
        return data
    level: list[Any] = [data]
    for length in shape:
        for each in level:
            if not isinstance(each, list) or len(each) != length:
                raise DataError(
                    f"{where} is not nested as its shape {[*shape]} says. Send it flat, or as "
                    "lists of these lengths."
                )
        level = list(chain.from_iterable(level))
    return level


def json_of_tensor(array: Array) -> list[Any]:
    """Values row by row in one list; NaN stays, which becomes null."""
    values: list[Any] = array.reshape(-1).tolist()
    return values
