"""Files that C libraries parse, read in a process of their own.

A file made for it can crash libhdf5, scipy or Arrow, let them hang or fill the memory. Here that
ends one process and costs one sentence. The process (`reading_child`) is started for the first such
file and kept for the next ones, since a start takes as long as some twenty files; it is replaced as
soon as a library failed in it. There is one for each process that reads, and threads take turns.

It may use the memory and the time of `LIMITS`. Windows has no such limits: there only the time from
the question to the answer is limited. macOS may not keep the limit of memory.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import ConnectomeError, UnreadConnectomeError
from .raw_array import RawArray
from .reading import Reading
from .reading_answers import OUT_OF_MEMORY, Answer, AnswerError
from .reading_process import EndedError, ReadingProcess
from .tables import file_label


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take."""

    memory_bytes: int = 4 * 2**30
    """Address space: of an array of `MAX_ARRAY_BYTES` what is packed, unpacked and turned to
    float64 at once, and the libraries."""
    cpu_s: int = 60
    """Seconds of work; the largest array that is read takes about five."""
    wall_s: float = 180.0
    """Seconds until the answer is there: disks of a network are slow."""


LIMITS = Limits()
"""Of every file."""

_CRASHES = frozenset({"SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE"})
"""Signals by which a file's content can end a program; whoever sends others has other reasons."""

_ADVICE = "Fetch it again, or save the connectome as .npy with the program that made it."


def read_isolated(path: Path, reading: Reading, *, ending: str) -> RawArray:
    """Read a file in a process of its own.

    Parameters
    ----------
    path : pathlib.Path
    reading : Reading
        What the caller says of the file.
    ending : str
        Of the file's name, in lower case: which reader of `reading_child.READERS` reads it.

    Raises
    ------
    ConnectomeError
        What the reader refuses; the process ended abruptly, or exceeded a limit.
        `UnreadConnectomeError` where the file may be good.
    MissingDependencyError
        The package that reads this format is not installed.
    """
    source = file_label(path)
    question = {
        "path": str(path.absolute()),
        "ending": ending,
        "reading": reading.to_json(),
        "limits": asdict(LIMITS),
    }
    with _state.lock:
        answer = _answer_to(question, source)
    found = answer.found
    if isinstance(found, RawArray):
        return found
    error = found.error()
    if error is not None:
        raise error
    if found.what == OUT_OF_MEMORY:
        raise _out_of_memory(source)
    raise UnreadConnectomeError(
        f"{source} was not read: the reader of {ending} files failed with {found.what} at "
        f"{found.place} ({found.message}), which is a mistake in dtb-runtime. Please report it; "
        "until then save the connectome as .npy."
    )


def end_process() -> None:
    """End the process that waits for files, if there is one; the next file starts another."""
    process, _state.process = _state.process, None
    if process is not None:
        process.stop()


class _State:
    """What this process keeps."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: ReadingProcess | None = None


_state = _State()


def _answer_to(question: dict[str, Any], source: str) -> Answer:
    process, _state.process = _state.process, None  # none, whatever happens from here on
    if process is not None and process.has_ended:
        process.stop()
        process = None
    process = process or _started(source)
    try:
        try:
            answer = process.ask(question, LIMITS.wall_s)
        except EndedError as ended:
            if ended.code != 0 or ended.is_late or process.n_asked == 1:
                raise
            process = _started(source)  # nobody had asked for long, and it ended just then
            answer = process.ask(question, LIMITS.wall_s)
    except EndedError as ended:
        raise _ended_abruptly(ended, source) from None
    except AnswerError as cause:
        process.stop()
        raise ConnectomeError(
            f"{source} was not read: the process that reads it answered {cause}. The file is "
            f"damaged or made to mislead readers. {_ADVICE}"
        ) from None
    except BaseException:  # a key was pressed: what comes later answers this question
        process.stop()
        raise
    if answer.is_sound:
        _state.process = process
    else:
        process.stop()
    return answer


def _started(source: str) -> ReadingProcess:
    if getattr(sys, "frozen", False) or not sys.executable:
        raise UnreadConnectomeError(
            f"{source} is read in a process of its own, and this program has no Python to start. "
            "Save the connectome as .npy."
        )
    try:
        return ReadingProcess()
    except OSError as cause:
        raise UnreadConnectomeError(
            f"{source} is read in a process of its own, which cannot be started: "
            f"{cause.strerror or cause}. Free some memory, or save the connectome as .npy."
        ) from cause


def _ended_abruptly(ended: EndedError, source: str) -> ConnectomeError:
    name = ""
    with suppress(ValueError):
        name = signal.Signals(-ended.code).name
    if ended.is_late or name == "SIGALRM":
        return UnreadConnectomeError(
            f"{source} was not read within {LIMITS.wall_s:g} s, so its reading was stopped. The "
            f"disk is very slow, or the file is made to let readers hang. {_ADVICE}"
        )
    if name == "SIGXCPU":
        return ConnectomeError(
            f"{source} took more than {LIMITS.cpu_s} s of work, so its reading was stopped. It is "
            f"damaged or made to let readers hang. {_ADVICE}"
        )
    if name == "SIGKILL":
        return UnreadConnectomeError(
            f"{source} was not read: the system ended the process that reads it (SIGKILL), as it "
            f"does when memory runs out. Free some memory and try again. {_ADVICE}"
        )
    if not name:
        return UnreadConnectomeError(
            f"{source} was not read: the process that reads it ended with exit code {ended.code}, "
            "as it does where dtb-runtime or numpy cannot be imported. Check the installation "
            f"with dtb-run doctor. If it is complete, the file is damaged. {_ADVICE}"
        )
    if name not in _CRASHES:
        return UnreadConnectomeError(
            f"{source} was not read: something ended the process that reads it ({name}). Try again."
        )
    return ConnectomeError(
        f"{source} made the process that reads it end abruptly ({name}). It is damaged or made to "
        f"crash readers. {_ADVICE}"
    )


def _out_of_memory(source: str) -> UnreadConnectomeError:
    return UnreadConnectomeError(
        f"{source} needs more than the {LIMITS.memory_bytes / 1e9:.1f} GB of memory that its "
        "reading may take. It unpacks to far more than its size, or there is too little memory. "
        f"{_ADVICE}"
    )


def _begin_anew() -> None:
    """In a fork: neither the process nor the lock is this one's."""
    global _state
    if _state.process is not None:
        _state.process.forget()
    _state = _State()


atexit.register(end_process)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
