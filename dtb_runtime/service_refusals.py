"""What a request gets that is not worked on: a status and a sentence, as the protocol's object."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

RETRY_AFTER: Headers = ((b"retry-after", b"1"),)
"""Seconds after which there may be room again: most requests take less."""


class Disconnected(Exception):  # noqa: N818 - it is nobody's error
    """The client has gone, and needs no answer."""


class Refusal(Exception):  # noqa: N818 - an answer like others
    """A request is not worked on.

    Parameters
    ----------
    status : int
        HTTP status, 400 or above.
    sentence : str
        What is wrong and what to do; holds nothing that a request may say of people.
    headers : sequence of (bytes, bytes), optional
    """

    def __init__(self, status: int, sentence: str, headers: Headers = ()) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as an application of ASGI."""
        body = error_object(self.sentence)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def error_object(sentence: str) -> bytes:
    """The protocol's error object."""
    return json.dumps({"error": sentence}).encode()
