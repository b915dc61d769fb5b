"""Write the small bundles that the tests use; needs numpy and onnx, no torch.

    python tests/bundles/make_tiny_bundle.py

``tiny``        12 regions, a latent of 3, 8 hidden units, hazards, BOLD of all regions; says that
                it is simulated, so its outputs carry a warning.
``tiny_plain``  the paper's layout: the same regions, no latent, densities, BOLD of 5 regions, no
                warning, no norms of a latent.

Nothing is trained. Weights are drawn once from a seed and a few are set by hand, so that the color
on the screen is the likeliest answer, hazards are some percent per step and people differ.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from dtb_export.graph_parts import Layer, graph_bytes
from dtb_export.hypernetwork_graphs import (
    compact_hypernetwork_graph,
    decoder_graph,
    paper_hypernetwork_graph,
)
from dtb_export.main_graphs import main_graph, runs_graph
from dtb_runtime.bundle_layout import (
    MANIFEST_FILE,
    MODEL_CARD_FILE,
    NORMS_FILE,
    n_main_weights,
)
from dtb_runtime.edges import edges_from_correlations
from dtb_runtime.manifest import Manifest
from dtb_runtime.manifest_sections import FileEntry, Normalization, Training
from dtb_runtime.parcellation import Parcellation, find_structures

SEED = 7
HERE = Path(__file__).parent
WARNING = (
    "This is a test bundle with invented weights: its forecasts say nothing about anybody's brain."
)

CORTEX = ("Vis1", "Vis2", "SomMot", "DorsAttn", "Default")
LABELS = (*(f"{side}_{name}" for side in "LR" for name in CORTEX), "lAMY-lh", "lAMY-rh")
HEMISPHERE = tuple("LLLLLRRRRRLR")
PARCELLATION = Parcellation(
    name="tiny12",
    labels=LABELS,
    network=(*CORTEX, *CORTEX, "", ""),
    hemisphere=HEMISPHERE,
    coordinates=np.array(
        [[(-1 if i < 5 else 1) * (10.0 + i), 5.0 * i, 20.0] for i in range(10)] + [[np.nan] * 3] * 2
    ),
    structures=find_structures(LABELS, HEMISPHERE),
)
N_REGIONS = len(LABELS)
N_EDGES = N_REGIONS * (N_REGIONS - 1) // 2
N_INPUTS, HIDDEN, N_ACTIONS, LATENT, N_COMPONENTS = 9, 8, 3, 3, 4
# Four fast units for the answers, four slow ones for BOLD.
LEAK = (0.5,) * 4 + (0.03,) * 4
N_PEOPLE = 40


def connectomes(rng: np.random.Generator, n_people: int) -> NDArray[np.float64]:
    """Correlations of people who share most and differ in two factors, (people, 12, 12)."""
    shared = rng.standard_normal((N_REGIONS, 6))
    factors = 0.4 * rng.standard_normal((2, N_REGIONS, 6))
    scores = rng.standard_normal((n_people, 2))
    loadings = shared + np.einsum("pf,frk->prk", scores, factors)
    series = np.einsum("prk,ptk->ptr", loadings, rng.standard_normal((n_people, 200, 6)))
    series += rng.standard_normal(series.shape)
    return np.array([np.corrcoef(own.T) for own in series])


def main_weights(rng: np.random.Generator, n_bold: int, action_bias: float) -> NDArray[Any]:
    """Flat weights of one main network whose fast units follow the colors and the pictures."""
    W_ih = 0.3 * rng.standard_normal((HIDDEN, N_INPUTS))
    W_ih[:3] = 0.0
    for color in range(3):
        W_ih[color, color] = 1.2  # ink
        W_ih[color, 3 + color] = 0.5  # word
    W_ih[0, 4] += 0.4  # left and right picture, which are also words two and three
    W_ih[1, 6] += 0.8
    W_hh = 0.1 * rng.standard_normal((HIDDEN, HIDDEN))
    b_ih, b_hh = 0.05 * rng.standard_normal((2, HIDDEN))
    W_action = 0.2 * rng.standard_normal((N_ACTIONS, HIDDEN))
    W_action[:, :3] = 4.0 * np.eye(3) - 1.5 * (1 - np.eye(3))
    W_bold = rng.standard_normal((n_bold, HIDDEN)) / 2
    biases = np.concatenate([np.full(N_ACTIONS, action_bias), np.zeros(n_bold)])
    parts = (W_ih, W_hh, b_ih, b_hh, W_action, W_bold, biases)
    return np.concatenate([part.ravel() for part in parts]).astype(np.float32)


def norms_bytes(edges: NDArray[np.float32], latents: NDArray[np.float64] | None) -> bytes:
    """Content of norms.npz; rounded, so that every machine writes the same."""
    mean = edges.astype(np.float64).mean(axis=0)
    arrays: dict[str, NDArray[Any]] = {
        "edge_mean": mean.astype(np.float16),
        "edge_sd": edges.astype(np.float64).std(axis=0, ddof=1).astype(np.float16),
        "edge_similarity": np.sort([np.corrcoef(own, mean)[0, 1] for own in edges]).round(6),
        "indicator_names": np.array(["reaction_time", "stroop_effect"]),
        "indicator_quantiles": np.array(
            [np.linspace(0.5, 1.5, 101), np.linspace(-0.2, 0.4, 101)]
        ).round(6),
        "indicator_offsets": np.array([0.01, 0.05]),
    }
    if latents is not None:
        center, covariance = latents.mean(axis=0), np.cov(latents.T)
        offsets = latents - center
        distance = np.sqrt(np.einsum("pk,pk->p", offsets @ np.linalg.inv(covariance), offsets))
        arrays["latent_mean"] = center.round(6)
        arrays["latent_covariance"] = covariance.round(6)
        arrays["latent_distance"] = np.sort(distance).round(6)
        # A connectome tells half of what there is to know about a latent.
        arrays["population_mean"] = center.round(6)
        arrays["population_covariance"] = (2 * covariance).round(6)
        arrays["connectome_covariance"] = covariance.round(6)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def write_bundle(folder: Path, contents: Mapping[str, bytes], **fields: Any) -> None:
    """Write a bundle folder; `fields` replace or complete those of the manifest."""
    files = {
        name: FileEntry(hashlib.sha256(data).hexdigest(), len(data))
        for name, data in contents.items()
    }
    bold_regions = fields.setdefault("bold_regions", LABELS)
    ones = (1.0,) * len(bold_regions)
    training = {
        "description": "Nobody; weights are drawn from a seed.",
        "kind": "simulated",
        "warning": WARNING,
        "n_train": N_PEOPLE,
        "n_validation": 0,
        "n_test": 0,
        "split": "none",
        "seed": SEED,
        "epochs": 0,
        "settings": {"untrained": True},
    } | fields.pop("training", {})
    values: dict[str, Any] = {
        "created_with": {"make_tiny_bundle": "1"},
        "parcellation": PARCELLATION,
        "n_edges": N_EDGES,
        "n_weights": n_main_weights(N_INPUTS, HIDDEN, N_ACTIONS + len(bold_regions)),
        "hidden_size": HIDDEN,
        "n_inputs": N_INPUTS,
        "actions": tuple(f"action_{i}" for i in range(N_ACTIONS)),
        "bold_stride": 10,
        "dt_s": 0.08,
        "tr_s": 0.8,
        "tasks": ("hammer", "stroop"),
        "normalization": Normalization(bold_mean=tuple(0.0 for _ in ones), bold_sd=ones),
        "training": Training(**training),
        "measured": {"example_figure": 0.5},
        "files": files,
    }
    manifest = Manifest(**(values | fields))
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in {**contents, MANIFEST_FILE: manifest.to_bytes()}.items():
        (folder / name).write_bytes(data)


def compact_parts(rng: np.random.Generator, edges: NDArray[np.float32]) -> dict[str, Any]:
    """Arrays of the compact hypernetwork, the edge basis from the people's own variation."""
    mean = edges.astype(np.float64).mean(axis=0)
    basis = rng.standard_normal((N_COMPONENTS, N_EDGES)) / 8
    n_weights = n_main_weights(N_INPUTS, HIDDEN, N_ACTIONS + N_REGIONS)
    decoder: Layer = (
        (0.06 * rng.standard_normal((n_weights, LATENT))).astype(np.float16),
        main_weights(rng, N_REGIONS, action_bias=-4.5),
    )
    encoder: Layer = (2 * _normal(rng, LATENT, N_COMPONENTS), 0.3 * _normal(rng, LATENT))
    return {
        "edge_mean": mean.astype(np.float16),
        "basis": basis.astype(np.float16),
        "encoder": encoder,
        "decoder": decoder,
    }


