"""What has been scored so far, on disk, so that a killed run goes on where it was.

One line of JSON a person, after one line that says what is scored. A line that was cut off by a
kill or a full disk is taken back when the file is opened again; somebody who is scored again gets
another line, and the last one counts.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .cohort_entry import CohortEntry
from .errors import CohortError, OutputError
from .json_object import JsonObject
from .scored_person import ScoredPerson, file_stamp

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
    n_people : int
        Rows of the cohort.

    Raises
    ------
    OutputError
        The journal is of another run, or cannot be read or written.
    """

    def __init__(self, folder: Path, about: dict[str, Any], n_people: int) -> None:
        self.path = folder / JOURNAL_FILE
        self._synced_s = time.monotonic()
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
            self._file: BinaryIO = self.path.open("a+b")
        except OSError as cause:
            raise self._not_written(cause) from cause
        try:
            self._end = self._take_up(json.dumps(about, sort_keys=True))
        except BaseException as error:
            self._file.close()
            if isinstance(error, OSError):
                raise self._not_written(error) from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def forget_changed(self, entries: Sequence[CohortEntry]) -> None:
        """Give up the rows whose file is another one than when it was read.

        The row of a file that is gone stays: what it held is known from nowhere else.

        Parameters
        ----------
        entries : sequence of CohortEntry
            The cohort, row by row.
        """
        for row in np.flatnonzero(self._begins != _NONE).tolist():
            path = entries[row].path
            found = None if path is None else file_stamp(path)
            if found is not None and found != tuple(self._stamps[row]):
                self._forget(row)

    def rows_left(self) -> list[int]:
        """Which rows there are not, in order."""
        return np.flatnonzero(self._begins == _NONE).tolist()

    def add(self, row: int, person: ScoredPerson) -> None:
        """Write one row down; raises `OutputError` if that cannot be done."""
        line = json.dumps({"row": row, "person": person.to_json()}, allow_nan=False).encode()
        try:
            self._file.write(line + b"\n")
            self._file.flush()  # from here on it survives a kill of this process
            if time.monotonic() - self._synced_s >= SYNC_S:
                self.sync()
        except OSError as cause:
            raise self._not_written(cause) from cause
        self._note(row, person, len(line) + 1)

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

    def _take_up(self, header: str) -> int:
        """Cut off what is no whole line, and find the rows; returns where the file ends."""
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n"):
            self._file.truncate(0)
            self._file.write(header.encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            return len(header.encode()) + 1
        if first.decode(errors="replace").rstrip("\n") != header:
            raise OutputError(
                f"{self.path.parent} holds another scoring: another cohort, bundle or other "
                "options. Give the same again to go on with it, another folder, or --force to "
                "begin anew."
            )
        self._end = len(first)
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            try:
                row, person = _from_line(line, str(self.path))
            except CohortError:  # a block that a power cut left empty
                break
            if row >= len(self._begins):
                break
            self._note(row, person, len(line))
        self._file.truncate(self._end)
        return self._end

    def _forget(self, row: int) -> None:
        if self._begins[row] != _NONE:
            self.n_done -= 1
            self.n_failed -= int(self._is_failed[row])
        self._begins[row] = _NONE

    def _note(self, row: int, person: ScoredPerson, n_bytes: int) -> None:
        self._forget(row)
        self.n_done += 1
        self.n_failed += not person.is_ok
        self._begins[row] = self._end
        self._stamps[row] = (_NONE, _NONE) if person.stamp is None else person.stamp
        self._is_failed[row] = not person.is_ok
        self._end += n_bytes

    def _not_written(self, cause: OSError) -> OutputError:
        return OutputError(
            f"{self.path} cannot be written: {cause.strerror or cause}. What is scored is kept: "
            "make room there and start again to go on."
        )


def _from_line(line: bytes, where: str) -> tuple[int, ScoredPerson]:
    document = JsonObject.parse(line, where, CohortError)
    row = document.integer("row", minimum=0)
    person = ScoredPerson.from_json(document.child("person"))
    document.close()
    return row, person
