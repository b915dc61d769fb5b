"""What the graphs of a bundle must be, as code.

A graph can break these rules and still run: with BOLD read out at another stride a forecast has
the wrong number of frames, with an ignored `state` a run that is continued starts over in silence,
with the input product inside the `Scan` every forecast is slower, with a newer opset the bundle
opens here and not on the next machine. So the exporter checks every bundle before it is put in
place, and ``dtb-run inspect`` checks it again where `onnx` is installed. What only needs ONNX
Runtime (names, dtypes and axes of the inputs and outputs) the runtime also checks at each load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from dtb_runtime.bundle_layout import MANIFEST_FILE, RECURRENT_ARRAY, TensorSpec
from dtb_runtime.errors import BundleError
from dtb_runtime.manifest import Manifest
from dtb_runtime.onnx_scan import ALLOWED_OPERATORS

from .graph_parts import IR_VERSION, OPSET

Check = Callable[[str, onnx.ModelProto, Manifest], str | None]
"""Takes the role of a graph, the graph and the manifest; returns what is wrong, or None."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the contract."""

    sentence: str
    """What holds, as `dtb-run inspect` prints it."""
    check: Check


RULES: list[Rule] = []
"""Every rule, in the order in which they are checked."""

_STORED = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64)
_PRODUCTS = ("Gemm", "MatMul")
_OF_MAIN = ("main", "runs")


def check_contract(folder: Path | str) -> tuple[str, ...]:
    """Check the graphs of a bundle folder against its manifest.

    Parameters
    ----------
    folder : Path or str
        A bundle. Sizes and digests are not looked at; `dtb_runtime.load_bundle` does that.

    Returns
    -------
    tuple of str
        The rules that were checked, one sentence each.

    Raises
    ------
    BundleError
        If a file cannot be read, or a graph breaks a rule; all breaches are named.
    """
    folder = Path(folder)
    try:
        manifest = Manifest.from_bytes((folder / MANIFEST_FILE).read_bytes())
        graphs = {role: (folder / spec.file).read_bytes() for role, spec in manifest.graphs.items()}
    except OSError as error:
        raise BundleError(
            f"{folder} is not a complete bundle: {error.strerror or error} "
            f"({error.filename}). Export it again."
        ) from error
    return check_graphs(graphs, manifest)


def check_graphs(graphs: Mapping[str, bytes], manifest: Manifest) -> tuple[str, ...]:
    """Check graphs, given as file content by role, against a manifest; see `check_contract`."""
    found = breaches(
        {role: _parsed(data, f"{role}.onnx") for role, data in graphs.items()},
        manifest,
    )
    if found:
        raise BundleError(
            f"The bundle {manifest.name!r} breaks its contract: {' '.join(found)} "
            "Export it again with `dtb-run export`."
        )
    return tuple(rule.sentence for rule in RULES)


def breaches(models: Mapping[str, onnx.ModelProto], manifest: Manifest) -> tuple[str, ...]:
    """Return a sentence for every rule that a graph breaks, none if all hold."""
    missing = sorted(set(manifest.graphs) ^ set(models))
    if missing:
        return (f"The graphs must be {', '.join(manifest.graphs)}; differing: {missing}.",)
    return tuple(
        f"{manifest.graphs[role].file}: {sentence}"
        for role, model in models.items()
        for rule in RULES
        if (sentence := rule.check(role, model, manifest)) is not None
    )


def _rule(sentence: str) -> Callable[[Check], Check]:
    """Enter a check into `RULES`."""

    def enter(check: Check) -> Check:
        RULES.append(Rule(sentence, check))
        return check

    return enter


