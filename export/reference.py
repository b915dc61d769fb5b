"""The authors' public model through our networks, our exporter and our runtime.

Two questions have a known answer there: do their trained weights give their published figures in
PyTorch and in ONNX Runtime, and does our training reach them from scratch? Figures are those of
the authors' test script: over all test people, steps 1 to the last (step 0 has seen no stimulus)
and outputs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dtb_models.checkpoint import Checkpoint
from dtb_models.hypernetwork import TwinNetwork
from dtb_models.progress import OnProgress
from dtb_models.reference import (
    ReferenceData,
    ReferencePeople,
    read_reference_data,
    read_reference_network,
)
from dtb_models.reference_training import train_reference_network
from dtb_runtime import Bundle, load_bundle

from .bundle_writer import export_bundle

Figures = dict[str, float]
"""``act_accuracy``, ``act_bce`` and ``bold_mse``."""

AUTHORS_BUNDLE = "reference"
TRAINED_BUNDLE = "reference-trained"
FIRST_SCORED_STEP = 1
LOG_FLOOR = -100.0
"""A probability that rounds to 0 costs this much, as in PyTorch's binary cross-entropy."""

_SOURCE = "ytaka-tu/mini-hyper-rnn-cogtask"
_WARNING = (
    "Reference bundle: the people it was trained on are made up and its inputs are no connectomes; "
    "it compares implementations and forecasts nobody."
)


def evaluate_reference(
    folder: Path | str, *, bundle_dir: Path | str | None = None
) -> dict[str, Figures]:
    """Return the figures of the authors' weights on their test people.

    Parameters
    ----------
    folder : Path or str
        Holds ``dataset.npz`` and ``weights.npz``.
    bundle_dir : Path or str, optional
        Where to keep the bundle that the figures were made with; by default it is thrown away.

    Returns
    -------
    dict
        ``{"torch": figures, "onnx": figures}``, each computed from the files.

    Raises
    ------
    DataError
        If a file is missing, damaged, or not what it must be.
    BundleError, OutputError
        See `dtb_export.bundle_writer.export_bundle`.
    """
    data = read_reference_data(folder)
    network = read_reference_network(folder, data)
    training = {
        "description": (
            f"{_people(data.train)} synthetic people of {_SOURCE}, with the weights its authors "
            "published."
        ),
        "n_train": _people(data.train),
        "n_validation": 0,
        "split": "by the authors, a part of the training people deciding when to stop",
        "seed": 0,
        "epochs": 0,
        "settings": {},
    }
    return _figures_of_both(network, data, AUTHORS_BUNDLE, training, bundle_dir)


def train_reference(
    folder: Path | str,
    *,
    seed: int = 0,
    epochs: int | None = None,
    bundle_dir: Path | str | None = None,
    on_progress: OnProgress | None = None,
) -> dict[str, Figures]:
    """Train on the authors' training people; return the figures on their test people.

    Parameters
    ----------
    folder : Path or str
        Holds ``dataset.npz``.
    seed : int
        The same seed gives the same figures.
    epochs : int, optional
        By default 60, which takes some seconds.
    bundle_dir : Path or str, optional
        Where to keep the trained bundle; by default it is thrown away.
    on_progress : callable, optional
        Called after each epoch.

    Returns
    -------
    dict
        As `evaluate_reference`.

    Raises
    ------
    DataError, BundleError, OutputError
        As `evaluate_reference`.
    """
    data = read_reference_data(folder)
    trained = train_reference_network(data, seed=seed, epochs=epochs, on_progress=on_progress)
    training = {
        "description": f"{_people(data.train)} synthetic people of {_SOURCE}.",
        "n_train": trained.n_train,
        "n_validation": trained.n_validation,
        "split": "by participant, drawn from the seed; the authors' test people held out",
        "seed": seed,
        "epochs": len(trained.history),
        "settings": trained.settings.to_json(),
    }
    return _figures_of_both(trained.network, data, TRAINED_BUNDLE, training, bundle_dir)


def torch_figures(network: TwinNetwork, people: ReferencePeople) -> Figures:
    """Return the figures of a network in PyTorch."""
    with torch.no_grad():
        weights = network.weights(torch.from_numpy(people.edges))
        output = network.run(weights, torch.from_numpy(people.delayed_stimulus))
        actions = torch.sigmoid(output.action_logits).numpy()
    return score(actions, output.bold.numpy(), people)


def onnx_figures(bundle: Bundle, people: ReferencePeople) -> Figures:
    """Return the figures of a bundle in ONNX Runtime, one person after the other."""
    twins = bundle.personalize_edges(people.edges)
    outputs = [
        bundle.run_main(twin.weights, stimulus)[:2]
        for twin, stimulus in zip(twins, people.delayed_stimulus, strict=True)
    ]
    actions, bold = (np.stack(values) for values in zip(*outputs, strict=True))
    return score(actions, bold, people)


def score(
    actions: NDArray[np.float32], bold: NDArray[np.float32], people: ReferencePeople
) -> Figures:
    """Return accuracy and binary cross-entropy of actions, and mean squared error of BOLD.

    Parameters
    ----------
    actions : ndarray, shape (people, time, actions)
        Probabilities.
    bold : ndarray, shape (people, time, regions)
    people : ReferencePeople
        What they should be.
    """
    steps = slice(FIRST_SCORED_STEP, None)
    p = actions[:, steps].astype(np.float64)
    pressed = people.actions[:, steps].astype(np.float64)
    with np.errstate(divide="ignore"):
        log_p = np.maximum(np.log(p), LOG_FLOOR)
        log_not_p = np.maximum(np.log1p(-p), LOG_FLOOR)
    squared = np.square(bold[:, steps].astype(np.float64) - people.bold[:, steps])
    return {
        "act_accuracy": float(np.mean((p >= 0.5) == (pressed >= 0.5))),
        "act_bce": float(-np.mean(pressed * log_p + (1 - pressed) * log_not_p)),
        "bold_mse": float(np.mean(squared)),
    }


def _figures_of_both(
    network: TwinNetwork,
    data: ReferenceData,
    name: str,
    training: dict[str, Any],
    bundle_dir: Path | str | None,
) -> dict[str, Figures]:
    """Export the network, then score it in PyTorch and the bundle in ONNX Runtime."""
    of_torch = torch_figures(network, data.test)
    n_bold = len(data.bold_names)
    checkpoint = Checkpoint(
        name=name,
        config=network.config,
        network=network,
        parcellation=None,
        bold_regions=data.bold_names,
        bold_mean=np.zeros(n_bold, np.float32),
        bold_sd=np.ones(n_bold, np.float32),
        tasks=(),
        training=training
        | {"kind": "simulated", "warning": _WARNING, "n_test": _people(data.test)},
        measured=of_torch,
        norms={},
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = export_bundle(checkpoint, bundle_dir or Path(temporary) / name)
        bundle = load_bundle(folder, device="cpu")
    return {"torch": of_torch, "onnx": onnx_figures(bundle, data.test)}


def _people(people: ReferencePeople) -> int:
    return len(people.edges)
