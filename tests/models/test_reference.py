"""The authors' files: read exactly, refused with a sentence when they are not what they must be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dtb_models.reference import read_reference_data, read_reference_network
from dtb_models.reference_training import train_reference_network
from dtb_runtime.errors import DataError

Arrays = dict[str, Any]
E, T, I, A, B, H = 6, 12, 4, 3, 2, 5  # noqa: E741
N_WEIGHTS = H * (I + H + 2) + (A + B) * (H + 1)


def dataset(seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    arrays: Arrays = {
        "action_labels": np.array([f"action_{i}" for i in range(A)]),
        "bldi_labels": np.array([f"region_{i}" for i in range(B)]),
    }
    for split, n in (("train", 20), ("test", 3)):
        arrays |= {
            f"{split}_bld": rng.normal(size=(n, E)).astype(np.float32),
            f"{split}_stimulus": rng.normal(size=(n, T, I)).astype(np.float32),
            f"{split}_action": (rng.random((n, T, A)) < 0.3).astype(np.float32),
            f"{split}_bldi": rng.normal(size=(n, T, B)).astype(np.float32),
        }
    return arrays


def layers(seed: int = 1) -> Arrays:
    rng = np.random.default_rng(seed)
    sizes = [(7, E), (8, 7), (N_WEIGHTS, 8)]
    return {
        f"hypernet._hypnet.{2 * i + 1}.{part}": rng.normal(0, 0.3, shape).astype(np.float32)
        for i, size in enumerate(sizes)
        for part, shape in (("weight", size), ("bias", size[:1]))
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.savez(tmp_path / "dataset.npz", **dataset())
    np.savez(tmp_path / "weights.npz", **layers())
    return tmp_path


def test_the_network_computes_what_the_arrays_say(folder: Path) -> None:
    data = read_reference_data(folder)
    network = read_reference_network(folder, data)
    assert (network.config.hidden_size, network.config.n_weights) == (H, N_WEIGHTS)
    assert network.config.bold_stride == 1
    assert set(network.config.leak) == {1.0}
    x = dataset()["test_bld"].astype(np.float64)
    w = {k: v.astype(np.float64) for k, v in layers().items()}
    for number in (1, 3, 5):
        x = x @ w[f"hypernet._hypnet.{number}.weight"].T + w[f"hypernet._hypnet.{number}.bias"]
        if number < 5:
            x = x * np.tanh(np.logaddexp(0, x))
    with torch.no_grad():
        found = network.weights(torch.from_numpy(data.test.edges)).numpy()
    np.testing.assert_allclose(found, x, atol=1e-5)


def test_the_stimulus_arrives_one_step_late(folder: Path) -> None:
    people = read_reference_data(folder).test
    assert np.all(people.delayed_stimulus[:, 0] == 0)
    np.testing.assert_array_equal(people.delayed_stimulus[:, 1:], people.stimulus[:, :-1])


def drop(name: str) -> Callable[[Arrays], Any]:
    return lambda arrays: arrays.pop(name)


def put(name: str, change: Callable[[NDArray[Any]], Any]) -> Callable[[Arrays], Any]:
    return lambda arrays: arrays.update({name: np.asarray(change(arrays[name]))})


def with_nan(values: NDArray[Any]) -> NDArray[Any]:
    values = values.copy()
    values[1, 2] = np.nan
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("test_bld"), r"must hold an array 'test_bld'; it holds action_labels, bldi_labels"),
        (drop("action_labels"), "must hold a list of names 'action_labels'"),
        (put("bldi_labels", lambda v: np.arange(2)), "must hold a list of names 'bldi_labels'"),
        (put("train_bld", with_nan), r"train_bld must be finite, found nan at \[1, 2\]"),
        (put("train_bld", lambda v: v[0]), r"train_bld must be numbers in 2 dimensions, found"),
        (put("train_bld", lambda v: v.astype(str)), r"train_bld must be numbers in 2 dimensions"),
        (put("test_bld", lambda v: v[:, :-1]), "same number of edges, found 6 and 5"),
        (put("test_stimulus", lambda v: v[..., 1:]), "same number of inputs, found 4 and 3"),
        (put("train_bldi", lambda v: v[:, 1:]), r"train_bldi must have shape \(20, 12, 2\)"),
        (put("test_action", lambda v: v[:2]), r"test_action must have shape \(3, 12, 3\)"),
        (put("test_action", lambda v: v * 7), "must be between 0 and 1, found values from 0 to 7"),
        (
            lambda a: a.update({k: v[:, :1] for k, v in a.items() if v.ndim == 3}),
            "must have at least 2 steps, since step 0 is not scored; found 1",
        ),
    ],
)
def test_odd_data_is_refused_with_a_sentence(
    folder: Path, change: Callable[[Arrays], Any], message: str
) -> None:
    arrays = dataset()
    change(arrays)
    np.savez(folder / "dataset.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_reference_data(folder)


LAST = "hypernet._hypnet.5"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.clear(), r"must hold layers named .*; it holds none"),
        (drop(f"{LAST}.bias"), rf"must hold an array '{LAST}\.bias'"),
        (put(f"{LAST}.weight", with_nan), "must be finite"),
        (put(f"{LAST}.weight", lambda v: v[:, 1:]), "must take the 8 numbers of the layer before"),
        (put(f"{LAST}.bias", lambda v: v[1:]), "one bias per row"),
        (put("hypernet._hypnet.1.weight", lambda v: v[:, 1:]), "takes 5 edges, but .* holds 6"),
        (
            lambda a: a.update({f"{LAST}.{k}": a[f"{LAST}.{k}"][1:] for k in ("weight", "bias")}),
            f"generates {N_WEIGHTS - 1} weights, which is no main network with 4 inputs",
        ),
    ],
)
def test_odd_weights_are_refused_with_a_sentence(
    folder: Path, change: Callable[[Arrays], Any], message: str
) -> None:
    arrays = layers()
    change(arrays)
    np.savez(folder / "weights.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_reference_network(folder, read_reference_data(folder))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY junk", b"PK\x03\x04 junk", b"text"])
def test_a_file_that_is_no_npz_is_refused(folder: Path, content: bytes) -> None:
    (folder / "dataset.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"dataset\.npz is not a readable \.npz file"):
        read_reference_data(folder)


def test_pickled_objects_are_refused(folder: Path) -> None:
    arrays = dataset() | {"train_bld": np.array([{"a": 1}], dtype=object)}
    np.savez(folder / "dataset.npz", **arrays)
    with pytest.raises(DataError, match="not a readable"):
        read_reference_data(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere/dataset\.npz does not exist. Give the folder"):
        read_reference_data(tmp_path / "nowhere")


def test_the_test_people_decide_nothing(folder: Path) -> None:
    """Training on the same training people beside other test people gives the same network."""
    first = train_reference_network(read_reference_data(folder), epochs=3)
    arrays = dataset() | {k: v for k, v in dataset(seed=9).items() if k.startswith("test")}
    np.savez(folder / "dataset.npz", **arrays)
    again = train_reference_network(read_reference_data(folder), epochs=3)
    for name, values in first.network.state_dict().items():
        assert torch.equal(values, again.network.state_dict()[name])
    assert (first.n_train, first.n_validation) == (18, 2)


def test_the_seed_decides_who_validates(folder: Path) -> None:
    data = read_reference_data(folder)
    one, other = (train_reference_network(data, seed=s, epochs=1) for s in (1, 2))
    assert one.history[0].validation_bold != other.history[0].validation_bold


def test_too_few_people_cannot_be_split(folder: Path) -> None:
    few = {k: v[:4] if k.startswith("train") else v for k, v in dataset().items()}
    np.savez(folder / "dataset.npz", **few)
    with pytest.raises(DataError, match=r"at least 10 people.* has 4 training people"):
        train_reference_network(read_reference_data(folder))
