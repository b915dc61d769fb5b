"""The service's OpenAPI document: FastAPI's, and the requests that workers answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from .oip_messages import ErrorMessage, InferRequest, InferResponse
from .oip_models import ServedModel
from .service_guard import OPEN
from .service_jobs import BINARY_TYPE, JSON_TYPE, JobKind
from .service_messages import (
    ApplyPlanRequest,
    ApplyPlanResponse,
    CalibrateRequest,
    CalibrateResponse,
    PredictRequest,
    PredictResponse,
)

DESCRIPTION = (
    "Digital twin brains over HTTP: the Open Inference Protocol (version 2) under /v2, and JSON "
    "requests about people under /v1. Research software, not a medical device."
)
_REF = "#/components/schemas/"
_SUMMARIES: Mapping[JobKind, str] = {
    "infer": "Run a model",
    "predict": "Forecast a person",
    "calibrate": "Let a person's twin learn from trials",
    "apply-plan": "Forecast a person under an intervention plan",
}
_MESSAGES: Mapping[JobKind, tuple[type[BaseModel], type[BaseModel]]] = {
    "infer": (InferRequest, InferResponse),
    "predict": (PredictRequest, PredictResponse),
    "calibrate": (CalibrateRequest, CalibrateResponse),
    "apply-plan": (ApplyPlanRequest, ApplyPlanResponse),
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class Live(BaseModel):
    """Whether the server answers."""

    live: bool


class Ready(BaseModel):
    """Whether the server can work."""

    ready: bool


class ModelReady(BaseModel):
    """Whether a model can work."""

    name: str
    ready: bool


class IndexEntry(BaseModel):
    """A version of a model."""

    name: str
    version: str
    state: str
    reason: str


def document(
    app: FastAPI,
    models: Mapping[str, ServedModel],
    jobs: Sequence[tuple[str, JobKind]],
    *,
    has_tokens: bool,
) -> dict[str, Any]:
    """The whole document, as JSON values.

    Parameters
    ----------
    app : FastAPI
        With all addresses but those of jobs.
    models : mapping of str to ServedModel
    jobs : sequence of (str, JobKind)
        Addresses that workers answer.
    has_tokens : bool
    """
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    pairs = [*_MESSAGES.values()]
    requests = [(request, "validation") for request, _ in pairs]
    responses = [(response, "serialization") for _, response in pairs]
    _, own = models_json_schema(
        [*requests, *responses, (ErrorMessage, "serialization")],  # type: ignore[list-item]
        ref_template=_REF + "{model}",
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(own["$defs"])
    for name in ("HTTPValidationError", "ValidationError"):  # our refusals are the protocol's
        schemas.pop(name, None)
    for path, kind in jobs:
        found["paths"][path] = {"post": _operation(path, kind)}
    for path, methods in found["paths"].items():
        for operation in methods.values():
            _finish(operation, models)
            if has_tokens and path in OPEN:
                operation["security"] = []
    if has_tokens:
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
    return found


def _operation(path: str, kind: JobKind) -> dict[str, Any]:
    request, response = _MESSAGES[kind]
    taken: dict[str, Any] = {JSON_TYPE: {"schema": {"$ref": _REF + request.__name__}}}
    given: dict[str, Any] = {JSON_TYPE: {"schema": {"$ref": _REF + response.__name__}}}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in ("model", "version")
        if f"{{{name}}}" in path
    ]
    if kind == "infer":
        taken[BINARY_TYPE] = given[BINARY_TYPE] = _BINARY
        parameters.append(
            {
                "name": "Inference-Header-Content-Length",
                "in": "header",
                "required": False,
                "description": "How much of the body is JSON, before binary tensors.",
                "schema": {"type": "integer", "minimum": 0},
            }
        )
    return {
        "summary": _SUMMARIES[kind],
        "operationId": path.strip("/").replace("/", "_").replace("{", "").replace("}", ""),
        "parameters": parameters,
        "requestBody": {"required": True, "content": taken},
        "responses": {"200": {"description": "Done.", "content": given}},
    }


def _finish(operation: dict[str, Any], models: Mapping[str, ServedModel]) -> None:
    """Add what every operation has: names that are there, and the protocol's error object."""
    known = {
        "model": list(models),
        "version": sorted({version for model in models.values() for version in model.versions}),
    }
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in known:
            parameter["schema"] = {"type": "string", "enum": known[parameter["name"]]}
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {
        "description": "Why there is no answer.",
        "content": {JSON_TYPE: {"schema": {"$ref": _REF + ErrorMessage.__name__}}},
    }
