"""The protobuf encoding of ONNX files, field by field, without the onnx package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .errors import BundleError

MAX_FIELDS: Final = 200_000
"""Fields of one file; ours have some hundreds (tensor data counts as one)."""
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types."""


@dataclass(slots=True)
class OnnxReader:
    """Reads the fields of one file, and counts them."""

    file: str
    """Its name, for messages."""
    n_fields: int = 0

    def refuse(self, what: str) -> BundleError:
        """Error about a file that holds what a bundle must not hold."""
        return BundleError(
            f"{self.file} {what}, which a bundle must not. It was not written by `dtb-run export`; "
            "do not use it unless you trust where it came from and export it again."
        )

    def damaged(self, what: str) -> BundleError:
        """Error about a file that is no ONNX file."""
        return BundleError(f"{self.file} is not a readable ONNX file: {what}. Copy it again.")

    def fields(self, data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
        """Field number, wire type and value of every field of one encoded message.

        Raises
        ------
        BundleError
            The message is cut short, or holds more fields than `MAX_FIELDS`.
        """
        at, end = 0, len(data)
        while at < end:
            self.n_fields += 1
            if self.n_fields > MAX_FIELDS:
                raise self.refuse(f"holds more than {MAX_FIELDS} fields")
            tag, at = self.varint(data, at)
            number, wire_type = tag >> 3, tag & 7
            if number == 0:
                raise self.damaged("field number 0")
            value: int | memoryview
            if wire_type == VARINT:
                value, at = self.varint(data, at)
            elif wire_type == LENGTH:
                length, at = self.varint(data, at)
                value, at = data[at : at + length], at + length
            elif wire_type in (FIXED64, FIXED32):
                length = 8 if wire_type == FIXED64 else 4
                value, at = int.from_bytes(data[at : at + length], "little"), at + length
            else:  # groups: not in ONNX
                raise self.damaged(f"wire type {wire_type}")
            if at > end:
                raise self.damaged("it ends in the middle of a field")
            yield number, wire_type, value

    def varint(self, data: memoryview, at: int) -> tuple[int, int]:
        """The number encoded from a byte on, and where it ends."""
        value = 0
        for shift in range(0, 70, 7):
            if at >= len(data):
                raise self.damaged("it ends in the middle of a number")
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (2**64 - 1), at
        raise self.damaged("a number is longer than 10 bytes")
