"""Where the results' data lie, and how their files are written."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """Return the folder of the real data.

    Raises
    ------
    SystemExit
        If it is not there.
    """
    shared = Path(os.environ.get("DTB_SHARED", REPOSITORY.parent / "shared"))
    data = shared / "data"
    if not data.is_dir():
        raise SystemExit(
            f"The results need real data, and there are none at {data}: set DTB_SHARED to the "
            "folder that holds data/tcp, data/hcp_rest and data/parcellations."
        )
    return data.resolve()


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{path.name}")
    partial.write_bytes(content)
    partial.replace(path)
