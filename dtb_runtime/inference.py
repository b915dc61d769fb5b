"""ONNX Runtime behind one small class: which provider, how many threads, what shapes.

onnxruntime is imported here and only when a graph is opened, so that `import dtb_runtime` works
without it and stays fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .bundle_layout import GraphSpec, TensorSpec
from .errors import BundleError, MissingDependencyError, UsageError
from .tables import listed_names, one_line, shortened

Device = Literal["auto", "cpu", "cuda"]

CPU: Final = "CPUExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
_ORT_FATAL: Final = 4
_ORT_WARNING: Final = 2  # the level ONNX Runtime starts with

PEOPLE_PER_CALL = 16
"""How many people's main networks to run at once on a CPU: what a step costs however many there are
is shared by them; more than this need memory and save nothing."""
PEOPLE_PER_CALL_CUDA = 64
"""The same on a GPU, which does their products side by side."""


class OrtGraph:
    """One ONNX graph, ready to run.

    Immutable, and `run` may be called from several threads at once.

    Parameters
    ----------
    data : bytes
        The ONNX file, already scanned.
    spec : GraphSpec
        What the graph must take and give.
    axis_lengths : mapping of str to int
        Length of each axis that is fixed.
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA where ONNX Runtime can use it, else the CPU.
    threads : int
        Threads inside one call. One is fastest for the main network: a step is too small to share.
    arrays : mapping of str to numpy.ndarray, optional
        float32 arrays that take the place of arrays of the file, by name, shape for shape.
    is_optimized : bool
        Whether `data` is what `optimized` returned here before: then it opens more quickly.

    Raises
    ------
    MissingDependencyError
        ONNX Runtime is not installed, or CUDA was asked for and cannot be used.
    UsageError
        No such device, or less than one thread.
    BundleError
        ONNX Runtime cannot read the graph, or its inputs and outputs are not those of `spec`.
    """

    __slots__ = ("_arrays", "_file", "_inputs", "_ort_session", "_outputs", "provider")

    provider: str
    """Execution provider that runs the graph, e.g. ``"CPUExecutionProvider"``."""

    def __init__(
        self,
        data: bytes,
        spec: GraphSpec,
        axis_lengths: Mapping[str, int],
        *,
        device: Device = "auto",
        threads: int = 1,
        arrays: Mapping[str, NDArray[np.float32]] | None = None,
        is_optimized: bool = False,
    ) -> None:
        check_device(device, threads)
        ort = import_onnxruntime()
        options = _options(ort, threads)
        # Kept: the session reads them for as long as it lives.
        self._arrays = {
            name: ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array, np.float32))
            for name, array in (arrays or {}).items()
        }
        for name, value in self._arrays.items():
            options.add_initializer(name, value)
        if is_optimized:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._file = spec.file
        self._inputs = tuple(tensor.name for tensor in spec.inputs)
        self._outputs = [tensor.name for tensor in spec.outputs]
        self._ort_session = _open(ort, data, spec.file, device, options)
        self.provider = self._ort_session.get_providers()[0]
        for side, specs, found in (
            ("inputs", spec.inputs, self._ort_session.get_inputs()),
            ("outputs", spec.outputs, self._ort_session.get_outputs()),
        ):
            _check_tensors(spec.file, side, specs, found, axis_lengths)

    def run(self, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Outputs of the graph in the order of its spec.

        Parameters
        ----------
        *inputs : numpy.ndarray, float32
            In the order of the spec, with the shapes that it states.

        Raises
        ------
        BundleError
            ONNX Runtime fails inside the graph.
        """
        feed = dict(zip(self._inputs, inputs, strict=True))
        try:
            return tuple(self._ort_session.run(self._outputs, feed))
        except Exception as cause:  # onnxruntime has no common class for its errors
            raise BundleError(
                f"{self._file} failed in ONNX Runtime: {_reason(cause)}. Export the bundle again."
            ) from cause


def optimized(data: bytes, file: str) -> bytes:
    """A graph as ONNX Runtime rewrites it for this processor, to be opened here many times.

    Where no temporary file can be written, which ONNX Runtime needs for this, the graph as it is.

    Raises
    ------
    BundleError
        ONNX Runtime cannot read the graph.
    """
    ort = import_onnxruntime()
    options = _options(ort, 1)
    try:
        with tempfile.TemporaryDirectory(prefix="dtb-") as folder:
            path = Path(folder, "optimized.onnx")
            options.optimized_model_filepath = str(path)
            _new_session(ort, data, file, options, [CPU])
            return path.read_bytes()
    except OSError:
        return data


def check_device(device: str, threads: int) -> None:
    """Raise `UsageError` unless there is such a device and at least one thread."""
    if device not in get_args(Device):
        raise UsageError(f"device must be one of {', '.join(get_args(Device))}, found {device!r}.")
    if threads < 1:
        raise UsageError(f"threads must be at least 1, found {threads}.")


