"""What every request passes before it is looked at: who asks, how long it is, if we still serve.

And what is said of every request afterwards, in metrics and, where wanted, in the log: never a word
that came with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Match

from .service_body import too_long
from .service_limits import ServiceLimits
from .service_refusals import RETRY_AFTER, Disconnected, Receive, Refusal, Scope, Send
from .service_tokens import Tokens

if TYPE_CHECKING:
    from .service_metrics import ServiceMetrics

LIVE, READY = "/v2/health/live", "/v2/health/ready"
DOCS, SCHEMA = "/docs", "/openapi.json"
OPEN = frozenset({LIVE, READY, DOCS, SCHEMA})
"""What needs no token: whoever watches over containers has none, and the rest is no secret."""
METRICS = "/metrics"
PATH = "dtb_path"
"""Of a scope: the documented address of what answers it."""
LINGER_S = 2.0
"""For which a body is read and thrown away whose request was refused before its end: who sends it
would not see why, if the connection were closed at once."""
_ONCE = frozenset(
    {b"authorization", b"content-encoding", b"content-type", b"inference-header-content-length"}
)
"""Headers that a proxy might read otherwise than we do, where they stand twice."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_SAFE_HEADERS = (
    (b"cache-control", b"no-store"),  # answers are about people
    (b"x-content-type-options", b"nosniff"),
)
_STOPPED = Refusal(503, "The service is being stopped.", RETRY_AFTER)
_LOG = logging.getLogger("dtb_runtime.service")


class Guard:
    """An application of ASGI around another one.

    Parameters
    ----------
    app : callable
        What answers requests.
    limits : ServiceLimits
    metrics : ServiceMetrics
    tokens : Tokens, optional
        Without, everybody may ask.
    logs_requests : bool
        Whether to log a line for each.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        limits: ServiceLimits,
        metrics: ServiceMetrics,
        *,
        tokens: Tokens | None = None,
        logs_requests: bool = False,
    ) -> None:
        self.is_draining = False
        """Whether the service ends: what was accepted is answered, and nothing else."""
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._tokens = tokens
        self._logs_requests = logs_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin_s = time.perf_counter()
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        exchange = _Exchange(receive, send, has_body=_has_body(headers))
        method = scope["method"]
        if method == "HEAD":  # as GET; the server leaves the body out, by its own scope
            scope = {**scope, "method": "GET"}
        try:
            app = self._refusal(scope, headers) or self._app
            await app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:  # the service does not wait any longer
            if exchange.status is not None:
                raise
            await _STOPPED(scope, exchange.receive, exchange.send)
        except Disconnected:
            exchange.status = None
        except Exception as error:  # a mistake of ours; its text may hold what people sent
            last = traceback.extract_tb(error.__traceback__)[-1]
            _LOG.error("%s in %s, line %s", type(error).__name__, last.filename, last.lineno)
            if exchange.status is not None:
                raise ConnectionAbortedError("an answer that was begun cannot be ended") from None
            mistake = Refusal(500, "The service made a mistake and has no answer.")
            await mistake(scope, exchange.receive, exchange.send)
        finally:
            self._note(method, scope, exchange.status, time.perf_counter() - begin_s)

    def _refusal(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Refusal | None:
        """Why a request is not looked at, if it is not."""
        path = scope["path"]
        given = [name for name, _ in scope["headers"]]
        if twice := next((name for name in _ONCE if given.count(name) > 1), None):
            return Refusal(400, f"The header {twice.decode().title()} stands twice. Send it once.")
        if (
            self._tokens is not None
            and path not in OPEN
            and not self._tokens.allow(headers.get(b"authorization"))
        ):
            return Refusal(
                401,
                "A token is needed: Authorization: Bearer <token>.",
                ((b"www-authenticate", b"Bearer"),),
            )
        # Without either header there is no body (RFC 9112, 6.3), as where curl -X POST asks.
        if b"transfer-encoding" in headers:
            return Refusal(
                411, "The body's length must be known: send Content-Length, no Transfer-Encoding."
            )
        if int(headers.get(b"content-length", b"0")) > self._limits.body_bytes:
            return too_long(self._limits)
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            return Refusal(
                415,
                "Bodies are taken as they are, without Content-Encoding.",
                ((b"accept-encoding", b"identity"),),
            )
        if self.is_draining and path not in (*OPEN, METRICS):
            return _STOPPED
        return None

    def _note(self, method: str, scope: Scope, status: int | None, seconds: float) -> None:
        method = method if method in _METHODS else "other"
        path = scope.get(PATH) or _documented(getattr(self._app, "routes", ()), scope)
        answered = "gone" if status is None else str(status)
        self._metrics.answered(method, path, answered, seconds)
        if self._logs_requests:
            _LOG.info("%s %s %s %.1f ms", method, path, answered, 1e3 * seconds)


class _Exchange:
    """A request's body and its answer as they pass; ends the connection where a body is unread."""

    def __init__(self, receive: Receive, send: Send, *, has_body: bool) -> None:
        self.status: int | None = None
        self._receive = receive
        self._send = send
        self._is_unread = has_body

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if not message.get("more_body", False):
            self._is_unread = False
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), *_SAFE_HEADERS]
            if self._is_unread:
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        elif self._is_unread and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    while self._is_unread:
                        await self.receive()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)


def _documented(routes: Iterable[BaseRoute], scope: Scope) -> str:
    """The address as it is documented, also where a request did not come as far as its route."""
    fitting = (route for route in routes if route.matches(scope)[0] is not Match.NONE)
    return getattr(next(fitting, None), "path", "other")


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
