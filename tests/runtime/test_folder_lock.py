"""One process at a time in a folder: locks between threads of work, processes and kills."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dtb_runtime import folder_lock
from dtb_runtime.errors import BusyFolderError, NoLocksError, OutputError
from dtb_runtime.folder_lock import LOCK_FILE, locked_folder

HOLD = """
import sys
from pathlib import Path
from dtb_runtime.folder_lock import locked_folder
with locked_folder(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_refused_and_the_folder_is_left_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    with locked_folder(folder):
        assert (folder / LOCK_FILE).exists()
        refused = pytest.raises(OutputError, match=r"Another process is writing to .*here")
        with refused, locked_folder(folder):
            pytest.fail("two at once")
    assert not folder.exists()  # nothing was written
    with locked_folder(folder):
        (folder / "result").write_text("")
    assert [path.name for path in folder.iterdir()] == ["result"]


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(OutputError, match="Another process"), locked_folder(tmp_path):
            pytest.fail("two at once")
        other.kill()
        other.wait()
    assert (tmp_path / LOCK_FILE).exists()  # what is left of it
    with locked_folder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="these are POSIX's numbers")
@pytest.mark.parametrize(
    ("number", "error", "match"),
    [
        (errno.EAGAIN, BusyFolderError, "Another process is writing to"),
        (errno.ENOLCK, NoLocksError, r"The file system of .* has no locks, .* \(No locks avail"),
        (errno.EOPNOTSUPP, NoLocksError, "has no locks"),
        (errno.EIO, OutputError, "cannot be locked: Input/output error"),
    ],
)
def test_what_keeps_a_folder_from_being_locked_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[OutputError],
    match: str,
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(folder_lock, "_lock", fail)
    with pytest.raises(OutputError, match=match) as caught, locked_folder(tmp_path):
        pytest.fail("it was not locked")
    assert type(caught.value) is error
    left = [] if error is not BusyFolderError else [LOCK_FILE]  # which is the other process's
    assert [path.name for path in tmp_path.iterdir()] == left


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"), locked_folder(tmp_path / "file"):
        pytest.fail("no folder")


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / LOCK_FILE).symlink_to(victim)
    with pytest.raises(OutputError), locked_folder(folder):
        pytest.fail("followed")
    assert not victim.exists()
