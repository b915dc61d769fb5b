"""A trained network on disk: a folder of safetensors and JSON, no pickle.

``network.safetensors`` holds the weights, ``norms.safetensors`` the cohort's distributions that a
bundle ships as ``norms.npz``, ``checkpoint.json`` everything else, with the digests of the two. The
JSON is written last: a folder without it is an unfinished checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from dtb_runtime.errors import CheckpointError, OutputError
from dtb_runtime.parcellation import Parcellation

from .config import NetworkConfig
from .hypernetwork import TwinNetwork

CHECKPOINT_VERSION = 1
JSON_FILE = "checkpoint.json"
NETWORK_FILE = "network.safetensors"
NORMS_FILE = "norms.safetensors"
_DAMAGES = (
    OSError,
    KeyError,
    TypeError,
    AttributeError,
    ValueError,
    RuntimeError,
    SafetensorError,
)
"""What reading a damaged checkpoint raises."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained network with all that a bundle needs to know about it."""

    name: str
    config: NetworkConfig
    network: TwinNetwork
    """In evaluation mode, on the CPU."""
    parcellation: Parcellation | None
    """None for a network whose input is no connectome."""
    bold_regions: tuple[str, ...]
    """Labels of the BOLD outputs."""
    bold_mean: NDArray[np.float32]
    bold_sd: NDArray[np.float32]
    """(n_bold,) of the training data, in its units."""
    tasks: tuple[str, ...]
    training: dict[str, Any]
    """What it was trained on and how: the manifest's ``training`` section."""
    measured: dict[str, float]
    """Figures on people held out of training."""
    norms: dict[str, NDArray[Any]]
    """Arrays of ``norms.npz``."""


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say in a sentence why a checkpoint or a training state could not be written."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"The training cannot be written to {folder}: {error}. Make room for it or choose a "
            "folder you can write to, then go on with --resume (resume=True)."
        ) from error


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint folder; files of an older one in it are replaced.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written.
    """
    with writing(folder):
        _save(folder, checkpoint)


def _save(folder: Path, checkpoint: Checkpoint) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.detach().cpu().contiguous() for k, v in checkpoint.network.state_dict().items()}
    partial = folder / (NETWORK_FILE + ".partial")
    save_file(state, partial)
    partial.replace(folder / NETWORK_FILE)
    partial = folder / (NORMS_FILE + ".partial")
    # safetensors has no strings: names travel in the JSON.
    arrays = {
        k: np.ascontiguousarray(v) for k, v in checkpoint.norms.items() if v.dtype.kind != "U"
    }
    save_arrays(arrays, partial)
    partial.replace(folder / NORMS_FILE)
    parcellation = checkpoint.parcellation
    values = {
        "checkpoint_version": CHECKPOINT_VERSION,
        "name": checkpoint.name,
        "config": checkpoint.config.to_json(),
        "parcellation": None if parcellation is None else parcellation.to_json(),
        "bold_regions": list(checkpoint.bold_regions),
        "bold_mean": [float(v) for v in checkpoint.bold_mean],
        "bold_sd": [float(v) for v in checkpoint.bold_sd],
        "tasks": list(checkpoint.tasks),
        "training": checkpoint.training,
        "measured": checkpoint.measured,
        "norm_names": {
            k: [str(s) for s in v] for k, v in checkpoint.norms.items() if v.dtype.kind == "U"
        },
        "sha256": {name: _digest(folder / name) for name in (NETWORK_FILE, NORMS_FILE)},
    }
    text = folder / (JSON_FILE + ".partial")
    text.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    text.replace(folder / JSON_FILE)


def load_checkpoint(folder: Path | str) -> Checkpoint:
    """Read a checkpoint folder.

    Raises
    ------
    CheckpointError
        If it is not there, unfinished, damaged or of another version.
    """
    folder = Path(folder)
    path = folder / JSON_FILE
    if not path.is_file():
        raise CheckpointError(
            f"{folder} is not a checkpoint: it holds no {JSON_FILE}. Give the folder that "
            "`dtb-run train --out` wrote, after the training has ended."
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values["checkpoint_version"]
        if version != CHECKPOINT_VERSION:
            raise CheckpointError(
                f"{path} has checkpoint_version {version!r}; this release reads "
                f"{CHECKPOINT_VERSION}. Train again, or use the release that wrote it."
            )
        for file, digest in values["sha256"].items():
            if _digest(folder / file) != digest:
                raise ValueError(f"{file} is not the file that {JSON_FILE} was written with")
        config = NetworkConfig.from_json(values["config"])
        network = TwinNetwork(config)
        network.load_state_dict(load_file(folder / NETWORK_FILE))
        norms: dict[str, NDArray[Any]] = dict(load_arrays(folder / NORMS_FILE))
        norms |= {k: np.array(v, dtype=np.str_) for k, v in values["norm_names"].items()}
        parcellation = values["parcellation"]
        return Checkpoint(
            name=_text(values["name"]),
            config=config,
            network=network.eval(),
            parcellation=None if parcellation is None else Parcellation.from_json(parcellation),
            bold_regions=tuple(values["bold_regions"]),
            bold_mean=_per_region(values["bold_mean"], config),
            bold_sd=_per_region(values["bold_sd"], config),
            tasks=tuple(values["tasks"]),
            training=values["training"],
            measured={_text(k): float(v) for k, v in values["measured"].items()},
            norms=norms,
        )
    except _DAMAGES as error:
        raise CheckpointError(
            f"{folder} is a damaged checkpoint: {error}. Train again, or copy the folder again."
        ) from error


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {value!r}")
    return value


def _per_region(values: object, config: NetworkConfig) -> NDArray[np.float32]:
    array = np.array(values, np.float32)
    if array.shape != (config.n_bold,):
        raise ValueError(f"expected {config.n_bold} numbers, found shape {array.shape}")
    return array