def latents_of(parts: Mapping[str, Any], edges: NDArray[np.float32]) -> NDArray[np.float64]:
    """The encoder in plain numpy, float64, (people, latent)."""
    components = (edges - parts["edge_mean"].astype(np.float64)) @ parts["basis"].T
    weight, bias = parts["encoder"]
    latents: NDArray[np.float64] = components @ weight.T.astype(np.float64) + bias
    return latents


def write_tiny(folder: Path) -> None:
    """Write the compact test bundle."""
    rng = np.random.default_rng(SEED)
    edges = edges_from_correlations(connectomes(rng, N_PEOPLE))
    parts = compact_parts(rng, edges)
    main = main_graph(
        n_inputs=N_INPUTS,
        hidden_size=HIDDEN,
        n_actions=N_ACTIONS,
        n_bold=N_REGIONS,
        bold_stride=10,
        leak=np.array(LEAK),
    )
    contents = {
        "hypernetwork.onnx": graph_bytes(compact_hypernetwork_graph(**parts)),
        "decoder.onnx": graph_bytes(decoder_graph(parts["decoder"])),
        "main.onnx": graph_bytes(main),
        NORMS_FILE: norms_bytes(edges, latents_of(parts, edges)),
        MODEL_CARD_FILE: _model_card("tiny"),
    }
    write_bundle(
        folder,
        contents,
        name="tiny",
        preset="compact",
        latent_size=LATENT,
        action_reading="hazard",
    )


