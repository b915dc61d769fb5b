"""One connection of the service: uvicorn's, bounded where that is not.

Uvicorn waits without end for the rest of headers, for a client that takes nothing of its answer,
and keeps headers of any size; it closes connections on which a request may just be coming; and it
takes the body of a request that offers another protocol for the next request.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .service_limits import ServiceLimits
from .service_refusals import error_object

GRACE_S = 0.3
"""For which connections stay open when the service ends: what was sent before is answered."""
_OF_AN_OFFER = (b"connection", b"upgrade", b"http2-settings")
"""Headers by which a client offers to go on in another protocol."""


class _TooLongError(Exception):
    """Headers are longer than they may be."""


class BoundedConnection(HttpToolsProtocol):
    """A connection within the limits of its class: `bounded` makes one."""

    limits: ClassVar[ServiceLimits]

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._is_in_headers = True
        self._has_ended = False  # a request, within what came last
        self._given = b""  # to the parser
        self._unread = b""  # what it is given next
        self._n_header_bytes = 0  # as they came; some may belong to what follows
        self._n_named_bytes = 0  # of the headers themselves
        self._is_over = False
        self._is_ending = False
        self._headers_late: asyncio.TimerHandle | None = None
        self._answer_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, where there are not too many connections."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "There are too many connections. Try again later.")
        else:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything."""
        for timer in (self._headers_late, self._answer_late):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes."""
        if self._is_over:
            return
        was_in_headers = self._is_in_headers
        if was_in_headers and self._headers_late is None:
            self._await_headers()
        self._has_ended = False
        self._unread = data
        while self._unread and not self._is_over:
            self._given, self._unread = self._unread, b""
            super().data_received(self._given)
        self._given = b""
        if was_in_headers and self._is_in_headers and not (self._has_ended or self._is_over):
            self._n_header_bytes += len(data)
            if self._n_header_bytes > self.limits.header_bytes:
                self._refuse(431, self._too_long)

    def on_message_begin(self) -> None:
        """Begin with a request."""
        self._n_named_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of its address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one of its headers."""
        self._count(len(name) + len(value) + 4)  # as on its line
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        if self._is_offer:
            return  # it is read again
        self._is_in_headers = False
        if self._headers_late is not None:
            self._headers_late.cancel()
            self._headers_late = None
        super().on_headers_complete()
        if self._is_ending:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Take the end of a request; the next one may follow."""
        if self._is_offer:
            return
        super().on_message_complete()
        self._has_ended = True
        self._is_in_headers = True
        self._n_header_bytes = 0

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or too long."""
        if self._n_named_bytes > self.limits.header_bytes:
            self._refuse(431, self._too_long)
        else:
            self._refuse(400, "This is no HTTP/1.1 request.")

    def pause_writing(self) -> None:
        """Wait for the client to take what was sent, but not without end."""
        super().pause_writing()
        self._answer_late = self.loop.call_later(self.limits.answer_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._answer_late is not None:
            self._answer_late.cancel()
            self._answer_late = None

    def shutdown(self) -> None:
        """End after what was sent until now, some of which may not have been read yet."""
        self._is_ending = True
        if self._is_idle:
            self.loop.call_later(GRACE_S, self._end_if_idle)
        else:
            self.cycle.keep_alive = False

    def _unsupported_upgrade_warning(self) -> None:
        """Read a request again without its offer of another protocol, which nobody has to take.

        The parser stops after the headers of one, as if HTTP ended there; uvicorn would take the
        body for the next request.
        """
        stopped = sys.exc_info()[1]  # with where in what it was given
        if stopped is None or not self._is_offer:
            self._is_over = True  # CONNECT: what follows is no HTTP
            self.cycle.keep_alive = False
            return
        closes = any(n == b"connection" and b"close" in v.lower() for n, v in self.headers)
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [name + b": " + of for name, of in self.headers if name not in _OF_AN_OFFER]
        lines += [b"connection: close"] * closes
        self.parser = type(self.parser)(self)
        self._unread = b"\r\n".join([*lines, b"", b""]) + self._given[stopped.args[0] :]

    @property
    def _is_offer(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    @property
    def _too_long(self) -> str:
        return f"The headers are too long: at most {self.limits.header_bytes} bytes are taken."

    def _count(self, n_bytes: int) -> None:
        self._n_named_bytes += n_bytes
        if self._n_named_bytes > self.limits.header_bytes:
            raise _TooLongError

    def _await_headers(self) -> None:
        self._headers_late = self.loop.call_later(self.limits.header_s, self._end_late)

    def _end_late(self) -> None:
        self._headers_late = None
        if self._n_header_bytes == 0:  # a browser's, in advance
            self.transport.close()
        else:
            seconds = f"{self.limits.header_s:g}"
            self._refuse(408, f"The headers did not arrive within {seconds} s.")

    def _end_if_idle(self) -> None:
        if self._is_idle and not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, status: int, sentence: str) -> None:
        """Say why nothing more is read here, and end the connection."""
        self._is_over = True
        if not self._is_idle:  # an answer is on its way, and must not be mixed with this
            self.cycle.keep_alive = False
            return
        body = error_object(sentence)
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
            + b"connection: close\r\n\r\n"
            + body
        )
        self.transport.close()


def bounded(limits_: ServiceLimits) -> type[BoundedConnection]:
    """Connections with these limits, as uvicorn takes them."""

    class Connection(BoundedConnection):
        limits = limits_

    return Connection
