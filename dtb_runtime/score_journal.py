"""What has been scored so far, on disk, so that a killed run goes on where it was.

One line of JSON a person, after one line that says what is scored. A line that was cut off by a
kill or a full disk is taken back when the file is opened again; somebody who is scored again gets
another line, and the last one counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .cohort_entry import CohortEntry
from .errors import CohortError, OutputError
from .json_object import JsonObject
from .own_files import OwnFiles
from .scored_person import ScoredPerson, stamp_of

if TYPE_CHECKING:
    from typing import Self

JOURNAL_FILE = "scored.jsonl"
SYNC_S = 2.0
"""How much work a power cut can cost at most: lines reach the disk that often."""
_NONE = -1  # where a row has no line, or a line no stamp


class Journal:
    """The lines of one cohort, to be added to; a context manager.

    Parameters
    ----------
    folder : pathlib.Path
        Where it lies; locked by the caller.
    about : dict
        What is scored: another run's journal is refused.
    entries : sequence of CohortEntry
        Whose rows there shall be. Lines of somebody else, and of somebody who is listed otherwise
        by now (another file, another age), are passed over.

    Raises
    ------
    OutputError
        The journal is of another run, or cannot be read or written.
    """

    def __init__(self, folder: Path, about: dict[str, Any], entries: Sequence[CohortEntry]) -> None:
        self.path = folder / JOURNAL_FILE
        self._synced_s = time.monotonic()
        self._entries = entries
        self._rows = {entry.key: row for row, entry in enumerate(entries)}
        n_people = len(entries)
        # Of each row where its line begins, what its file was then, and whether it failed: plain
        # arrays, since a cohort may have millions.
        self._begins = np.full(n_people, _NONE, np.int64)
        self._stamps = np.full((n_people, 2), _NONE, np.int64)
        self._is_failed = np.zeros(n_people, np.bool_)
        self.n_done = 0
        """How many rows there are."""
        self.n_failed = 0
        """How many of them failed."""
        try:
            # Without a buffer: what could not be written would be tried again when it is closed.
            self._file: FileIO = self.path.open("a+b", buffering=0)
        except OSError as cause:
            raise self._not_written(cause) from cause
        try:
            self._end = self._take_up(about)
        except BaseException as error:
            self._file.close()
            if isinstance(error, OSError):
                raise self._not_written(error) from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def forget_changed(self, own_files: OwnFiles | None = None) -> None:
        """Give up the rows whose file is another one than when it was read.

        The row of a file that is gone stays: what it held is known from nowhere else.

        Parameters
        ----------
        own_files : OwnFiles, optional
            Everybody's own, if there are any: a row without them is given up too.
        """
        for row in np.flatnonzero(self._begins != _NONE).tolist():
            entry = self._entries[row]
            found = stamp_of(entry)
            is_other = found is not None and found != tuple(self._stamps[row])
            lacks_files = (
                own_files is not None
                and not self._is_failed[row]
                and not own_files.are_there(entry)
            )
            if is_other or lacks_files:
                self._forget(row)

    def rows_left(self) -> list[int]:
        """Which rows there are not, in order."""
        return np.flatnonzero(self._begins == _NONE).tolist()

    def add(self, row: int, person: ScoredPerson) -> None:
        """Write one row down; raises `OutputError` if that cannot be done."""
        document = {"entry": self._entries[row].digest(), "person": person.to_json()}
        line = json.dumps(document, allow_nan=False).encode() + b"\n"
        try:
            self._write(line)  # from here on it survives a kill of this process
            if time.monotonic() - self._synced_s >= SYNC_S:
                self.sync()
        except OSError as cause:
            raise self._not_written(cause) from cause
        self._note(row, person)
        self._end += len(line)

    def sync(self) -> None:
        """Let everything reach the disk."""
        os.fsync(self._file.fileno())
        self._synced_s = time.monotonic()

    def people(self) -> Iterator[ScoredPerson]:
        """Read all rows again, in their order, one at a time."""
        with self.path.open("rb") as file:
            for row, begin in enumerate(self._begins):
                if begin != _NONE:
                    file.seek(int(begin))
                    _, person = _from_line(file.readline(), f"{self.path}, row {row + 1}")
                    yield person

    def first_failed(self) -> ScoredPerson | None:
        """The first row that failed; None where none has."""
        return next((person for person in self.people() if not person.is_ok), None)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[self._file.write(data) :]

    def _take_up(self, about: dict[str, Any]) -> int:
        """Cut off what is no whole line, and find the rows; returns where the file ends."""
        header = json.dumps(about, sort_keys=True).encode() + b"\n"
        with self.path.open("rb") as file:
            first = file.readline()
            if first != header and header.startswith(first):  # new, or killed at once
                self._file.truncate(0)
                self._write(header)
                self.sync()
                return len(header)
            if first != header:
                raise self._of_another(first, about)
            self._end = len(first)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                # What cannot be read (a block that a power cut left empty) is nobody's row.
                with contextlib.suppress(CohortError):
                    self._take_line(line)
                self._end += len(line)
        self._file.truncate(self._end)
        return self._end

    def _take_line(self, line: bytes) -> None:
        digest, person = _from_line(line, str(self.path))
        row = self._rows.get(person.key)
        if row is not None and self._entries[row].digest() == digest:
            self._note(row, person)

    def _of_another(self, first: bytes, about: dict[str, Any]) -> OutputError:
        try:
            differs = differences(json.loads(first), about)
        except ValueError:
            differs = "it is no journal of this program"
        return OutputError(
            f"{self.path.parent} holds another run ({differs}); nothing was written. Give the "
            "same again to go on with it, another folder, or --force (force=True) to begin anew."
        )

    def _forget(self, row: int) -> None:
        if self._begins[row] != _NONE:
            self.n_done -= 1
            self.n_failed -= int(self._is_failed[row])
        self._begins[row] = _NONE

    def _note(self, row: int, person: ScoredPerson) -> None:
        self._forget(row)
        self.n_done += 1
        self.n_failed += not person.is_ok
        self._begins[row] = self._end
        self._stamps[row] = (_NONE, _NONE) if person.stamp is None else person.stamp
        self._is_failed[row] = not person.is_ok

    def _not_written(self, cause: OSError) -> OutputError:
        return OutputError(
            f"{self.path} cannot be written: {cause.strerror or cause}. What is scored is kept: "
            "make room there and start again to go on."
        )


def differences(found: object, expected: Mapping[str, Any]) -> str:
    """Which parts of what is scored differ, in words."""
    if not isinstance(found, dict):
        return "it is no journal of this program"
    names = []
    for name, value in expected.items():
        theirs = found.get(name)
        if theirs == value:
            continue
        if isinstance(theirs, dict) and isinstance(value, Mapping):
            inside = [key for key in value if theirs.get(key) != value[key]]
            name = f"{name}: {', '.join(inside)}" if inside else name
        names.append(name)
    return f"other {', '.join(names)}" if names else "another form"


def _from_line(line: bytes, where: str) -> tuple[str, ScoredPerson]:
    document = JsonObject.parse(line, where, CohortError)
    digest = document.text("entry")
    person = ScoredPerson.from_json(document.child("person"))
    document.close()
    return digest, person
