"""From a model's arrays to the body of an inference response."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

from .errors import DataError
from .oip_binary import binary_of_tensor
from .oip_requests import InferCall
from .oip_tensors import BYTES, DTYPES, Array, json_of_tensor
from .service_jobs import BINARY_TYPE, JSON_TYPE, Answer
from .service_json import NUMBER_BYTES, write_json
from .service_words import in_request_words

WARNINGS = "warnings"
"""The parameter of a response that says how far it can be trusted."""
_TEXT_BYTES = 16  # of a short text with its length, or its quotes


def check_size(call: InferCall, shapes: Mapping[str, tuple[int, ...]], most: int) -> None:
    """Refuse a request whose answer would be too large, before it is made.

    Parameters
    ----------
    call : InferCall
    shapes : mapping of str to tuple of int
        Of what is computed, wanted or not.
    most : int
        Bytes.

    Raises
    ------
    DataError
    """
    datatype_of = {spec.name: spec.datatype for spec in call.model.outputs}
    sizes: dict[str, int] = {}
    is_text = False
    for name, shape in shapes.items():
        datatype = datatype_of[name]
        each = NUMBER_BYTES
        if datatype == BYTES:
            each = _TEXT_BYTES
        elif call.outputs.get(name, True):
            each = DTYPES[datatype].itemsize
        else:
            is_text = True
        sizes[name] = prod(shape) * each
    total = sum(sizes.values())
    if total > most:
        largest = max(sizes, key=lambda name: sizes[name])
        raise DataError(
            f"The answer would take about {total / 1e6:.0f} MB, expected at most {most / 1e6:.0f}. "
            f"Ask for {'binary data, ' if is_text else ''}less than all outputs (the largest is "
            f"{largest!r}), or fewer people at a time."
        )


def infer_answer(
    call: InferCall, tensors: Mapping[str, Array], n_people: int, warnings: Iterable[str]
) -> Answer:
    """The response to one request.

    Parameters
    ----------
    call : InferCall
    tensors : mapping of str to numpy.ndarray
        Outputs by name; those wanted are sent, in the order in which they were asked for.
    n_people : int
        How many were forecast.
    warnings : iterable of str
        Sentences, without line breaks. They go into one parameter, a line each: the protocol has no
        lists there.
    """
    datatype_of = {spec.name: spec.datatype for spec in call.model.outputs}
    outputs: list[dict[str, Any]] = []
    behind: list[bytes] = []
    for name, is_binary in call.outputs.items():
        if name not in tensors:
            continue
        array, datatype = tensors[name], datatype_of[name]
        output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        if is_binary:
            data = binary_of_tensor(array)
            behind.append(data)
            output["parameters"] = {"binary_data_size": len(data)}
        else:
            output["data"] = json_of_tensor(array)
        outputs.append(output)
    message: dict[str, Any] = {
        "model_name": call.model.name,
        "model_version": call.model.versions[0],
    }
    if call.id is not None:
        message["id"] = call.id
    if said := "\n".join(dict.fromkeys(map(in_request_words, warnings))):
        message["parameters"] = {WARNINGS: said}
    head = write_json(message | {"outputs": outputs})
    if not behind:
        return Answer(200, head, JSON_TYPE, None, n_people)
    return Answer(200, b"".join([head, *behind]), BINARY_TYPE, len(head), n_people)
