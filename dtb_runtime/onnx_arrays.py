"""The arrays inside an ONNX file, for whoever computes with them without ONNX Runtime.

Gradients need the numbers of a bundle's graphs in PyTorch. Field numbers are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .onnx_fields import LENGTH, OnnxReader

_GRAPH, _INITIALIZER = 7, 5
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA = 1, 2, 8, 9
_TYPES = MappingProxyType({1: "<f4", 7: "<i8", 10: "<f2"})


def read_arrays(data: bytes, file: str) -> Mapping[str, NDArray[np.generic]]:
    """Arrays that an ONNX graph holds (its initializers), by name.

    Parameters
    ----------
    data : bytes
        The whole file, as `onnx_scan.scan_onnx` has let it through.
    file : str
        Its name, for messages.

    Returns
    -------
    mapping of str to numpy.ndarray
        Read-only views of `data`, in the type that they are stored in.

    Raises
    ------
    BundleError
        The file is damaged, or an array is stored in a way that the exporter never uses.
    """
    reader = OnnxReader(file)
    arrays: dict[str, NDArray[np.generic]] = {}
    for graph in _messages(reader, memoryview(data), _GRAPH):
        for tensor in _messages(reader, graph, _INITIALIZER):
            name, array = _array(reader, tensor)
            arrays[name] = array
    return MappingProxyType(arrays)


def _messages(reader: OnnxReader, data: memoryview, wanted: int) -> list[memoryview]:
    return [
        value
        for number, _, value in reader.fields(data)
        if number == wanted and isinstance(value, memoryview)
    ]


def _array(reader: OnnxReader, tensor: memoryview) -> tuple[str, NDArray[np.generic]]:
    shape: list[int] = []
    name, kind, raw = "", 0, memoryview(b"")
    for number, wire_type, value in reader.fields(tensor):
        if number == _DIMS and isinstance(value, memoryview) and wire_type == LENGTH:
            at = 0
            while at < len(value):  # packed
                length, at = reader.varint(value, at)
                shape.append(length)
        elif number == _DIMS and isinstance(value, int):
            shape.append(value)
        elif number == _DATA_TYPE and isinstance(value, int):
            kind = value
        elif number == _NAME and isinstance(value, memoryview):
            name = bytes(value).decode("utf-8", "replace")
        elif number == _RAW_DATA and isinstance(value, memoryview):
            raw = value
    if kind not in _TYPES:
        raise reader.damaged(f"the array {name!r} has the unknown type {kind}")
    dtype = np.dtype(_TYPES[kind])
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise reader.damaged(f"the array {name!r} does not hold as many numbers as its shape says")
    return name, np.frombuffer(raw, dtype).reshape(shape)
