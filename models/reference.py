"""The authors' public model: their synthetic people and their trained weights, checked and read.

`ytaka-tu/mini-hyper-rnn-cogtask` (MIT) publishes a small instance of the paper's model: a
hypernetwork 64-64-64-551 with Mish, a main network of 16 tanh units, 9 inputs, 3 actions and 4
BOLD outputs at every step. It is the one place where both the data and the weights of the authors
are public, so it tells whether our networks are theirs. A folder of it holds ``dataset.npz`` (made
up people, no connectomes) and ``weights.npz``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dtb_runtime.array_files import ArrayFileError, load_npz
from dtb_runtime.errors import DataError
from dtb_runtime.raw_array import MAX_ARRAY_BYTES
from dtb_runtime.stimulus import network_input

from .config import NetworkConfig, paper_config
from .hypernetwork import TwinNetwork

DATASET_FILE = "dataset.npz"
WEIGHTS_FILE = "weights.npz"

_LAYER = re.compile(r"hypernet\._hypnet\.(\d+)\.weight")


@dataclass(frozen=True, slots=True)
class ReferencePeople:
    """Arrays of one split, float32, people along the first axis."""

    edges: NDArray[np.float32]
    """(people, n_edges) inputs of the hypernetwork; scores, not correlations"""
    stimulus: NDArray[np.float32]
    """(people, time, inputs) as presented, not delayed"""
    actions: NDArray[np.float32]
    """(people, time, actions) 0 or 1"""
    bold: NDArray[np.float32]
    """(people, time, regions) one value per step"""

    @property
    def delayed_stimulus(self) -> NDArray[np.float32]:
        """The network input: zeros at step 0, then the stimulus one step late."""
        return np.stack([network_input(one) for one in self.stimulus])


@dataclass(frozen=True, slots=True)
class ReferenceData:
    """The authors' data set: people to train on and people to test on."""

    train: ReferencePeople
    test: ReferencePeople
    action_names: tuple[str, ...]
    bold_names: tuple[str, ...]

    def config(
        self, hypernetwork_sizes: tuple[int, ...], hidden_size: int, *, dropout: float = 0.0
    ) -> NetworkConfig:
        """Return the paper preset at this data set's sizes, BOLD at every step."""
        config = paper_config(
            self.train.edges.shape[1],
            len(self.bold_names),
            hidden_size=hidden_size,
            hypernetwork_sizes=hypernetwork_sizes,
            bold_stride=1,
            dropout=dropout,
            # Their loss counts every step, whether or not somebody has pressed before.
            action_reading="density",
        )
        return replace(
            config, n_inputs=self.train.stimulus.shape[2], n_actions=len(self.action_names)
        )


def read_reference_data(folder: Path | str) -> ReferenceData:
    """Read and check the authors' data set.

    Parameters
    ----------
    folder : Path or str
        Holds ``dataset.npz``.

    Raises
    ------
    DataError
        If the file is missing, damaged, or an array of it is not what it must be.
    """
    path = Path(folder) / DATASET_FILE
    arrays = _arrays(path)
    action_names = _names(arrays, "action_labels", path)
    bold_names = _names(arrays, "bldi_labels", path)
    n_outputs = (len(action_names), len(bold_names))
    train = _people(arrays, "train", n_outputs, path)
    test = _people(arrays, "test", n_outputs, path)
    for name, ours, theirs in (
        ("edges", train.edges, test.edges),
        ("inputs", train.stimulus, test.stimulus),
    ):
        if ours.shape[-1] != theirs.shape[-1]:
            raise DataError(
                f"{path}: train and test people must have the same number of {name}, found "
                f"{ours.shape[-1]} and {theirs.shape[-1]}. Copy the authors' file again."
            )
    return ReferenceData(train, test, action_names, bold_names)


