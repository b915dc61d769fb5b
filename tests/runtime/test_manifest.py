"""The manifest: strict in, the same bytes out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from dtb_runtime.bundle_layout import MANIFEST_FILE, MAX_BUNDLE_BYTES
from dtb_runtime.errors import BundleError
from dtb_runtime.manifest import Manifest, seal
from dtb_runtime.manifest_sections import participant_digest

Document = dict[str, Any]


@pytest.fixture
def document(tiny_folder: Path) -> Document:
    """The tiny bundle's manifest as JSON, without its checksum."""
    values: Document = json.loads((tiny_folder / MANIFEST_FILE).read_bytes())
    del values["checksum"]
    return values


def parse(document: Document) -> Manifest:
    return Manifest.from_bytes(seal(document))


def test_reading_and_writing_gives_the_same_bytes(tiny_folder: Path) -> None:
    data = (tiny_folder / MANIFEST_FILE).read_bytes()
    assert Manifest.from_bytes(data).to_bytes() == data


def test_fields_are_typed(tiny_folder: Path) -> None:
    manifest = Manifest.from_bytes((tiny_folder / MANIFEST_FILE).read_bytes())
    assert manifest.name == "tiny"
    assert manifest.n_actions == 3
    assert manifest.n_bold == 12
    assert manifest.axis_lengths["edges"] == 66
    assert manifest.n_weights == 8 * (9 + 8 + 2) + 15 * 9
    assert manifest.parcellation is not None
    assert manifest.parcellation.structures["right_amygdala"] == ("lAMY-rh",)
    assert manifest.training.kind == "simulated"
    assert manifest.warnings == (manifest.training.warning,)
    assert set(manifest.graphs) == {"hypernetwork", "decoder", "main"}
    assert manifest.graphs["main"].inputs[1].axes == ("time", "inputs")


def test_it_cannot_be_changed(tiny_folder: Path) -> None:
    manifest = Manifest.from_bytes((tiny_folder / MANIFEST_FILE).read_bytes())
    with pytest.raises(FrozenInstanceError):
        manifest.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        manifest.files["more"] = manifest.files["main.onnx"]  # type: ignore[index]


def test_every_flipped_byte_is_noticed(tiny_folder: Path) -> None:
    data = (tiny_folder / MANIFEST_FILE).read_bytes()
    for at in range(len(data)):
        changed = bytes((*data[:at], data[at] ^ 1, *data[at + 1 :]))
        with pytest.raises(BundleError, match=MANIFEST_FILE):
            Manifest.from_bytes(changed)


@pytest.mark.parametrize(
    "inside", ["", "training", "normalization", "parcellation", "files/main.onnx"]
)
def test_a_missing_and_an_unknown_key_are_refused_by_name(document: Document, inside: str) -> None:
    def part(values: Document) -> Document:
        for key in filter(None, inside.split("/")):
            values = values[key]
        return values

    for key in part(document):
        if inside == "" and key in ("latent_size", "schema_version"):
            continue
        changed = json.loads(json.dumps(document))
        del part(changed)[key]
        with pytest.raises(BundleError, match=f"the key '{key}' is missing"):
            parse(changed)
    changed = json.loads(json.dumps(document))
    part(changed)["invented"] = 1
    with pytest.raises(BundleError, match="unknown key 'invented'"):
        parse(changed)


