"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from .errors import OutputError


def check_free(folder: Path, names: Iterable[str], *, force: bool) -> None:
    """Raise `OutputError` if one of some files is there, unless it may be replaced."""
    existing = [folder / name for name in names if os.path.lexists(folder / name)]
    if existing and not force:
        raise _exists_already(existing[0], len(existing) - 1)


def write_files(folder: Path, contents: Mapping[str, bytes], *, force: bool) -> tuple[Path, ...]:
    """Write several files to one folder, all or none.

    They are written beside their place first and then moved into it. If anything fails, files
    moved so far are taken back, replaced ones restored and folders that were made removed. Of
    several processes that write the same files at once without `force`, one succeeds.

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
        check_free(folder, contents, force=force)
        _make_folder(folder, made)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as partial:
            for name, data in contents.items():
                (Path(partial) / name).write_bytes(data)
            _move(Path(partial), targets, force=force)
    except BaseException as error:
        for parent in reversed(made):
            with contextlib.suppress(OSError):  # another process has put something into it
                parent.rmdir()
        if isinstance(error, OSError):
            raise OutputError(
                f"{error.filename or folder} cannot be written: {error.strerror or error}. "
                "Choose a folder you can write to."
            ) from error
        raise
    return tuple(targets.values())


def _exists_already(target: Path, n_more: int) -> OutputError:
    exist = f"and {n_more} more of these files exist" if n_more else "exists"
    return OutputError(
        f"{target} {exist} already; nothing was written. Pass --force (force=True) to replace, or "
        "choose another place."
    )


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Make a folder and its parents, noting each one made."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder.parent == folder:
            break
        folder = folder.parent
    for path in reversed(missing):
        try:
            path.mkdir()
        except FileExistsError:
            if not path.is_dir():
                raise
            continue  # another process was faster, and it is not ours to remove
        made.append(path)


def _move(partial: Path, targets: Mapping[str, Path], *, force: bool) -> None:
    replaced = Path(tempfile.mkdtemp(dir=partial))
    moved: list[tuple[str, Path]] = []
    try:
        for name, target in targets.items():
            if os.path.lexists(target):
                # A copy, not a move: the file stays in its place until the new one takes it.
                shutil.copy2(target, replaced / name)
            moved.append((name, target))
            if force:
                (partial / name).replace(target)
            else:
                _place_new(partial / name, target)
    except BaseException:
        for name, target in moved:
            if (replaced / name).exists():
                (replaced / name).replace(target)
            elif not _is_of_another(partial / name, target):
                target.unlink(missing_ok=True)
        raise


def _place_new(source: Path, target: Path) -> None:
    """Move a file to where none is; unlike a rename, this notices one that appeared just now."""
    try:
        os.link(source, target)
    except FileExistsError as cause:
        raise _exists_already(target, 0) from cause
    except OSError:  # a file system without hard links
        source.replace(target)


def _is_of_another(source: Path, target: Path) -> bool:
    """Whether the file at `target` is not the one that was written to `source`."""
    try:
        return not os.path.samestat(os.lstat(target), os.lstat(source))
    except OSError:  # `source` was moved, so it is ours, or `target` is not there
        return False
