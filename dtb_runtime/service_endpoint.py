"""From a request to a job and from its answer to the response; nobody looks into either body."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .oip_models import ServedModel
from .service_body import HeldBytes
from .service_guard import PATH
from .service_jobs import BINARY_TYPE, JSON_TYPE, Answer, Job, JobKind
from .service_limits import ServiceLimits
from .service_refusals import RETRY_AFTER, Disconnected, Receive, Refusal, Scope, Send
from .tables import listed_names, shown

if TYPE_CHECKING:
    from .service_metrics import ServiceMetrics
    from .service_pool import ServicePool

HEADER_LENGTH = "Inference-Header-Content-Length"
"""Of the protocol's extension: how much of a body is JSON, before binary tensors."""
_HEADER_LENGTH = HEADER_LENGTH.lower().encode()
_PIECE = 2**20  # of an answer: more is not given to a client that does not take it


@dataclass(frozen=True, slots=True)
class Service:
    """What answers requests, and within which bounds."""

    pool: ServicePool
    models: Mapping[str, ServedModel]
    limits: ServiceLimits
    held: HeldBytes
    metrics: ServiceMetrics

    def model(self, name: str, version: str | None = None) -> ServedModel:
        """The model of an address.

        Raises
        ------
        Refusal
            There is none such (404).
        """
        model = self.models.get(name)
        if model is None:
            raise Refusal(
                404,
                f"There is no model {shown(name)}; there are: {listed_names(self.models)}.",
            )
        if version is not None and version not in model.versions:
            raise Refusal(
                404,
                f"There is no version {shown(version)} of {name}; there is: "
                f"{listed_names(model.versions)}.",
            )
        return model


class JobEndpoint:
    """An application of ASGI that answers requests of one kind.

    Parameters
    ----------
    service : Service
    kind : JobKind
    path : str
        The address as it is documented.
    """

    def __init__(self, service: Service, kind: JobKind, path: str) -> None:
        self.kind: JobKind = kind
        self.path = path
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises
        ------
        Refusal
            It does not come to a worker.
        Disconnected
            The client has gone.
        """
        scope[PATH] = self.path
        service = self._service
        names = scope["path_params"]
        if self.kind == "infer":
            service.model(names["model"], names.get("version"))
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        content_type = self._content_type(headers)
        header_length = _header_length(headers)
        self._check_room()
        with service.held.account() as account:
            body = await account.read(receive, service.limits)
            self._check_room()  # others may have come meanwhile
            waiting = service.pool.submit(
                Job(self.kind, body, content_type, header_length, names.get("model", ""))
            )
            del body
            answer = await _unless_gone(waiting, receive)
            account.hold(len(answer.body))
            await _send(answer, send)
        service.metrics.forecast(self.path, answer.n_people)

    def _content_type(self, headers: Mapping[bytes, bytes]) -> str:
        given = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if self.kind == "infer":  # its clients say nothing, or either
            taken = {b"", JSON_TYPE.encode(), BINARY_TYPE.encode()}
        else:  # a page of another site can send any other type without asking
            taken = {JSON_TYPE.encode()}
        if given not in taken:
            names = " or ".join(sorted(name.decode() for name in taken if name))
            raise Refusal(415, f"Expected a body of Content-Type {names}.")
        return given.decode() or JSON_TYPE

    def _check_room(self) -> None:
        if self._service.pool.is_full:
            n_waiting = self._service.limits.queue
            raise Refusal(429, f"{n_waiting} requests wait already. Try again later.", RETRY_AFTER)


def _header_length(headers: Mapping[bytes, bytes]) -> int | None:
    given = headers.get(_HEADER_LENGTH)
    if given is None:
        return None
    if not given.isdigit() or len(given) > 12:
        raise Refusal(400, f"{HEADER_LENGTH} must be a number of bytes.")
    return int(given)


async def _unless_gone(waiting: asyncio.Future[Answer], receive: Receive) -> Answer:
    """Wait for an answer, but not for one that nobody waits for."""
    gone = asyncio.ensure_future(receive())  # after the body, nothing but the end can come
    try:
        either: set[asyncio.Future[Any]] = {waiting, gone}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise Disconnected
        return waiting.result()
    finally:
        waiting.cancel()
        gone.cancel()


async def _send(answer: Answer, send: Send) -> None:
    body = memoryview(answer.body)
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if answer.header_length is not None:
        headers.append((_HEADER_LENGTH, str(answer.header_length).encode()))
    if answer.status in (429, 503):
        headers += RETRY_AFTER
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    for begin in range(0, max(len(body), 1), _PIECE):
        piece = body[begin : begin + _PIECE]
        more = begin + _PIECE < len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
