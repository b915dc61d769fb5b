"""One process at a time in a folder: locks between threads of work, processes and kills."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dtb_runtime.errors import OutputError
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
