"""Arrays from a .npz file that may be damaged or hostile: numbers and text, never objects."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_npz(data: bytes, max_bytes: int) -> dict[str, NDArray[Any]]:
    """Every array of a .npz file by name.

    Parameters
    ----------
    data : bytes
        The whole file.
    max_bytes : int
        Limit for what it unpacks to.

    Raises
    ------
    ValueError
        It is not such a file, damaged, too large unpacked, or holds pickled objects.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # A small compressed file may unpack to anything.
            n_bytes = sum(member.file_size for member in archive.infolist())
        if n_bytes > max_bytes:
            raise ValueError(
                f"it unpacks to {n_bytes / 1e6:.0f} MB, the limit is {max_bytes / 1e6:.0f} MB"
            )
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
        for array in arrays.values():
            if array.dtype.kind == "U":
                array.tolist()  # fails here, not later, if it holds numbers that are no characters
        return arrays
    except Exception as cause:
        # Nine classes of exceptions were seen when single bytes of a file were changed: an .npy
        # header is a Python literal, and zipfile and zlib have their own.
        raise ValueError(str(cause) or type(cause).__name__) from cause
