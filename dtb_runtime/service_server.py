"""The service as a whole: a socket, connections, the application and its workers, until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from .errors import DataError, UsageError
from .oip_models import ServedModel
from .service_app import create_app
from .service_body import HeldBytes
from .service_connection import bounded
from .service_endpoint import Service
from .service_guard import Guard
from .service_limits import ServiceLimits
from .service_metrics import ServiceMetrics
from .service_pool import ServicePool
from .service_process import WorkerPlan
from .service_tokens import Tokens
from .tables import file_label, one_line

KEEP_ALIVE_S = 60
"""For which a connection may wait for its next request: longer than programs keep theirs idle."""
_BACKLOG = 1024
_OTHER_FILES = 512  # that are open at a time, beside connections: pipes, libraries
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How a service is run."""

    n_workers: int
    limits: ServiceLimits
    tokens: Tokens | None = None
    """Without, everybody may ask."""
    certificate: Path | None = None
    """With its key: serve HTTPS."""
    key: Path | None = None
    logs_requests: bool = False


def listen(host: str, port: int) -> socket.socket:
    """Take an address.

    Parameters
    ----------
    host : str
        A name or an address of this machine.
    port : int
        0 for any that is free.

    Raises
    ------
    UsageError
        It cannot be had.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = one_line(getattr(error, "strerror", None) or str(error))
        raise UsageError(
            f"The service cannot listen on {one_line(host)}, port {port}: {reason}. Give another "
            "--host or --port."
        ) from error


def check_certificate(certificate: Path, key: Path) -> None:
    """Refuse a certificate or key that HTTPS cannot be served with.

    Raises
    ------
    DataError
        One is missing or damaged, or they do not belong together.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_none)
    except (OSError, ValueError) as error:
        reason = one_line(getattr(error, "strerror", None) or str(error))
        raise DataError(
            f"HTTPS cannot be served with {file_label(certificate)} and {file_label(key)}: "
            f"{reason}. Give a certificate chain and its key without a password, both in PEM."
        ) from error


def _none() -> str:
    """No password; without this, OpenSSL would ask for one on the terminal."""
    return ""


def run_service(
    plan: WorkerPlan,
    models: dict[str, ServedModel],
    settings: ServiceSettings,
    taken: socket.socket,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM, and then answer what was accepted; a second SIGINT ends it.

    Parameters
    ----------
    plan : WorkerPlan
        What the workers begin with.
    models : dict of str to ServedModel
    settings : ServiceSettings
    taken : socket.socket
        Of `listen`; closed in the end.
    on_ready : callable, optional
        Called when every worker can answer.

    Raises
    ------
    DtbError
        A worker cannot begin.
    """
    limits, metrics = settings.limits, ServiceMetrics()
    pool = ServicePool(plan, settings.n_workers, limits, metrics)
    held = HeldBytes(limits.held_bytes)
    metrics.watch(pool, held)
    app = create_app(
        Service(pool, models, limits, held, metrics), has_tokens=settings.tokens is not None
    )
    guard = Guard(
        app, limits, metrics, tokens=settings.tokens, logs_requests=settings.logs_requests
    )
    config = uvicorn.Config(
        guard,
        http=bounded(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        # A body that comes slowly, then waiting and work, and where a batch had no answer twice
        # the wait and work once more; then whoever still waits has bad luck.
        timeout_graceful_shutdown=math.ceil(limits.body_s + 5 * limits.request_s),
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )
    server = _Server(config, guard, pool, on_ready)
    _allow_files(limits.connections + _OTHER_FILES)
    with _unheard_signals(), taken:
        server.run(sockets=[taken])
    if server.failure is not None:
        raise server.failure


class _Server(uvicorn.Server):
    """Uvicorn's server, which tells when it is ready and knows that it ends."""

    def __init__(
        self,
        config: uvicorn.Config,
        guard: Guard,
        pool: ServicePool,
        on_ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self.failure: Exception | None = None
        self._guard = guard
        self._pool = pool
        self._on_ready = on_ready
        self._loading: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loading = asyncio.create_task(self._load())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._guard.is_draining = True
        if self._loading is not None:
            self._loading.cancel()
        await super().shutdown(sockets)
        if self.force_exit:  # told twice: uvicorn waits for nobody, and would tear the rest off
            self._pool.give_up()
            await self.lifespan.shutdown()

    async def _load(self) -> None:
        try:
            await self._pool.loaded()
        except Exception as error:
            self.failure = error
            self.should_exit = True
        else:
            self._on_ready()


def _allow_files(n_files: int) -> None:
    """Let this process have as many files and connections open at a time, if it may say so."""
    if os.name == "posix":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < n_files:
            most = n_files if hard == resource.RLIM_INFINITY else min(n_files, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


@contextlib.contextmanager
def _unheard_signals() -> Iterator[None]:
    """Let signals that uvicorn has acted on do nothing more: it sends them again in the end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # which alone hears any
        return

    def unheard(_: int, __: FrameType | None) -> None:
        pass

    before = {number: signal.signal(number, unheard) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
