"""Arrays from .npy and .npz files that may be damaged or hostile: numbers, text, never objects.

No more memory is asked for than the caller allows, whatever a file claims of itself: neither for an
array, nor for what a member of an archive unpacks to, nor for the archive's own list of members.
"""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Set
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from .tables import one_line

MAX_TEXT_BYTES = 2**25
"""A larger array of text is refused: as Python's own text it takes thirty times as much."""
MAX_DIRECTORY_BYTES = 2**20
"""An archive's list of members may be this long, which is some thousand members."""
_LARGEST_CHARACTER = 0x10FFFF
_AT_ONCE = 2**20
_BEYOND = 10**18
_END = struct.Struct("<4s4H2LH")  # the record at the end of a zip archive
_HOW = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # numpy's; others unpack without a limit

_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,  # member names that are no UTF-8
    RuntimeError,  # encrypted, or compressed in a way this Python lacks
)
# A .npy header is a Python literal, so a damaged one can fail in any way a literal can.
_HEADER_ERRORS = (
    ValueError,
    EOFError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
    RecursionError,
    MemoryError,
)


class ArrayFileError(ValueError):
    """A file of arrays cannot be used; the caller makes its own kind of error of it."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem}. {advice}")
        self.problem = problem
        """What is wrong and where, without a full stop."""


def load_npy(
    file: BinaryIO,
    name: str,
    max_bytes: int,
    check_shape: Callable[[tuple[int, ...], str], None] | None = None,
) -> NDArray[Any]:
    """One array in .npy format.

    Parameters
    ----------
    file : binary file
        At its beginning; must be able to seek.
    name : str
        What messages call it.
    max_bytes : int
        A larger array is refused by what its header claims, before memory is asked for.
    check_shape : callable, optional
        Takes what the header claims and `name`, and raises an error of the caller's for a shape
        that it does not want.

    Raises
    ------
    ArrayFileError
        It is no such file, damaged, too large, or holds pickled objects or broken text.
    """
    again = "Write or fetch it again."
    name = one_line(name)
    try:
        version = npy_format.read_magic(file)
        read_header = (
            npy_format.read_array_header_1_0
            if version == (1, 0)
            else npy_format.read_array_header_2_0
        )
        shape, _, dtype = read_header(file)
    except _HEADER_ERRORS as cause:
        raise ArrayFileError(
            f"{name} is not a NumPy array file, or its header is damaged",
            "Write it again with numpy.save, or fetch it again if it was cut short.",
        ) from cause
    if dtype.hasobject:
        raise ArrayFileError(
            f"{name} holds Python objects (pickle), which are never read because they can run code",
            "Save numbers as a plain float array, text as numpy.array([...], dtype=str).",
        )
    # Items may have no size (empty text), and a length may be 0 beside one that is beyond all.
    n_bytes = max(dtype.itemsize, 1) * math.prod(max(length, 1) for length in shape)
    size = " x ".join(str(length) if length < _BEYOND else "..." for length in shape)
    max_bytes = min(max_bytes, MAX_TEXT_BYTES) if dtype.kind in "SU" else max_bytes
    if n_bytes > max_bytes:
        raise ArrayFileError(
            f"{name} claims {_bytes(n_bytes)} ({size}); at most {_bytes(max_bytes)} is read",
            "Check that this is the file you meant.",
        )
    if check_shape is not None:
        check_shape(shape, name)
    file.seek(0)
    try:
        array: NDArray[Any] = npy_format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, OverflowError) as cause:
        raise ArrayFileError(
            f"{name} is cut short: its header says {size} of {dtype}, but the numbers end before",
            again,
        ) from cause
    if dtype.kind == "U" and array.nbytes:
        codes = np.frombuffer(array.tobytes(), np.dtype("u4").newbyteorder(dtype.byteorder))
        if codes.max() > _LARGEST_CHARACTER:  # fails here, not later
            raise ArrayFileError(f"{name} holds text that cannot be decoded", again)
    return array


def load_npz(
    file: Path | BinaryIO,
    name: str,
    max_bytes: int,
    choose: Callable[[Set[str]], Set[str]] | None = None,
    check_shape: Callable[[tuple[int, ...], str], None] | None = None,
) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file by name.

    Parameters
    ----------
    file : pathlib.Path or binary file
        Where it is.
    name : str
        What messages call it.
    max_bytes : int
        Limit for what is read, unpacked: a small compressed file may unpack to anything.
    choose : callable, optional
        Takes the names there are and returns those to read; all by default. What is not read is
        not judged.
    check_shape : callable, optional
        As `load_npy` takes it, of each array that is read.

    Raises
    ------
    ArrayFileError
        It is no such file, damaged or too large; or what `load_npy` refuses.
    """
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            members = _members(archive, name)
            names = members.keys() if choose is None else choose(members.keys())
            n_bytes = sum(members[each].file_size for each in names)
            if n_bytes > max_bytes:
                raise ArrayFileError(
                    f"{name} unpacks to {_bytes(n_bytes)}; at most {_bytes(max_bytes)} is read",
                    "Check that this is the file you meant.",
                )
            return {
                each: _member_array(archive, member, f"{name}[{each}]", max_bytes, check_shape)
                for each, member in members.items()
                if each in names
            }
    except ArrayFileError:
        raise
    except _ZIP_ERRORS as cause:
        raise ArrayFileError(
            f"{name} is not a readable .npz archive ({one_line(str(cause))})",
            "Write it again with numpy.savez, or fetch it again if it was cut short.",
        ) from cause


def _check_directory(file: Path | BinaryIO) -> None:
    """Refuse an archive whose list of members is too long, before it is read into memory.

    Numpy's archives end with the record that says how long it is: they have no comment, and need
    none of the larger records (zip64) below 4 GB.
    """
    if isinstance(file, Path):
        with file.open("rb") as opened:
            _check_directory(opened)
        return
    length = file.seek(0, io.SEEK_END)
    file.seek(max(length - 64, 0))
    tail = file.read(64)
    file.seek(0)
    if len(tail) < _END.size or not tail[-_END.size :].startswith(b"PK\x05\x06"):
        raise zipfile.BadZipFile("it does not end as a zip archive does")
    size = _END.unpack(tail[-_END.size :])[5]
    if b"PK\x06\x07" in tail or size > MAX_DIRECTORY_BYTES:
        raise zipfile.BadZipFile("its list of members is longer than that of any array file")


def _members(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        key = member.filename.removesuffix(".npy")
        if key in members:  # readers differ in which one they take
            raise ArrayFileError(
                f"{name} holds the array {one_line(key)!r} twice",
                "Save it again with each array once.",
            )
        members[key] = member
    return members


def _member_array(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    name: str,
    max_bytes: int,
    check_shape: Callable[[tuple[int, ...], str], None] | None,
) -> NDArray[Any]:
    """The array in a member, of which no more is unpacked than its entry in the list claims."""
    if member.compress_type not in _HOW:
        raise zipfile.BadZipFile(f"{member.filename} is compressed in another way than numpy's")
    with archive.open(member) as file:
        array = load_npy(cast(BinaryIO, file), name, max_bytes, check_shape)
        # To its end, where the check sum is looked at. Always with a number: without one zipfile
        # unpacks all there is, and only then looks at what was claimed.
        while file.read(_AT_ONCE):
            pass
    return array


def _bytes(n_bytes: int) -> str:
    n_bytes = min(n_bytes, _BEYOND)
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
