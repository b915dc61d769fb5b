"""What the front of the service hands to a worker, and what comes back, as bytes on a pipe.

A job is one HTTP request whose body nobody has looked into yet; an answer is the whole response.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

JobKind: TypeAlias = Literal["infer", "predict", "calibrate", "apply-plan"]
KINDS: tuple[JobKind, ...] = get_args(JobKind)
SLOW_KINDS: frozenset[JobKind] = frozenset({"calibrate", "apply-plan"})
"""What takes seconds, where a forecast takes hundredths of one."""
JSON_TYPE = "application/json"
BINARY_TYPE = "application/octet-stream"

_LENGTH = struct.Struct("<I")  # of the header, in front of it


@dataclass(frozen=True, slots=True)
class Job:
    """One request."""

    kind: JobKind
    """What is asked for: ``infer`` is the Open Inference Protocol's, the others are for people."""
    body: bytes
    content_type: str = JSON_TYPE
    """As the request's header says it."""
    header_length: int | None = None
    """Bytes of the body that are JSON, before binary tensors (``Inference-Header-Content-Length``);
    None where all of it is."""
    model: str = ""
    """For ``infer``: which model, known to exist."""

    def to_bytes(self) -> bytes:
        """One message for the pipe."""
        return _joined([self.kind, self.content_type, self.header_length, self.model], self.body)

    @classmethod
    def from_bytes(cls, data: bytes) -> Job:
        """Read what `to_bytes` gave."""
        (kind, content_type, header_length, model), body = _parted(data)
        return cls(kind, body, content_type, header_length, model)


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to one request."""

    status: int
    """HTTP status."""
    body: bytes
    content_type: str = JSON_TYPE
    header_length: int | None = None
    """Bytes of the body that are JSON, before binary tensors; None where all of it is."""
    n_people: int = 0
    """People who were forecast; 0 where the request was refused."""

    def to_bytes(self) -> bytes:
        """One message for the pipe."""
        fields = [self.status, self.content_type, self.header_length, self.n_people]
        return _joined(fields, self.body)

    @classmethod
    def from_bytes(cls, data: bytes) -> Answer:
        """Read what `to_bytes` gave."""
        (status, content_type, header_length, n_people), body = _parted(data)
        return cls(status, body, content_type, header_length, n_people)

    @classmethod
    def refusal(cls, status: int, sentence: str) -> Answer:
        """The protocol's error object."""
        return cls(status, json.dumps({"error": sentence}).encode())


LATER = Answer(0, b"")
"""Of a worker: this is too much work to be done with the others of its batch, give it alone. Never
leaves the pool."""


def _joined(fields: list[Any], body: bytes) -> bytes:
    header = json.dumps(fields).encode()
    return b"".join((_LENGTH.pack(len(header)), header, body))


def _parted(data: bytes) -> tuple[list[Any], bytes]:
    (length,) = _LENGTH.unpack_from(data)
    begin = _LENGTH.size + length
    return json.loads(data[_LENGTH.size : begin]), data[begin:]
