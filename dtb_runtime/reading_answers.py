"""What the process that reads files answers: a line of JSON and the numbers. Never pickle.

The process has read a file that nobody vouches for, so what it says is checked as the file
would be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .errors import ConnectomeError, DtbError, MissingDependencyError, UnreadConnectomeError
from .raw_array import SCALES, RawArray, check_bytes, check_shape
from .tables import one_line

_MAX_LINE = 2**26  # bytes: names of a hundred thousand regions
_MAX_MESSAGE = 4000  # characters
_BLOCK_BYTES = 2**24  # that are sent at once: a copy of all would be as large as the array
_CLASSES: Mapping[str, type[DtbError]] = MappingProxyType(
    {
        each.__name__: each
        for each in (ConnectomeError, UnreadConnectomeError, MissingDependencyError)
    }
)

OUT_OF_MEMORY = "MemoryError"
"""What an answer calls a lack of memory."""


class AnswerError(Exception):
    """What came is no answer to the question."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no array."""

    what: str
    """Name of the exception's class."""
    message: str
    place: str = ""
    """File and line, where it is a mistake of ours."""

    def error(self) -> DtbError | None:
        """The error that a reader raised on purpose; None for any other exception."""
        known = _CLASSES.get(self.what)
        return None if known is None else known(self.message)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process answers to one question."""

    found: RawArray | Failure
    is_sound: bool
    """Whether no library failed, so that the process can be trusted with another file."""


def send(stream: IO[bytes], number: int, answer: Answer) -> None:
    """Write an answer.

    Parameters
    ----------
    stream : binary file
    number : int
        Of the question.
    answer : Answer
    """
    found = answer.found
    head: dict[str, Any] = {"number": number, "is_sound": answer.is_sound}
    if isinstance(found, Failure):
        head |= {"what": found.what, "message": found.message, "place": found.place}
        stream.write(json.dumps(head).encode() + b"\n")
    else:
        head |= {
            "shape": found.values.shape,
            "labels": found.labels,
            "row_labels": found.row_labels,
            "kind": found.kind,
            "scale": found.scale,
            "why": found.why,
            "mean_fd_mm": found.mean_fd_mm,
            "notes": found.notes,
        }
        stream.write(json.dumps(head).encode() + b"\n")
        n_rows = max(_BLOCK_BYTES // max(found.values.shape[1] * 8, 1), 1)
        for first in range(0, len(found.values), n_rows):
            block = np.ascontiguousarray(found.values[first : first + n_rows], dtype="<f8")
            stream.write(block.data)
    stream.flush()


def receive(stream: IO[bytes], number: int) -> Answer:
    """Read an answer, and check it.

    Parameters
    ----------
    stream : binary file
    number : int
        Of the question.

    Raises
    ------
    AnswerError
        It is none, or one to another question.
    EOFError
        The stream ends before.
    """
    line = stream.readline(_MAX_LINE)
    if not line.endswith(b"\n"):
        if len(line) == _MAX_LINE:
            raise AnswerError("a line without an end")
        raise EOFError
    try:
        head = json.loads(line)
    except (ValueError, RecursionError) as cause:
        raise AnswerError("no JSON") from cause
    if not isinstance(head, dict) or head.get("number") != number:
        raise AnswerError("an answer to another question")
    is_sound = head.get("is_sound") is True
    if "what" in head:
        texts = (_text(head.get(name)) for name in ("what", "message", "place"))
        what, message, place = (one_line(text[:_MAX_MESSAGE]) for text in texts)
        return Answer(Failure(what, message, place), is_sound)
    return Answer(_array(stream, head), is_sound)


def _array(stream: IO[bytes], head: dict[str, Any]) -> RawArray:
    shape = head.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) != 2
        or not all(isinstance(length, int) and length > 0 for length in shape)
    ):
        raise AnswerError("an array without a shape")
    try:
        check_bytes(tuple(shape), 8, "The array")
        check_shape(tuple(shape), "The array")
    except ConnectomeError as cause:
        raise AnswerError(str(cause)) from cause
    kind, scale, fd = (head.get(name) for name in ("kind", "scale", "mean_fd_mm"))
    if kind not in (None, "connectome", "timeseries") or scale not in SCALES:
        raise AnswerError("an array of an unknown kind")
    if fd is not None and not isinstance(fd, float):
        raise AnswerError("something else than a displacement")
    labels, row_labels = _names(head.get("labels")), _names(head.get("row_labels"))
    why, notes = one_line(_text(head.get("why"))), _names(head.get("notes")) or ()
    notes = tuple(map(one_line, notes))
    values = _numbers(stream, (shape[0], shape[1]))
    return RawArray(values, labels, row_labels, kind, scale, why, fd, notes)


def _numbers(stream: IO[bytes], shape: tuple[int, int]) -> NDArray[np.float64]:
    values = np.empty(shape, dtype="<f8")
    room = values.data.cast("B")
    done = 0
    while done < len(room):
        n_bytes = stream.readinto(room[done:])  # type: ignore[attr-defined]
        if not n_bytes:
            raise EOFError
        done += n_bytes
    return values.astype(np.float64, copy=False)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise AnswerError("something else than text")
    return value


def _names(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise AnswerError("something else than names")
    return tuple(map(_text, value))
