"""The graphs that turn edges or a latent into weights; axes in parentheses, ``people`` is dynamic.

- ``hypernetwork.onnx``: ``edges (people, edges)`` to ``weights (people, weights)`` and, in the
  compact preset, ``latent (people, latent)``. Edges are Fisher z.
- ``decoder.onnx``: ``latent (people, latent)`` to ``weights (people, weights)``.

The names are those of `dtb_runtime.manifest.Manifest.graphs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from .graph_parts import HEADER, Layer, checked_model, constant, joined, linear


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
        lines += linear(x, y, weight, bias, initializers)
        if not is_last:
            lines += _mish(y, f"mish_{i}")
            x = f"mish_{i}"
    text = f"""
    {HEADER}
    hypernetwork (float[people, {n_edges}] edges) => (float[people, {n_weights}] weights)
    {{ {joined(lines)} }}
    """
    return checked_model(text, initializers)


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
        *constant("edge_mean", edge_mean, initializers),
        "centered = Sub (edges, edge_mean)",
        *constant("basis", basis, initializers),
        *_components(component_limit, initializers),
        *linear("components", "latent", *encoder, initializers, name="encoder"),
        *linear("latent", "weights", *decoder, initializers, name="decoder"),
    ]
    text = f"""
    {HEADER}
    hypernetwork (float[people, {n_edges}] edges)
        => (float[people, {n_latent}] latent, float[people, {n_weights}] weights)
    {{ {joined(lines)} }}
    """
    return checked_model(text, initializers)


def _components(limit: float | None, initializers: list[onnx.TensorProto]) -> list[str]:
    if limit is None:
        return ["components = Gemm <transB = 1> (centered, basis)"]
    return [
        *constant("component_limit", np.array([limit], np.float32), initializers),
        *constant("component_scale", np.array([1 / limit], np.float32), initializers),
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
    lines = linear("latent", "weights", *decoder, initializers, name="decoder")
    text = f"""
    {HEADER}
    decoder (float[people, {n_latent}] latent) => (float[people, {n_weights}] weights)
    {{ {joined(lines)} }}
    """
    return checked_model(text, initializers)


def _mish(x: str, y: str) -> list[str]:
    """Return the nodes of Mish, ``x * tanh(softplus(x))``; the operator came with opset 18."""
    return [
        f"{y}_softplus = Softplus ({x})",
        f"{y}_tanh = Tanh ({y}_softplus)",
        f"{y} = Mul ({x}, {y}_tanh)",
    ]
