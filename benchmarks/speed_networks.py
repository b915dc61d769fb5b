"""Untrained networks of any size, as bundles and as open graphs: speed needs no training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from speed_plan import SEED

from dtb_export.bundle_writer import bundle_manifest, export_bundle
from dtb_export.network_graphs import network_graphs
from dtb_models.checkpoint import Checkpoint
from dtb_models.config import NetworkConfig
from dtb_models.hypernetwork import CompactHypernetwork, TwinNetwork, initial_weights
from dtb_runtime.bundle_graphs import BundleGraphs
from dtb_runtime.bundle_layout import graphs_of
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.tasks import TASKS

EDGE_MEAN, EDGE_SD = 0.2, 0.25
"""Of made-up connectomes, Fisher z: about those of real ones."""
_N_BASIS_PEOPLE = 40
_TRAINING: dict[str, Any] = {
    "description": "Nobody: random weights, to be timed.",
    "kind": "simulated",
    "warning": "Untrained bundle: what it forecasts means nothing.",
    "n_train": 0,
    "n_validation": 0,
    "n_test": 0,
    "split": "none",
    "seed": SEED,
    "epochs": 0,
    "settings": {},
}


def made_up_edges(n_people: int, n_edges: int, seed: int = SEED) -> NDArray[np.float32]:
    """Return edges of people who are noise, Fisher z, shape (n_people, n_edges)."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_people, n_edges), dtype=np.float32)
    return (np.float32(EDGE_SD) * noise + np.float32(EDGE_MEAN)).astype(np.float32)


def untrained(config: NetworkConfig) -> TwinNetwork:
    """Return a network with random weights, in evaluation mode.

    A compact network begins with zeros; here its basis is that of made-up people and its other
    weights are drawn, since zeros may be quicker than numbers.
    """
    network = TwinNetwork(config, seed=SEED)
    hyper = network.hypernetwork
    if isinstance(hyper, CompactHypernetwork):
        generator = torch.Generator().manual_seed(SEED)
        hyper.fit_basis(torch.from_numpy(made_up_edges(_N_BASIS_PEOPLE, config.n_edges)))
        base, scale = initial_weights(config, generator)
        with torch.no_grad():
            for parameter in hyper.encoder.parameters():
                parameter.normal_(0, config.n_components**-0.5, generator=generator)
            hyper.decoder.weight.normal_(0, 0.05, generator=generator).mul_(scale.unsqueeze(1))
            hyper.decoder.bias.copy_(base)
        hyper.round_for_export()
    return network.eval()


def untrained_bundle(
    network: TwinNetwork,
    parcellation: Parcellation,
    bold_regions: Sequence[str],
    folder: Path,
) -> Path:
    """Export a network as a bundle of both tasks and return its folder.

    Parameters
    ----------
    network : TwinNetwork
    parcellation : Parcellation
        As many regions as the network has edges for.
    bold_regions : sequence of str
        Labels of the BOLD outputs.
    folder : Path
        Made by this call.
    """
    return export_bundle(_checkpoint(network, parcellation, tuple(bold_regions)), folder)


def open_graphs(network: TwinNetwork) -> BundleGraphs:
    """Return a network's graphs in ONNX Runtime, on one thread of the CPU, without a bundle."""
    config = network.config
    graphs = network_graphs(network)
    labels = tuple(f"bold_{i}" for i in range(config.n_bold))
    # Without a parcellation, edges are just numbers, and need be no connectome's.
    manifest = bundle_manifest(_checkpoint(network, None, labels), graphs)
    contents = {graphs_of(config.latent_size)[role].file: data for role, data in graphs.items()}
    return BundleGraphs.open(manifest, contents, device="cpu", threads=1)


def first_regions(parcellation: Parcellation, n_regions: int) -> Parcellation:
    """Return a parcellation cut to its first regions."""
    if n_regions == parcellation.n_regions:
        return parcellation
    return Parcellation(
        name=f"first{n_regions}",
        labels=parcellation.labels[:n_regions],
        network=parcellation.network[:n_regions],
        hemisphere=parcellation.hemisphere[:n_regions],
        coordinates=parcellation.coordinates[:n_regions],
        structures={},
    )


def _checkpoint(
    network: TwinNetwork, parcellation: Parcellation | None, bold_regions: tuple[str, ...]
) -> Checkpoint:
    n_bold = network.config.n_bold
    return Checkpoint(
        name=f"untrained-{network.config.preset}",
        config=network.config,
        network=network,
        parcellation=parcellation,
        bold_regions=bold_regions,
        bold_mean=np.zeros(n_bold, np.float32),
        bold_sd=np.ones(n_bold, np.float32),
        tasks=() if parcellation is None else tuple(TASKS),
        training=dict(_TRAINING),
        measured={},
        norms={},
    )
