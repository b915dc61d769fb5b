"""What has been scored so far, on disk, so that a killed run goes on where it was.

One line of JSON a person, in the order of the cohort, after one line that says what is scored. A
line that was cut off by a kill or a full disk is taken back when the file is opened again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .errors import CohortError, OutputError
from .scored_person import ScoredPerson

if TYPE_CHECKING:
    from typing import Self

JOURNAL_FILE = "scored.jsonl"
"""There until the table is written."""
SYNC_S = 2.0
"""How much work a power cut can cost at most: lines reach the disk that often."""


class Journal:
    """The lines of one run, to be added to; a context manager.

    Parameters
    ----------
    folder : pathlib.Path
        Where it lies; locked by the caller.
    about : dict
        What is scored: another run's journal is refused.

    Raises
    ------
    OutputError
        The journal is of another run, or cannot be read or written.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.path = folder / JOURNAL_FILE
        self._synced_s = time.monotonic()
        header = json.dumps(about, sort_keys=True)
        try:
            self._file: BinaryIO = self.path.open("a+b")
        except OSError as cause:
            raise self._not_written(cause) from cause
        try:
            self.n_done = self._take_up(header)
        except BaseException as error:
            self._file.close()
            if isinstance(error, OSError):
                raise self._not_written(error) from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, person: ScoredPerson) -> None:
        """Write one person down; raises `OutputError` if that cannot be done."""
        try:
            self._file.write(person.to_line().encode() + b"\n")
            self._file.flush()  # from here on it survives a kill of this process
            if time.monotonic() - self._synced_s >= SYNC_S:
                self.sync()
        except OSError as cause:
            raise self._not_written(cause) from cause
        self.n_done += 1

    def sync(self) -> None:
        """Let everything reach the disk."""
        os.fsync(self._file.fileno())
        self._synced_s = time.monotonic()

    def people(self) -> Iterator[ScoredPerson]:
        """Read everybody again, in order, one at a time."""
        with self.path.open("rb") as file:
            next(file)
            for number, line in enumerate(file, start=2):
                yield ScoredPerson.from_line(line.decode(), f"{self.path}, line {number}")

    def _take_up(self, header: str) -> int:
        """Cut off what is no whole line, and count the people."""
        self._file.seek(0)
        first = self._file.readline()
        if not first.endswith(b"\n"):
            self._file.truncate(0)
            self._file.write(header.encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            return 0
        if first.decode(errors="replace").rstrip("\n") != header:
            raise OutputError(
                f"{self.path.parent} holds another scoring that has not ended: another cohort, "
                "bundle or other options. Give the same again to go on with it, another folder, "
                "or --force to begin anew."
            )
        whole, n_done = len(first), 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            try:
                ScoredPerson.from_line(line.decode(), str(self.path))
            except (CohortError, UnicodeDecodeError):  # a block that a power cut left empty
                break
            whole, n_done = whole + len(line), n_done + 1
        self._file.truncate(whole)
        return n_done

    def _not_written(self, cause: OSError) -> OutputError:
        return OutputError(
            f"{self.path} cannot be written: {cause.strerror or cause}. What is scored is kept: "
            "make room there and start again to go on."
        )
