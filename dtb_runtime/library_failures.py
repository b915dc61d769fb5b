"""What a library raises about a file, as one sentence of ours, and whether the file is at fault."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ConnectomeError, DtbError, MissingDependencyError, UnreadConnectomeError
from .tables import one_line

_HERE = str(Path(__file__).parent)
_MAX_SHOWN = 200  # characters of what a library says
_MAY_BE_THE_FILES = frozenset({errno.EINVAL, errno.EOVERFLOW, errno.EFBIG})
"""What the system says of a place in a file that cannot be, as damaged ones name it."""
_NO_ROOM = ("failed to map segment from shared object", "annot allocate memory")
"""What the system's loader says of a library for which memory lacks; Python has no number of it."""


@contextmanager
def library_failures(problem: str, advice: str) -> Iterator[None]:
    """Raise `ConnectomeError` for what comes out of a library.

    A damaged file lets a parser fail in any way: ValueError, KeyError, zlib.error, and so on. What
    a line of this package raises itself is a mistake of ours and passes (but for OSError), as does
    a lack of memory.

    Parameters
    ----------
    problem : str
        What is wrong and where, without a full stop; what the library says follows in brackets.
    advice : str
        What to do next.

    Raises
    ------
    ConnectomeError
        `UnreadConnectomeError` where the system did not give the file out.
    MemoryError
        Memory lacks, in whatever way the library says so.
    """
    try:
        yield
    except (DtbError, MemoryError):
        raise
    except Exception as cause:
        if lacks_memory(cause):
            raise MemoryError(said_by(cause)) from cause
        if isinstance(cause, OSError) and may_pass(cause):
            raise UnreadConnectomeError(
                f"{problem} ({os.strerror(cause.errno or 0)}). Check its permissions and its disk, "
                "and try again."
            ) from cause
        if place_of(cause)[0].startswith(_HERE) and not isinstance(cause, OSError):
            raise
        raise ConnectomeError(f"{problem} ({said_by(cause)}). {advice}") from cause


@contextmanager
def optional_package(name: str, use: str, extra: str) -> Iterator[None]:
    """Say what to install where a package cannot be imported.

    Parameters
    ----------
    name : str
        Of the package.
    use : str
        What needs it: ``"Reading MATLAB files"``.
    extra : str
        Which extra of dtb-runtime brings it.

    Raises
    ------
    MissingDependencyError
        It is not installed, or broken; the message says which.
    MemoryError
        It is installed, and there is no memory to load it.
    """
    try:
        yield
    except ImportError as cause:
        if lacks_memory(cause):
            raise MemoryError(said_by(cause)) from cause
        raise MissingDependencyError(
            f"{use} needs {name} ({said_by(cause)}). Install it with: pip install "
            f"'dtb-runtime[{extra}]'."
        ) from cause


def may_pass(error: BaseException) -> bool:
    """Whether the same file may be read next time, by what an error says and what caused it.

    Of OSErrors only those with the system's number count: libraries raise others about what they
    find in a file.
    """
    return lacks_memory(error) or any(
        isinstance(each, UnreadConnectomeError)
        or (isinstance(each, OSError) and bool(each.errno) and each.errno not in _MAY_BE_THE_FILES)
        for each in _causes(error)
    )


def lacks_memory(error: BaseException) -> bool:
    """Whether an error, or what caused it, is that there is too little memory."""
    return any(
        isinstance(each, MemoryError)
        or (isinstance(each, OSError) and each.errno == errno.ENOMEM)
        or (isinstance(each, ImportError) and any(text in str(each) for text in _NO_ROOM))
        for each in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it, as a traceback shows them."""
    met: set[int] = set()
    while error is not None and id(error) not in met:
        yield error
        met.add(id(error))
        hidden = error.__cause__ is not None or error.__suppress_context__
        error = error.__cause__ if hidden else error.__context__


def said_by(cause: BaseException) -> str:
    """What an exception says, as one line of bounded length; its class if it says nothing."""
    # A KeyError of one text shows it in quotes, which belong to Python.
    text = str(cause.args[0]) if len(cause.args) == 1 else str(cause)
    text = one_line(text.strip())
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
    return shown or type(cause).__name__


def place_of(cause: BaseException) -> tuple[str, int]:
    """File and line that raised an exception; an empty name where nobody knows."""
    trace, place = cause.__traceback__, ("", 0)
    while trace is not None:
        place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return place
