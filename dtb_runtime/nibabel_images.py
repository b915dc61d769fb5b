"""NIfTI and CIFTI-2 files opened with nibabel: the header is judged before any number is read.

nibabel raises some twenty kinds of exceptions for damaged files and logs what it repairs. Both stay
in here: whoever opens a file gets a `NiftiFile` or a `ConnectomeError`.
"""

from __future__ import annotations

import gzip
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray

from .errors import ConnectomeError, MissingDependencyError
from .library_failures import library_failures
from .raw_array import size_text
from .tables import file_label

MAX_SCAN_BYTES = 2**34
"""A larger scan is refused by what its header claims. It is read in parts, so this bounds time, not
memory: HCP's 1,200 frames of 2 mm voxels are 8.7 GB in double precision."""
_MAX_EXTENSION_BYTES = 2**25  # the XML of 170,000 grayordinates is about 2 MB
_HEADER_CLASSES = {348: "Nifti1Header", 540: "Nifti2Header"}
_CIFTI_INTENTS = range(3000, 3100)
_CIFTI_EXTENSION = 32
_GZIP = b"\x1f\x8b"

_quiet = logging.getLogger("dtb_runtime.nibabel_images")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def nibabel_module() -> ModuleType:
    """The nibabel package.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    try:
        import nibabel
    except ImportError as cause:
        raise MissingDependencyError(
            f"Reading NIfTI and CIFTI files needs nibabel ({cause}): pip install nibabel"
        ) from cause
    module: ModuleType = nibabel
    return module


@contextmanager
def library_calls(source: str, what: str) -> Iterator[None]:
    """Turn what a library raises over a damaged file into a sentence, and keep its warnings in.

    Parameters
    ----------
    source : str
        The file, for messages.
    what : str
        What is being read: ``"its header"``.

    Raises
    ------
    ConnectomeError
    """
    problem = f"{source} is damaged: {what} cannot be read"
    advice = "Fetch it again, or write it again with the program that made it."
    with (
        library_failures(problem, advice),
        warnings.catch_warnings(),
        np.errstate(all="ignore"),
    ):
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True, slots=True, eq=False)
class NiftiFile:
    """An open file, of which only the header has been read."""

    source: str
    """Its name, for messages."""
    shape: tuple[int, ...]
    """Of a volume without dimensions of length 1 after the third; of CIFTI-2 (rows, columns)."""
    is_cifti: bool
    """Whether its intent code is one of CIFTI's."""
    has_orientation: bool
    """Whether it says where its voxels are; without, `affine` knows only their size."""
    offset: int = field(repr=False)
    header: Any = field(repr=False)
    stream: BinaryIO = field(repr=False)

    def read(self, *slicer: int | slice) -> NDArray[np.float64]:
        """Numbers of a part, with the header's scaling; parts in file order read fastest.

        Raises
        ------
        ConnectomeError
            The file ends before, or its compression is damaged.
        """
        nibabel = nibabel_module()
        with library_calls(self.source, "its numbers"):
            slope, inter = self.header.get_slope_inter()
            spec = (
                self.shape,
                self.header.get_data_dtype(),
                self.offset,
                1.0 if slope is None else slope,
                0.0 if inter is None else inter,
            )
            proxy = nibabel.arrayproxy.ArrayProxy(self.stream, spec, mmap=False)
            return np.asarray(proxy[slicer], dtype=np.float64)

    def check_end(self) -> None:
        """Hold a compressed file against its checksum, once its numbers are read.

        What follows the numbers for long is not read.
        """
        if isinstance(self.stream, gzip.GzipFile):
            with library_calls(self.source, "its end"):
                self.stream.read(2**20)

    def affine(self) -> NDArray[np.float64]:
        """From voxel indices to mm, shape (4, 4).

        Raises
        ------
        ConnectomeError
            It is not finite, or maps different voxels to one place.
        """
        with library_calls(self.source, "the place of its voxels"):
            affine = np.asarray(self.header.get_best_affine(), dtype=np.float64)
        with np.errstate(all="ignore"):
            volume_mm3 = abs(float(np.linalg.det(affine[:3, :3]))) if _finite(affine) else 0.0
        if not 0.0 < volume_mm3 < np.inf:
            raise ConnectomeError(
                f"{self.source} does not say where its voxels are: its affine matrix is "
                f"{affine[:3].tolist()}. Fetch it again, or write it again with the program that "
                "made it."
            )
        return affine

    def cifti_xml(self) -> bytes:
        """The XML that says what rows and columns of a CIFTI-2 file are.

        Raises
        ------
        ConnectomeError
            There is none, or it is larger than any that a program writes.
        """
        begin = self.header.template_dtype.itemsize
        with library_calls(self.source, "its CIFTI-2 header"):
            self.stream.seek(begin)
            content = self.stream.read(self.offset - begin)
        order: Literal["little", "big"] = "little" if self.header.endianness == "<" else "big"
        at = 4  # after the four bytes that say whether there are extensions
        while at + 8 <= len(content):
            size = int.from_bytes(content[at : at + 4], order, signed=True)
            code = int.from_bytes(content[at + 4 : at + 8], order, signed=True)
            if size < 8 or at + size > len(content):
                break
            if code == _CIFTI_EXTENSION:
                return content[at + 8 : at + size].rstrip(b"\0")
            at += size
        raise ConnectomeError(
            f"{self.source} is a CIFTI file by its intent code, but has no CIFTI-2 header (an "
            "extension with XML). CIFTI-1 files are not read; convert them with wb_command "
            "-file-convert."
        )


