"""Bodies of inference requests that cannot be used: each is refused in one sentence."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dtb_runtime.bundle import Bundle
from dtb_runtime.oip_messages import InferResponse
from dtb_runtime.service_jobs import Job
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_worker import ServiceWorker

from .service_requests import json_job, refused, tensors_of

EDGES: dict[str, Any] = {"name": "edges", "shape": [1, 66], "datatype": "FP32", "data": [0.1] * 66}


@pytest.fixture(scope="module")
def worker(tiny: Bundle) -> ServiceWorker:
    return ServiceWorker([tiny], replace(ServiceLimits(), people_per_request=4))


def sentence_of(worker: ServiceWorker, body: object, model: str = "hypernetwork") -> str:
    return refused(worker, json_job("infer", body, model=model))


def with_edges(**changes: Any) -> dict[str, Any]:
    return {"inputs": [EDGES | changes]}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not valid JSON: EOF while parsing"),
        (b"{", "not valid JSON: EOF while parsing"),
        (b'{"inputs": []} x', "not valid JSON: trailing characters"),
        (b'{"inputs": [NaN]}', "NaN and infinity are no JSON"),
        (b'{"inputs": [-Infinity]}', "NaN and infinity are no JSON"),
        (b'{"id": "\xff"}', "not valid JSON: invalid unicode"),
        (b'{"id": "\\ud800"}', "not valid JSON"),
        ("\ufeff{}".encode(), "not valid JSON"),
        ('{"inputs": []}'.encode("utf-16"), "not valid JSON"),
        (b"[" * 100_000, "recursion limit exceeded"),
        (b'{"inputs":' + b"[" * 300 + b"]" * 300 + b"}", "recursion limit exceeded"),
        (b'{"inputs": [' + b"9" * 10_000 + b"]}", "number out of range"),
        (b"[" + b"[]," * 400_001 + b"[]]", "about 400003 lists and objects, expected at most"),
        (b"{" + b'"a":1,' * 20_001 + b'"a":1}', "about 20002 keys, expected at most 20000"),
        (b"[" + b"1," * 8_000_000 + b"1]", "about 8000001 values, expected at most 8000000"),
    ],
)
def test_bytes_that_are_no_json(worker: ServiceWorker, body: bytes, sentence: str) -> None:
    assert sentence in refused(worker, Job("infer", body, model="hypernetwork"))


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "The request: expected an object."),
        ({}, "The request, inputs: it is missing."),
        ({"inputs": {}}, "The request, inputs: expected a list."),
        ({"inputs": [3]}, "The request, inputs, 1: expected an object."),
        ({"inputs": [{"name": "edges"}]}, "The request, inputs, 1, shape: it is missing."),
        ({"inputs": [EDGES] * 65}, "The request, inputs: List should have at most 64 items"),
        ({"inputs": [EDGES], "id": 3}, "The request, id: Input should be a valid string."),
        (
            {"inputs": [EDGES], "output": []},
            "output: no such key is known, expected some of id, model_name, ",
        ),
        (
            {"inputs": [EDGES | {"dtype": 1}]},
            "inputs, 1, dtype: no such key is known, expected some of name, shape, datatype, ",
        ),
        (
            {"inputs": [EDGES], "a\nb": 1},
            "The request, a\\nb: no such key is known, expected some of id",
        ),
        ({"inputs": [EDGES], "parameters": [1]}, "The request, parameters: expected an object."),
        (
            {"inputs": [EDGES], "parameters": {"draws": [1]}},
            "The request, parameters, draws: expected text or a number or true or false.",
        ),
        ({"inputs": [EDGES], "model_name": "main"}, "of model_name 'hypernetwork', but the body"),
        ({"inputs": [EDGES], "model_version": "1"}, "The address is of model_version"),
        ({"inputs": [EDGES], "parameters": {"draws": 1}}, "no parameter of the request named"),
        (
            {"inputs": [EDGES], "parameters": {"binary_data_output": 1}},
            "'binary_data_output' must be true or false, found 1",
        ),
        ({"inputs": []}, "hypernetwork needs the input 'edges', which is missing"),
        ({"inputs": [EDGES, EDGES]}, "The input 'edges' stands twice"),
        (with_edges(name="x" * 1000), "There is no input of hypernetwork named 'xxx"),
        (with_edges(name=None), "The request, inputs, 1, name: Input should be a valid string."),
        (with_edges(datatype="FP8"), "The request, inputs, 1, datatype: Input should be 'BOOL'"),
        (with_edges(datatype="INT32"), "Input 'edges' is INT32, expected FP32 or FP64."),
        (with_edges(datatype="BYTES"), "Input 'edges' is BYTES, expected FP32 or FP64."),
        (with_edges(shape=[66]), "Input 'edges' has shape [66], expected [people, 66]"),
        (with_edges(shape=[1, 65]), "Input 'edges' has shape [1, 65], expected [people, 66]"),
        (with_edges(shape=[0, 66]), "expected from 1 to 4 along people"),
        (with_edges(shape=[5, 66]), "expected from 1 to 4 along people"),
        (with_edges(shape=[2**62, 66]), "expected from 1 to 4 along people"),
        (with_edges(shape=[-1, 66]), "The request, inputs, 1, shape, 1: Input should be greater"),
        (with_edges(shape=[10**400, 66]), "shape, 1: Input should be less than or equal to"),
        (with_edges(shape=[1.0, 66]), "shape, 1: Input should be a valid integer"),
        (with_edges(shape=[True, 66]), "shape, 1: Input should be a valid integer"),
        (with_edges(shape=[1] * 9), "shape: List should have at most 8 items"),
        (with_edges(data=[0.1] * 65), "has 65 values, but its shape [1, 66] has 66"),
        (with_edges(data=[]), "has 0 values, but its shape [1, 66] has 66"),
        (with_edges(data=[[0.1] * 65]), "is not nested as its shape [1, 66] says"),
        (with_edges(data=[[0.1] * 66] * 2), "is not nested as its shape [1, 66] says"),
        (with_edges(data=[[0.1] * 66, 3]), "is not nested as its shape [1, 66] says"),
        (with_edges(data=[[[0.1]] * 66]), "expected numbers, but value 1 is a list"),
        (with_edges(data=[0.1] * 65 + ["0.1"]), "expected numbers, but value 66 is '0.1'"),
        (with_edges(data=[0.1] * 65 + [None]), "expected numbers, but value 66 is null"),
        (with_edges(data=[0.1] * 65 + [True]), "expected numbers, but value 66 is True"),
        (with_edges(data=[0.1] * 65 + [10**400]), "larger than any in float64"),
        (with_edges(data=[0.1] * 65 + [1e39]), "larger than any in FP32"),
        (with_edges(data=3), "The request, inputs, 1, data: expected a list."),
        (with_edges(data=None), "has neither of data and binary_data_size"),
        (with_edges(parameters={"binary_data_size": 264}), "both of data and binary_data_size"),
        (with_edges(parameters={"shared_memory_region": "a"}), "no parameter of input 'edges'"),
        (
            with_edges(data=None, parameters={"binary_data_size": "264"}),
            "binary_data_size must be a number of bytes, found '264'",
        ),
        (
            with_edges(data=None, parameters={"binary_data_size": -264}),
            "binary_data_size must be a number of bytes, found -264",
        ),
        ({"inputs": [EDGES], "outputs": [{"name": "bold"}]}, "only: latent, weights."),
        ({"inputs": [EDGES], "outputs": [{"name": "latent"}] * 2}, "'latent' is asked for twice"),
        (
            {"inputs": [EDGES], "outputs": [{"name": "latent", "parameters": {"binary_data": 1}}]},
            "'binary_data' must be true or false, found 1",
        ),
        (
            {
                "inputs": [EDGES],
                "outputs": [{"name": "latent", "parameters": {"classification": 3}}],
            },
            "There is no parameter of output 'latent' named 'classification'",
        ),
    ],
)
def test_json_that_is_no_request(worker: ServiceWorker, body: object, sentence: str) -> None:
    assert sentence in sentence_of(worker, body)


def test_a_number_too_large_for_any_float_is_refused(worker: ServiceWorker) -> None:
    body = json.dumps({"inputs": [EDGES]}).replace("0.1]", "1e999]").encode()
    assert "larger than any" in refused(worker, Job("infer", body, model="hypernetwork"))


def binary_job(values: bytes, size: int | None = None, **changes: Any) -> Job:
    """Edges behind the JSON, and what may be wrong with them."""
    tensor = {k: v for k, v in EDGES.items() if k != "data"} | changes
    tensor["parameters"] = {"binary_data_size": len(values) if size is None else size}
    head = json.dumps({"inputs": [tensor]}).encode()
    return Job("infer", head + values, header_length=len(head), model="hypernetwork")


EDGE_BYTES = np.full(66, 0.1, "<f4").tobytes()


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        (binary_job(EDGE_BYTES[:-1]), "binary_data_size 263, but 66 values of FP32 take 264 bytes"),
        (binary_job(EDGE_BYTES[:-1], 264), "binary_data_size 264, but 263 bytes are left"),
        (binary_job(EDGE_BYTES + b"x", 264), "1 bytes are left behind the last tensor"),
        (binary_job(EDGE_BYTES, 2**62), f"binary_data_size {2**62}, but 264 bytes are left"),
        (binary_job(EDGE_BYTES, datatype="FP64"), "66 values of FP64 take 528 bytes"),
        (replace(binary_job(EDGE_BYTES), header_length=100_000), "says 100000 bytes of JSON, but"),
        (replace(binary_job(EDGE_BYTES), header_length=-1), "says -1 bytes of JSON, but"),
        (replace(binary_job(EDGE_BYTES), header_length=3), "not valid JSON"),
        (replace(binary_job(EDGE_BYTES), header_length=None), "not valid JSON"),
    ],
)
def test_binary_data_that_does_not_fit(worker: ServiceWorker, job: Job, sentence: str) -> None:
    assert sentence in refused(worker, job)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (struct.pack("<I", 6) + b"stroo", "text 1 is cut short"),
        (struct.pack("<I", 2**32 - 1) + b"stroop", "text 1 is cut short"),
        (b"\0\0\0", "text 1 is cut short"),
        (struct.pack("<I", 2) + b"\xff\xfe", "text 1 is not UTF-8"),
        (b"", "its bytes do not hold 1 texts"),
        ((struct.pack("<I", 3) + b"all") * 2, "its bytes do not hold 1 texts"),
    ],
)
def test_texts_behind_the_json_that_are_none(
    worker: ServiceWorker, texts: bytes, sentence: str
) -> None:
    inputs = [
        {"name": "connectome", "shape": [1, 12, 12], "datatype": "FP32", "data": [0.0] * 144},
        {
            "name": "task",
            "shape": [1],
            "datatype": "BYTES",
            "parameters": {"binary_data_size": len(texts)},
        },
    ]
    head = json.dumps({"inputs": inputs}).encode()
    job = Job("infer", head + texts, header_length=len(head), model="twin")
    assert sentence in refused(worker, job)


def test_texts_in_json_must_be_texts(worker: ServiceWorker) -> None:
    tensor = {"name": "task", "shape": [1], "datatype": "BYTES", "data": [3]}
    connectome = {"name": "connectome", "shape": [1, 12, 12], "datatype": "FP32"}
    connectome["data"] = [0.0] * 144
    sentence = sentence_of(worker, {"inputs": [connectome, tensor]}, "twin")
    assert "Input 'task': expected texts, but value 1 is 3." in sentence


def test_the_request_says_which_outputs_are_binary(worker: ServiceWorker) -> None:
    inputs = [EDGES]
    mixed = [{"name": "weights", "parameters": {"binary_data": False}}, {"name": "latent"}]
    all_binary = {"binary_data_output": True}
    body = {"id": "é\n", "inputs": inputs, "outputs": mixed, "parameters": all_binary}
    binary, plain, empty = worker.answer(
        [
            json_job("infer", body, model="hypernetwork"),
            json_job("infer", {"inputs": inputs}, model="hypernetwork"),
            json_job("infer", {"inputs": inputs, "outputs": []}, model="hypernetwork"),
        ]
    )
    assert plain == empty
    assert (plain.content_type, plain.header_length) == ("application/json", None)
    assert binary.content_type == "application/octet-stream"
    head = json.loads(binary.body[: binary.header_length])
    assert head["id"] == "é\n"
    assert [each["name"] for each in head["outputs"]] == ["weights", "latent"]
    assert "data" in head["outputs"][0]
    assert head["outputs"][1]["parameters"] == {"binary_data_size": 12}
    assert "id" not in json.loads(plain.body)
    for message in (head, json.loads(plain.body)):
        InferResponse.model_validate(message, strict=True, extra="forbid")
    for name, values in tensors_of(plain).items():
        np.testing.assert_array_equal(tensors_of(binary)[name], values)


def test_a_request_may_repeat_the_address(worker: ServiceWorker, tiny: Bundle) -> None:
    body = {
        "model_name": "hypernetwork",
        "model_version": tiny.digest[:12],
        "id": None,
        "inputs": [EDGES],
    }
    (answer,) = worker.answer([json_job("infer", body, model="hypernetwork")])
    assert answer.status == 200
    assert json.loads(answer.body)["model_version"] == tiny.digest[:12]
