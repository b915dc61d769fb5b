"""PyTorch and ONNX Runtime agree, and whatever makes them differ is noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from dtb_export.bundle_writer import bundle_manifest
from dtb_export.graph_parts import graph_bytes
from dtb_export.network_graphs import network_graphs
from dtb_export.parity import N_STEPS, TOLERANCE, check_parity, random_edges, random_runs
from dtb_models.checkpoint import Checkpoint
from dtb_models.config import compact_config, paper_config
from dtb_models.hypernetwork import CompactHypernetwork, TwinNetwork
from dtb_runtime.errors import BundleError
from dtb_runtime.manifest import Manifest
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import TASKS

ort = pytest.importorskip("onnxruntime")


def test_both_presets_agree_over_whole_runs(
    checkpoint: Checkpoint, graphs: dict[str, bytes], manifest: Manifest
) -> None:
    report = check_parity(checkpoint.network, graphs, manifest)
    assert report.n_steps == N_STEPS == 5000
    assert report.n_runs == 5  # two tasks as they are and shuffled, and random pulses
    assert report.actions <= TOLERANCE == 1e-4
    assert report.bold <= TOLERANCE


@pytest.mark.parametrize("preset", ["paper", "compact"])
def test_the_presets_own_sizes_agree_over_whole_runs(
    preset: str, compact_checkpoint: Checkpoint, make_checkpoint: Callable[..., Checkpoint]
) -> None:
    n_edges = compact_checkpoint.config.n_edges
    config = paper_config(n_edges, 4) if preset == "paper" else compact_config(n_edges, 10)
    full = make_checkpoint(config)
    graphs = network_graphs(full.network)
    report = check_parity(full.network, graphs, bundle_manifest(full, graphs), n_people=1)
    assert max(report.actions, report.bold) <= 1e-4


def spoil(data: bytes, change: Callable[[onnx.ModelProto], None]) -> bytes:
    model = onnx.load_model_from_string(data)
    change(model)
    return graph_bytes(model)


def set_array(model: onnx.ModelProto, name: str, change: Callable[..., np.ndarray]) -> None:
    (tensor,) = (t for t in model.graph.initializer if t.name == name)
    values = change(numpy_helper.to_array(tensor).copy())
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def test_a_wrong_head_fails(
    checkpoint: Checkpoint, graphs: dict[str, bytes], manifest: Manifest
) -> None:
    """Actions read from the rows of W_ho in the order BOLD, actions."""

    def swap_heads(model: onnx.ModelProto) -> None:
        (split,) = (node for node in model.graph.node if node.op_type == "Split")
        split.output[4], split.output[5] = split.output[5], split.output[4]
        config = checkpoint.config
        h, a, b = config.hidden_size, config.n_actions, config.n_bold
        sizes = [h * config.n_inputs, h * h, h, h, b * h, a * h, a, b]
        set_array(model, "part_sizes", lambda _: np.array(sizes, np.int64))

    graphs["main"] = spoil(graphs["main"], swap_heads)
    with pytest.raises(BundleError, match="but differ in actions by"):
        check_parity(checkpoint.network, graphs, manifest, n_steps=50)


def test_a_graph_of_runs_that_differs_fails(paper_checkpoint: Checkpoint) -> None:
    graphs = network_graphs(paper_checkpoint.network)
    manifest = bundle_manifest(paper_checkpoint, graphs)
    assert check_parity(paper_checkpoint.network, graphs, manifest, n_steps=50).actions < TOLERANCE

    def forget_the_bias(model: onnx.ModelProto) -> None:
        (add,) = (node for node in model.graph.node if "drive_rows" in node.output)
        add.input[1] = "from_input"

    graphs["runs"] = spoil(graphs["runs"], forget_the_bias)
    with pytest.raises(BundleError, match="but differ in actions by"):
        check_parity(paper_checkpoint.network, graphs, manifest, n_steps=50)


def test_two_swapped_weights_fail(
    checkpoint: Checkpoint, graphs: dict[str, bytes], manifest: Manifest
) -> None:
    bias = "decoder_bias" if manifest.latent_size else "weights_bias"

    def swap(values: np.ndarray) -> np.ndarray:
        values[[0, -1]] = values[[-1, 0]]
        return values

    graphs["hypernetwork"] = spoil(graphs["hypernetwork"], lambda m: set_array(m, bias, swap))
    with pytest.raises(BundleError, match="differ in weights by"):
        check_parity(checkpoint.network, graphs, manifest, n_steps=50)


def test_another_decoder_fails(compact_checkpoint: Checkpoint) -> None:
    """The decoder stands in two graphs, which must be the same."""
    graphs = network_graphs(compact_checkpoint.network)
    manifest = bundle_manifest(compact_checkpoint, graphs)
    graphs["decoder"] = spoil(
        graphs["decoder"], lambda m: set_array(m, "decoder_bias", lambda v: v + 0.01)
    )
    with pytest.raises(BundleError, match="differ in weights by"):
        check_parity(compact_checkpoint.network, graphs, manifest, n_steps=50)


def test_a_missing_sigmoid_fails(
    checkpoint: Checkpoint, graphs: dict[str, bytes], manifest: Manifest
) -> None:
    def drop(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            if node.op_type == "Reciprocal":
                node.op_type = "Identity"

    graphs["main"] = spoil(graphs["main"], drop)
    with pytest.raises(BundleError, match="differ in actions by"):
        check_parity(checkpoint.network, graphs, manifest, n_steps=50)


def test_bold_read_one_step_late_fails(
    checkpoint: Checkpoint, graphs: dict[str, bytes], manifest: Manifest
) -> None:
    graphs["main"] = spoil(
        graphs["main"], lambda m: set_array(m, "first_step", lambda _: np.array([1], np.int64))
    )
    with pytest.raises(BundleError, match="differ in bold by"):
        check_parity(checkpoint.network, graphs, manifest, n_steps=50)


def test_another_leak_fails(compact_checkpoint: Checkpoint) -> None:
    graphs = network_graphs(compact_checkpoint.network)
    manifest = bundle_manifest(compact_checkpoint, graphs)
    graphs["main"] = spoil(graphs["main"], lambda m: set_array(m, "leak", lambda v: v[..., ::-1]))
    with pytest.raises(BundleError, match="differ in "):
        check_parity(compact_checkpoint.network, graphs, manifest, n_steps=50)


def test_numbers_that_are_none_fail(
    checkpoint: Checkpoint, graphs: dict[str, bytes], manifest: Manifest
) -> None:
    state = checkpoint.network.state_dict()
    name = next(k for k in reversed(state) if k.endswith("bias"))
    state[name][-1] = torch.nan
    checkpoint.network.load_state_dict(state)
    graphs = network_graphs(checkpoint.network)
    with pytest.raises(BundleError, match="by inf"):
        check_parity(checkpoint.network, graphs, manifest, n_steps=50)


def test_a_network_that_amplifies_rounding_fails(
    paper_checkpoint: Checkpoint, make_checkpoint: Callable[..., Checkpoint]
) -> None:
    """A chaotic main network: the libraries' last digits decide its answer."""
    config = paper_config(paper_checkpoint.config.n_edges, 4, hidden_size=60)
    chaotic = make_checkpoint(config)
    h, i = config.hidden_size, config.n_inputs
    last = chaotic.network.state_dict()[
        f"hypernetwork.layers.{len(config.hypernetwork_sizes)}.bias"
    ]
    last[h * i : h * i + h * h] *= 8
    graphs = network_graphs(chaotic.network)
    with pytest.raises(BundleError, match="amplifies rounding"):
        check_parity(chaotic.network, graphs, bundle_manifest(chaotic, graphs), n_people=1)


