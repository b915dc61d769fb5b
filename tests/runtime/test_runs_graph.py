"""Several runs of one person in one call: the numbers of one at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_layout import RECURRENT_ARRAY
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import BundleError, DataError, UsageError
from dtb_runtime.inference import CUDA, PEOPLE_PER_CALL, PEOPLE_PER_CALL_CUDA
from dtb_runtime.main_weights import MainWeights
from dtb_runtime.prepared_run import prepare_run
from dtb_runtime.tasks import get_task

BUNDLES = Path(__file__).parents[1] / "bundles"


@pytest.fixture
def inputs() -> list[NDArray[np.float32]]:
    return [prepare_run(get_task(name), None).network_input for name in ("hammer", "stroop")]


def test_several_runs_are_those_of_the_main_graph(
    tiny: Bundle,
    tiny_plain: Bundle,
    correlations: NDArray[np.float64],
    inputs: list[NDArray[np.float32]],
) -> None:
    assert len(inputs[0]) != len(inputs[1])
    for bundle in (tiny, tiny_plain):
        weights = bundle.personalize(correlations).weights
        for found, stimulus in zip(bundle.run_several(weights, inputs), inputs, strict=True):
            actions, bold, _ = bundle.run_main(weights, stimulus)
            np.testing.assert_allclose(found[0], actions, atol=1e-5)
            np.testing.assert_allclose(found[1], bold, atol=1e-5)
            assert (found[0].shape, found[1].shape) == (actions.shape, bold.shape)


def test_a_runs_numbers_do_not_depend_on_the_others(
    tiny_plain: Bundle, correlations: NDArray[np.float64], inputs: list[NDArray[np.float32]]
) -> None:
    weights = tiny_plain.personalize(correlations).weights
    together = tiny_plain.run_several(weights, [*inputs, inputs[0][:7]])
    for outputs, stimulus in zip(together, [*inputs, inputs[0][:7]], strict=True):
        (alone,) = tiny_plain.run_several(weights, [stimulus])
        for name in (0, 1):
            np.testing.assert_array_equal(outputs[name], alone[name])


def test_two_people_do_not_share_a_matrix(
    tiny_plain: Bundle,
    people: Callable[[int], NDArray[np.float64]],
    inputs: list[NDArray[np.float32]],
) -> None:
    one, other = (tiny_plain.personalize(each).weights for each in map(people, range(2)))
    first = tiny_plain.run_several(one, inputs)
    tiny_plain.run_several(other, inputs)
    again = tiny_plain.run_several(one, inputs)
    np.testing.assert_array_equal(first[0][1], again[0][1])


def test_no_run_is_no_output(tiny_plain: Bundle, correlations: NDArray[np.float64]) -> None:
    assert tiny_plain.run_several(tiny_plain.personalize(correlations).weights, []) == []


def test_other_shapes_are_refused(
    tiny_plain: Bundle, correlations: NDArray[np.float64], inputs: list[NDArray[np.float32]]
) -> None:
    weights = tiny_plain.personalize(correlations).weights
    with pytest.raises(DataError, match="weights must have shape"):
        tiny_plain.run_several(weights[:-1], inputs)
    with pytest.raises(DataError, match=r"stimulus must have shape \(1, 9\)"):
        tiny_plain.run_several(weights, [inputs[0][:0]])
    with pytest.raises(DataError, match="stimulus must have shape"):
        tiny_plain.run_several(weights, [inputs[0][:, 1:]])


def test_the_parts_of_the_weights_are_views_in_their_order(tiny_plain: Bundle) -> None:
    manifest = tiny_plain.manifest
    weights = np.arange(manifest.n_weights, dtype=np.float32)
    parts = MainWeights.split(weights, manifest)
    np.testing.assert_array_equal(np.concatenate([part.ravel() for part in parts]), weights)
    assert all(np.shares_memory(part, weights) for part in parts)
    assert parts.w_hh.shape == (manifest.hidden_size,) * 2


def test_forecasts_of_all_tasks_are_those_of_each(
    tiny: Bundle, tiny_plain: Bundle, correlations: NDArray[np.float64]
) -> None:
    for bundle in (tiny, tiny_plain):
        twin = bundle.personalize(correlations)
        together = twin.forecast_tasks(seed=3)
        assert [each.task for each in together] == list(bundle.manifest.tasks)
        for found in together:
            alone = twin.forecast(found.task, seed=3)
            np.testing.assert_array_equal(found.bold, alone.bold)
            assert found.indicator_report.values == alone.indicator_report.values
            for name, column in found.trials.items():
                np.testing.assert_array_equal(column, alone.trials[name])


def test_people_together_are_people_alone(
    tiny: Bundle, tiny_plain: Bundle, people: Callable[[int], NDArray[np.float64]]
) -> None:
    for bundle in (tiny, tiny_plain):
        connectomes = [people(i) for i in range(5)]
        several = bundle.personalize_several(connectomes, participant_ids=list("abcde"))
        for twin, connectome, label in zip(several, connectomes, "abcde", strict=True):
            alone = bundle.personalize(connectome, participant_id=label)
            np.testing.assert_array_equal(twin.weights, alone.weights)
            assert twin.participant_id == alone.participant_id
            assert twin.connectome_digest == alone.connectome_digest
    assert tiny.personalize_several([]) == []
    with pytest.raises(UsageError, match="There are 2 people but 1 participant ids"):
        tiny.personalize_several([people(0), people(1)], participant_ids=["a"])


def test_people_per_call_follow_graph_and_device(tiny: Bundle, tiny_plain: Bundle) -> None:
    assert tiny.people_per_call == PEOPLE_PER_CALL
    assert tiny_plain.people_per_call == 1
    graphs = tiny._graphs
    on_gpu = replace(graphs, main=_OnGpu())  # type: ignore[arg-type]
    assert on_gpu.people_per_call == PEOPLE_PER_CALL_CUDA


class _OnGpu:
    provider = CUDA


def test_a_graph_without_the_array_to_replace_is_refused(
    tmp_path: Path, replace_file: Callable[[Path, str, bytes], None]
) -> None:
    """ONNX Runtime takes no notice of a replacement for an array that is not there."""
    folder = Path(shutil.copytree(BUNDLES / "tiny_plain", tmp_path / "bundle"))
    data = (folder / "runs.onnx").read_bytes()
    name = RECURRENT_ARRAY.encode()
    assert data.count(name) == 2
    replace_file(folder, "runs.onnx", data.replace(name, name.upper()))
    with pytest.raises(BundleError, match=r"runs\.onnx of bundle 'tiny_plain' gives other"):
        load_bundle(folder, device="cpu")


def _slice_runs(model: Any, output: str, start: int, end: int, step: int) -> None:
    """Put a cut along the runs before an output."""
    onnx = pytest.importorskip("onnx")
    for name, value in (("cut_from", start), ("cut_to", end), ("cut_step", step), ("cut_axis", 0)):
        array = onnx.numpy_helper.from_array(np.array([value], np.int64), name)
        model.graph.initializer.append(array)
    (node,) = (node for node in model.graph.node if output in node.output)
    node.output[0] = "uncut"
    inputs = ["uncut", "cut_from", "cut_to", "cut_axis", "cut_step"]
    model.graph.node.append(onnx.helper.make_node("Slice", inputs, [output]))


@pytest.mark.parametrize(
    ("output", "cut", "message"),
    [
        ("actions", (0, 1, 1), "gave actions of 1 runs, expected 3"),
        ("bold", (-1, -(2**62), -1), "gives other bold than main.onnx"),
    ],
)
def test_a_graph_that_mixes_up_runs_is_refused(
    tmp_path: Path,
    replace_file: Callable[[Path, str, bytes], None],
    output: str,
    cut: tuple[int, int, int],
    message: str,
) -> None:
    onnx = pytest.importorskip("onnx")
    folder = Path(shutil.copytree(BUNDLES / "tiny_plain", tmp_path / "bundle"))
    model = onnx.load(folder / "runs.onnx")
    _slice_runs(model, output, *cut)
    replace_file(folder, "runs.onnx", model.SerializeToString())
    with pytest.raises(BundleError, match=message):
        load_bundle(folder, device="cpu")


def test_a_graph_that_cuts_long_runs_is_refused(
    tmp_path: Path, replace_file: Callable[[Path, str, bytes], None]
) -> None:
    onnx = pytest.importorskip("onnx")
    folder = Path(shutil.copytree(BUNDLES / "tiny_plain", tmp_path / "bundle"))
    model = onnx.load(folder / "runs.onnx")
    (last,) = (array for array in model.graph.initializer if array.name == "last_step")
    last.CopyFrom(onnx.numpy_helper.from_array(np.array([25], np.int64), "last_step"))
    replace_file(folder, "runs.onnx", model.SerializeToString())
    with pytest.raises(BundleError, match=r"runs\.onnx .* gave bold of shape \(3, 5\)"):
        load_bundle(folder, device="cpu")
