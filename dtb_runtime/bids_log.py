"""The log and the crash file of one person: the only places of messages that say who it is."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from .errors import DtbError
from .summary import package_version
from .tables import one_line

NO_MEMORY = "There was not enough memory. Run with fewer --nprocs, or a smaller --mem-mb."


class PersonLog:
    """Lines with the time they were written at."""

    def __init__(self, file: TextIOWrapper) -> None:
        self._file = file

    def say(self, *sentences: str) -> None:
        """Write sentences, each one line."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for sentence in sentences:
            self._file.write(f"{now} {one_line(sentence)}\n")
        self._file.flush()  # what was said before a crash is what is looked for


@contextmanager
def person_log(path: Path) -> Iterator[PersonLog]:
    """Begin a person's log anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        yield PersonLog(file)


def write_crash(path: Path, error: Exception | str, told: Callable[[str], str] = one_line) -> None:
    """Say what happened, without what a file holds.

    Parameters
    ----------
    path : pathlib.Path
    error : Exception or str
        For an error of ours, its sentence is written. For others, where it happened; not what the
        exception says, which may quote a person's data.
    told : callable
        What makes a sentence one that may be written; see `CohortEntry.told`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # a full disk is said once, where the results are written
        path.write_text(crash_text(error, told), encoding="utf-8")


def crash_text(error: Exception | str, told: Callable[[str], str] = one_line) -> str:
    """What `write_crash` writes."""
    if isinstance(error, DtbError | str):
        return one_line(told(str(error))) + "\n"
    if isinstance(error, MemoryError):
        return NO_MEMORY + "\n"
    lines = [
        f"Unexpected {type(error).__name__} in dtb-runtime {package_version()}, a mistake of ours. "
        "Please report it with these lines; what the exception says is left out, since it may "
        "quote a person's data.\n"
    ]
    chain: list[BaseException] = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        if before in chain:
            break
        chain.append(before)
    for each in reversed(chain):
        lines.append(f"\n{type(each).__name__} at:\n")
        lines += traceback.StackSummary.extract(traceback.walk_tb(each.__traceback__)).format()
    return "".join(lines)