def test_another_version_is_named_before_anything_else(document: Document) -> None:
    with pytest.raises(BundleError, match="schema_version is 2, this dtb-runtime reads version 1"):
        parse({"schema_version": 2, "new": True})
    with pytest.raises(BundleError, match="schema_version is True"):
        parse({**document, "schema_version": True})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[1]", "expected a JSON object, found a list"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a":' + b"[" * 100_000, "not valid JSON"),
        (b"{}", "the key 'schema_version' is missing"),
        (b'{"schema_version": 1}', "the key 'checksum' is missing"),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Manifest.from_bytes(data)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "../up", "name must be letters, digits"),
        ("name", 3, "name: expected one line of text, found 3"),
        ("name", "a\nb", "name: expected one line of text"),
        ("preset", None, "preset: expected one line of text, found null"),
        ("n_edges", 65, "n_edges is 65, but 12 regions make 66"),
        ("n_edges", 66.0, "n_edges: expected a whole number of at least 1, found 66.0"),
        ("n_edges", True, "n_edges: expected a whole number of at least 1, found True"),
        ("n_weights", 288, "n_weights is 288, but 9 inputs, 8 hidden units and 15 outputs make"),
        ("hidden_size", 0, "hidden_size: expected a whole number of at least 1"),
        ("dt_s", "fast", "dt_s: expected a number, found 'fast'"),
        ("dt_s", 0.1, "tasks need n_inputs 9, dt_s 0.08 and tr_s 0.8"),
        ("bold_stride", 5, "bold_stride 5 x dt_s 0.08 s is not tr_s 0.8 s"),
        ("actions", ["a", "a", "b"], "actions: 'a' stands there twice"),
        ("actions", [], "actions must name at least one output"),
        ("actions", "abc", "actions: expected a list of texts, found 'abc'"),
        ("action_reading", "guess", "expected 'hazard' or 'density', found 'guess'"),
        ("tasks", ["chess"], "task 'chess' is not known to this dtb-runtime"),
        ("parcellation", None, "a bundle with tasks needs a parcellation"),
        ("graphs", {}, "graphs: files, inputs and outputs are not those of a version 1"),
        ("measured", {"figure": "high"}, "measured, figure: expected a number"),
        ("created_with", {"numpy": 2}, "created_with, numpy: expected one line of text"),
        ("files", {}, "files must list exactly MODEL_CARD.md, decoder.onnx"),
        ("latent_size", 0, "files must list exactly MODEL_CARD.md, hypernetwork.onnx, main.onnx"),
    ],
)
def test_a_bad_field_is_named(document: Document, key: str, value: object, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        parse({**document, key: value})


def test_a_number_that_json_cannot_hold_is_refused(document: Document) -> None:
    data = seal({**document, "tr_s": 123456.75}).replace(b"123456.75", b"123456e999")
    checksum = json.loads(data)["checksum"].encode()
    blank = data.replace(checksum, b"0" * 64)
    resealed = blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode())
    with pytest.raises(BundleError, match="tr_s: expected a finite number, found inf"):
        Manifest.from_bytes(resealed)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../main.onnx", "sub/main.onnx", "..", "main.onnx\0", "C:\\main.onnx"]
)
def test_no_file_outside_the_folder_can_be_named(document: Document, name: str) -> None:
    files = {**document["files"], name: document["files"]["main.onnx"]}
    with pytest.raises(BundleError, match=r"files must list exactly|names on one line"):
        parse({**document, "files": files})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"size": MAX_BUNDLE_BYTES}, "more than the limit of 537 MB"),
        ({"size": -1}, "size: expected a whole number of at least 0"),
        ({"sha256": "abc"}, "sha256 must be 64 lower-case hex digits"),
    ],
)
def test_a_bad_file_entry_is_refused(document: Document, entry: Document, message: str) -> None:
    document["files"]["main.onnx"] |= entry
    with pytest.raises(BundleError, match=message):
        parse(document)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["normalization"]["bold_sd"].pop(), "bold_sd has 11 values for 12"),
        (lambda d: d["normalization"]["bold_sd"].__setitem__(0, 0.0), "bold_sd must be above 0"),
        (lambda d: d["normalization"].update(fisher_clip=0.99), "fisher_clip: expected 0.999999"),
        (lambda d: d["bold_regions"].__setitem__(0, "Nowhere"), "bold_regions names Nowhere"),
        (lambda d: d["parcellation"]["x"].pop(), "12 labels but 11 values of x"),
        (lambda d: d["parcellation"]["labels"].__setitem__(1, "L_Vis1"), "more than one region"),
        (lambda d: d["parcellation"]["structures"].update(s=["?"]), "structure 's' names '\\?'"),
        (lambda d: d["training"].update(warning=None), "must hold the warning"),
        (lambda d: d["training"].update(warning="  "), "warning: expected one line of text"),
        (lambda d: d["training"].update(kind="imagined"), "found 'imagined'"),
        (lambda d: d["training"].update(settings=[]), "settings: expected a JSON object"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    document: Document, change: Callable[[Document], object], message: str
) -> None:
    change(document)
    with pytest.raises(BundleError, match=message):
        parse(document)


def test_real_data_needs_no_warning(document: Document) -> None:
    document["training"] |= {"kind": "real", "warning": None}
    assert parse(document).warnings == ()


def test_the_constructor_checks_too(tiny_folder: Path) -> None:
    manifest = Manifest.from_bytes((tiny_folder / MANIFEST_FILE).read_bytes())
    with pytest.raises(BundleError, match="n_weights is 1, but"):
        replace(manifest, n_weights=1)


def test_who_was_trained_on_may_be_said_and_is_kept(document: Document) -> None:
    digests = [participant_digest("sub-01"), participant_digest("sub-02")]
    assert digests[0] == hashlib.sha256(b"sub-01").hexdigest()[:16]
    assert parse(document).training.participants is None
    document["training"]["participants"] = digests
    manifest = parse(document)
    assert manifest.training.participants == tuple(digests)
    assert manifest.to_bytes() == seal(document)
    with pytest.raises(BundleError, match="16 hexadecimal digits each, found 'sub-01'"):
        document["training"]["participants"] = ["sub-01"]
        parse(document)