@_rule("Each graph passes the checks of onnx itself, with types and shapes inferred throughout.")
def _is_valid_onnx(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(" .:")
        return f"onnx refuses it: {reason}."
    return None


@_rule("Each graph is written in the opset and IR version that every supported runtime reads.")
def _has_known_versions(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    opsets = [(entry.domain, entry.version) for entry in model.opset_import]
    if opsets != [("", OPSET)] or model.ir_version != IR_VERSION:
        return (
            f"it must use opset {OPSET} of the default domain and IR version {IR_VERSION}, found "
            f"{opsets} and {model.ir_version}."
        )
    return None


@_rule("Each graph uses only the operators that the runtime lets through.")
def _uses_allowed_operators(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    used = {node.op_type for graph in _graphs(model) for node in graph.node}
    unknown = sorted(used - ALLOWED_OPERATORS)
    return f"it uses the operators {', '.join(unknown)}." if unknown else None


@_rule("Each graph carries its arrays inside the file.")
def _keeps_its_data_inside(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    for graph in _graphs(model):
        for tensor in graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
                return f"the array {tensor.name} lies in another file."
    return None


@_rule("Inputs have the names, order, dtypes and axes that the manifest states.")
def _has_its_inputs(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    return _tensors_differ("inputs", model.graph.input, manifest.graphs[role].inputs, manifest)


@_rule("Outputs have the names, order, dtypes and axes that the manifest states.")
def _has_its_outputs(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    return _tensors_differ("outputs", model.graph.output, manifest.graphs[role].outputs, manifest)


@_rule("Every input, array and intermediate result of a graph reaches an output.")
def _uses_everything(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    used = {output.name for graph in _graphs(model) for output in graph.output}
    used |= {name for graph in _graphs(model) for node in graph.node for name in node.input}
    there = {tensor.name for graph in _graphs(model) for tensor in graph.initializer}
    there |= {tensor.name for graph in _graphs(model) for tensor in graph.input}
    there |= {name for graph in _graphs(model) for node in graph.node for name in node.output}
    idle = sorted(there - used)
    return f"nothing uses {', '.join(idle)}." if idle else None


@_rule("A graph of the main network has one Scan over time and the other graphs have none.")
def _steps_once_through_time(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    n_scans = sum(node.op_type == "Scan" for graph in _graphs(model) for node in graph.node)
    expected = 1 if role in _OF_MAIN else 0
    return f"it must hold {expected} Scan, found {n_scans}." if n_scans != expected else None


@_rule("Inside the Scan stands the recurrent product alone; that of the input is made before it.")
def _hoists_the_input_product(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    for graph in _graphs(model):
        products = [node for node in graph.node if node.op_type in _PRODUCTS]
        if graph is not model.graph and len(products) != 1:
            return f"a step must hold 1 matrix product, found {len(products)}."
    return None


@_rule("BOLD is read out at step 0 and every bold_stride steps from there.")
def _reads_bold_at_its_stride(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    if role not in _OF_MAIN:
        return None
    time_axis = 1 if role == "main" else 0
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    wanted = {"starts": 0, "axes": time_axis, "steps": manifest.bold_stride}
    for node in model.graph.node:
        if node.op_type == "Slice":
            names = dict(zip(("starts", "ends", "axes", "steps"), node.input[1:], strict=False))
            found = {k: [int(v) for v in arrays.get(names.get(k, ""), ())] for k in wanted}
            if found == {k: [v] for k, v in wanted.items()}:
                return None
            return f"the Slice of time must have {wanted}, found {found}."
    return f"no Slice takes steps 0, {manifest.bold_stride}, ... of time."


@_rule("The array that is replaced has its place in the recurrent product and nowhere else.")
def _replaces_one_array(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    expected = [manifest.hidden_size] * 2 if role == "runs" else None
    if shapes.get(RECURRENT_ARRAY) != expected:
        found = shapes.get(RECURRENT_ARRAY)
        return f"the array {RECURRENT_ARRAY} must have shape {expected}, found {found}."
    users = [n for g in _graphs(model) for n in g.node if RECURRENT_ARRAY in n.input]
    places = [(node.op_type, list(node.input).index(RECURRENT_ARRAY)) for node in users]
    if role == "runs" and places != [("Gemm", 1)]:
        return f"{RECURRENT_ARRAY} must be the matrix of one Gemm, found {places}."
    return None


@_rule("Arrays are float32, or float16 that is cast to float32; sizes are int64.")
def _stores_floats(role: str, model: onnx.ModelProto, manifest: Manifest) -> str | None:
    for graph in _graphs(model):
        for tensor in graph.initializer:
            if tensor.data_type not in _STORED:
                return f"the array {tensor.name} is {_dtype(tensor.data_type)}."
    return None


def _parsed(data: bytes, file: str) -> onnx.ModelProto:
    try:
        return onnx.load_model_from_string(data)
    except DecodeError as error:
        raise BundleError(
            f"{file} is not an ONNX file: {error}. Export the bundle again."
        ) from error


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """Yield the main graph, then every graph inside a node."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            waiting.extend(a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH)


def _tensors_differ(
    side: str,
    found: Iterable[onnx.ValueInfoProto],
    specs: tuple[TensorSpec, ...],
    manifest: Manifest,
) -> str | None:
    expected = [(s.name, s.dtype, [manifest.axis_lengths.get(a, a) for a in s.axes]) for s in specs]
    actual = [
        (
            value.name,
            _dtype(value.type.tensor_type.elem_type),
            [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim],
        )
        for value in found
    ]
    return f"{side} must be {expected}, found {actual}." if actual != expected else None


def _dtype(number: int) -> str:
    name = str(onnx.TensorProto.DataType.Name(number)).lower()
    return "float32" if name == "float" else name