def read_reference_network(folder: Path | str, data: ReferenceData) -> TwinNetwork:
    """Return the authors' trained network as one of our paper preset, in evaluation mode.

    Parameters
    ----------
    folder : Path or str
        Holds ``weights.npz``.
    data : ReferenceData
        States the numbers of edges, inputs, actions and BOLD outputs.

    Raises
    ------
    DataError
        If the file is missing, damaged, or its layers do not fit each other or the data.
    """
    path = Path(folder) / WEIGHTS_FILE
    layers = _layers(_arrays(path), path)
    sizes = tuple(weight.shape[0] for weight, _ in layers)
    config = data.config(sizes[:-1], _hidden_size(sizes[-1], data, path))
    network = TwinNetwork(config)
    if layers[0][0].shape[1] != config.n_edges:
        raise DataError(
            f"{path} takes {layers[0][0].shape[1]} edges, but {DATASET_FILE} holds "
            f"{config.n_edges} per person. Give the two files of the same release."
        )
    network.load_state_dict(
        {
            f"hypernetwork.layers.{i}.{part}": torch.from_numpy(values)
            for i, layer in enumerate(layers)
            for part, values in zip(("weight", "bias"), layer, strict=True)
        }
    )
    return network.eval()


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return every array of an .npz file, without pickle."""
    if not path.is_file():
        raise DataError(
            f"{path} does not exist. Give the folder that holds the authors' {DATASET_FILE} and "
            f"{WEIGHTS_FILE}."
        )
    try:
        return load_npz(path, path.name, MAX_ARRAY_BYTES)
    except ArrayFileError as error:
        raise DataError(
            f"{path} is not a readable .npz file: {error.problem}. Copy the authors' file again."
        ) from error


def _array(arrays: dict[str, NDArray[Any]], name: str, ndim: int, path: Path) -> NDArray[Any]:
    """Return one array as float32 after checking that it is there, numeric, shaped and finite."""
    if name not in arrays:
        raise DataError(
            f"{path} must hold an array {name!r}; it holds {', '.join(sorted(arrays)) or 'none'}. "
            "Copy the authors' file again."
        )
    values = arrays[name]
    if values.dtype.kind not in "fiu" or values.ndim != ndim or values.size == 0:
        raise DataError(
            f"{path}: {name} must be numbers in {ndim} dimensions, found {values.dtype} of shape "
            f"{values.shape}. Copy the authors' file again."
        )
    if not np.all(np.isfinite(values)):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise DataError(
            f"{path}: {name} must be finite, found {values[where]} at {list(where)}. "
            "Copy the authors' file again."
        )
    return np.ascontiguousarray(values, dtype=np.float32)


def _names(arrays: dict[str, NDArray[Any]], name: str, path: Path) -> tuple[str, ...]:
    values = arrays.get(name)
    if values is None or values.dtype.kind != "U" or values.ndim != 1 or values.size == 0:
        raise DataError(f"{path} must hold a list of names {name!r}. Copy the authors' file again.")
    return tuple(str(value) for value in values)


def _people(
    arrays: dict[str, NDArray[Any]], split: str, n_outputs: tuple[int, int], path: Path
) -> ReferencePeople:
    edges = _array(arrays, f"{split}_bld", 2, path)
    stimulus = _array(arrays, f"{split}_stimulus", 3, path)
    actions = _array(arrays, f"{split}_action", 3, path)
    bold = _array(arrays, f"{split}_bldi", 3, path)
    n_people, n_steps = stimulus.shape[:2]
    expected = {
        f"{split}_bld": (edges.shape, (n_people, edges.shape[1])),
        f"{split}_action": (actions.shape, (n_people, n_steps, n_outputs[0])),
        f"{split}_bldi": (bold.shape, (n_people, n_steps, n_outputs[1])),
    }
    for name, (found, wanted) in expected.items():
        if found != wanted:
            raise DataError(
                f"{path}: {name} must have shape {wanted} to go with {split}_stimulus "
                f"{stimulus.shape} and the labels, found {found}. Copy the authors' file again."
            )
    if n_steps < 2:
        raise DataError(
            f"{path}: {split}_stimulus must have at least 2 steps, since step 0 is not scored; "
            f"found {n_steps}."
        )
    if not np.all((actions >= 0) & (actions <= 1)):
        raise DataError(
            f"{path}: {split}_action must be between 0 and 1, found values from {actions.min():g} "
            f"to {actions.max():g}."
        )
    return ReferencePeople(edges, stimulus, actions, bold)


def _layers(
    arrays: dict[str, NDArray[Any]], path: Path
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return weight and bias of each linear layer, checked to fit one after the other."""
    numbers = sorted(int(m.group(1)) for name in arrays if (m := _LAYER.fullmatch(name)))
    if not numbers:
        raise DataError(
            f"{path} must hold layers named 'hypernet._hypnet.<number>.weight' and '.bias'; it "
            f"holds {', '.join(sorted(arrays)) or 'none'}. Copy the authors' file again."
        )
    layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for number in numbers:
        name = f"hypernet._hypnet.{number}"
        weight = _array(arrays, f"{name}.weight", 2, path)
        bias = _array(arrays, f"{name}.bias", 1, path)
        n_from = layers[-1][0].shape[0] if layers else weight.shape[1]
        if weight.shape[1] != n_from or bias.shape[0] != weight.shape[0]:
            raise DataError(
                f"{path}: {name} must take the {n_from} numbers of the layer before it and have "
                f"one bias per row, found weight {weight.shape} and bias {bias.shape}."
            )
        layers.append((weight, bias))
    return layers


def _hidden_size(n_weights: int, data: ReferenceData, path: Path) -> int:
    """Return the main network's units, which no file states: n_weights is quadratic in them."""
    n_outputs = len(data.action_names) + len(data.bold_names)
    n_inputs = data.train.stimulus.shape[2]
    b = n_inputs + 2 + n_outputs
    root = math.isqrt(max(b * b + 4 * (n_weights - n_outputs), 0))
    hidden_size: int = (root - b) // 2
    if hidden_size < 1 or hidden_size * (hidden_size + b) + n_outputs != n_weights:
        raise DataError(
            f"{path} generates {n_weights} weights, which is no main network with {n_inputs} "
            f"inputs and {n_outputs} outputs. Give the two files of the same release."
        )
    return hidden_size
