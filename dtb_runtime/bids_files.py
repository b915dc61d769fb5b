"""How files of the results are written: JSON that is easy to read, and only where it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .atomic import write_files


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """A document as the results have it; raises `ValueError` for a number that is not finite."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_changed(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write those files that are not there as they should be.

    Several processes write the same bytes, so that most find nothing to do.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    changed = {
        name: data
        for name, data in contents.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != data
    }
    if changed:
        write_files(folder, changed, force=True)
