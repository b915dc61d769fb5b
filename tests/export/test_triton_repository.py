"""A model repository for Triton: read by Triton's own protobuf, and held against the graphs.

Triton's ONNX Runtime backend loads a model only where names and axes are those of the graph:
``dims``, after one axis for the batch where ``max_batch_size`` is above 0.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest

from dtb_export import triton_repository
from dtb_export.triton_repository import config_text, write_triton_repository
from dtb_runtime import load_bundle
from dtb_runtime.bundle_files import BundleFiles, read_bundle_files
from dtb_runtime.errors import OutputError

BUNDLES = Path(__file__).parents[1] / "bundles"
TINY = BUNDLES / "tiny"
MODELS = {
    "tiny": ("tiny-decoder", "tiny-hypernetwork", "tiny-main"),
    "tiny_plain": ("tiny_plain-hypernetwork", "tiny_plain-main"),  # no runs.onnx
}


@pytest.fixture(scope="module")
def pb2() -> ModuleType:
    """Triton's ``model_config_pb2``, by its file: the package around it wants gRPC installed."""
    pytest.importorskip("google.protobuf", reason="protobuf comes with ONNX Runtime, most often")
    client = importlib.util.find_spec("tritonclient")
    if client is None or client.origin is None:
        pytest.skip("tritonclient is not installed")
    file = Path(client.origin).parent / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _parsed(pb2: ModuleType, text: str) -> Any:
    from google.protobuf import text_format

    return text_format.Parse(text, pb2.ModelConfig())


def _axes(graph: Path, side: str) -> dict[str, list[int]]:
    """Axes of the graph's own inputs or outputs, -1 where they are free."""
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    tensors = session.get_inputs() if side == "input" else session.get_outputs()
    assert all(tensor.type == "tensor(float)" for tensor in tensors)
    return {
        tensor.name: [axis if isinstance(axis, int) else -1 for axis in tensor.shape]
        for tensor in tensors
    }


@pytest.mark.parametrize("bundle", MODELS)
def test_the_layout_is_that_of_a_model_repository(bundle: str, tmp_path: Path) -> None:
    files = read_bundle_files(BUNDLES / bundle)
    written = write_triton_repository(files, tmp_path / "models")
    found = sorted(path for path in (tmp_path / "models").rglob("*") if path.is_file())
    assert found == sorted(written)
    assert [path.relative_to(tmp_path / "models").as_posix() for path in found] == [
        f"{model}/{place}" for model in MODELS[bundle] for place in ("1/model.onnx", "config.pbtxt")
    ]
    for path in found:
        if path.name == "model.onnx":
            role = path.parts[-3].removeprefix(f"{bundle}-")
            assert path.read_bytes() == (BUNDLES / bundle / f"{role}.onnx").read_bytes()


@pytest.mark.parametrize("bundle", MODELS)
def test_names_and_axes_are_those_of_the_graphs(
    bundle: str, tmp_path: Path, pb2: ModuleType
) -> None:
    write_triton_repository(read_bundle_files(BUNDLES / bundle), tmp_path)
    for model in MODELS[bundle]:
        config = _parsed(pb2, (tmp_path / model / "config.pbtxt").read_text(encoding="utf-8"))
        assert config.name == model
        assert config.backend == "onnxruntime"
        batch = [-1] if config.max_batch_size else []
        for side in ("input", "output"):
            stated = {
                tensor.name: [*batch, *tensor.dims]
                for tensor in getattr(config, side)
                if tensor.data_type == pb2.TYPE_FP32
            }
            assert stated == _axes(tmp_path / model / "1" / "model.onnx", side), model


@pytest.mark.parametrize("bundle", MODELS)
def test_requests_are_put_together_only_where_every_tensor_has_people_first(
    bundle: str, tmp_path: Path, pb2: ModuleType
) -> None:
    write_triton_repository(read_bundle_files(BUNDLES / bundle), tmp_path)
    for model in MODELS[bundle]:
        config = _parsed(pb2, (tmp_path / model / "config.pbtxt").read_text(encoding="utf-8"))
        is_batched = not model.endswith("-main")  # whose stimulus is the same for everybody
        assert config.max_batch_size == (16 if is_batched else 0)
        assert config.HasField("dynamic_batching") == is_batched
        assert config.dynamic_batching.max_queue_delay_microseconds == 0
        (group,) = config.instance_group
        assert (group.kind, group.count) == (pb2.ModelInstanceGroup.KIND_AUTO, 1)
        assert config.version_policy.latest.num_versions == 1


