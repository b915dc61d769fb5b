"""ONNX Runtime: which provider, what it must find, and silence on stderr."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from dtb_runtime import inference
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_layout import GraphSpec, TensorSpec
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import BundleError, MissingDependencyError, UsageError
from dtb_runtime.inference import CPU, CUDA, OrtGraph, has_cuda_device, import_onnxruntime
from dtb_runtime.manifest import Manifest

LENGTHS = {"latent": 3, "weights": 287}


def decoder_spec(tiny: Bundle) -> GraphSpec:
    return tiny.manifest.graphs["decoder"]


def test_a_graph_runs_its_inputs_in_order(tiny: Bundle, tiny_folder: Path) -> None:
    spec = decoder_spec(tiny)
    graph = OrtGraph((tiny_folder / spec.file).read_bytes(), spec, LENGTHS, device="cpu")
    (weights,) = graph.run(np.zeros((2, 3), np.float32))
    assert graph.provider == CPU
    assert weights.shape == (2, 287)
    np.testing.assert_array_equal(weights[0], weights[1])


def test_without_onnxruntime_the_pip_command_is_said(
    monkeypatch: pytest.MonkeyPatch, tiny_folder: Path
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'dtb-runtime\[cpu\]'"):
        load_bundle(tiny_folder)


def test_half_of_an_onnxruntime_is_recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    with pytest.raises(
        MissingDependencyError, match="pip uninstall -y onnxruntime onnxruntime-gpu"
    ):
        import_onnxruntime()


def test_an_unknown_device_and_no_thread_are_refused(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match="device must be one of auto, cpu, cuda, found 'tpu'"):
        load_bundle(tiny_folder, device="tpu")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="threads must be at least 1, found 0"):
        load_bundle(tiny_folder, threads=0)


def test_cuda_without_a_gpu_is_an_error_that_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tiny_folder: Path
) -> None:
    monkeypatch.setattr(inference, "has_cuda_device", lambda: False)
    reason = "no NVIDIA GPU was found|is the build without it"
    with pytest.raises(MissingDependencyError, match=f"CUDA was asked for, but .*({reason})"):
        load_bundle(tiny_folder, device="cuda")


class FakeOrt(SimpleNamespace):
    """Just enough of onnxruntime to see what is asked of it."""

    __version__ = "0.0"

    def __init__(self, available: list[str], usable: list[str]) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.severities: list[int] = []
        self.available = available
        self.usable = usable

    SessionOptions = SimpleNamespace

    def get_available_providers(self) -> list[str]:
        return self.available

    def set_default_logger_severity(self, level: int) -> None:
        self.severities.append(level)

    def preload_dlls(self) -> None:
        print("Failed to load libsomething")

    def InferenceSession(  # noqa: N802  # the name of the class it stands for
        self, data: bytes, options: object, *, providers: list[str], enable_fallback: int
    ) -> SimpleNamespace:
        assert enable_fallback == 0
        self.asked.append(providers)
        if "broken" in self.usable and CUDA in providers:
            raise RuntimeError("CUDA failure 35: driver is too old")
        used = [provider for provider in providers if provider in self.usable]
        return SimpleNamespace(
            get_providers=lambda: used,
            get_inputs=lambda: [SimpleNamespace(name="x", shape=["n"], type="tensor(float)")],
            get_outputs=lambda: [SimpleNamespace(name="y", shape=["n"], type="tensor(float)")],
        )


SPEC = GraphSpec("g.onnx", (TensorSpec("x", ("n",)),), (TensorSpec("y", ("n",)),))


def open_with(fake: FakeOrt, monkeypatch: pytest.MonkeyPatch, device: inference.Device) -> OrtGraph:
    monkeypatch.setattr(inference, "import_onnxruntime", lambda: fake)
    monkeypatch.setattr(inference, "has_cuda_device", lambda: True)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    return OrtGraph(b"", SPEC, {}, device=device)


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_cuda_is_taken_where_it_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], device: inference.Device
) -> None:
    fake = FakeOrt([CUDA, CPU], [CUDA, CPU])
    assert open_with(fake, monkeypatch, device).provider == CUDA
    assert fake.severities == [4, 2], "the process-wide logger is put back to where it was"
    assert capsys.readouterr() == ("", ""), "loading CUDA libraries says nothing"


@pytest.mark.parametrize("usable", [[CPU], [CPU, "broken"]])
def test_auto_falls_back_where_cuda_does_not_load(
    monkeypatch: pytest.MonkeyPatch, usable: list[str]
) -> None:
    fake = FakeOrt([CUDA, CPU], usable)
    assert open_with(fake, monkeypatch, "auto").provider == CPU
    assert fake.asked == [[CUDA, CPU], [CPU]]
    with pytest.raises(MissingDependencyError, match=r"could not use it\. Check nvidia-smi"):
        open_with(fake, monkeypatch, "cuda")


def test_the_cpu_build_is_never_asked_for_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeOrt([CPU], [CPU])
    assert open_with(fake, monkeypatch, "auto").provider == CPU
    assert fake.asked == [[CPU]]
    with pytest.raises(MissingDependencyError, match=r"pip install 'dtb-runtime\[gpu\]'"):
        open_with(fake, monkeypatch, "cuda")


@pytest.mark.skipif(has_cuda_device(), reason="there is a GPU, so CUDA runs and may speak")
def test_a_forecast_leaves_stdout_and_stderr_clean(tiny_folder: Path) -> None:
    code = (
        "import sys, numpy, dtb_runtime\n"
        "bundle = dtb_runtime.load_bundle(sys.argv[1])\n"
        "place = numpy.arange(12)\n"
        "matrix = 0.5 ** abs(place[:, None] - place)\n"
        "forecast = bundle.personalize(matrix).forecast('hammer')\n"
        "print(forecast.provider)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_folder)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("CPUExecutionProvider\n", "")


def test_a_graph_that_onnxruntime_cannot_read_is_named(tiny: Bundle) -> None:
    with pytest.raises(BundleError, match=r"decoder\.onnx cannot be opened by ONNX Runtime"):
        OrtGraph(b"not a graph", decoder_spec(tiny), LENGTHS, device="cpu")


@pytest.mark.parametrize(
    ("spec", "lengths", "message"),
    [
        (
            GraphSpec("d", (TensorSpec("z", ("people", "latent")),), ()),
            LENGTHS,
            "d: expected the inputs z, found latent",
        ),
        (
            GraphSpec("d", (TensorSpec("latent", ("people", "latent")),), ()),
            LENGTHS,
            "d: expected the outputs , found weights",
        ),
        (
            GraphSpec("d", (TensorSpec("latent", ("people", "latent")),), ()),
            {"latent": 4},
            r"latent must be float32 with axes \(people, 4\), but is tensor\(float\) with axes "
            r"\(people, 3\)",
        ),
        (
            GraphSpec("d", (TensorSpec("latent", ("latent",)),), ()),
            LENGTHS,
            r"latent must be float32 with axes \(3\)",
        ),
    ],
)
def test_a_graph_with_another_signature_is_refused(
    tiny_folder: Path, spec: GraphSpec, lengths: dict[str, int], message: str
) -> None:
    data = (tiny_folder / "decoder.onnx").read_bytes()
    with pytest.raises(BundleError, match=message):
        OrtGraph(data, spec, lengths, device="cpu")


def test_every_fixed_axis_has_a_length(tiny: Bundle) -> None:
    manifest: Manifest = tiny.manifest
    axes = {
        axis
        for spec in manifest.graphs.values()
        for tensor in (*spec.inputs, *spec.outputs)
        for axis in tensor.axes
    }
    assert axes - set(manifest.axis_lengths) == {"people", "time", "frames"}


def test_a_graph_that_fails_while_it_runs_is_a_sentence(tiny: Bundle, tiny_folder: Path) -> None:
    spec = decoder_spec(tiny)
    graph = OrtGraph((tiny_folder / spec.file).read_bytes(), spec, LENGTHS, device="cpu")
    with pytest.raises(BundleError, match=r"decoder\.onnx failed in ONNX Runtime: .*Export the"):
        graph.run(np.zeros((2, 7), np.float32))