def test_random_people_differ_as_training_people_did(compact_checkpoint: Checkpoint) -> None:
    """Scores on the edge basis have unit variance, whatever the number of edges."""
    hyper = compact_checkpoint.network.hypernetwork
    assert isinstance(hyper, CompactHypernetwork)
    edges = random_edges(compact_checkpoint.network, 4000, np.random.default_rng(0))
    scores = (edges - hyper.edge_mean.numpy()) @ hyper.basis.numpy().T
    assert np.all((scores.std(axis=0) > 0.9) & (scores.std(axis=0) < 1.6))


def test_random_runs_hold_the_schedules_and_their_trials_in_random_order(
    checkpoint: Checkpoint,
) -> None:
    task = TASKS["stroop"]
    stimulus = task.stimulus(task.schedule())
    n_steps = len(stimulus)
    as_is, shuffled, pulses = random_runs(
        checkpoint.config, ("stroop",), n_steps, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(as_is, network_input(stimulus))
    assert not np.array_equal(shuffled, as_is)
    np.testing.assert_allclose(shuffled.sum(axis=0), as_is.sum(axis=0), atol=2)
    assert pulses.shape == (n_steps, 9)
    assert np.all(pulses[0] == 0)
    assert 0.2 < np.mean(pulses != 0) < 0.4


def test_the_same_seed_compares_the_same_people(
    checkpoint: Checkpoint, graphs: dict[str, bytes], manifest: Manifest
) -> None:
    first, again = (
        check_parity(checkpoint.network, graphs, manifest, n_steps=30, seed=9) for _ in range(2)
    )
    assert first == again
    assert replace(first, n_runs=0) != first


def test_untrained_networks_are_told_apart(checkpoint: Checkpoint, manifest: Manifest) -> None:
    """Graphs of another network of the same shape."""
    other = network_graphs(TwinNetwork(checkpoint.config, seed=99).eval())
    with pytest.raises(BundleError, match="was not written: PyTorch and ONNX Runtime must agree"):
        check_parity(checkpoint.network, other, manifest, n_steps=50)