def write_tiny_plain(folder: Path, **fields: Any) -> None:
    """Write the test bundle in the paper's layout; `fields` replace those of the manifest."""
    rng = np.random.default_rng(SEED + 1)
    bold_regions = LABELS[:5]
    edges = edges_from_correlations(connectomes(rng, N_PEOPLE))
    n_weights = n_main_weights(N_INPUTS, HIDDEN, N_ACTIONS + len(bold_regions))
    layers: list[Layer] = [
        (_normal(rng, 5, N_EDGES) / 8, _normal(rng, 5)),
        (
            (0.06 * _normal(rng, n_weights, 5)),
            main_weights(rng, len(bold_regions), action_bias=-5.5),
        ),
    ]
    sizes: dict[str, int] = {
        "n_inputs": N_INPUTS,
        "hidden_size": HIDDEN,
        "n_actions": N_ACTIONS,
        "n_bold": len(bold_regions),
        "bold_stride": 10,
    }
    contents = {
        "hypernetwork.onnx": graph_bytes(paper_hypernetwork_graph(layers)),
        "main.onnx": graph_bytes(main_graph(**sizes)),
        "runs.onnx": graph_bytes(runs_graph(**sizes)),
        NORMS_FILE: norms_bytes(edges, None),
        MODEL_CARD_FILE: _model_card("tiny_plain"),
    }
    settings: dict[str, Any] = {
        "name": "tiny_plain",
        "preset": "paper",
        "latent_size": 0,
        "action_reading": "density",
        "bold_regions": bold_regions,
        "training": {"kind": "real", "warning": None},
    }
    write_bundle(folder, contents, **(settings | fields))


def onnx_bytes(text: str) -> bytes:
    """Serialized model from ONNX's own text form."""
    return bytes(onnx.parser.parse_model(text).SerializeToString(deterministic=True))


def _normal(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return rng.standard_normal(shape).astype(np.float32)


def _model_card(name: str) -> bytes:
    return f"# {name}\n\n{WARNING}\nMade by tests/bundles/make_tiny_bundle.py.\n".encode()


if __name__ == "__main__":
    write_tiny(HERE / "tiny")
    write_tiny_plain(HERE / "tiny_plain")
