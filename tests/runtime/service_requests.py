"""Requests to the service as tests write them, and its answers read by other people's client."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.service_jobs import Answer, Job, JobKind
from dtb_runtime.service_worker import ServiceWorker

Array = NDArray[Any]


def infer_job(
    inputs: Mapping[str, Array],
    *,
    model: str = "twin",
    outputs: Sequence[str] | None = None,
    binary: bool = True,
    request_id: str = "",
    parameters: Mapping[str, Any] | None = None,
) -> Job:
    """A request as Triton's client writes it; text goes in as arrays of objects."""
    http = pytest.importorskip("tritonclient.http")
    utils = pytest.importorskip("tritonclient.utils")
    given = []
    for name, array in inputs.items():
        tensor = http.InferInput(name, list(array.shape), utils.np_to_triton_dtype(array.dtype))
        given.append(tensor.set_data_from_numpy(array, binary_data=binary))
    wanted = None
    if outputs is not None:
        wanted = [http.InferRequestedOutput(name, binary_data=binary) for name in outputs]
    body, length = http.InferenceServerClient.generate_request_body(
        given, outputs=wanted, request_id=request_id, parameters=dict(parameters or {}) or None
    )
    return Job("infer", body, header_length=length, model=model)


def tensors_of(answer: Answer) -> dict[str, Array]:
    """The outputs of an answer as Triton's client reads them, text as str."""
    http = pytest.importorskip("tritonclient.http")
    assert answer.status == 200, answer.body
    result = http.InferenceServerClient.parse_response_body(
        answer.body, header_length=answer.header_length
    )
    found = {}
    for output in result.get_response()["outputs"]:
        array = result.as_numpy(output["name"])
        if output["datatype"] == "BYTES":
            texts = [each.decode() if isinstance(each, bytes) else each for each in array.flat]
            array = np.array(texts, dtype=object).reshape(array.shape)
        found[output["name"]] = array
    return found


def json_job(kind: JobKind, body: object, **fields: Any) -> Job:
    """A request of JSON alone."""
    return Job(kind, json.dumps(body).encode(), **fields)


def asked(worker: ServiceWorker, kind: JobKind, **body: Any) -> Any:
    """What a good request is answered with."""
    (answer,) = worker.answer([json_job(kind, body)])
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def refused(worker: ServiceWorker, job: Job, status: int = 400) -> str:
    """The sentence that a bad request is answered with."""
    (answer,) = worker.answer([job])
    message = json.loads(answer.body)
    assert (answer.status, list(message), answer.n_people) == (status, ["error"], 0), message
    sentence = message["error"]
    assert isinstance(sentence, str)
    assert sentence.isprintable()
    return sentence
