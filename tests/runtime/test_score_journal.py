"""What is scored survives kills, torn lines and full disks."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtb_runtime.errors import CohortError, OutputError
from dtb_runtime.score_journal import JOURNAL_FILE, Journal
from dtb_runtime.scored_person import ScoredPerson

ABOUT = {"version": 1, "bundle": "tiny"}


def person(number: int) -> ScoredPerson:
    return ScoredPerson(f"sub-{number}", None, "ok", {"accuracy": number / 7})


def fill(folder: Path, n: int) -> bytes:
    with Journal(folder, ABOUT) as journal:
        for number in range(n):
            journal.add(person(number))
    return (folder / JOURNAL_FILE).read_bytes()


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with Journal(tmp_path, ABOUT) as journal:
        assert journal.n_done == 3
        journal.add(person(3))
        assert list(journal.people()) == [person(number) for number in range(4)]


def test_cut_off_at_any_byte_it_keeps_whole_lines_and_ends_with_the_same_bytes(
    tmp_path: Path,
) -> None:
    whole = fill(tmp_path, 3)
    for cut in range(len(whole) + 1):
        (tmp_path / JOURNAL_FILE).write_bytes(whole[:cut])
        with Journal(tmp_path, ABOUT) as journal:
            assert journal.n_done == max(whole[:cut].count(b"\n") - 1, 0)
            for number in range(journal.n_done, 3):
                journal.add(person(number))
        assert (tmp_path / JOURNAL_FILE).read_bytes() == whole


def test_zeros_that_a_power_cut_left_are_cut_off(tmp_path: Path) -> None:
    whole = fill(tmp_path, 2)
    (tmp_path / JOURNAL_FILE).write_bytes(whole + b"\0" * 50 + b"\n")
    with Journal(tmp_path, ABOUT) as journal:
        assert journal.n_done == 2
    assert (tmp_path / JOURNAL_FILE).read_bytes() == whole


def test_the_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    whole = fill(tmp_path, 2)
    with pytest.raises(OutputError, match="holds another scoring that has not ended"):
        Journal(tmp_path, ABOUT | {"bundle": "other"})
    assert (tmp_path / JOURNAL_FILE).read_bytes() == whole


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    fill(tmp_path, 2)
    with Journal(tmp_path, ABOUT) as journal:
        own, journal._file = journal._file, full.open("r+b", buffering=0)
        with pytest.raises(OutputError, match=r"No space left on device.*start again to go on"):
            journal.add(person(2))
        journal._file.close()
        journal._file = own
        assert journal.n_done == 2


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        Journal(tmp_path / "gone", ABOUT)


def test_a_line_changed_by_hand_is_an_error_when_read(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    with Journal(tmp_path, ABOUT) as journal:
        text = (tmp_path / JOURNAL_FILE).read_text().replace("sub-1", "sub-1\\u0000")
        (tmp_path / JOURNAL_FILE).write_text(text)
        with pytest.raises(CohortError, match="line 3"):
            list(journal.people())
