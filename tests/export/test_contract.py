"""Every rule of the contract: a graph that breaks it is named, a good one is not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from dtb_export.bundle_writer import bundle_manifest
from dtb_export.contract import RULES, breaches, check_contract, check_graphs
from dtb_export.graph_parts import graph_bytes
from dtb_export.main_graphs import main_graph
from dtb_export.network_graphs import network_graphs
from dtb_models.checkpoint import Checkpoint
from dtb_runtime.bundle_layout import RECURRENT_ARRAY
from dtb_runtime.errors import BundleError
from dtb_runtime.manifest import Manifest

TINY = Path(__file__).parents[1] / "bundles"

Models = dict[str, onnx.ModelProto]


@pytest.fixture
def models(graphs: dict[str, bytes]) -> Models:
    """Parsed graphs, to be spoiled by a test."""
    return {role: onnx.load_model_from_string(data) for role, data in graphs.items()}


def body(model: onnx.ModelProto) -> onnx.GraphProto:
    """The graph inside the Scan."""
    (scan,) = (node for node in model.graph.node if node.op_type == "Scan")
    found: list[onnx.GraphProto] = [a.g for a in scan.attribute if a.name == "body"]
    return found[0]


def node_making(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    found: list[onnx.NodeProto] = [node for node in model.graph.node if name in node.output]
    return found[0]


def assert_breach(models: Models, manifest: Manifest, sentence: str) -> None:
    found = " ".join(breaches(models, manifest))
    assert sentence in found, found


def test_a_good_bundle_keeps_every_rule(models: Models, manifest: Manifest) -> None:
    assert breaches(models, manifest) == ()


def test_each_rule_has_a_sentence_of_its_own() -> None:
    sentences = [rule.sentence for rule in RULES]
    assert len(set(sentences)) == len(sentences) == 12
    assert all(sentence.endswith(".") for sentence in sentences)


def test_rejects_a_newer_opset(models: Models, manifest: Manifest) -> None:
    models["main"].opset_import[0].version = 21
    assert_breach(models, manifest, "main.onnx: it must use opset 17 of the default domain")


def test_rejects_a_newer_ir_version(models: Models, manifest: Manifest) -> None:
    models["main"].ir_version = 10
    assert_breach(models, manifest, "and IR version 8, found [('', 17)] and 10.")


def test_rejects_a_second_operator_domain(models: Models, manifest: Manifest) -> None:
    models["main"].opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    assert_breach(models, manifest, "found [('', 17), ('ai.onnx.ml', 3)]")


def test_rejects_an_unknown_operator(models: Models, manifest: Manifest) -> None:
    node_making(models["main"], "actions").op_type = "HardSigmoid"
    assert_breach(models, manifest, "main.onnx: it uses the operators HardSigmoid.")


def test_rejects_an_unknown_operator_inside_the_scan(models: Models, manifest: Manifest) -> None:
    for node in body(models["main"]).node:
        if node.op_type == "Tanh":
            node.op_type = "Erf"
    assert_breach(models, manifest, "it uses the operators Erf.")


def test_rejects_data_in_another_file(models: Models, manifest: Manifest) -> None:
    tensor = models["hypernetwork"].graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    assert_breach(models, manifest, f"the array {tensor.name} lies in another file.")


def test_rejects_what_onnx_rejects(models: Models, manifest: Manifest) -> None:
    node_making(models["main"], "drive").input[1] = "nowhere"
    assert_breach(models, manifest, "main.onnx: onnx refuses it:")


def test_rejects_a_renamed_input(models: Models, manifest: Manifest) -> None:
    models["hypernetwork"].graph.input[0].name = "connectome"
    assert_breach(models, manifest, "hypernetwork.onnx: inputs must be [('edges', 'float32',")


def test_rejects_outputs_in_another_order(models: Models, manifest: Manifest) -> None:
    outputs = models["main"].graph.output
    first = onnx.ValueInfoProto()
    first.CopyFrom(outputs[0])
    del outputs[0]
    outputs.append(first)
    assert_breach(models, manifest, "main.onnx: outputs must be [('actions',")


def test_rejects_a_frozen_time_axis(models: Models, manifest: Manifest) -> None:
    models["main"].graph.input[1].type.tensor_type.shape.dim[0].dim_value = 4930
    assert_breach(models, manifest, "found [('weights', 'float32', [")


def test_rejects_a_symbolic_axis_where_the_manifest_has_a_length(
    models: Models, manifest: Manifest
) -> None:
    models["hypernetwork"].graph.input[0].type.tensor_type.shape.dim[1].dim_param = "edges"
    assert_breach(models, manifest, "found [('edges', 'float32', ['people', 'edges'])]")


def test_rejects_another_number_of_regions(models: Models, manifest: Manifest) -> None:
    models["main"].graph.output[1].type.tensor_type.shape.dim[2].dim_value = 99
    assert_breach(models, manifest, "('bold', 'float32', ['people', 'frames', 99])")


def test_rejects_double_precision_inputs(models: Models, manifest: Manifest) -> None:
    models["main"].graph.input[1].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    assert_breach(models, manifest, "('stimulus', 'double',")


def test_rejects_a_state_that_is_ignored(models: Models, manifest: Manifest) -> None:
    node_making(models["main"], "first_state").input[0] = "b_ih"
    assert_breach(models, manifest, "main.onnx: nothing uses state.")


def test_rejects_an_array_that_nothing_uses(models: Models, manifest: Manifest) -> None:
    models["hypernetwork"].graph.initializer.append(
        numpy_helper.from_array(np.zeros(3, np.float32), "left_over")
    )
    assert_breach(models, manifest, "hypernetwork.onnx: nothing uses left_over.")


def test_rejects_a_main_network_without_scan(models: Models, manifest: Manifest) -> None:
    node_making(models["main"], "last_state").op_type = "Loop"
    assert_breach(models, manifest, "main.onnx: it must hold 1 Scan, found 0.")


def test_rejects_a_scan_outside_the_main_network(models: Models, manifest: Manifest) -> None:
    models["hypernetwork"].graph.node.append(
        node_making(models["main"], "last_state").__deepcopy__()
    )
    assert_breach(models, manifest, "hypernetwork.onnx: it must hold 0 Scan, found 1.")


def test_rejects_an_input_product_inside_the_scan(models: Models, manifest: Manifest) -> None:
    step = body(models["main"])
    step.node.insert(0, helper.make_node("MatMul", ["h", "W_ih"], ["drive_of_step"]))
    assert_breach(models, manifest, "main.onnx: a step must hold 1 matrix product, found 2.")


def test_rejects_bold_at_another_stride(
    models: Models, manifest: Manifest, checkpoint: Checkpoint
) -> None:
    config = checkpoint.config
    models["main"] = main_graph(
        n_inputs=config.n_inputs,
        hidden_size=config.hidden_size,
        n_actions=config.n_actions,
        n_bold=config.n_bold,
        bold_stride=5,
        leak=config.leak,
    )
    (sentence,) = breaches(models, manifest)
    assert "'steps': 10}, found {'starts': [0], 'axes': [1], 'steps': [5]}" in sentence


def test_rejects_bold_that_starts_later(models: Models, manifest: Manifest) -> None:
    for tensor in models["main"].graph.initializer:
        if tensor.name == "first_step":
            tensor.CopyFrom(numpy_helper.from_array(np.array([9], np.int64), "first_step"))
    assert_breach(models, manifest, "found {'starts': [9], 'axes': [1], 'steps': [10]}.")


def test_rejects_bold_at_every_step(models: Models, manifest: Manifest) -> None:
    slices = node_making(models["main"], "hidden_at_frames")
    models["main"].graph.node.remove(slices)
    node_making(models["main"], "bold").input[0] = "hidden"
    assert_breach(models, manifest, "main.onnx: no Slice takes steps 0, 10, ... of time.")


def test_rejects_a_replaced_array_that_an_engine_could_compute_with(
    paper_checkpoint: Checkpoint,
) -> None:
    graphs = network_graphs(paper_checkpoint.network)
    manifest = bundle_manifest(paper_checkpoint, graphs)
    models = {role: onnx.load_model_from_string(data) for role, data in graphs.items()}
    assert breaches(models, manifest) == ()
    step = body(models["runs"])
    (gemm,) = (node for node in step.node if node.op_type == "Gemm")
    gemm.input[1] = "turned"
    turned = helper.make_node("Transpose", [RECURRENT_ARRAY], ["turned"], perm=[0, 1])
    models["runs"].graph.node.insert(0, turned)
    assert_breach(models, manifest, "must be the matrix of one Gemm, found [('Transpose', 0)]")


def test_rejects_a_replaced_array_of_another_shape(paper_checkpoint: Checkpoint) -> None:
    graphs = network_graphs(paper_checkpoint.network)
    manifest = bundle_manifest(paper_checkpoint, graphs)
    models = {role: onnx.load_model_from_string(data) for role, data in graphs.items()}
    (tensor,) = (t for t in models["runs"].graph.initializer if t.name == RECURRENT_ARRAY)
    tensor.CopyFrom(numpy_helper.from_array(np.zeros((3, 3), np.float32), RECURRENT_ARRAY))
    assert_breach(models, manifest, "hidden_weights must have shape [7, 7], found [3, 3]")


def test_rejects_arrays_in_double_precision(models: Models, manifest: Manifest) -> None:
    tensor = models["hypernetwork"].graph.initializer[0]
    values = numpy_helper.to_array(tensor).astype(np.float64)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    assert_breach(models, manifest, f"the array {tensor.name} is double.")


def test_rejects_a_missing_graph(models: Models, manifest: Manifest) -> None:
    del models["main"]
    assert_breach(models, manifest, "differing: ['main'].")


def test_names_every_breach_at_once(models: Models, manifest: Manifest) -> None:
    models["main"].ir_version = 10
    models["hypernetwork"].graph.input[0].name = "connectome"
    data = {role: graph_bytes(model) for role, model in models.items()}
    with pytest.raises(BundleError, match=r"breaks its contract.*IR version.*edges") as caught:
        check_graphs(data, manifest)
    assert "dtb-run export" in str(caught.value)


def test_rejects_bytes_that_are_no_graph(graphs: dict[str, bytes], manifest: Manifest) -> None:
    with pytest.raises(BundleError, match=r"main\.onnx is not an ONNX file"):
        check_graphs(graphs | {"main": b"\xff" * 40}, manifest)


@pytest.mark.parametrize("name", ["tiny", "tiny_plain"])
def test_the_committed_test_bundles_keep_the_contract(name: str) -> None:
    assert check_contract(TINY / name) == tuple(rule.sentence for rule in RULES)


def test_says_which_file_is_missing(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(TINY / "tiny", tmp_path / "bundle"))
    (folder / "main.onnx").unlink()
    with pytest.raises(BundleError, match=r"not a complete bundle.*main\.onnx"):
        check_contract(folder)


def test_a_manifest_with_another_hidden_size_is_noticed(
    graphs: dict[str, bytes], manifest: Manifest
) -> None:
    n_outputs, hidden = manifest.n_actions + manifest.n_bold, manifest.hidden_size + 1
    n_weights = hidden * (manifest.n_inputs + hidden + 2) + n_outputs * (hidden + 1)
    other = replace(manifest, hidden_size=hidden, n_weights=n_weights)
    with pytest.raises(BundleError, match=r"main\.onnx: inputs must be"):
        check_graphs(graphs, other)
