"""The service's addresses: the Open Inference Protocol, requests for people, metrics, documents."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any, NoReturn

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from .oip_messages import ModelMetadata, ServerMetadata
from .service_endpoint import JobEndpoint, Service
from .service_guard import DOCS, LIVE, METRICS, READY, SCHEMA
from .service_jobs import JobKind
from .service_metrics import CONTENT_TYPE
from .service_openapi import DESCRIPTION, IndexEntry, Live, ModelReady, Ready, document
from .service_page import CONTENT_SECURITY, page
from .service_refusals import Refusal

MODEL = "/v2/models/{model}"
VERSION = f"{MODEL}/versions/{{version}}"
INDEX = "/v2/repository/index"
JOBS: tuple[tuple[str, JobKind], ...] = (
    (f"{MODEL}/infer", "infer"),
    (f"{VERSION}/infer", "infer"),
    ("/v1/predict", "predict"),
    ("/v1/calibrate", "calibrate"),
    ("/v1/apply-plan", "apply-plan"),
)
"""What workers answer."""
# Addresses that Triton's clients ask beyond the protocol and its two extensions here.
_OF_TRITON = re.compile(
    r"/v2/((models/)?([^/]+/)?(versions/[^/]+/)?(config|stats|trace/setting)"
    r"|repository/models/[^/]+/(un)?load|(system|cuda)sharedmemory(/.*)?|logging)"
)
EXTENSIONS = ["binary_tensor_data", "model_repository"]
_NO_TELEMETRY = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""Newer versions of FastAPI report on requests and errors where the environment asks for it."""


def create_app(service: Service, *, has_tokens: bool = False) -> FastAPI:
    """Make the application of ASGI; `service_guard.Guard` belongs around it.

    Parameters
    ----------
    service : Service
        Its pool begins and ends with the application.
    has_tokens : bool
        Whether the documents shall say that a token is needed.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.pool.start()
        yield
        await service.pool.close()

    settings: dict[str, Any] = {"telemetry": _NO_TELEMETRY}
    app = FastAPI(
        title="dtb-run serve",
        version=metadata.version("dtb-runtime"),
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,  # they load programs from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        **settings,
    )
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _ours)
    _add_protocol(app, service)
    for path, kind in JOBS:
        app.router.routes.append(Route(path, JobEndpoint(service, kind, path), methods=["POST"]))
    _add_documents(app, service, has_tokens)
    return app


def _add_protocol(app: FastAPI, service: Service) -> None:
    about = ServerMetadata(
        name="dtb-runtime", version=metadata.version("dtb-runtime"), extensions=EXTENSIONS
    )

    @app.get("/v2/", include_in_schema=False)
    @app.get("/v2", summary="The server", response_model=ServerMetadata)
    async def server_metadata() -> ServerMetadata:
        return about

    @app.get(LIVE, summary="Whether the server answers at all", response_model=Live)
    async def server_live() -> Live:
        return Live(live=True)

    @app.get(
        READY,
        summary="Whether every worker can answer",
        response_model=Ready,
        responses={503: {"model": Ready}},
    )
    async def server_ready() -> JSONResponse:
        is_ready = service.pool.is_ready
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    # Triton's, of all models; else it would be a model's name.
    @app.get("/v2/models/stats", include_in_schema=False, response_model=None)
    async def statistics() -> NoReturn:
        raise HTTPException(404)

    @app.get(MODEL, summary="A model", response_model=ModelMetadata)
    async def model_metadata(model: str) -> dict[str, Any]:
        return service.model(model).metadata()

    @app.get(VERSION, summary="A version of a model", response_model=ModelMetadata)
    async def version_metadata(model: str, version: str) -> dict[str, Any]:
        return service.model(model, version).metadata()

    def ready(model: str, version: str | None) -> JSONResponse:
        name, is_ready = service.model(model, version).name, service.pool.is_ready
        return JSONResponse({"name": name, "ready": is_ready}, 200 if is_ready else 503)

    @app.get(
        f"{MODEL}/ready",
        summary="Whether a model can answer",
        response_model=ModelReady,
        responses={503: {"model": ModelReady}},
    )
    async def model_ready(model: str) -> JSONResponse:
        return ready(model, None)

    @app.get(
        f"{VERSION}/ready",
        summary="Whether a model's version can",
        response_model=ModelReady,
        responses={503: {"model": ModelReady}},
    )
    async def version_ready(model: str, version: str) -> JSONResponse:
        return ready(model, version)

    @app.post(INDEX, summary="All models", response_model=list[IndexEntry])
    async def repository_index() -> list[IndexEntry]:
        state = "READY" if service.pool.is_ready else "UNAVAILABLE"
        return [
            IndexEntry(name=model.name, version=version, state=state, reason="")
            for model in service.models.values()
            for version in model.versions
        ]


def _add_documents(app: FastAPI, service: Service, has_tokens: bool) -> None:
    @app.get(
        METRICS,
        summary="Counters for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        # Given as it is: Response would write the character set a second time.
        return Response(service.metrics.text(), headers={"content-type": CONTENT_TYPE})

    described = document(app, service.models, JOBS, has_tokens=has_tokens)
    documents = page(described, service.models.values()).encode()

    @app.get(SCHEMA, include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(described)

    @app.get(DOCS, include_in_schema=False)
    async def docs() -> Response:
        headers = {"content-security-policy": CONTENT_SECURITY}
        return Response(documents, media_type="text/html", headers=headers)


async def _refused(_: Request, error: Exception) -> Any:
    return error  # which is an application of its own


async def _http_error(request: Request, error: Exception) -> Any:
    if not isinstance(error, HTTPException):
        raise error
    sentences = {
        404: f"There is nothing at this address. {DOCS} lists what there is.",
        405: "This address takes another method.",
    }
    if _OF_TRITON.fullmatch(request.url.path):
        sentences[404] = (
            "Triton's configurations, statistics, traces and loading of models are not served. "
            f"GET /v2/models/twin describes a model, {METRICS} has counters."
        )
    headers = [(name.lower().encode(), of.encode()) for name, of in (error.headers or {}).items()]
    sentence = sentences.get(error.status_code, "The request cannot be answered.")
    return Refusal(error.status_code, sentence, headers)


async def _invalid(_: Request, __: Exception) -> Any:
    return Refusal(400, "The address or its parameters are not what they must be.")


async def _ours(_: Request, error: Exception) -> NoReturn:
    raise error  # to the guard, which says nothing of what is in it
