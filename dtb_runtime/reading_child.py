"""The process that reads files which C libraries parse: it is asked on stdin and answers on stdout.

`isolated_reading` starts it. It limits itself before it reads anything, and ends when nobody can
ask any more, or nobody has asked for a while.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from .errors import ConnectomeError, MissingDependencyError, UnreadConnectomeError
from .hdf5_files import read_hdf5
from .library_failures import lacks_memory, may_pass, place_of, said_by
from .matlab_files import read_matlab
from .parquet_files import read_parquet
from .raw_array import RawArray
from .reading import Reading
from .reading_answers import OUT_OF_MEMORY, Answer, Failure, send

IDLE_S = 60.0
"""Seconds without a question after which it ends."""

READERS: Mapping[str, Callable[[Path, Reading], RawArray]] = MappingProxyType(
    {".mat": read_matlab, ".h5": read_hdf5, ".hdf5": read_hdf5, ".parquet": read_parquet}
)
"""What reads a file, by the ending of its name."""

_ALARM_LATER_S = 10.0  # whoever asked stops it before, if it is still there


def main() -> None:
    """Answer questions, one line of JSON each, until there is none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked decides, and ends this one
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # what a library prints is no answer
    questions = sys.stdin.buffer
    while _is_asked(questions):
        line = questions.readline()
        if not line.endswith(b"\n"):
            return
        question = json.loads(line)
        _limit(**question["limits"])
        send(answers, question["number"], _answer(question))
        _stop_alarm()


def _is_asked(questions: IO[bytes]) -> bool:
    """Wait for a question; False if none comes."""
    if os.name == "nt":  # select knows no pipes there: it stays until the other side ends
        return True
    return bool(select.select([questions], [], [], IDLE_S)[0])


def _answer(question: Mapping[str, Any]) -> Answer:
    try:
        reading = Reading(**question["reading"])
        return Answer(READERS[question["ending"]](Path(question["path"]), reading), True)
    except Exception as error:
        if lacks_memory(error):  # also where it kept a library from being loaded
            return Answer(Failure(OUT_OF_MEMORY, ""), False)
        if isinstance(error, ConnectomeError | MissingDependencyError):
            is_sound = error.__cause__ is None  # else a library failed at the file
            is_unread = isinstance(error, ConnectomeError) and may_pass(error)
            kind = UnreadConnectomeError if is_unread else type(error)  # causes stay behind here
            return Answer(Failure(kind.__name__, str(error)), is_sound)
        file, line = place_of(error)
        place = f"{Path(file).name}:{line}"
        return Answer(Failure(type(error).__name__, said_by(error), place), False)


def _limit(memory_bytes: int, cpu_s: int, wall_s: float) -> None:
    """Limit what this process may use from now on, where the system can do that."""
    if os.name == "nt":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    spent_s = int(used.ru_utime + used.ru_stime) + 1
    wanted = (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, spent_s + cpu_s),
    )
    for which, most in wanted:
        _, hard = resource.getrlimit(which)
        with suppress(ValueError, OSError):  # a system that has the name and not the limit
            resource.setrlimit(which, (most if hard < 0 else min(most, hard), hard))
    # The system's own clock: a library that hangs lets no Python run. It matters when whoever asked
    # has ended meanwhile.
    signal.setitimer(signal.ITIMER_REAL, wall_s + _ALARM_LATER_S)


def _stop_alarm() -> None:
    if os.name != "nt":
        signal.setitimer(signal.ITIMER_REAL, 0.0)
