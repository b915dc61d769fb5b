"""Small untrained networks as checkpoints, one of each preset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dtb_export.bundle_writer import bundle_manifest
from dtb_export.network_graphs import network_graphs
from dtb_models.checkpoint import Checkpoint
from dtb_models.config import NetworkConfig, compact_config, direct_config, paper_config
from dtb_models.hypernetwork import CompactHypernetwork, TwinNetwork, initial_weights
from dtb_runtime.manifest import Manifest
from dtb_runtime.parcellation import Parcellation

LABELS = tuple(f"{side}_{name}" for name in ("V1", "M1", "PFC", "IPS", "AMY") for side in "LR")
N_EDGES = len(LABELS) * (len(LABELS) - 1) // 2

TRAINING: dict[str, Any] = {
    "description": "40 simulated people: behavior, connectomes and BOLD all simulated.",
    "kind": "simulated",
    "warning": "Simulated bundle: it says nothing about real people.",
    "n_train": 28,
    "n_validation": 6,
    "n_test": 6,
    "split": "by participant, drawn from the seed",
    "seed": 3,
    "epochs": 2,
    "settings": {"learning_rate": 0.002, "masked": True},
}


def _parcellation() -> Parcellation:
    return Parcellation(
        name="tiny10",
        labels=LABELS,
        network=("",) * len(LABELS),
        hemisphere=("L", "R") * 5,
        coordinates=np.full((len(LABELS), 3), np.nan),
        structures={},
    )


def make_network(config: NetworkConfig) -> TwinNetwork:
    """An untrained network; a compact one is drawn, its basis fitted to made-up people."""
    network = TwinNetwork(config, seed=4)
    hyper = network.hypernetwork
    if isinstance(hyper, CompactHypernetwork):
        generator = torch.Generator().manual_seed(5)
        hyper.fit_basis(0.3 * torch.randn(20, config.n_edges, generator=generator) + 0.2)
        base, scale = initial_weights(config, generator)
        with torch.no_grad():
            for parameter in hyper.encoder.parameters():
                parameter.normal_(0, config.n_components**-0.5, generator=generator)
            hyper.decoder.weight.normal_(0, 0.05, generator=generator).mul_(scale.unsqueeze(1))
            hyper.decoder.bias.copy_(base)
        hyper.round_for_export()
    return network.eval()


def _norms(config: NetworkConfig) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(6)
    norms: dict[str, NDArray[Any]] = {
        "edge_mean": rng.normal(0.2, 0.1, config.n_edges).astype(np.float16),
        "edge_similarity": np.sort(rng.uniform(0.5, 0.9, 28)).astype(np.float32),
        "indicator_names": np.array(["reaction_time"]),
        "indicator_quantiles": np.linspace(0.6, 1.4, 101, dtype=np.float32)[np.newaxis],
    }
    if config.latent_size:
        norms["latent_mean"] = np.zeros(config.latent_size, np.float32)
        norms["latent_covariance"] = np.eye(config.latent_size, dtype=np.float32)
        norms["latent_distance"] = np.sort(rng.uniform(0, 3, 28)).astype(np.float32)
    return norms


def make_checkpoint(config: NetworkConfig) -> Checkpoint:
    n_bold = config.n_bold
    return Checkpoint(
        name=f"tiny-{config.preset}",
        config=config,
        network=make_network(config),
        parcellation=_parcellation(),
        bold_regions=LABELS[:n_bold],
        bold_mean=np.linspace(100, 200, n_bold, dtype=np.float32),
        bold_sd=np.linspace(1, 2, n_bold, dtype=np.float32),
        tasks=("hammer", "stroop"),
        training=dict(TRAINING),
        measured={"reaction_time_r:hammer": 0.4},
        norms=_norms(config),
    )


@pytest.fixture
def compact_checkpoint() -> Checkpoint:
    return make_checkpoint(
        compact_config(
            N_EDGES,
            len(LABELS),
            personal_units=4,
            slow_units=2,
            latent_size=3,
            bold_latents=1,
            n_components=4,
        )
    )


@pytest.fixture
def paper_checkpoint() -> Checkpoint:
    return make_checkpoint(
        paper_config(N_EDGES, 4, hidden_size=7, hypernetwork_sizes=(6, 5), action_reading="density")
    )


@pytest.fixture
def direct_checkpoint() -> Checkpoint:
    """Of the control that has no bundle."""
    return make_checkpoint(direct_config(N_EDGES, 4, hidden_size=5))


@pytest.fixture(params=["compact", "paper"])
def checkpoint(request: pytest.FixtureRequest) -> Checkpoint:
    """Each preset in turn."""
    found: Checkpoint = request.getfixturevalue(f"{request.param}_checkpoint")
    return found


@pytest.fixture
def graphs(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The preset's ONNX files by role."""
    return network_graphs(checkpoint.network)


@pytest.fixture
def manifest(checkpoint: Checkpoint, graphs: dict[str, bytes]) -> Manifest:
    """The preset's manifest."""
    return bundle_manifest(checkpoint, graphs)


@pytest.fixture(name="make_checkpoint")
def make_checkpoint_fixture() -> Callable[[NetworkConfig], Checkpoint]:
    """A function that makes an untrained checkpoint of a given network."""
    return make_checkpoint
