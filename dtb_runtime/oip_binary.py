"""The binary tensor data extension: tensors as bytes behind the JSON, little-endian, row by row."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod

import numpy as np

from .errors import DataError
from .oip_tensors import BYTES, DTYPES, Array

_LENGTH = struct.Struct("<I")  # before each text


def split_body(body: bytes, header_length: int | None) -> tuple[bytes, memoryview]:
    """The JSON of a body, and what stands behind it.

    Parameters
    ----------
    body : bytes
    header_length : int, optional
        Bytes of JSON; all of it by default.

    Raises
    ------
    DataError
        The body is shorter.
    """
    if header_length is None:
        return body, memoryview(b"")
    if not 0 <= header_length <= len(body):
        raise DataError(
            f"Inference-Header-Content-Length says {header_length} bytes of JSON, but the body has "
            f"{len(body)}. Send the whole body, and the length of its JSON."
        )
    return body[:header_length], memoryview(body)[header_length:]


class BinaryReader:
    """Takes tensors off the bytes behind the JSON, one after the other.

    Parameters
    ----------
    data : memoryview
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int, datatype: str, shape: Sequence[int], where: str) -> Array:
        """The next tensor.

        Parameters
        ----------
        size : int
            Bytes, as the request says.
        datatype, shape
            Of the tensor.
        where : str
            What messages call it.

        Raises
        ------
        DataError
            The bytes end before, or are not as many as the shape needs; text that is no UTF-8.
        """
        left = len(self._data) - self._at
        if size > left:
            raise DataError(
                f"{where} says binary_data_size {size}, but {left} bytes are left of the body. "
                "Send the whole body, tensors in the order of the inputs."
            )
        own = self._data[self._at : self._at + size]
        self._at += size
        n = prod(shape)
        if datatype == BYTES:
            return np.array(_texts(own, n, where), dtype=object).reshape(shape)
        dtype = DTYPES[datatype]
        if size != n * dtype.itemsize:
            raise DataError(
                f"{where} says binary_data_size {size}, but {n} values of {datatype} take "
                f"{n * dtype.itemsize} bytes. Correct shape, datatype or size."
            )
        return np.frombuffer(own, dtype).reshape(shape)

    def close(self) -> None:
        """End the reading; raises `DataError` where bytes are left that no input says are its."""
        left = len(self._data) - self._at
        if left:
            raise DataError(
                f"{left} bytes are left behind the last tensor. Give every binary input its "
                "binary_data_size, and the right Inference-Header-Content-Length."
            )


def _texts(data: memoryview, n: int, where: str) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(data) and len(texts) < n:
        begin = at + _LENGTH.size
        end = begin + (_LENGTH.unpack_from(data, at)[0] if begin <= len(data) else 0)
        if begin > len(data) or end > len(data):
            raise DataError(f"{where}: text {len(texts) + 1} is cut short. Send the whole tensor.")
        try:
            texts.append(str(data[begin:end], "utf-8"))
        except UnicodeDecodeError as cause:
            raise DataError(f"{where}: text {len(texts) + 1} is not UTF-8.") from cause
        at = end
    if len(texts) != n or at != len(data):
        raise DataError(
            f"{where}: its bytes do not hold {n} texts, each after its length in 4 bytes, and "
            "nothing more. Correct shape or size."
        )
    return texts


def binary_of_tensor(array: Array) -> bytes:
    """An array as the extension has it."""
    if array.dtype.kind == "f":
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    encoded = [text.encode() for text in array.reshape(-1).tolist()]
    return b"".join(part for text in encoded for part in (_LENGTH.pack(len(text)), text))
