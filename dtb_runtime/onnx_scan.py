"""What an ONNX file contains, read from its bytes before ONNX Runtime sees them.

A bundle may come from anywhere. ONNX can point at other files on disk (external data) and call
operators from loaded libraries (custom domains), and an operator such as `Loop` need not end. This
module walks the protobuf encoding without the onnx package and lets through only fields, domains
and operators that the exporter uses. Everything else is refused, so a field that a future ONNX
version adds is refused too until it is listed here.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, which may
never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .onnx_fields import LENGTH, OnnxReader

ALLOWED_OPERATORS: Final = frozenset(
    {
        "Add",
        "Cast",
        "Exp",
        "Gemm",
        "Identity",
        "MatMul",
        "Mul",
        "Neg",
        "Reciprocal",
        "Reshape",
        "Scan",
        "Slice",
        "Softplus",
        "Split",
        "Sub",
        "Tanh",
        "Transpose",
    }
)
"""Operators of the default domain that a bundle may use: plain arithmetic that always ends."""
MAX_DEPTH: Final = 16
"""Messages inside messages; a `Scan` body's node attributes are 5 deep."""

# What each message may hold: field number -> (name, kind). A kind is the name of another message
# here, or "bytes" (any length-delimited value that cannot matter), "number", "operator", "domain".
_MESSAGES: Final[Mapping[str, Mapping[int, tuple[str, str]]]] = {
    "model": {
        1: ("ir_version", "number"),
        2: ("producer_name", "bytes"),
        3: ("producer_version", "bytes"),
        4: ("domain", "bytes"),
        5: ("model_version", "number"),
        6: ("doc_string", "bytes"),
        7: ("graph", "graph"),
        8: ("opset_import", "opset"),
        14: ("metadata_props", "bytes"),
    },
    "opset": {1: ("domain", "domain"), 2: ("version", "number")},
    "graph": {
        1: ("node", "node"),
        2: ("name", "bytes"),
        5: ("initializer", "tensor"),
        10: ("doc_string", "bytes"),
        11: ("input", "bytes"),
        12: ("output", "bytes"),
        13: ("value_info", "bytes"),
        16: ("metadata_props", "bytes"),
    },
    "node": {
        1: ("input", "bytes"),
        2: ("output", "bytes"),
        3: ("name", "bytes"),
        4: ("op_type", "operator"),
        5: ("attribute", "attribute"),
        6: ("doc_string", "bytes"),
        7: ("domain", "domain"),
        9: ("metadata_props", "bytes"),
    },
    "attribute": {
        1: ("name", "bytes"),
        2: ("f", "number"),
        3: ("i", "number"),
        4: ("s", "bytes"),
        5: ("t", "tensor"),
        6: ("g", "graph"),
        7: ("floats", "any"),
        8: ("ints", "any"),
        9: ("strings", "bytes"),
        10: ("tensors", "tensor"),
        11: ("graphs", "graph"),
        13: ("doc_string", "bytes"),
        20: ("type", "number"),
    },
    "tensor": {
        1: ("dims", "any"),
        2: ("data_type", "number"),
        4: ("float_data", "any"),
        5: ("int32_data", "any"),
        7: ("int64_data", "any"),
        8: ("name", "bytes"),
        9: ("raw_data", "bytes"),
        10: ("double_data", "any"),
        11: ("uint64_data", "any"),
        12: ("doc_string", "bytes"),
        14: ("data_location", "data_location"),
        16: ("metadata_props", "bytes"),
    },
}
_REASONS: Final[Mapping[tuple[str, int], str]] = {
    ("tensor", 13): "keeps tensor data in another file (external data)",
    ("model", 20): "carries training information",
    ("model", 25): "defines functions of its own",
    ("graph", 15): "holds sparse initializers",
    ("attribute", 21): "refers to an attribute of a function",
    ("attribute", 22): "holds sparse tensors",
    ("attribute", 23): "holds sparse tensors",
    ("node", 8): "overloads an operator",
}


@dataclass(frozen=True, slots=True)
class OnnxContent:
    """What was found in an ONNX file that passed."""

    operators: frozenset[str]
    """Operator types, those of subgraphs included."""
    n_nodes: int
    opset: int
    """Version of the default operator set."""


@dataclass(slots=True)
class _Walk(OnnxReader):
    operators: set[str] = field(default_factory=set)
    n_nodes: int = 0
    n_graphs: int = 0
    opset: int = 0


def scan_onnx(data: bytes, file: str) -> OnnxContent:
    """Check that an ONNX file is self-contained and uses only known operators.

    Parameters
    ----------
    data : bytes
        The whole file.
    file : str
        Its name, for messages.

    Raises
    ------
    BundleError
        The bytes are no ONNX model; or external data, a custom domain, an operator outside
        `ALLOWED_OPERATORS`, or any field this module does not know.
    """
    walk = _Walk(file)
    _walk_message(walk, memoryview(data), "model", depth=0)
    if walk.n_graphs == 0 or walk.opset == 0:
        raise walk.damaged("it holds no graph or no operator set")
    return OnnxContent(frozenset(walk.operators), walk.n_nodes, walk.opset)


def _walk_message(walk: _Walk, data: memoryview, message: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise walk.refuse(f"nests more than {MAX_DEPTH} deep")
    known = _MESSAGES[message]
    for number, wire_type, value in walk.fields(data):
        if number not in known:
            reason = _REASONS.get((message, number), f"holds the unknown {message} field {number}")
            raise walk.refuse(reason)
        name, kind = known[number]
        # A known field with another wire type is skipped by protobuf readers but kept by rewriters:
        # nothing we write has it, so it is not worth being clever about.
        is_number = wire_type != LENGTH
        if kind != "any" and is_number != (kind in ("number", "data_location")):
            raise walk.damaged(f"{message} field {name} has wire type {wire_type}")
        if kind == "data_location" and value != 0:
            raise walk.refuse("keeps tensor data in another file (external data)")
        if message == "opset" and name == "version" and isinstance(value, int):
            walk.opset = max(walk.opset, value)
        if isinstance(value, memoryview):
            _check_text(walk, kind, value)
            if kind in _MESSAGES:
                walk.n_graphs += kind == "graph"
                walk.n_nodes += kind == "node"
                _walk_message(walk, value, kind, depth + 1)


def _check_text(walk: _Walk, kind: str, value: memoryview) -> None:
    if kind == "operator":
        operator = _shown(value)
        if operator not in ALLOWED_OPERATORS:
            raise walk.refuse(f"uses the operator {operator!r}")
        walk.operators.add(operator)
    elif kind == "domain" and bytes(value[:16]) not in (b"", b"ai.onnx"):
        raise walk.refuse(f"uses operators of the domain {_shown(value)!r}")


def _shown(value: memoryview) -> str:
    return bytes(value[:80]).decode("utf-8", "replace")
