"""The three graphs of a bundle, written directly from sizes and arrays.

They are not traced from PyTorch: `torch.onnx.export` unrolls or freezes a recurrence, while a
graph written here has dynamic people and time, one `Scan`, and the same bytes every time. Only
numpy, onnx and the runtime are needed, so a bundle can be made where there is no torch.

What is in each graph (axes in parentheses; ``people``, ``time`` and ``frames`` are dynamic; the
names are those of `dtb_runtime.manifest.Manifest.graphs`):

- ``hypernetwork.onnx``: ``edges (people, edges)`` to ``weights (people, weights)`` and, in the
  compact preset, ``latent (people, latent)``. Edges are Fisher z.
- ``decoder.onnx``: ``latent (people, latent)`` to ``weights (people, weights)``.
- ``main.onnx``: ``weights (people, weights)``, one ``stimulus (time, inputs)`` for all of them,
  already delayed by one step, and ``state (people, hidden)`` to ``actions (people, time, actions)``
  after the sigmoid, ``bold (people, frames, regions)`` at steps 0, stride, 2 stride, ... and
  ``final_state (people, hidden)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import numpy_helper, parser

from dtb_runtime.bundle_layout import n_main_weights

OPSET = 17
"""Newest set that every ONNX Runtime since 1.12 reads; the operators used here are all older."""

IR_VERSION = 8
"""Goes with opset 17. Newer `onnx` packages stamp a newer one, which older runtimes refuse."""

Layer = tuple[NDArray[Any], NDArray[Any]]
"""Weight (outputs, inputs) and bias (outputs,) of a linear layer."""

_HEADER = f'<ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}], producer_name: "dtb_export">'


def main_graph(
    *,
    n_inputs: int,
    hidden_size: int,
    n_actions: int,
    n_bold: int,
    bold_stride: int,
    leak: ArrayLike | None = None,
) -> onnx.ModelProto:
    """Write the main network, whose weights are an input.

    Parameters
    ----------
    n_inputs, hidden_size, n_actions, n_bold : int
        Sizes, all at least 1.
    bold_stride : int
        BOLD is read out at steps 0, ``bold_stride``, ``2 * bold_stride``, ...
    leak : array_like, shape (hidden_size,), optional
        Share of each unit renewed per step, in (0, 1]; left out of the graph when all are 1.

    Returns
    -------
    onnx.ModelProto
        Flat ``weights`` are W_ih, W_hh, b_ih, b_hh, W_ho, b_ho, each row-major, rows of W_ho being
        the actions first, then BOLD.

    Notes
    -----
    Everything that does not depend on the hidden state stands outside the `Scan`: a step costs
    microseconds per node. Inside, `MatMul` takes a row vector and a matrix per person; as a matrix
    times a column vector the same product was 35 times slower in ONNX Runtime 1.31. For one person
    a `Gemm` would save a tenth of the time, but a step's fixed cost is shared by all people of a
    call (docs/decisions), and numbers must not depend on how many there are.
    """
    H, A, B = hidden_size, n_actions, n_bold
    constants = {
        "part_sizes": [H * n_inputs, H * H, H, H, A * H, B * H, A, B],
        "shape_W_ih": [-1, n_inputs],  # the rows of all people, one below the other
        "shape_W_hh": [-1, H, H],
        "shape_W_action": [-1, A, H],
        "shape_W_bold": [-1, B, H],
        "shape_b_hidden": [-1],
        "shape_b_action": [-1, 1, A],
        "shape_b_bold": [-1, 1, B],
        "shape_drive": [0, -1, 1, H],
        "shape_first": [-1, 1, H],
        "shape_hidden": [0, -1, H],
        "shape_state": [-1, H],
        "first_step": [0],
        "last_step": [np.iinfo(np.int64).max],
        "time_axis": [1],
        "bold_stride": [bold_stride],
    }
    initializers = [_int64(name, values) for name, values in constants.items()]
    # The sigmoid is written out: ONNX Runtime's own is off by a tenth at -15 and exactly 0 from
    # -18 on, where PyTorch's goes on to 1e-38; and the improbable is not impossible.
    initializers.append(numpy_helper.from_array(np.ones(1, np.float32), "one"))
    step = "h_new = Tanh (drive_h)"
    leaks = None if leak is None else np.asarray(leak, dtype=np.float32)
    if leaks is not None and not np.all(leaks == 1):
        initializers.append(numpy_helper.from_array(leaks.reshape(1, 1, H), "leak"))
        step = """
            h_target = Tanh (drive_h)
            h_change = Sub (h_target, h)
            h_step = Mul (leak, h_change)
            h_new = Add (h, h_step)
        """
    n_weights = n_main_weights(n_inputs, H, A + B)
    text = f"""
    {_HEADER}
    main_network (
        float[people, {n_weights}] weights, float[time, {n_inputs}] stimulus,
        float[people, {H}] state
    ) => (
        float[people, time, {A}] actions, float[people, frames, {B}] bold,
        float[people, {H}] final_state
    ) {{
        flat_W_ih, flat_W_hh, b_ih, b_hh, flat_W_action, flat_W_bold, flat_b_action, flat_b_bold
            = Split <axis = 1> (weights, part_sizes)
        W_ih = Reshape (flat_W_ih, shape_W_ih)
        flat_b_hidden = Add (b_ih, b_hh)
        b_hidden = Reshape (flat_b_hidden, shape_b_hidden)
        drive = Gemm <transB = 1> (stimulus, W_ih, b_hidden)
        drive_rows = Reshape (drive, shape_drive)
        W_hh = Reshape (flat_W_hh, shape_W_hh)
        W_hh_T = Transpose <perm = [0, 2, 1]> (W_hh)
        first_state = Reshape (state, shape_first)
        last_state, hidden_rows = Scan <num_scan_inputs = 1, body = step (
            float[people, 1, {H}] h, float[people, 1, {H}] drive_row
        ) => (float[people, 1, {H}] h_new, float[people, 1, {H}] h_kept) {{
            from_others = MatMul (h, W_hh_T)
            drive_h = Add (from_others, drive_row)
            {step}
            h_kept = Identity (h_new)
        }}> (first_state, drive_rows)
        final_state = Reshape (last_state, shape_state)
        hidden_by_time = Reshape (hidden_rows, shape_hidden)
        hidden = Transpose <perm = [1, 0, 2]> (hidden_by_time)
        W_action = Reshape (flat_W_action, shape_W_action)
        W_action_T = Transpose <perm = [0, 2, 1]> (W_action)
        b_action = Reshape (flat_b_action, shape_b_action)
        from_hidden = MatMul (hidden, W_action_T)
        action_logits = Add (from_hidden, b_action)
        falling = Neg (action_logits)
        odds_against = Exp (falling)
        one_to_odds = Add (odds_against, one)
        actions = Reciprocal (one_to_odds)
        hidden_at_frames = Slice (hidden, first_step, last_step, time_axis, bold_stride)
        W_bold = Reshape (flat_W_bold, shape_W_bold)
        W_bold_T = Transpose <perm = [0, 2, 1]> (W_bold)
        b_bold = Reshape (flat_b_bold, shape_b_bold)
        bold_change = MatMul (hidden_at_frames, W_bold_T)
        bold = Add (bold_change, b_bold)
    }}
    """
    return _model(text, initializers)


def paper_hypernetwork_graph(layers: Sequence[Layer]) -> onnx.ModelProto:
    """Write a multi-layer perceptron with Mish between its layers.

    Parameters
    ----------
    layers : sequence of (weight, bias)
        Weight (outputs, inputs) and bias (outputs,), from edges to weights.
    """
    n_edges, n_weights = layers[0][0].shape[1], layers[-1][0].shape[0]
    lines: list[str] = []
    initializers: list[onnx.TensorProto] = []
    x = "edges"
    for i, (weight, bias) in enumerate(layers):
        is_last = i == len(layers) - 1
        y = "weights" if is_last else f"layer_{i}"
        lines += _linear(x, y, weight, bias, initializers)
        if not is_last:
            lines += _mish(y, f"mish_{i}")
            x = f"mish_{i}"
    text = f"""
    {_HEADER}
    hypernetwork (float[people, {n_edges}] edges) => (float[people, {n_weights}] weights)
    {{ {_joined(lines)} }}
    """
    return _model(text, initializers)


def compact_hypernetwork_graph(
    *,
    edge_mean: NDArray[Any],
    basis: NDArray[Any],
    encoder: Layer,
    decoder: Layer,
    component_limit: float | None = None,
) -> onnx.ModelProto:
    """Write edge basis, encoder and decoder: edges to latent and weights.

    Parameters
    ----------
    edge_mean : ndarray, shape (edges,)
        Subtracted from the edges (Fisher z).
    basis : ndarray, shape (components, edges)
        Rows that turn centered edges into components.
    encoder : Layer
        Components to latent.
    decoder : Layer
        Latent to weights.
    component_limit : float, optional
        Components are squashed to ``limit * tanh(component / limit)``; None leaves them as they
        are.

    Notes
    -----
    An array given as float16 is stored so, at half the size, and cast to float32 in the graph;
    all arithmetic is float32. See `halved`.
    """
    n_edges, n_latent, n_weights = edge_mean.size, encoder[0].shape[0], decoder[0].shape[0]
    initializers: list[onnx.TensorProto] = []
    lines = [
        *_constant("edge_mean", edge_mean, initializers),
        "centered = Sub (edges, edge_mean)",
        *_constant("basis", basis, initializers),
        *_components(component_limit, initializers),
        *_linear("components", "latent", *encoder, initializers, name="encoder"),
        *_linear("latent", "weights", *decoder, initializers, name="decoder"),
    ]
    text = f"""
    {_HEADER}
    hypernetwork (float[people, {n_edges}] edges)
        => (float[people, {n_latent}] latent, float[people, {n_weights}] weights)
    {{ {_joined(lines)} }}
    """
    return _model(text, initializers)


def _components(limit: float | None, initializers: list[onnx.TensorProto]) -> list[str]:
    if limit is None:
        return ["components = Gemm <transB = 1> (centered, basis)"]
    return [
        *_constant("component_limit", np.array([limit], np.float32), initializers),
        *_constant("component_scale", np.array([1 / limit], np.float32), initializers),
        "components_raw = Gemm <transB = 1> (centered, basis)",
        "components_scaled = Mul (components_raw, component_scale)",
        "components_squashed = Tanh (components_scaled)",
        "components = Mul (components_squashed, component_limit)",
    ]


def decoder_graph(decoder: Layer) -> onnx.ModelProto:
    """Write the decoder alone: latent to weights; float16 arrays are stored as float16.

    Parameters
    ----------
    decoder : Layer
        Weight (weights, latent) and bias (weights,).
    """
    n_weights, n_latent = decoder[0].shape
    initializers: list[onnx.TensorProto] = []
    lines = _linear("latent", "weights", *decoder, initializers, name="decoder")
    text = f"""
    {_HEADER}
    decoder (float[people, {n_latent}] latent) => (float[people, {n_weights}] weights)
    {{ {_joined(lines)} }}
    """
    return _model(text, initializers)


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


def _model(text: str, initializers: Iterable[onnx.TensorProto]) -> onnx.ModelProto:
    """Parse `text`, add the arrays and let onnx check types and shapes throughout."""
    model = parser.parse_model(text)
    model.graph.initializer.extend(initializers)
    onnx.checker.check_model(model, full_check=True)
    return model


def _linear(
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
        *_constant(w, weight, initializers),
        *_constant(b, bias, initializers),
        f"{y} = Gemm <transB = 1> ({x}, {w}, {b})",
    ]


def _mish(x: str, y: str) -> list[str]:
    """Return the nodes of Mish, ``x * tanh(softplus(x))``; the operator came with opset 18."""
    return [
        f"{y}_softplus = Softplus ({x})",
        f"{y}_tanh = Tanh ({y}_softplus)",
        f"{y} = Mul ({x}, {y}_tanh)",
    ]


def _constant(name: str, values: NDArray[Any], initializers: list[onnx.TensorProto]) -> list[str]:
    """Store an array under `name`; return the cast node that float16 needs."""
    if values.dtype == np.float16:
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), f"{name}_f16"))
        return [f"{name} = Cast <to = {onnx.TensorProto.FLOAT}> ({name}_f16)"]
    array = np.asarray(values, dtype=np.float32, order="C")
    initializers.append(numpy_helper.from_array(array, name))
    return []


def _int64(name: str, values: Sequence[int]) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines)
