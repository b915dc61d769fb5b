"""A bundle's graphs laid out as NVIDIA Triton's model repository, for its ONNX Runtime backend.

Nothing is converted: the graphs are the bundle's own files, and ``config.pbtxt`` says of each what
the manifest says. Needs neither PyTorch nor ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dtb_runtime.atomic import check_free, write_files
from dtb_runtime.bundle_files import BundleFiles
from dtb_runtime.bundle_layout import GraphSpec, TensorSpec
from dtb_runtime.inference import PEOPLE_PER_CALL

CONFIG_FILE, GRAPH_FILE = "config.pbtxt", "model.onnx"
VERSION = "1"
"""Triton's versions are whole numbers; whose graphs these are is said by the bundle's digest."""
PEOPLE = "people"
"""The axis along which requests can be put together."""
QUEUE = 256
"""Requests that wait for a network; Triton refuses one more."""
_NOT_SERVED = ("runs",)  # a person's weights take the place of arrays in it, which Triton cannot do
_ONE_THREAD = ("decoder", "main")  # a step is too small to share; see `dtb_runtime.inference`


def write_triton_repository(
    files: BundleFiles, folder: Path, *, force: bool = False
) -> tuple[Path, ...]:
    """Write a bundle's graphs as models ``<bundle>-hypernetwork``, ``<bundle>-main`` and so on.

    Parameters
    ----------
    files : BundleFiles
        Verified; see `read_bundle_files`.
    folder : pathlib.Path
        The repository, made if it is not there. Models of other bundles in it stay.
    force : bool
        Replace these files where they are there already.

    Returns
    -------
    tuple of pathlib.Path

    Raises
    ------
    OutputError
        A file is there already and `force` is not set, or one cannot be written. What was not
        there before is not there then.
    """
    contents = {folder / place: data for place, data in _model_files(files)}
    for path in contents:
        check_free(path.parent, [path.name], force=force)
    new = [path for path in contents if not path.exists()]
    kept = folder if folder.exists() else None
    try:
        for path, data in contents.items():
            write_files(path.parent, {path.name: data}, force=force)
    except BaseException:
        _take_back(new, kept)
        raise
    return tuple(contents)


def _model_files(files: BundleFiles) -> Iterator[tuple[str, bytes]]:
    """Place in the repository and content; a model's configuration comes last."""
    for role, spec in files.manifest.graphs.items():
        if role not in _NOT_SERVED:
            model = f"{files.manifest.name}-{role}"
            yield f"{model}/{VERSION}/{GRAPH_FILE}", files.contents[spec.file]
            yield f"{model}/{CONFIG_FILE}", config_text(files, role).encode()


def config_text(files: BundleFiles, role: str) -> str:
    """``config.pbtxt`` of one graph: Triton's ``ModelConfig`` in the text format of protobuf.

    Parameters
    ----------
    files : BundleFiles
    role : str
        A key of `Manifest.graphs`.
    """
    manifest = files.manifest
    spec, lengths = manifest.graphs[role], manifest.axis_lengths
    is_batched = all(tensor.axes[0] == PEOPLE for tensor in (*spec.inputs, *spec.outputs))
    lines = [
        f"# Graph {spec.file} of bundle {manifest.name}, written by dtb-run export --triton.",
        f"name: {_quoted(f'{manifest.name}-{role}')}",
        'backend: "onnxruntime"',
        *(_batching() if is_batched else _no_batching(spec)),
        *_tensors("input", spec.inputs, lengths, is_batched=is_batched),
        *_tensors("output", spec.outputs, lengths, is_batched=is_batched),
        "# On a GPU where there is one. On a CPU each instance takes one request at a time: count",
        "# them as the cores.",
        "instance_group [ { kind: KIND_AUTO count: 1 } ]",
        "version_policy { latest { num_versions: 1 } }",
    ]
    if role in _ONE_THREAD:
        lines += ["# A step of the network is too small to share.", *_parameter(*_THREADS)]
    lines += _parameter("bundle_digest", files.digest)
    for k, warning in enumerate(manifest.warnings, start=1):
        lines += _parameter(f"warning_{k}", warning)
    return "\n".join(lines) + "\n"


_THREADS = ("intra_op_thread_count", "1")


def _batching() -> list[str]:
    return [
        "# People are the first axis of every tensor, so requests that wait are put together;",
        "# nobody waits for more of them to come.",
        f"max_batch_size: {PEOPLE_PER_CALL}",
        "dynamic_batching {",
        f"  default_queue_policy {{ max_queue_size: {QUEUE} }}",
        "}",
    ]


def _no_batching(spec: GraphSpec) -> list[str]:
    others = [tensor.name for tensor in (*spec.inputs, *spec.outputs) if tensor.axes[0] != PEOPLE]
    return [
        f"# People are not the first axis of {', '.join(others)}, so Triton cannot put requests",
        "# together; one request may bring several people. Triton must be told inputs and outputs:",
        "# left to itself it would take the first axis of each for one to batch along.",
        "max_batch_size: 0",
    ]


def _tensors(
    field: str, tensors: Sequence[TensorSpec], lengths: Mapping[str, int], *, is_batched: bool
) -> Iterator[str]:
    for tensor in tensors:
        axes = tensor.axes[1:] if is_batched else tensor.axes
        dims = ", ".join(str(lengths.get(axis, -1)) for axis in axes)
        yield f"{field} {{"
        yield f"  name: {_quoted(tensor.name)}"
        yield "  data_type: TYPE_FP32"
        yield f"  dims: [ {dims} ]  # {', '.join(axes)}"
        yield "}"


def _parameter(key: str, value: str) -> list[str]:
    return [
        "parameters {",
        f"  key: {_quoted(key)}",
        f"  value {{ string_value: {_quoted(value)} }}",
        "}",
    ]


def _quoted(text: str) -> str:
    """A string of the text format: its bytes in UTF-8, all but printable ASCII as octal escapes."""
    escaped = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\' else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{"".join(escaped)}"'


def _take_back(new: Sequence[Path], kept: Path | None) -> None:
    """Remove files that were not there before, and folders that are empty then but for one."""
    for path in new:
        with suppress(OSError):  # it was never there, as below something that is no folder
            path.unlink()
    places = {place for path in new for place in (path.parent, path.parent.parent)} - {kept}
    for place in sorted(places, key=lambda place: len(place.parts), reverse=True):
        with suppress(OSError):  # it holds something else, or was never made
            place.rmdir()
