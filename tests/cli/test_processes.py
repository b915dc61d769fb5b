"""Work in processes of its own: all of it is done, and an error or an end ends the others."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dtb_cli.processes import Tell, in_processes
from dtb_runtime.errors import CohortError, DtbError


def write_name(item: Path, tell: Tell) -> None:
    tell(1, 2, "half")
    item.write_text(f"{os.getpid()} {os.environ['OMP_NUM_THREADS']}", encoding="ascii")


def fail(item: str, tell: Tell) -> None:
    if item == "bad":
        raise CohortError("These people cannot be used.")
    if item == "mistake":
        raise ZeroDivisionError
    if item == "killed":
        os._exit(9)
    if item == "mute":
        os._exit(0)
    time.sleep(60)


def test_every_item_is_worked_on_in_its_own_process(tmp_path: Path) -> None:
    said: list[tuple[str, int, str]] = []
    before = os.environ.get("OMP_NUM_THREADS")
    items = {name: tmp_path / name for name in ("a", "b")}
    in_processes(write_name, items, 2, lambda *told: said.append(told), 7)
    ids, threads = zip(*(path.read_text("ascii").split() for path in items.values()), strict=True)
    assert threads == ("1", "1")
    assert len({*ids, str(os.getpid())}) == 3
    assert os.environ.get("OMP_NUM_THREADS") == before
    assert sorted(said) == [("a", 1, "half"), ("a", 7, "done"), ("b", 1, "half"), ("b", 7, "done")]


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        ("bad", CohortError, "These people cannot be used"),
        ("mistake", RuntimeError, "ZeroDivisionError"),
        ("killed", DtbError, "ended with code 9 and said nothing"),
        ("mute", DtbError, "ended with code 0 and said nothing"),
    ],
)
def test_an_error_ends_the_others(item: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        in_processes(fail, {"one": item, "other": "waits"}, 2, lambda *_: None, 1)