def import_onnxruntime() -> ModuleType:
    """The onnxruntime package.

    Raises
    ------
    MissingDependencyError
        It is not installed, or its installation is broken; the message has the pip command.

    Notes
    -----
    Since version 1.29 it sends what it runs, on what machine, to its maker, and keeps a number for
    the machine in the home folder, unless this variable is set before it is loaded.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as cause:
        if isinstance(cause, ModuleNotFoundError) and cause.name == "onnxruntime":
            raise MissingDependencyError(
                "Running a bundle needs ONNX Runtime, which is not installed. Install it with: "
                "pip install 'dtb-runtime[cpu]' (with an NVIDIA GPU: pip install "
                "'dtb-runtime[gpu]')."
            ) from cause
        raise MissingDependencyError(f"{_BROKEN} ({cause})") from cause
    if not hasattr(onnxruntime, "InferenceSession"):
        # What is left after one of the two wheels was uninstalled from under the other.
        raise MissingDependencyError(_BROKEN)
    # Where a program loaded it before us, and where the variable is not known (Windows).
    onnxruntime.disable_telemetry_events()
    module: ModuleType = onnxruntime
    return module


_BROKEN = (
    "ONNX Runtime is installed but does not load. onnxruntime and onnxruntime-gpu overwrite each "
    "other; remove both, then install one: pip uninstall -y onnxruntime onnxruntime-gpu && "
    "pip install 'dtb-runtime[cpu]'."
)


@cache
def has_cuda_device() -> bool:
    """Whether the NVIDIA driver is there and sees a device.

    ONNX Runtime's GPU build lists CUDA as available on every machine and complains on stderr when
    it then finds no GPU, so this asks the driver first.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
        count = ctypes.c_int(0)
        answers = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    except (OSError, AttributeError):
        return False
    return answers and count.value > 0


def _options(ort: ModuleType, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if threads > 1:
        # Threads that wait do so asleep: other processes may have work for the processor.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ORT_FATAL  # errors arrive as exceptions
    return options


def _open(ort: ModuleType, data: bytes, file: str, device: Device, options: Any) -> Any:
    problem = None
    if device != "cpu":
        problem = _why_no_cuda(ort)
        if problem is None:
            with _quiet(ort), contextlib.suppress(BundleError):
                ort_session = _new_session(ort, data, file, options, [CUDA, CPU])
                if ort_session.get_providers()[0] == CUDA:
                    return ort_session
            problem = (
                "ONNX Runtime could not use it. Check nvidia-smi, and install the libraries it "
                "needs with: pip install 'onnxruntime-gpu[cuda,cudnn]'"
            )
    if device == "cuda":
        raise MissingDependencyError(
            f"CUDA was asked for, but {problem}; or choose the device 'cpu' or 'auto'."
        )
    return _new_session(ort, data, file, options, [CPU])


def _why_no_cuda(ort: ModuleType) -> str | None:
    if CUDA not in ort.get_available_providers():
        return (
            f"the installed ONNX Runtime {ort.__version__} is the build without it. Install the "
            "other build with: pip uninstall -y onnxruntime && pip install 'dtb-runtime[gpu]'"
        )
    if not has_cuda_device():
        return "no NVIDIA GPU was found on this machine. Check the driver with nvidia-smi"
    return None


@contextlib.contextmanager
def _quiet(ort: ModuleType) -> Iterator[None]:
    """Keep the loading of CUDA libraries off stderr and stdout.

    What it reports goes to ONNX Runtime's process-wide logger, which has no way to ask for its
    level; it is set back to the level it starts with.
    """
    ort.set_default_logger_severity(_ORT_FATAL)
    try:
        if hasattr(ort, "preload_dlls") and "torch" not in sys.modules:
            # Finds CUDA where pip put it. It reports with print, also what it then does without.
            with contextlib.redirect_stdout(io.StringIO()):
                ort.preload_dlls()
        yield
    finally:
        ort.set_default_logger_severity(_ORT_WARNING)


def _new_session(
    ort: ModuleType, data: bytes, file: str, options: Any, providers: list[str]
) -> Any:
    try:
        # Without its own fallback: that prints on stdout, and in the middle of a run it would
        # change the provider that was reported.
        return ort.InferenceSession(data, options, providers=providers, enable_fallback=0)
    except Exception as cause:  # onnxruntime has no common class for its errors
        raise BundleError(
            f"{file} cannot be opened by ONNX Runtime {ort.__version__}: {_reason(cause)}. "
            "Export the bundle again, or update ONNX Runtime."
        ) from cause


def _reason(cause: Exception) -> str:
    return one_line(str(cause).splitlines()[0]) if str(cause) else type(cause).__name__


def _check_tensors(
    file: str,
    side: str,
    specs: tuple[TensorSpec, ...],
    found: list[Any],
    axis_lengths: Mapping[str, int],
) -> None:
    """Compare a graph's own signature with the manifest's: names, dtypes, ranks, fixed axes."""
    try:
        names = tuple(tensor.name for tensor in found)
        shapes = [list(tensor.shape) for tensor in found]
    except UnicodeDecodeError as cause:  # ONNX Runtime does not look at what names are made of
        raise BundleError(
            f"{file}: a name among its {side} is no UTF-8 text. Export the bundle again."
        ) from cause
    expected_names = tuple(spec.name for spec in specs)
    if names != expected_names:
        raise BundleError(
            f"{file}: expected the {side} {', '.join(expected_names)}, found "
            f"{listed_names(names)}. Export the bundle again."
        )
    for spec, tensor, shape in zip(specs, found, shapes, strict=True):
        expected = [axis_lengths.get(axis, axis) for axis in spec.axes]
        if tensor.type != "tensor(float)" or shape != expected:
            raise BundleError(
                f"{file}: {spec.name} must be float32 with axes {_axes(expected)}, but is "
                f"{tensor.type} with axes {_axes(shape)}. Export the bundle again."
            )


def _axes(shape: Sequence[int | str | None]) -> str:
    return f"({', '.join(shortened(str(axis)) for axis in shape)})"
