"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .errors import OutputError


def write_files(folder: Path, contents: Mapping[str, bytes], *, force: bool) -> tuple[Path, ...]:
    """Write several files to one folder, all or none.

    They are written beside their place first and then moved into it. If anything fails, files
    moved so far are taken back, replaced ones restored and folders that were made removed.

    Parameters
    ----------
    folder : pathlib.Path
        Where to; made if it is not there.
    contents : mapping of str to bytes
        File name to content.
    force : bool
        Replace files that are there already.

    Returns
    -------
    tuple of pathlib.Path
        The files in the order given.

    Raises
    ------
    OutputError
        A file is there and `force` is not set, or something cannot be written.
    """
    targets = {name: folder / name for name in contents}
    made: list[Path] = []
    try:
        existing = [name for name, target in targets.items() if os.path.lexists(target)]
        if existing and not force:
            more = len(existing) - 1
            exist = f"and {more} more of these files exist" if more else "exists"
            raise OutputError(
                f"{targets[existing[0]]} {exist} already; nothing was written. Pass --force "
                "(force=True) to replace, or choose another place."
            )
        _make_folder(folder, made)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
            for name, data in contents.items():
                (Path(partial) / name).write_bytes(data)
            _move(Path(partial), targets)
    except BaseException as error:
        for parent in reversed(made):
            parent.rmdir()
        if isinstance(error, OSError):
            raise OutputError(
                f"{error.filename or folder} cannot be written: {error.strerror or error}. "
                "Choose a folder you can write to."
            ) from error
        raise
    return tuple(targets.values())


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Make a folder and its parents, noting each one made."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder.parent == folder:
            break
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir()
        made.append(path)


def _move(partial: Path, targets: Mapping[str, Path]) -> None:
    replaced = Path(tempfile.mkdtemp(dir=partial))
    moved: list[tuple[str, Path]] = []
    try:
        for name, target in targets.items():
            if os.path.lexists(target):
                # A copy, not a move: the file stays in its place until the new one takes it.
                shutil.copy2(target, replaced / name)
            moved.append((name, target))
            (partial / name).replace(target)
    except BaseException:
        for name, target in moved:
            if (replaced / name).exists():
                (replaced / name).replace(target)
            else:
                target.unlink(missing_ok=True)
        raise
