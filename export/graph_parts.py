"""What all graphs of a bundle are written with: versions, arrays, linear layers.

They are not traced from PyTorch: `torch.onnx.export` unrolls or freezes a recurrence, while a
graph written here has dynamic people and time, one `Scan`, and the same bytes every time. Only
numpy, onnx and the runtime are needed, so a bundle can be made where there is no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, parser

OPSET = 17
"""Newest set that every ONNX Runtime since 1.12 reads; the operators used here are all older."""

IR_VERSION = 8
"""Goes with opset 17. Newer `onnx` packages stamp a newer one, which older runtimes refuse."""

Layer = tuple[NDArray[Any], NDArray[Any]]
"""Weight (outputs, inputs) and bias (outputs,) of a linear layer."""

HEADER = f'<ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}], producer_name: "dtb_export">'
"""Begins every graph in ONNX's text form."""


def halved(values: NDArray[np.float32]) -> NDArray[Any]:
    """Return `values` as float16 where that loses nothing, else as they are.

    Training rounds what a bundle stores in half precision before it ends, so that a network and
    its graph agree to the last digit; an array that was not rounded is never rounded in silence.
    """
    with np.errstate(over="ignore"):  # beyond 65,504 becomes inf, which then differs
        half = values.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), values) else values


def graph_bytes(model: onnx.ModelProto) -> bytes:
    """Return the file content of a graph; the same graph gives the same bytes."""
    return bytes(model.SerializeToString(deterministic=True))


def checked_model(text: str, initializers: Iterable[onnx.TensorProto]) -> onnx.ModelProto:
    """Parse `text`, add the arrays and let onnx check types and shapes throughout."""
    parsed = parser.parse_model(text)
    parsed.graph.initializer.extend(initializers)
    onnx.checker.check_model(parsed, full_check=True)
    return parsed


def linear(
    x: str,
    y: str,
    weight: NDArray[Any],
    bias: NDArray[Any],
    initializers: list[onnx.TensorProto],
    *,
    name: str | None = None,
) -> list[str]:
    """Return the nodes of ``y = x @ weight.T + bias``."""
    w, b = f"{name or y}_weight", f"{name or y}_bias"
    return [
        *constant(w, weight, initializers),
        *constant(b, bias, initializers),
        f"{y} = Gemm <transB = 1> ({x}, {w}, {b})",
    ]


def constant(name: str, values: NDArray[Any], initializers: list[onnx.TensorProto]) -> list[str]:
    """Store an array under `name`; return the cast node that float16 needs."""
    if values.dtype == np.float16:
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), f"{name}_f16"))
        return [f"{name} = Cast <to = {onnx.TensorProto.FLOAT}> ({name}_f16)"]
    array = np.asarray(values, dtype=np.float32, order="C")
    initializers.append(numpy_helper.from_array(array, name))
    return []


def int64(name: str, values: Sequence[int]) -> onnx.TensorProto:
    """Return a list of whole numbers, as shapes and axes are written."""
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def joined(lines: Iterable[str]) -> str:
    """Return nodes as the text between a graph's braces."""
    return "\n".join(lines)
