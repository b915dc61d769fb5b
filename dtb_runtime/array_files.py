"""Arrays from .npy and .npz files that may be damaged or hostile: numbers, text, never objects."""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Set
from pathlib import Path
from typing import Any, BinaryIO

from numpy.lib import format as npy_format
from numpy.typing import NDArray

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


def load_npy(file: BinaryIO, name: str, max_bytes: int) -> NDArray[Any]:
    """One array in .npy format.

    Parameters
    ----------
    file : binary file
        At its beginning; must be able to seek.
    name : str
        What messages call it.
    max_bytes : int
        A larger array is refused by what its header claims, before memory is asked for.

    Raises
    ------
    ArrayFileError
        It is no such file, damaged, too large, or holds pickled objects or broken text.
    """
    again = "Write or fetch it again."
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
    n_bytes = dtype.itemsize * math.prod(shape)
    size = " x ".join(map(str, shape))
    if n_bytes > max_bytes:
        raise ArrayFileError(
            f"{name} claims {_bytes(n_bytes)} ({size}); at most {_bytes(max_bytes)} is read",
            "Check that this is the file you meant.",
        )
    file.seek(0)
    try:
        array: NDArray[Any] = npy_format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError) as cause:
        raise ArrayFileError(
            f"{name} is cut short: its header says {size} of {dtype}, but the numbers end before",
            again,
        ) from cause
    if array.dtype.kind == "U":
        try:
            array.tolist()  # fails here, not later, if it holds numbers that are no characters
        except (ValueError, SystemError) as cause:
            raise ArrayFileError(f"{name} holds text that cannot be decoded", again) from cause
    return array


def load_npz(
    file: Path | BinaryIO,
    name: str,
    max_bytes: int,
    choose: Callable[[Set[str]], Set[str]] | None = None,
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

    Raises
    ------
    ArrayFileError
        It is no such file, damaged or too large; or what `load_npy` refuses.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
            names = members.keys() if choose is None else choose(members.keys())
            n_bytes = sum(members[each].file_size for each in names)
            if n_bytes > max_bytes:
                raise ArrayFileError(
                    f"{name} unpacks to {_bytes(n_bytes)}; at most {_bytes(max_bytes)} is read",
                    "Check that this is the file you meant.",
                )
            contents = {
                each: archive.read(member) for each, member in members.items() if each in names
            }
    except ArrayFileError:
        raise
    except _ZIP_ERRORS as cause:
        raise ArrayFileError(
            f"{name} is not a readable .npz archive ({cause})",
            "Write it again with numpy.savez, or fetch it again if it was cut short.",
        ) from cause
    return {
        each: load_npy(io.BytesIO(content), f"{name}[{each}]", max_bytes)
        for each, content in contents.items()
    }


def _bytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
