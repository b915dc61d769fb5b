"""A bundle's folder, read once and verified before anything in it is used.

Order of the checks: the manifest, the set of files, their sizes, their digests, then the inside of
the ONNX graphs. Every file is read once and what was verified is what is used, so swapping a file
between check and use changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from .bundle_layout import MANIFEST_FILE
from .errors import BundleError
from .manifest import Manifest
from .onnx_scan import scan_onnx
from .tables import listed_names, one_line

MAX_MANIFEST_BYTES = 16 * 1024**2
"""Limit for the manifest alone; a thousand regions take 0.2 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class BundleFiles:
    """The verified content of a bundle folder."""

    folder: Path
    manifest: Manifest
    digest: str
    """SHA-256 of the manifest, which holds those of all other files: the bundle's identity."""
    contents: Mapping[str, bytes]
    """File name to content, the manifest left out."""


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """Manifest of a bundle folder and the bundle's digest; no other file is read.

    Raises
    ------
    BundleError
        The folder or its manifest is missing, or `Manifest.from_bytes` refuses it.
    """
    place = one_line(str(folder))
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise BundleError(f"A bundle is a folder, but {place} {what}. See: dtb-run bundles.")
    if not (folder / MANIFEST_FILE).exists():
        raise BundleError(
            f"{place} is no bundle: it holds no {MANIFEST_FILE}. Give the folder that "
            "`dtb-run export` wrote."
        )
    data = _read_regular(folder, MANIFEST_FILE, MAX_MANIFEST_BYTES)
    try:
        manifest = Manifest.from_bytes(data)
    except BundleError as error:
        raise BundleError(f"{place}: {error}") from error
    return manifest, hashlib.sha256(data).hexdigest()


def read_bundle_files(folder: Path) -> BundleFiles:
    """Read and verify every file of a bundle folder.

    Raises
    ------
    BundleError
        A file is missing, extra, a link, of another size or content than the manifest says, or an
        ONNX graph holds what `onnx_scan` refuses.
    """
    manifest, digest = read_manifest(folder)
    place = one_line(str(folder))
    expected = {MANIFEST_FILE, *manifest.files}
    try:
        found = {path.name for path in folder.iterdir()}
    except OSError as cause:
        raise BundleError(f"{place} cannot be listed: {cause.strerror}.") from cause
    for problem, names in (("lacks", expected - found), ("must not hold", found - expected)):
        if names:
            raise BundleError(
                f"{place} {problem} {listed_names(sorted(names))}: a bundle holds exactly the "
                "files of its manifest. Copy it again, or export it again."
            )
    contents = {}
    for name, entry in manifest.files.items():
        data = _read_regular(folder, name, entry.size)
        if len(data) != entry.size:
            raise BundleError(
                f"{place}: {name} should be {entry.size} bytes, but is {len(data)}. "
                "Copy the bundle again."
            )
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise BundleError(
                f"{place}: {name} was changed or damaged: its SHA-256 is not the one in "
                f"{MANIFEST_FILE}. Copy the bundle again."
            )
        contents[name] = data
    for spec in manifest.graphs.values():
        scan_onnx(contents[spec.file], spec.file)
    return BundleFiles(folder, manifest, digest, MappingProxyType(contents))


def _read_regular(folder: Path, name: str, limit: int) -> bytes:
    """Content of a plain file, read through one descriptor; links and devices are refused."""
    path = folder / name
    place = one_line(str(path))
    # O_NONBLOCK: opening a FIFO would otherwise wait for a writer forever.
    flags = os.O_RDONLY
    for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC"):
        flags |= getattr(os, flag, 0)
    try:
        if path.is_symlink():  # where the system has no O_NOFOLLOW
            raise BundleError(f"{place} is a link. A bundle holds plain files; copy it whole.")
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{place} is not a plain file. Copy the bundle again.")
            if status.st_size > limit:
                raise BundleError(
                    f"{place} is {status.st_size} bytes, more than the {limit} it may have. "
                    "Copy the bundle again."
                )
            return file.read(status.st_size + 1)  # one more: it may have grown
    except OSError as cause:
        raise BundleError(f"{place} cannot be read: {cause.strerror}.") from cause
