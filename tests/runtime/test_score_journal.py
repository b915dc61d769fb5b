"""What is scored survives kills, torn lines and full disks."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.errors import CohortError, OutputError
from dtb_runtime.score_journal import JOURNAL_FILE, Journal
from dtb_runtime.scored_person import ScoredPerson, file_stamp

ABOUT = {"version": 1, "bundle": "tiny"}
ENTRIES = [CohortEntry(f"sub-{number}", None, None) for number in range(4)]


def person(number: int) -> ScoredPerson:
    return ScoredPerson(f"sub-{number}", None, "ok", {"accuracy": number / 7})


def fill(folder: Path, n: int) -> bytes:
    with Journal(folder, ABOUT, ENTRIES) as journal:
        for number in range(n):
            journal.add(number, person(number))
    return (folder / JOURNAL_FILE).read_bytes()


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with Journal(tmp_path, ABOUT, ENTRIES) as journal:
        assert journal.n_done == 3
        journal.add(3, person(3))
        assert list(journal.people()) == [person(number) for number in range(4)]


def test_cut_off_at_any_byte_it_keeps_whole_lines_and_ends_with_the_same_bytes(
    tmp_path: Path,
) -> None:
    whole = fill(tmp_path, 3)
    for cut in range(len(whole) + 1):
        (tmp_path / JOURNAL_FILE).write_bytes(whole[:cut])
        with Journal(tmp_path, ABOUT, ENTRIES) as journal:
            assert journal.n_done == max(whole[:cut].count(b"\n") - 1, 0)
            for number in range(journal.n_done, 3):
                journal.add(number, person(number))
        assert (tmp_path / JOURNAL_FILE).read_bytes() == whole


def test_the_last_line_of_a_row_counts(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with Journal(tmp_path, ABOUT, ENTRIES) as journal:
        journal.add(1, ScoredPerson("sub-1", None, "failed", error="gone"))
        assert (journal.n_done, journal.n_failed, journal.rows_left()) == (3, 1, [3])
    with Journal(tmp_path, ABOUT, ENTRIES) as journal:
        assert (journal.n_done, journal.n_failed, journal.rows_left()) == (3, 1, [3])
        assert [p.status for p in journal.people()] == ["ok", "failed", "ok"]
        journal.add(1, person(1))
        assert (journal.n_done, journal.n_failed) == (3, 0)
        assert list(journal.people()) == [person(number) for number in range(3)]


def test_rows_whose_file_has_changed_are_given_up_and_those_of_files_that_are_gone_are_not(
    tmp_path: Path,
) -> None:
    files = [tmp_path / f"sub-{number}.npy" for number in range(4)]
    entries = [CohortEntry(file.stem, None, file) for file in files]
    for file in files[:3]:
        file.write_bytes(b"one")
    with Journal(tmp_path, ABOUT, entries) as journal:
        for row, file in enumerate(files):
            journal.add(row, ScoredPerson(file.stem, None, "ok", stamp=file_stamp(file)))
        journal.forget_changed()
        assert journal.rows_left() == []
    files[0].write_bytes(b"other")  # another length
    os.utime(files[1], ns=(1, 1))  # the same length, another time
    files[2].unlink()
    files[3].write_bytes(b"new")  # it was not there when it was read
    with Journal(tmp_path, ABOUT, entries) as journal:
        journal.forget_changed()
        assert journal.rows_left() == [0, 1, 3]
        assert journal.n_done == 1


def test_zeros_that_a_power_cut_left_are_cut_off(tmp_path: Path) -> None:
    whole = fill(tmp_path, 2)
    (tmp_path / JOURNAL_FILE).write_bytes(whole + b"\0" * 50 + b"\n")
    with Journal(tmp_path, ABOUT, ENTRIES) as journal:
        assert (journal.n_done, journal.rows_left()) == (2, [2, 3])
        journal.add(2, person(2))
        assert list(journal.people()) == [person(number) for number in range(3)]


def test_a_damaged_line_costs_its_own_row(tmp_path: Path) -> None:
    lines = fill(tmp_path, 3).splitlines(keepends=True)
    lines[2] = lines[2].replace(b"sub-1", b"sub\xff1")
    (tmp_path / JOURNAL_FILE).write_bytes(b"".join(lines))
    with Journal(tmp_path, ABOUT, ENTRIES) as journal:
        assert journal.rows_left() == [1, 3]


def test_lines_of_people_who_are_listed_otherwise_by_now_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    others = [ENTRIES[0], replace(ENTRIES[1], own={"age": "30"}), ENTRIES[3]]
    with Journal(tmp_path, ABOUT, others) as journal:
        assert journal.rows_left() == [1]
        assert list(journal.people()) == [person(0), person(3)]


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_FILE).write_text("mine")
    with pytest.raises(OutputError, match="it is no journal of this program"):
        Journal(tmp_path, ABOUT, ENTRIES)
    assert (tmp_path / JOURNAL_FILE).read_text() == "mine"


def test_the_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    whole = fill(tmp_path, 2)
    with pytest.raises(OutputError, match=r"holds another run \(other bundle\); nothing"):
        Journal(tmp_path, ABOUT | {"bundle": "other"}, ENTRIES)
    assert (tmp_path / JOURNAL_FILE).read_bytes() == whole


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    fill(tmp_path, 2)
    with Journal(tmp_path, ABOUT, ENTRIES) as journal:
        own, journal._file = journal._file, full.open("r+b", buffering=0)
        with pytest.raises(OutputError, match=r"No space left on device.*start again to go on"):
            journal.add(2, person(2))
        journal._file.close()
        journal._file = own
        assert journal.n_done == 2


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        Journal(tmp_path / "gone", ABOUT, ENTRIES)


def test_a_line_changed_by_hand_is_an_error_when_read(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    with Journal(tmp_path, ABOUT, ENTRIES) as journal:
        text = (tmp_path / JOURNAL_FILE).read_text().replace("sub-1", "sub-1\\u0000")
        (tmp_path / JOURNAL_FILE).write_text(text)
        with pytest.raises(CohortError, match="row 2"):
            list(journal.people())