@contextmanager
def open_nifti(path: Path) -> Iterator[NiftiFile]:
    """Open a NIfTI or CIFTI-2 file, read its header and close it again afterwards.

    Parameters
    ----------
    path : pathlib.Path
        ``.nii`` or ``.nii.gz``, NIfTI-1 or NIfTI-2 in either byte order.

    Raises
    ------
    ConnectomeError
        The file cannot be read, is no such file, or claims what cannot be: sizes, types, or more
        bytes than it has or than `MAX_SCAN_BYTES`.
    MissingDependencyError
        nibabel is not installed.
    """
    source = file_label(path)
    try:
        file = path.open("rb")
    except OSError as cause:
        raise ConnectomeError(
            f"{path} cannot be read: {cause.strerror or cause}. Check its permissions."
        ) from cause
    with file:
        with library_calls(source, "its beginning"):
            is_gzip = file.peek(2)[:2] == _GZIP
        if is_gzip != path.name.lower().endswith(".gz"):
            raise ConnectomeError(
                f"{source} is {'' if is_gzip else 'not '}compressed with gzip, which its name "
                f"{'does not say' if is_gzip else 'says'}. Rename it to "
                f"{'.nii.gz' if is_gzip else '.nii if it is NIfTI, or fetch it again'}."
            )
        if is_gzip:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                yield _opened(cast(BinaryIO, stream), source, None)
        else:
            yield _opened(file, source, path.stat().st_size)


def _opened(stream: BinaryIO, source: str, n_bytes_there: int | None) -> NiftiFile:
    header = _checked_header(stream, source)
    with library_calls(source, "its header"):
        shape = tuple(int(length) for length in header.get_data_shape())
        dtype = header.get_data_dtype()
        offset = int(header.get_data_offset())
        intent = int(header["intent_code"])
        codes = int(header["sform_code"]), int(header["qform_code"])
        header.get_slope_inter()
        type_name = header.get_value_label("datatype")
    if dtype.kind not in "fiu":
        raise ConnectomeError(
            f"{source} holds numbers of type {type_name}, expected real "
            "numbers. Save it as float32."
        )
    if not shape or min(shape) < 1:
        raise ConnectomeError(
            f"{source} claims the size {size_text(shape)}. The file is damaged; fetch it again."
        )
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes > MAX_SCAN_BYTES:
        raise ConnectomeError(
            f"{source} claims {n_bytes / 1e9:.1f} GB ({size_text(shape)}); at most "
            f"{MAX_SCAN_BYTES / 1e9:.1f} GB is read. Check that this is the file you meant."
        )
    n_before = offset - header.template_dtype.itemsize
    if not 4 <= n_before <= _MAX_EXTENSION_BYTES:
        raise ConnectomeError(
            f"{source} claims that its numbers begin at byte {offset}, expected soon after its "
            "header. The file is damaged; fetch it again."
        )
    if n_bytes_there is not None and offset + n_bytes > n_bytes_there:
        raise ConnectomeError(
            f"{source} is cut short: its header says {size_text(shape)} numbers of {dtype.name}, "
            f"{offset + n_bytes} bytes in all, but it has {n_bytes_there}. Fetch or write it again."
        )
    is_cifti = intent in _CIFTI_INTENTS
    if is_cifti and (len(shape) != 6 or shape[:4] != (1, 1, 1, 1)):
        raise ConnectomeError(
            f"{source} is a CIFTI file of the size {size_text(shape)}, expected 1 x 1 x 1 x 1 x "
            "rows x columns. Only matrices of two dimensions are read."
        )
    used = shape[4:] if is_cifti else _without_ones(shape)
    return NiftiFile(source, used, is_cifti, any(codes), offset, header, stream)


def _checked_header(stream: BinaryIO, source: str) -> Any:
    """The header of nibabel, with what it repairs (signs of voxel sizes) repaired in silence."""
    nibabel = nibabel_module()
    with library_calls(source, "its beginning"):
        first = stream.read(4)
    sizes = int.from_bytes(first, "little"), int.from_bytes(first, "big")
    size = next((size for size in sizes if size in _HEADER_CLASSES), None)
    if size is None:
        raise ConnectomeError(
            f"{source} is not a NIfTI file: it begins with {first!r}, expected the size of a NIfTI "
            "header (348 or 540). Check what wrote it, or pick another file."
        )
    with library_calls(source, "its header"):
        block = first + stream.read(size - 4)
        header = getattr(nibabel, _HEADER_CLASSES[size])(block, check=False)
        header.check_fix(logger=_quiet, error_level=40)
        is_single = header["magic"].item() == header.single_magic
    if not is_single:
        raise ConnectomeError(
            f"{source} is the header of a pair of files (.hdr and .img). Save both as one .nii."
        )
    return header


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _finite(array: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(array).all())
