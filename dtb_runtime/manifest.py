"""The manifest of a bundle: what `manifest.json` says, typed and checked.

Version 1 of the format is written down here and nowhere else: `Manifest.from_bytes` refuses
whatever the exporter's `Manifest.to_bytes` would not have written, and `Manifest.graphs` is the
contract that the ONNX graphs must keep. docs/bundle-format.md says the same in prose.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal, cast

from .connectome import FISHER_CLIP
from .errors import BundleError, DataError
from .json_object import JsonObject
from .parcellation import Parcellation
from .tasks import DT_S, N_INPUTS, TASKS, TR_S

SCHEMA_VERSION = 1
MANIFEST_FILE = "manifest.json"
MODEL_CARD_FILE = "MODEL_CARD.md"
NORMS_FILE = "norms.npz"
MAX_BUNDLE_BYTES = 512 * 1024**2
"""Limit for all files of a bundle together; the paper's preset needs 220 MB."""

ActionReading = Literal["hazard", "density"]
TrainingKind = Literal["simulated", "semi-synthetic", "real"]
JsonValue = Any

_ACTION_READINGS = ("hazard", "density")
_TRAINING_KINDS = ("simulated", "semi-synthetic", "real")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of an ONNX graph."""

    name: str
    axes: tuple[str, ...]
    """Axis names. One that is a key of `Manifest.axis_lengths` is fixed, any other is free."""
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """One ONNX file of a bundle and what it must take and give."""

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


_EDGES = TensorSpec("edges", ("people", "edges"))
_LATENT = TensorSpec("latent", ("people", "latent"))
_WEIGHTS = TensorSpec("weights", ("people", "weights"))
_MAIN = GraphSpec(
    "main.onnx",
    inputs=(
        TensorSpec("weights", ("weights",)),
        TensorSpec("stimulus", ("time", "inputs")),
        TensorSpec("state", ("hidden",)),
    ),
    outputs=(
        TensorSpec("actions", ("time", "actions")),
        TensorSpec("bold", ("frames", "regions")),
        TensorSpec("final_state", ("hidden",)),
    ),
)
_GRAPHS_PLAIN = MappingProxyType(
    {"hypernetwork": GraphSpec("hypernetwork.onnx", (_EDGES,), (_WEIGHTS,)), "main": _MAIN}
)
_GRAPHS_LATENT = MappingProxyType(
    {
        "hypernetwork": GraphSpec("hypernetwork.onnx", (_EDGES,), (_LATENT, _WEIGHTS)),
        "decoder": GraphSpec("decoder.onnx", (_LATENT,), (_WEIGHTS,)),
        "main": _MAIN,
    }
)


@dataclass(frozen=True, slots=True)
class Normalization:
    """How numbers inside the bundle relate to measured ones."""

    bold_mean: tuple[float, ...]
    """Mean of each BOLD region in the training data, in its units."""
    bold_sd: tuple[float, ...]
    """SD of each BOLD region in the training data; forecasts are in these."""


@dataclass(frozen=True, slots=True)
class Training:
    """What the bundle was trained on and how."""

    description: str
    """In words: which data, how many people, what was simulated."""
    kind: TrainingKind
    warning: str | None
    """Sentence that every output of the bundle carries; must be there unless `kind` is real."""
    n_train: int
    n_validation: int
    n_test: int
    split: str
    """How people were assigned, in words."""
    seed: int
    epochs: int
    settings: Mapping[str, JsonValue]
    """Remaining settings of the training run, as they were."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Size and digest of one file of the bundle."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything `manifest.json` says.

    Raises
    ------
    BundleError
        From the constructor, if fields contradict each other; from `from_bytes` also if the text
        is not exactly of this version's form.
    """

    schema_version: ClassVar[int] = SCHEMA_VERSION

    name: str
    preset: str
    """Family of networks, for the reader; the runtime treats all alike."""
    created_with: Mapping[str, str]
    """Library name to version."""
    parcellation: Parcellation | None
    """Regions of the connectome; None if the inputs are no connectome's edges."""
    n_edges: int
    n_weights: int
    latent_size: int
    """Length of the latent; 0 if the hypernetwork has none."""
    hidden_size: int
    n_inputs: int
    actions: tuple[str, ...]
    """Names of the main network's action outputs."""
    bold_regions: tuple[str, ...]
    """Labels of the BOLD outputs."""
    bold_stride: int
    """Steps from one BOLD output to the next."""
    dt_s: float
    tr_s: float
    action_reading: ActionReading
    tasks: tuple[str, ...]
    """Tasks the bundle was trained on."""
    normalization: Normalization
    training: Training
    measured: Mapping[str, float]
    """Figures of the evaluation, by name."""
    files: Mapping[str, FileEntry]
    """Every file of the bundle but the manifest itself."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def n_actions(self) -> int:
        """Action outputs per step."""
        return len(self.actions)

    @property
    def n_bold(self) -> int:
        """BOLD outputs per frame."""
        return len(self.bold_regions)

    @property
    def axis_lengths(self) -> Mapping[str, int]:
        """Lengths of the axes that are the same in every call."""
        return {
            "edges": self.n_edges,
            "weights": self.n_weights,
            "latent": self.latent_size,
            "hidden": self.hidden_size,
            "inputs": self.n_inputs,
            "actions": self.n_actions,
            "regions": self.n_bold,
        }

    @property
    def graphs(self) -> Mapping[str, GraphSpec]:
        """ONNX graphs by role: ``hypernetwork``, ``main`` and, with a latent, ``decoder``."""
        return _GRAPHS_LATENT if self.latent_size else _GRAPHS_PLAIN

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that every output made with the bundle carries."""
        return () if self.training.warning is None else (self.training.warning,)

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Read and check the content of a `manifest.json`.

        Parameters
        ----------
        data : bytes
            The file as it is on disk.

        Raises
        ------
        BundleError
            Not JSON, another schema version, a byte changed since it was written, a key missing,
            unknown or of the wrong type, or fields that contradict each other.
        """
        document = JsonObject.parse(data, MANIFEST_FILE, BundleError)
        version = document.take("schema_version")
        if isinstance(version, bool) or version != SCHEMA_VERSION:
            raise BundleError(
                f"{MANIFEST_FILE}: schema_version is {version!r}, this dtb-runtime reads version "
                f"{SCHEMA_VERSION}. Update dtb-runtime, or export the bundle again."
            )
        _check_seal(data, document.text("checksum"))
        manifest = _from_json(document)
        document.close()
        return manifest

    def to_json(self) -> dict[str, JsonValue]:
        """All fields as JSON values, without the checksum that `to_bytes` adds."""
        training, parcellation = self.training, self.parcellation
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "preset": self.preset,
            "created_with": dict(self.created_with),
            "parcellation": None if parcellation is None else parcellation.to_json(),
            "n_edges": self.n_edges,
            "n_weights": self.n_weights,
            "latent_size": self.latent_size,
            "hidden_size": self.hidden_size,
            "n_inputs": self.n_inputs,
            "actions": list(self.actions),
            "bold_regions": list(self.bold_regions),
            "bold_stride": self.bold_stride,
            "dt_s": self.dt_s,
            "tr_s": self.tr_s,
            "action_reading": self.action_reading,
            "tasks": list(self.tasks),
            "graphs": _graphs_to_json(self.graphs),
            "normalization": {
                "fisher_clip": FISHER_CLIP,
                "bold_mean": list(self.normalization.bold_mean),
                "bold_sd": list(self.normalization.bold_sd),
            },
            "training": {
                "description": training.description,
                "kind": training.kind,
                "warning": training.warning,
                "n_train": training.n_train,
                "n_validation": training.n_validation,
                "n_test": training.n_test,
                "split": training.split,
                "seed": training.seed,
                "epochs": training.epochs,
                "settings": dict(training.settings),
            },
            "measured": dict(self.measured),
            "files": {
                name: {"sha256": entry.sha256, "size": entry.size}
                for name, entry in sorted(self.files.items())
            },
        }

    def to_bytes(self) -> bytes:
        """Content of `manifest.json`: the same manifest always gives the same bytes."""
        return seal(self.to_json())


def seal(document: Mapping[str, JsonValue]) -> bytes:
    """Serialize a manifest document and put its checksum in.

    The checksum is the SHA-256 of the file with 64 zeros in the checksum's own place, so every
    byte of the bundle is covered: the manifest by itself, the other files by the manifest.
    """
    blank = "0" * 64
    lines = {**document, "checksum": blank}
    text = ",\n".join(
        f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for key, value in lines.items()
    )
    data = f"{{\n{text}\n}}\n".encode()
    checksum = hashlib.sha256(data).hexdigest()
    head, _, tail = data.rpartition(blank.encode())
    return head + checksum.encode() + tail


def _check_seal(data: bytes, checksum: str) -> None:
    # rpartition as in `seal`: the checksum is the last key. A wrong place fails the comparison.
    head, _, tail = data.rpartition(checksum.encode())
    if hashlib.sha256(head + b"0" * 64 + tail).hexdigest() != checksum:
        raise BundleError(
            f"{MANIFEST_FILE} was changed after the export: its checksum does not fit. "
            "Copy the bundle again, or export it again."
        )


def _from_json(document: JsonObject) -> Manifest:
    parcellation = document.optional_child("parcellation")
    manifest = Manifest(
        name=document.text("name"),
        preset=document.text("preset"),
        created_with=_texts_by_key(document.child("created_with")),
        parcellation=None if parcellation is None else _parcellation_from_json(parcellation),
        n_edges=document.integer("n_edges", minimum=1),
        n_weights=document.integer("n_weights", minimum=1),
        latent_size=document.integer("latent_size", minimum=0),
        hidden_size=document.integer("hidden_size", minimum=1),
        n_inputs=document.integer("n_inputs", minimum=1),
        actions=document.texts("actions", unique=True),
        bold_regions=document.texts("bold_regions", unique=True),
        bold_stride=document.integer("bold_stride", minimum=1),
        dt_s=document.number("dt_s"),
        tr_s=document.number("tr_s"),
        action_reading=cast(ActionReading, _one_of(document, "action_reading", _ACTION_READINGS)),
        tasks=document.texts("tasks", unique=True),
        normalization=_normalization_from_json(document.child("normalization")),
        training=_training_from_json(document.child("training")),
        measured=_numbers_by_key(document.child("measured")),
        files=_files_from_json(document.child("files")),
    )
    if document.take("graphs") != _graphs_to_json(manifest.graphs):
        raise BundleError(
            f"{MANIFEST_FILE}, graphs: files, inputs and outputs are not those of a version "
            f"{SCHEMA_VERSION} bundle with latent_size {manifest.latent_size}. "
            "Export the bundle again."
        )
    return manifest


def _one_of(document: JsonObject, key: str, allowed: tuple[str, ...]) -> str:
    value = document.text(key)
    if value not in allowed:
        raise BundleError(
            f"{document.where}, {key}: expected {' or '.join(map(repr, allowed))}, found {value!r}."
        )
    return value


def _texts_by_key(document: JsonObject) -> Mapping[str, str]:
    return MappingProxyType({key: document.text(key) for key in document.remaining_keys()})


def _numbers_by_key(document: JsonObject) -> Mapping[str, float]:
    return MappingProxyType({key: document.number(key) for key in document.remaining_keys()})


def _normalization_from_json(document: JsonObject) -> Normalization:
    clip = document.number("fisher_clip")
    if clip != FISHER_CLIP:
        raise BundleError(
            f"{document.where}, fisher_clip: expected {FISHER_CLIP}, found {clip}. "
            "Export the bundle again with this version of dtb-runtime."
        )
    normalization = Normalization(document.numbers("bold_mean"), document.numbers("bold_sd"))
    document.close()
    return normalization


def _training_from_json(document: JsonObject) -> Training:
    training = Training(
        description=document.text("description"),
        kind=cast(TrainingKind, _one_of(document, "kind", _TRAINING_KINDS)),
        warning=document.optional_text("warning"),
        n_train=document.integer("n_train", minimum=0),
        n_validation=document.integer("n_validation", minimum=0),
        n_test=document.integer("n_test", minimum=0),
        split=document.text("split"),
        seed=document.integer("seed", minimum=0),
        epochs=document.integer("epochs", minimum=0),
        settings=MappingProxyType(dict(document.child("settings").rest())),
    )
    document.close()
    return training


def _files_from_json(document: JsonObject) -> Mapping[str, FileEntry]:
    entries = {}
    for name in document.remaining_keys():
        entry = document.child(name)
        entries[name] = FileEntry(entry.text("sha256"), entry.integer("size", minimum=0))
        entry.close()
    return MappingProxyType(entries)


def _graphs_to_json(graphs: Mapping[str, GraphSpec]) -> dict[str, JsonValue]:
    def tensors(specs: tuple[TensorSpec, ...]) -> list[JsonValue]:
        return [{"name": s.name, "dtype": s.dtype, "axes": list(s.axes)} for s in specs]

    document: dict[str, JsonValue] = {"hypernetwork": None, "decoder": None, "main": None}
    for role, spec in graphs.items():
        document[role] = {
            "file": spec.file,
            "inputs": tensors(spec.inputs),
            "outputs": tensors(spec.outputs),
        }
    return document


def _parcellation_from_json(document: JsonObject) -> Parcellation:
    try:
        return Parcellation.from_json(document.rest(), document.where)
    except DataError as error:
        raise BundleError(str(error)) from error


def _check(manifest: Manifest) -> None:
    """Refuse fields that contradict each other; the message names both."""

    def require(fits: bool, sentence: str) -> None:
        if not fits:
            raise BundleError(f"{MANIFEST_FILE}: {sentence}")

    m = manifest
    require(
        _NAME.fullmatch(m.name) is not None,
        f"name must be letters, digits, '.', '_' or '-', found {m.name!r}.",
    )
    require(m.n_actions > 0, "actions must name at least one output.")
    require(m.dt_s > 0 and m.tr_s > 0, "dt_s and tr_s must be above 0.")
    n_outputs, hidden = m.n_actions + m.n_bold, m.hidden_size
    n_weights = hidden * (m.n_inputs + hidden + 2) + n_outputs * (hidden + 1)
    require(
        m.n_weights == n_weights,
        f"n_weights is {m.n_weights}, but {m.n_inputs} inputs, {hidden} hidden units and "
        f"{n_outputs} outputs make {n_weights}.",
    )
    for key, values in (
        ("bold_mean", m.normalization.bold_mean),
        ("bold_sd", m.normalization.bold_sd),
    ):
        require(
            len(values) == m.n_bold,
            f"normalization, {key} has {len(values)} values for {m.n_bold} bold_regions.",
        )
    require(min(m.normalization.bold_sd, default=1.0) > 0, "every bold_sd must be above 0.")
    _check_regions(m, require)
    _check_tasks(m, require)
    warning = m.training.warning
    require(
        m.training.kind == "real" or warning is not None,
        f"training kind is {m.training.kind!r}, so training must hold the warning that every "
        "output carries, but it is null.",
    )
    expected = {spec.file for spec in m.graphs.values()} | {NORMS_FILE, MODEL_CARD_FILE}
    require(
        set(m.files) == expected,
        f"files must list exactly {', '.join(sorted(expected))}, "
        f"found {', '.join(sorted(m.files)) or 'none'}.",
    )
    for name, entry in m.files.items():
        require(
            _SHA256.fullmatch(entry.sha256) is not None,
            f"files, {name}: sha256 must be 64 lower-case hex digits.",
        )
    total = sum(entry.size for entry in m.files.values())
    require(
        total <= MAX_BUNDLE_BYTES,
        f"the files are {total / 1e6:.0f} MB, more than the limit of "
        f"{MAX_BUNDLE_BYTES / 1e6:.0f} MB.",
    )


def _check_regions(m: Manifest, require: Any) -> None:
    if m.parcellation is None:
        require(not m.tasks, "a bundle with tasks needs a parcellation, found null.")
        return
    labels = set(m.parcellation.labels)
    n_edges = len(labels) * (len(labels) - 1) // 2
    require(
        m.n_edges == n_edges,
        f"n_edges is {m.n_edges}, but {len(labels)} regions make {n_edges}.",
    )
    named = {"bold_regions": m.bold_regions, **m.parcellation.structures}
    for key, regions in named.items():
        unknown = [label for label in regions if label not in labels]
        require(
            not unknown,
            f"{key} names {', '.join(unknown[:5])}, which the parcellation does not have.",
        )


def _check_tasks(m: Manifest, require: Any) -> None:
    for name in m.tasks:
        require(
            name in TASKS,
            f"task {name!r} is not known to this dtb-runtime (it knows {', '.join(TASKS)}). "
            "Update dtb-runtime.",
        )
        n_options = len(TASKS[name].options)
        require(
            m.n_actions >= n_options,
            f"task {name!r} needs {n_options} actions, found {m.n_actions}.",
        )
    if m.tasks:
        require(
            m.n_inputs == N_INPUTS and m.dt_s == DT_S and m.tr_s == TR_S,
            f"tasks need n_inputs {N_INPUTS}, dt_s {DT_S} and tr_s {TR_S}, "
            f"found {m.n_inputs}, {m.dt_s} and {m.tr_s}.",
        )
        require(
            math.isclose(m.bold_stride * m.dt_s, m.tr_s),
            f"bold_stride {m.bold_stride} x dt_s {m.dt_s} s is not tr_s {m.tr_s} s.",
        )
