"""How files are read, as outputs say it: by what files of regions hold, not by where they lie."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from .errors import ConnectomeError
from .reading import Reading
from .tables import check_is_file, file_label

_FILES = ("atlas", "atlas_labels")
_BLOCK_BYTES = 2**20


def settings_of(reading: Reading) -> dict[str, Any]:
    """The fields as JSON values, of files the SHA-256 of their content.

    Another parcellation under the same name gives other results, and the same one elsewhere the
    same.

    Raises
    ------
    ConnectomeError
        A file is missing or cannot be read.
    """
    fields = reading.to_json()
    for name in _FILES:
        if fields[name] is not None:
            fields[name] = file_digest(Path(fields[name]))
    return fields


def file_digest(path: Path) -> str:
    """SHA-256 of a file; raises `ConnectomeError` where it cannot be read."""
    check_is_file(path, ConnectomeError)
    try:
        found = path.stat()
        return _digest(path.absolute(), found.st_size, found.st_mtime_ns)
    except OSError as cause:
        raise ConnectomeError(
            f"{file_label(path)} cannot be read: {cause.strerror or cause}. Check the path."
        ) from cause


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, changed_ns: int) -> str:
    """The digest of a file as it is at that time: settings are asked for more than once."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