def test_a_batch_through_the_models_gives_the_numbers_of_the_runtime(tmp_path: Path) -> None:
    """As a client of Triton would chain them: edges, weights, then the stimulus."""
    write_triton_repository(read_bundle_files(TINY), tmp_path)
    bundle = load_bundle(TINY, device="cpu")
    rng = np.random.default_rng(4)
    edges = rng.normal(0.0, 0.3, (3, bundle.manifest.n_edges)).astype(np.float32)
    twins = bundle.personalize_edges(edges)
    stimulus = rng.normal(size=(40, bundle.manifest.n_inputs)).astype(np.float32)

    def run(role: str, **inputs: np.ndarray[Any, Any]) -> dict[str, Any]:
        session = onnxruntime.InferenceSession(
            str(tmp_path / f"tiny-{role}" / "1" / "model.onnx"), providers=["CPUExecutionProvider"]
        )
        names = [tensor.name for tensor in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))

    weights = run("hypernetwork", edges=edges)["weights"]
    np.testing.assert_allclose(weights, np.stack([twin.weights for twin in twins]), rtol=1e-5)
    state = np.zeros((3, bundle.manifest.hidden_size), np.float32)
    found = run("main", weights=weights, stimulus=stimulus, state=state)
    actions, bold, final_state = bundle.run_main(np.stack([t.weights for t in twins]), stimulus)
    np.testing.assert_allclose(found["actions"], actions, atol=1e-5)
    np.testing.assert_allclose(found["bold"], bold, atol=1e-5)
    np.testing.assert_allclose(found["final_state"], final_state, atol=1e-5)


def test_whose_graphs_these_are_and_what_was_warned_of_is_said(pb2: ModuleType) -> None:
    files = read_bundle_files(TINY)
    warning = 'Tübingen said "no"\\n\n\tüber'
    training = replace(files.manifest.training, warning=warning)
    changed = replace(files, manifest=replace(files.manifest, training=training))
    assert isinstance(changed, BundleFiles)
    text = config_text(changed, "hypernetwork")
    assert text.isascii()
    parameters = _parsed(pb2, text).parameters
    assert parameters["bundle_digest"].string_value == files.digest
    assert parameters["warning_1"].string_value == warning
    assert "intra_op_thread_count" not in parameters
    main = _parsed(pb2, config_text(files, "main")).parameters
    assert main["intra_op_thread_count"].string_value == "1"


def test_what_is_there_is_not_replaced_without_force(tmp_path: Path) -> None:
    files = read_bundle_files(TINY)
    own = tmp_path / "tiny-main" / "2" / "model.onnx"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    write_triton_repository(files, tmp_path)
    config = tmp_path / "tiny-decoder" / "config.pbtxt"
    config.write_text("name: 'mine'", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already; nothing was written"):
        write_triton_repository(files, tmp_path)
    assert config.read_text(encoding="utf-8") == "name: 'mine'"
    write_triton_repository(files, tmp_path, force=True)
    assert config.read_text(encoding="utf-8") == config_text(files, "decoder")
    assert own.read_bytes() == b"mine"


@pytest.mark.parametrize("is_there", [False, True])
def test_a_failure_half_way_leaves_nothing(
    is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    if is_there:
        folder.mkdir()
    write = triton_repository.write_files

    def fill_up(place: Path, contents: dict[str, bytes], *, force: bool) -> tuple[Path, ...]:
        if "tiny-main" in str(place):
            raise OutputError("disk full")
        return write(place, contents, force=force)

    monkeypatch.setattr(triton_repository, "write_files", fill_up)
    with pytest.raises(OutputError, match="disk full"):
        write_triton_repository(read_bundle_files(TINY), folder)
    assert folder.exists() == is_there
    assert list(tmp_path.rglob("*.onnx")) == []
    assert [path for path in tmp_path.rglob("*") if path != folder] == []


def test_a_file_in_the_place_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_text("x", encoding="utf-8")
    with pytest.raises(OutputError):
        write_triton_repository(read_bundle_files(TINY), place)
    assert place.read_text(encoding="utf-8") == "x"
