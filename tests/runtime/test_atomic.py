"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dtb_runtime.atomic import write_files
from dtb_runtime.errors import OutputError

CONTENTS = {"a.txt": b"new a", "b.txt": b"new b", "c.txt": b"new c"}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file and folder below, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"/"
        for path in sorted(folder.rglob("*"))
    }


def test_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    paths = write_files(tmp_path / "x" / "y", CONTENTS, force=False)
    assert paths == tuple(tmp_path / "x" / "y" / name for name in CONTENTS)
    assert tree(tmp_path / "x" / "y") == CONTENTS


def test_files_get_the_usual_permissions(tmp_path: Path) -> None:
    (path, *_) = write_files(tmp_path / "new", CONTENTS, force=False)
    (tmp_path / "plain").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert path.parent.stat().st_mode == (tmp_path / "folder").stat().st_mode


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"old b")
    (tmp_path / "other.txt").write_bytes(b"other")
    before = tree(tmp_path)
    with pytest.raises(OutputError, match=r"b\.txt exists already.*Pass --force \(force=True\)"):
        write_files(tmp_path, CONTENTS, force=False)
    assert tree(tmp_path) == before
    (tmp_path / "c.txt").symlink_to("nowhere")
    with pytest.raises(OutputError, match=r"b\.txt and 1 more of these files exist already"):
        write_files(tmp_path, CONTENTS, force=False)
    (tmp_path / "c.txt").unlink()
    write_files(tmp_path, CONTENTS, force=True)
    assert tree(tmp_path) == {**CONTENTS, "other.txt": b"other"}


def test_a_failure_while_moving_puts_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(b"old a")
    before = tree(tmp_path)
    replace = Path.replace

    def fail_on_c(self: Path, target: Path) -> Path:
        if self.name == "c.txt":
            raise OSError(28, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail_on_c)
    with pytest.raises(OutputError, match=r"c\.txt cannot be written: No space left on device"):
        write_files(tmp_path, CONTENTS, force=True)
    assert tree(tmp_path) == before
    link = os.link

    def fail_to_link_c(source: Path, target: Path) -> None:
        if source.name == "c.txt":
            raise OSError(95, "Operation not supported")
        link(source, target)

    monkeypatch.setattr(os, "link", fail_to_link_c)
    with pytest.raises(OutputError, match="No space left"):
        write_files(tmp_path / "new" / "deep", CONTENTS, force=False)
    assert tree(tmp_path) == before, "folders made on the way are gone"


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Path, data: bytes) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path / "new", CONTENTS, force=False)
    assert tree(tmp_path) == {}


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(OutputError, match=r"file.* cannot be written: (File exists|Not a dir)"):
            write_files(folder, CONTENTS, force=False)
    assert tree(tmp_path) == {"file": b""}


def test_a_folder_in_the_way_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(OutputError, match=r"b\.txt"):
        write_files(tmp_path, CONTENTS, force=True)
    assert tree(tmp_path) == {"b.txt": b"/"}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc, which nobody can write to")
def test_a_place_where_no_folder_can_be_made_is_named() -> None:
    with pytest.raises(OutputError, match=r"/proc/new.* cannot be written.*you can write to"):
        write_files(Path("/proc/new/folder"), CONTENTS, force=False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            write_files(tmp_path, CONTENTS, force=False)
    finally:
        tmp_path.chmod(0o755)
    assert tree(tmp_path) == {}


def test_a_file_that_another_process_writes_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def link_after_another(source: Path, target: Path) -> None:
        if source.name == "b.txt":
            target.write_bytes(b"of another")
        link(source, target)

    monkeypatch.setattr(os, "link", link_after_another)
    with pytest.raises(OutputError, match=r"b\.txt exists already; nothing was written"):
        write_files(tmp_path / "new", CONTENTS, force=False)
    assert tree(tmp_path) == {"new": b"/", "new/b.txt": b"of another"}


def test_a_folder_that_another_process_makes_meanwhile_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir

    def mkdir_after_another(self: Path, mode: int = 0o777) -> None:
        if self.name == "new":
            mkdir(self)
        mkdir(self, mode)

    monkeypatch.setattr(Path, "mkdir", mkdir_after_another)
    write_files(tmp_path / "new" / "deep", CONTENTS, force=False)
    assert tree(tmp_path / "new" / "deep") == CONTENTS


def test_files_are_written_where_the_file_system_has_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    write_files(tmp_path, CONTENTS, force=False)
    assert tree(tmp_path) == CONTENTS
