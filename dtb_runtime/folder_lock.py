"""One process at a time in a folder that is written over a long time."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BusyFolderError, NoLocksError, OutputError

if TYPE_CHECKING:
    from types import ModuleType

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
LOCK_FILE = ".dtb-run.lock"
"""Empty; there only while a process writes to the folder, or where one was killed."""


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Keep other processes of this package out of a folder while it is written to.

    The operating system gives up the lock of a process that ends, however it ends, so a folder
    is never locked by nobody.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there; then removed at the end if nothing was written to it.

    Raises
    ------
    BusyFolderError
        Another process writes to the folder.
    NoLocksError
        Its file system has no locks, as those of some clusters.
    OutputError
        It cannot be made, written to or locked.
    """
    was_there = folder.is_dir()
    descriptor = _locked(folder)
    try:
        yield
    finally:
        # While it is still ours: whoever opened the file before finds another one in its place.
        with contextlib.suppress(OSError):
            (folder / LOCK_FILE).unlink(missing_ok=True)
        os.close(descriptor)
        if not was_there:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def _locked(folder: Path) -> int:
    path = folder / LOCK_FILE
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError as cause:
            raise OutputError(
                f"{folder} cannot be written: {cause.strerror or cause}. Choose a folder you can "
                "write to."
            ) from cause
        try:
            _lock(descriptor)
        except OSError as cause:
            os.close(descriptor)
            if _is_busy(cause):
                raise BusyFolderError(
                    f"Another process is writing to {folder}. Wait until it ends, or choose "
                    "another folder."
                ) from cause
            with contextlib.suppress(OSError):
                path.unlink()
            if cause.errno in _NO_LOCKS:
                raise NoLocksError(
                    f"The file system of {folder} has no locks, so nobody could keep another "
                    f"process out ({cause.strerror}). Choose a folder on another one."
                ) from cause
            raise OutputError(
                f"{folder} cannot be locked: {cause.strerror or cause}. Choose another folder."
            ) from cause
        if _is_at(path, descriptor):
            return descriptor
        os.close(descriptor)  # it was taken away between opening and locking it: once more


def _lock(descriptor: int) -> None:
    """Lock an open file at once or raise `OSError`."""
    fcntl = _fcntl()
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    import msvcrt

    msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]


def _is_busy(cause: OSError) -> bool:
    """Whether somebody else has the lock, as POSIX or Windows says it."""
    return isinstance(cause, BlockingIOError if _fcntl() is not None else PermissionError)


def _fcntl() -> ModuleType | None:
    """POSIX's file locks; None on Windows."""
    try:
        import fcntl
    except ImportError:
        return None
    return fcntl


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file is the one at a path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
