"""From a trained network to the graphs of its bundle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from dtb_models.hypernetwork import CompactHypernetwork, PaperHypernetwork, TwinNetwork
from dtb_runtime.errors import UsageError

from .graph_parts import Layer, graph_bytes, halved
from .hypernetwork_graphs import (
    compact_hypernetwork_graph,
    decoder_graph,
    paper_hypernetwork_graph,
)
from .main_graphs import main_graph, runs_graph


def network_graphs(network: TwinNetwork) -> dict[str, bytes]:
    """Return the content of a network's ONNX files by role.

    Parameters
    ----------
    network : TwinNetwork
        Dropout is left out, as in evaluation mode.

    Returns
    -------
    dict of str to bytes
        ``hypernetwork``, ``main``, ``decoder`` for the compact preset and ``runs`` for the paper's.
        The same network always gives the same bytes.

    Raises
    ------
    UsageError
        For a preset that has no bundle.
    """
    config = network.config
    sizes: dict[str, Any] = {
        "n_inputs": config.n_inputs,
        "hidden_size": config.hidden_size,
        "n_actions": config.n_actions,
        "n_bold": config.n_bold,
        "bold_stride": config.bold_stride,
        "leak": config.leak,
    }
    graphs = {"main": graph_bytes(main_graph(**sizes))}
    hyper = network.hypernetwork
    if isinstance(hyper, PaperHypernetwork):
        layers = [_layer(layer) for layer in hyper.layers]
        return graphs | {
            "hypernetwork": graph_bytes(paper_hypernetwork_graph(layers)),
            "runs": graph_bytes(runs_graph(**sizes)),
        }
    if isinstance(hyper, CompactHypernetwork):
        return graphs | _compact_graphs(hyper)
    raise UsageError(
        f"A network of the {config.preset!r} preset is a control to compare with and has no "
        "bundle. Train the compact or the paper preset to export it."
    )


def _compact_graphs(hyper: CompactHypernetwork) -> dict[str, bytes]:
    # The three large arrays; training has rounded them to float16 (see `halved`).
    weight, bias = _layer(hyper.decoder)
    decoder = (halved(weight), bias)
    hypernetwork = compact_hypernetwork_graph(
        edge_mean=halved(_array(hyper.edge_mean)),
        basis=halved(_array(hyper.basis)),
        encoder=_layer(hyper.encoder),
        decoder=decoder,
        component_limit=hyper.component_limit,
    )
    return {
        "hypernetwork": graph_bytes(hypernetwork),
        "decoder": graph_bytes(decoder_graph(decoder)),
    }


def _layer(layer: nn.Module) -> Layer:
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    return _array(weight), _array(bias)


def _array(values: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.detach().cpu().float().numpy()
    return array
