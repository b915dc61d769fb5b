"""What a library raises about a damaged file, as one sentence of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ConnectomeError, DtbError
from .tables import one_line

_HERE = str(Path(__file__).parent)
_MAX_SHOWN = 200  # characters of what a library says


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
    """
    try:
        yield
    except (DtbError, MemoryError):
        raise
    except Exception as cause:
        if place_of(cause)[0].startswith(_HERE) and not isinstance(cause, OSError):
            raise
        raise ConnectomeError(f"{problem} ({said_by(cause)}). {advice}") from cause


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
