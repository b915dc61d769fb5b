"""What a bundle is made of: its files, and what each ONNX graph takes and gives.

The part of bundle format version 1 that is the same for every bundle; what differs from bundle to
bundle is in the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

MANIFEST_FILE = "manifest.json"
MODEL_CARD_FILE = "MODEL_CARD.md"
NORMS_FILE = "norms.npz"
MAX_BUNDLE_BYTES = 512 * 1024**2
"""Limit for all files of a bundle together; the paper's preset needs 220 MB."""


RECURRENT_ARRAY = "hidden_weights"
"""Array of ``runs.onnx``, (hidden, hidden), that a person's W_hh takes the place of."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of an ONNX graph."""

    name: str
    axes: tuple[str, ...]
    """Axis names. One that is a key of `Manifest.axis_lengths` is fixed, any other is free."""
    dtype: str = "float32"

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"name": self.name, "dtype": self.dtype, "axes": list(self.axes)}


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """One ONNX file of a bundle and what it must take and give."""

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "file": self.file,
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
        }


_EDGES = TensorSpec("edges", ("people", "edges"))
_LATENT = TensorSpec("latent", ("people", "latent"))
_WEIGHTS = TensorSpec("weights", ("people", "weights"))
_MAIN = GraphSpec(
    "main.onnx",
    inputs=(
        _WEIGHTS,
        TensorSpec("stimulus", ("time", "inputs")),
        TensorSpec("state", ("people", "hidden")),
    ),
    outputs=(
        TensorSpec("actions", ("people", "time", "actions")),
        TensorSpec("bold", ("people", "frames", "regions")),
        TensorSpec("final_state", ("people", "hidden")),
    ),
)
_RUNS = GraphSpec(
    "runs.onnx",
    inputs=(
        TensorSpec("stimuli", ("runs", "time", "inputs")),
        TensorSpec("state", ("runs", "hidden")),
        TensorSpec("input_weights", ("hidden", "inputs")),
        TensorSpec("hidden_bias", ("hidden",)),
        TensorSpec("readout_weights", ("outputs", "hidden")),
        TensorSpec("readout_bias", ("outputs",)),
    ),
    outputs=(
        TensorSpec("actions", ("runs", "time", "actions")),
        TensorSpec("bold", ("runs", "frames", "regions")),
        TensorSpec("final_state", ("runs", "hidden")),
    ),
)
_GRAPHS_PLAIN = MappingProxyType(
    {
        "hypernetwork": GraphSpec("hypernetwork.onnx", (_EDGES,), (_WEIGHTS,)),
        "main": _MAIN,
        "runs": _RUNS,
    }
)
_GRAPHS_LATENT = MappingProxyType(
    {
        "hypernetwork": GraphSpec("hypernetwork.onnx", (_EDGES,), (_LATENT, _WEIGHTS)),
        "decoder": GraphSpec("decoder.onnx", (_LATENT,), (_WEIGHTS,)),
        "main": _MAIN,
    }
)


def graphs_of(latent_size: int) -> Mapping[str, GraphSpec]:
    """ONNX graphs by role: ``hypernetwork``, ``main``, ``decoder`` with a latent, else ``runs``."""
    return _GRAPHS_LATENT if latent_size else _GRAPHS_PLAIN


def n_main_weights(n_inputs: int, hidden_size: int, n_outputs: int) -> int:
    """How many numbers describe one main network (173,623 in the paper).

    Parameters
    ----------
    n_inputs, hidden_size : int
        Input channels and hidden units.
    n_outputs : int
        Actions and BOLD regions together.

    Examples
    --------
    >>> n_main_weights(n_inputs=9, hidden_size=400, n_outputs=23)
    173623
    """
    return hidden_size * (n_inputs + hidden_size + 2) + n_outputs * (hidden_size + 1)
