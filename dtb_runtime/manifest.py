"""The manifest of a bundle: what `manifest.json` says, typed and checked.

Version 1 of the format is written down here and in the modules beside it, and nowhere else:
`bundle_layout` (files, graphs), `manifest_sections` (its nested objects), `manifest_checks` (what
must go together). `Manifest.from_bytes` refuses whatever the exporter's `Manifest.to_bytes` would
not have written. docs/bundle-format.md says the same in prose.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal, get_args

from .bundle_layout import MANIFEST_FILE, GraphSpec, graphs_of
from .errors import BundleError, DataError
from .json_object import JsonObject, kind_of
from .manifest_checks import check_manifest
from .manifest_sections import FileEntry, Normalization, Training
from .parcellation import Parcellation

SCHEMA_VERSION = 1

ActionReading = Literal["hazard", "density"]


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
        check_manifest(self)

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
            "outputs": self.n_actions + self.n_bold,
        }

    def n_frames(self, n_steps: int) -> int:
        """BOLD frames that the main network gives in so many steps."""
        return -(-n_steps // self.bold_stride)

    @property
    def graphs(self) -> Mapping[str, GraphSpec]:
        """ONNX graphs by role; see `graphs_of`."""
        return graphs_of(self.latent_size)

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
                f"{MANIFEST_FILE}: schema_version is {kind_of(version)}, this dtb-runtime reads "
                f"version {SCHEMA_VERSION}. Update dtb-runtime, or export the bundle again."
            )
        _check_seal(data, document.text("checksum"))
        manifest = _from_json(document)
        document.close()
        return manifest

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON values, without the checksum that `to_bytes` adds."""
        parcellation = self.parcellation
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
            "normalization": self.normalization.to_json(),
            "training": self.training.to_json(),
            "measured": dict(self.measured),
            "files": {name: entry.to_json() for name, entry in sorted(self.files.items())},
        }

    def to_bytes(self) -> bytes:
        """Content of `manifest.json`: the same manifest always gives the same bytes."""
        return seal(self.to_json())


def seal(document: Mapping[str, Any]) -> bytes:
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
        created_with=_texts(document.child("created_with")),
        parcellation=None if parcellation is None else _parcellation(parcellation),
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
        action_reading=document.one_of("action_reading", get_args(ActionReading)),
        tasks=document.texts("tasks", unique=True),
        normalization=Normalization.from_json(document.child("normalization")),
        training=Training.from_json(document.child("training")),
        measured=_numbers(document.child("measured")),
        files=_files(document.child("files")),
    )
    if document.take("graphs") != _graphs_to_json(manifest.graphs):
        raise BundleError(
            f"{MANIFEST_FILE}, graphs: files, inputs and outputs are not those of a version "
            f"{SCHEMA_VERSION} bundle with latent_size {manifest.latent_size}. "
            "Export the bundle again."
        )
    return manifest


def _texts(document: JsonObject) -> Mapping[str, str]:
    return MappingProxyType({key: document.text(key) for key in document.remaining_keys()})


def _numbers(document: JsonObject) -> Mapping[str, float]:
    return MappingProxyType({key: document.number(key) for key in document.remaining_keys()})


def _files(document: JsonObject) -> Mapping[str, FileEntry]:
    names = document.remaining_keys()
    return MappingProxyType({name: FileEntry.from_json(document.child(name)) for name in names})


def _graphs_to_json(graphs: Mapping[str, GraphSpec]) -> dict[str, Any]:
    absent: dict[str, Any] = {"hypernetwork": None, "decoder": None, "main": None}
    return absent | {role: spec.to_json() for role, spec in graphs.items()}


def _parcellation(document: JsonObject) -> Parcellation:
    try:
        return Parcellation.from_json(document.rest(), document.where)
    except DataError as error:
        raise BundleError(str(error)) from error
