"""The messages of the Open Inference Protocol (version 2, REST), typed: they check and document.

Requests are strict: what the protocol does not know is refused, so that nothing misspelled is
ignored in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from .errors import DataError
from .tables import one_line, shortened

Datatype: TypeAlias = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]
"""The protocol's. The models here take and give FP32, FP64 and BYTES."""
MAX_TENSORS = 64
"""Named in one request: more than any model has."""
MAX_AXES = 8
_LARGEST = 2**63 - 1

Parameter: TypeAlias = bool | int | float | str
Parameters: TypeAlias = Annotated[dict[str, Parameter], Field(max_length=MAX_TENSORS)]
TensorData: TypeAlias = Annotated[
    list[Any],
    WithJsonSchema(
        {
            "type": "array",
            "title": "Tensor data",
            "description": "Values row by row, flat or nested; null for NaN in answers.",
            "items": {},
        }
    ),
]
_Message = TypeVar("_Message", bound=BaseModel)


class Message(BaseModel):
    """A request's part: strict, and without keys that nobody knows."""

    # "model_" is the beginning of two of the protocol's names, and pydantic's own.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


class RequestInput(Message):
    """One input tensor."""

    name: str
    shape: Annotated[list[Annotated[int, Field(ge=0, le=_LARGEST)]], Field(max_length=MAX_AXES)]
    datatype: Datatype
    parameters: Parameters | None = Field(
        default=None,
        description="`binary_data_size`: bytes of this tensor behind the JSON, instead of `data`.",
    )
    data: TensorData | None = None


class RequestOutput(Message):
    """One output that is asked for."""

    name: str
    parameters: Parameters | None = Field(
        default=None, description="`binary_data`: whether it comes behind the JSON."
    )


class InferRequest(Message):
    """What to run a model on."""

    id: str | None = Field(default=None, description="Given back with the answer.")
    model_name: str | None = Field(default=None, description="If given, that of the address.")
    model_version: str | None = Field(default=None, description="If given, the one served.")
    parameters: Parameters | None = Field(
        default=None,
        description="`binary_data_output`: all outputs behind the JSON. Of twins also `draws`, "
        "`seed`, `fisher_z` and `impute`.",
    )
    inputs: Annotated[list[RequestInput], Field(max_length=MAX_TENSORS)]
    outputs: Annotated[list[RequestOutput], Field(max_length=MAX_TENSORS)] | None = Field(
        default=None, description="Those wanted; by default all that can be given."
    )


class ResponseOutput(BaseModel):
    """One output tensor."""

    name: str
    shape: list[int]
    datatype: Datatype
    parameters: dict[str, Parameter] | None = None
    data: TensorData | None = None


class InferResponse(BaseModel):
    """What a model gave."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, Parameter] | None = Field(
        default=None,
        description="`warnings`: how far this can be trusted, a sentence a line.",
    )
    outputs: list[ResponseOutput]


class TensorMetadata(BaseModel):
    """A tensor that a model takes or gives; -1 is an axis of any length."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(BaseModel):
    """The server."""

    name: str
    version: str
    extensions: list[str]


class ErrorMessage(BaseModel):
    """Why there is no answer, in a sentence."""

    error: str


def checked(message: type[_Message], value: object) -> _Message:
    """A body's value as a message.

    Parameters
    ----------
    message : type of pydantic.BaseModel
    value : object
        As `service_json.read_json` gives it.

    Raises
    ------
    DataError
        It is something else; the sentence names the first place that is wrong.
    """
    try:
        return message.model_validate(value)
    except ValidationError as cause:
        raise DataError(_sentence(cause, message)) from cause


_PROBLEMS = {
    "missing": "it is missing",
    "extra_forbidden": "no such key is known",
    "model_type": "expected an object",
    "dict_type": "expected an object",
    "list_type": "expected a list",
}
# What pydantic calls the members of a union, and we.
_KINDS = {"str": "text", "int": "a number", "float": "a number", "bool": "true or false"}
_UNIONS = ("dict[", "list[", "nullable[", "union[")  # members that are no keys of anybody


def _sentence(error: ValidationError, message: type[BaseModel]) -> str:
    """The first place that is wrong, and what is wrong there."""
    every = error.errors(include_url=False, include_input=False, include_context=False)
    first = every[0]
    *outer, last = first["loc"] or ("",)
    problem = _PROBLEMS.get(first["type"], one_line(first["msg"]))
    if last in _KINDS and outer:
        tried = {each["loc"][-1] for each in every if each["loc"][:-1] == first["loc"][:-1]}
        words = dict.fromkeys(word for kind, word in _KINDS.items() if kind in tried)
        last, problem = outer.pop(), f"expected {' or '.join(words)}"
    if first["type"] == "extra_forbidden":
        problem += _known_keys(message, outer)
    keys = [part for part in (*outer, last) if not str(part).startswith(_UNIONS)]
    place = [str(part + 1) if isinstance(part, int) else shortened(part) for part in keys]
    return f"The request{', ' if place[-1] else ''}{', '.join(place)}: {problem}."


def _known_keys(message: type[BaseModel], place: Sequence[int | str]) -> str:
    """Which keys an object of a message may have."""
    for part in place:
        if isinstance(part, str) and part in message.model_fields:
            message = next(_messages_in(message.model_fields[part].annotation), message)
    return f", expected some of {', '.join(message.model_fields)}"


def _messages_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _messages_in(inner)
