"""`dtb-run serve`: forecasts over HTTP, for programs that speak the Open Inference Protocol."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dtb_runtime.processors import n_usable

from . import terminal
from .options import DEFAULT_BUNDLE, JsonOption

EXAMPLES = """\b
Examples:
  dtb-run serve
  dtb-run serve --bundle tcp434 --bundle glasser360 --port 9000
  dtb-run serve --host 0.0.0.0 --token-file tokens --tls-cert cert.pem --tls-key key.pem
"""


def serve(
    bundle: Annotated[
        list[str] | None,
        typer.Option(
            "--bundle",
            metavar="NAME|DIR",
            show_default=DEFAULT_BUNDLE,
            help="A shipped bundle's name, or a folder; may be given again.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address of this machine to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes any that is free.")
    ] = 8080,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            show_default=False,
            help="Processes that forecast (default: one a processor).",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            show_default=False,
            help="Secrets, one a line, of which every request must bring one. Needed on addresses "
            "that others can reach.",
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", help="Let anybody ask who can reach the address."),
    ] = False,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            "--tls-cert", metavar="PEM", show_default=False, help="Serve HTTPS; with --tls-key."
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option("--tls-key", metavar="PEM", show_default=False, help="See --tls-cert."),
    ] = None,
    max_body_mb: Annotated[
        int,
        typer.Option("--max-body-mb", min=1, max=1024, help="Longest body of a request, in MiB."),
    ] = 64,
    max_memory_mb: Annotated[
        int,
        typer.Option(
            "--max-memory-mb", min=1, help="Of all bodies and answers that are held, in MiB."
        ),
    ] = 512,
    queue: Annotated[
        int, typer.Option("--queue", min=1, help="Requests that may wait; then 429.")
    ] = 256,
    max_seconds: Annotated[
        float,
        typer.Option(
            "--max-seconds",
            min=0.1,
            help="For the work on one request, and for waiting before it.",
        ),
    ] = 60.0,
    max_body_seconds: Annotated[
        float,
        typer.Option("--max-body-seconds", min=0.1, help="Until a body has arrived."),
    ] = 30.0,
    slow_at_once: Annotated[
        int | None,
        typer.Option(
            "--slow-at-once",
            min=1,
            show_default=False,
            help="Calibrations and plans worked on at a time (default: one fewer than workers).",
        ),
    ] = None,
    log_requests: Annotated[
        bool,
        typer.Option("--log-requests", help="Log method, address, status and time of each."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Serve forecasts over HTTP.

    Speaks the Open Inference Protocol (v2) and a JSON API for people; /docs describes both. Ends on
    SIGTERM or Ctrl+C, after what was accepted is answered.
    """
    from dtb_runtime.bundle_files import read_manifest
    from dtb_runtime.bundle_loading import find_bundle
    from dtb_runtime.errors import UsageError
    from dtb_runtime.oip_models import served_models
    from dtb_runtime.service_limits import ServiceLimits
    from dtb_runtime.service_process import ServicePlan
    from dtb_runtime.service_server import (
        ServiceSettings,
        check_certificate,
        listen,
        run_service,
    )
    from dtb_runtime.service_tokens import Tokens, check_exposure, is_loopback

    check_exposure(host, has_tokens=token_file is not None, insecure=insecure)
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("HTTPS needs a certificate and its key. Give --tls-cert and --tls-key.")
    if tls_cert is not None and tls_key is not None:
        check_certificate(tls_cert, tls_key)
    tokens = None if token_file is None else Tokens.read(token_file)
    limits = ServiceLimits(
        body_bytes=max_body_mb * 2**20,
        held_bytes=max_memory_mb * 2**20,
        queue=queue,
        body_s=max_body_seconds,
        request_s=max_seconds,
        slow_at_once=slow_at_once,
    )
    folders = [find_bundle(name) for name in bundle or [DEFAULT_BUNDLE]]
    manifests = [read_manifest(folder) for folder in folders]
    models = served_models(manifests)
    n_workers = workers or n_usable()
    taken = listen(host, port)
    scheme = "http" if tls_cert is None else "https"
    address, taken_port = taken.getsockname()[:2]
    url = f"{scheme}://{f'[{address}]' if ':' in address else address}:{taken_port}"
    _log_to_stderr()
    if tokens is not None and tls_cert is None and not is_loopback(host):
        terminal.message("Warning: without --tls-cert, tokens and data can be read on the way.")

    def say() -> None:
        names = [manifest.name for manifest, _ in manifests]
        if json:
            terminal.print_json(
                {"url": url, "bundles": names, "models": list(models), "workers": n_workers}
            )
        else:
            terminal.print_lines(
                f"Serving {', '.join(names)} at {url} with {n_workers} "
                f"worker{'' if n_workers == 1 else 's'}. What can be asked: {url}/docs"
            )
        if sys.stdout is not None:
            sys.stdout.flush()  # a program may wait for this line

    run_service(
        ServicePlan(
            tuple(
                (folder.absolute(), digest)
                for folder, (_, digest) in zip(folders, manifests, strict=True)
            ),
            limits,
        ),
        models,
        ServiceSettings(
            n_workers=n_workers,
            limits=limits,
            tokens=tokens,
            certificate=tls_cert,
            key=tls_key,
            logs_requests=log_requests,
        ),
        taken,
        say,
    )


def _log_to_stderr() -> None:
    """Log what befalls the service; no line of it says what was sent."""
    import logging

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("dtb_runtime.service").setLevel(logging.INFO)
