"""The headers of variables in a MATLAB file of version 5 to 7.2, without the variables.

scipy gives them too (`whosmat`), but fails at a file with a string array or another object, and has
no names for these.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal

from .array_choice import STRUCT, Stored
from .errors import ConnectomeError
from .tables import file_label

MAX_VARIABLES = 10_000
"""Variables that a file may have."""

_INTEGERS = tuple(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u"))
_NAMED = ("", "cell", "struct", "object", "char", "sparse", "double", "single")
_CLASSES = (*_NAMED, *_INTEGERS, "function", "opaque")  # by their number in the file

NUMBER_CLASSES = frozenset({"double", "single", "logical", *_INTEGERS})
"""MATLAB's classes of plain numbers."""

_MATRIX, _COMPRESSED = 14, 15  # types of elements
_LOGICAL = 0x200
_OTHERS: Mapping[str, str] = MappingProxyType(
    {
        "struct": STRUCT,
        "object": "MATLAB object",
        "function": "function handle",
        "opaque": "MATLAB object (such as a string array or a table)",
    }
)
_HEAD_BYTES = 4096  # of a variable: more than 32 lengths and the longest name
_PACKED_BYTES = 65_536  # that hold them


def headers_of(path: Path) -> tuple[Stored, ...]:
    """Describe the variables of a file whose version has been looked at.

    Raises
    ------
    ConnectomeError
        It is damaged, or has more than `MAX_VARIABLES`.
    """
    source = file_label(path)
    found: list[Stored] = []
    try:
        with path.open("rb") as file:
            for stored in _headers(file):
                found.append(stored)
                if len(found) > MAX_VARIABLES:
                    raise ConnectomeError(
                        f"{source} holds more than {MAX_VARIABLES:,} variables. Save the matrix "
                        "into a file of its own."
                    )
    except (ValueError, struct.error, zlib.error, OSError) as cause:
        raise ConnectomeError(
            f"{source} cannot be read as a MATLAB file ({cause}). Fetch it again if it was cut "
            "short, or write it again with save(file, name, '-v7')."
        ) from cause
    return tuple(found)


def _headers(file: BinaryIO) -> Iterator[Stored]:
    order = "<" if file.read(128)[126:128] == b"IM" else ">"
    while tag := file.read(8):
        kind, size = struct.unpack(f"{order}II", tag)
        end = file.tell() + size
        if kind == _COMPRESSED:
            packed = file.read(min(size, _PACKED_BYTES))
            head = zlib.decompressobj().decompress(packed, _HEAD_BYTES)
            kind, _ = struct.unpack_from(f"{order}II", head)
            head = head[8:]
        else:
            head = file.read(min(size, _HEAD_BYTES))
        if kind != _MATRIX:
            raise ValueError(f"it holds an element of type {kind} where a variable should be")
        stored = _header(head, order)
        if stored is not None:
            yield stored
        file.seek(end)


def _header(head: bytes, order: str) -> Stored | None:
    """Describe a variable; None for what has no name, to which function handles refer."""
    flags, place = _element(head, 0, order)
    (word,) = struct.unpack_from(f"{order}I", flags)
    number = word & 0xFF
    matlab_class = _CLASSES[number] if number < len(_CLASSES) else ""
    shape: tuple[int, ...] = ()
    if matlab_class != "opaque":
        lengths, place = _element(head, place, order)
        shape = struct.unpack(f"{order}{len(lengths) // 4}i", lengths)
    encoded, _ = _element(head, place, order)
    name = encoded.decode("latin-1")  # as scipy has it
    if matlab_class == "char":
        shape = shape[:-1]  # of each row, one text
    if word & _LOGICAL and matlab_class != "sparse":
        matlab_class = "logical"
    return _described(name, shape, matlab_class) if name else None


def _described(name: str, shape: tuple[int, ...], matlab_class: str) -> Stored:
    holds: Literal["numbers", "text", "other"] = "other"
    what = _OTHERS.get(matlab_class, "variable of an unknown class")
    if matlab_class in NUMBER_CLASSES:
        holds, what = "numbers", f"matrix of class {matlab_class}"
    elif matlab_class == "sparse":
        holds, what = "numbers", "sparse matrix"
    elif matlab_class in ("char", "cell"):
        holds, what = "text", "char array" if matlab_class == "char" else "cell array"
    return Stored(name, shape, holds, what, ".")


def _element(head: bytes, place: int, order: str) -> tuple[bytes, int]:
    """The content of a part of a header, and where the next part begins."""
    word, size = struct.unpack_from(f"{order}II", head, place)
    first = place + 8
    if word >> 16:  # up to four bytes stand in the tag itself
        size, first = word >> 16, place + 4
    content = head[first : first + size]
    if len(content) != size or (word >> 16 and size > 4):
        raise ValueError("the header of a variable is cut short")
    return content, place + 8 if word >> 16 else first + size + -size % 8
