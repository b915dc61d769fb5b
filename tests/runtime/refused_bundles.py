"""Bundles, saved twins and plans that are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.manifest import seal
from dtb_runtime.plan import read_plan

from .refused_case import Case
from .refused_connectomes import SQUARE, TINY, npz_of
from .refused_tables import table_of


def _tiny() -> Bundle:
    return load_bundle(TINY, device="cpu")


def _bundle(damage: Callable[[Path], object]) -> Callable[[], object]:
    def refuse() -> object:
        folder = Path(shutil.copytree(TINY, "my_bundle"))
        damage(folder)
        return load_bundle(folder, device="cpu")

    return refuse


def _replaced(name: str, content: bytes | Callable[[bytes], bytes]) -> Callable[[], object]:
    """Another content with right digests, as somebody writes it who means it."""

    def damage(folder: Path) -> None:
        old = (folder / name).read_bytes()
        data = content if isinstance(content, bytes) else content(old)
        (folder / name).write_bytes(data)
        entry = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        _edit(folder, lambda document: document["files"].update({name: entry}))

    return _bundle(damage)


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / "manifest.json").read_bytes())
    del document["checksum"]
    change(document)
    (folder / "manifest.json").write_bytes(seal(document))


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[], object]:
    return _bundle(lambda folder: _edit(folder, change))


def _flipped(folder: Path) -> None:
    data = bytearray((folder / "main.onnx").read_bytes())
    data[100] ^= 1
    (folder / "main.onnx").write_bytes(data)


def _linked(folder: Path) -> None:
    (folder / "norms.npz").rename("elsewhere")
    (folder / "norms.npz").symlink_to("../elsewhere")


def _grown(folder: Path) -> None:
    with (folder / "manifest.json").open("r+b") as file:
        file.truncate(2**30)


def _more_files(document: dict[str, Any]) -> None:
    document["files"]["../../evil"] = document["files"]["main.onnx"]


def _external_data() -> bytes:
    """A model with an array whose data lie in another file, as field 14 of a TensorProto says."""
    parts = b"\x08\x08", b"\x42\x02\x10\x11", b"\x3a\x04\x2a\x02\x70\x01"
    return b"".join(parts)


BUNDLES = (
    Case("no folder", lambda: load_bundle(Path("my_bundle"))),
    Case("a folder of something else", lambda: load_bundle(Path())),
    Case("a file that is missing", _bundle(lambda folder: (folder / "norms.npz").unlink())),
    Case("a file too many", _bundle(lambda folder: (folder / "weights.bin").touch())),
    Case("a link in place of a file", _bundle(_linked)),
    Case("a changed byte", _bundle(_flipped)),
    Case("a manifest of a gigabyte", _bundle(_grown)),
    Case(
        "a manifest that was edited",
        _bundle(
            lambda folder: (folder / "manifest.json").write_bytes(
                (folder / "manifest.json").read_bytes().replace(b'"simulated"', b'"real"', 1)
            )
        ),
    ),
    Case("another version", _edited(lambda d: d.update(schema_version=2))),
    Case("an unknown key", _edited(lambda d: d.update(extra=1))),
    Case("a number beyond all sizes", _edited(lambda d: d.update(hidden_size=10**30))),
    Case("escape codes in a name", _edited(lambda d: d["measured"].update({"\x1b[31m": 1.0}))),
    Case("a path out of the folder", _edited(_more_files)),
    Case("simulated data without a warning", _edited(lambda d: d["training"].update(warning=None))),
    Case(
        "a graph with an operator that is not allowed",
        _replaced("main.onnx", lambda data: data.replace(b"Reciprocal", b"StringSpli")),
    ),
    Case("a graph with data in another file", _replaced("decoder.onnx", _external_data())),
    Case("a file that is no graph", _replaced("main.onnx", b"hello, world")),
    Case("norms that are no archive", _replaced("norms.npz", b"hello, world")),
    Case(
        "norms of other sizes",
        _replaced(
            "norms.npz", npz_of(edge_mean=np.zeros(3, np.float32), edge_similarity=np.zeros(2))
        ),
    ),
)


def _twin(content: bytes) -> Callable[[], object]:
    return table_of("twin.npz", content, lambda path: _tiny().load_twin(path))


def _twin_of_another() -> object:
    load_bundle(TINY.with_name("tiny_plain"), device="cpu").personalize_edges(
        np.zeros((1, 66), np.float32)
    )[0].save(Path("twin.npz"))
    return _tiny().load_twin("twin.npz")


def _plan(text: str) -> Callable[[], object]:
    return table_of("plan.json", text, lambda path: read_plan(path, _tiny()))


TWINS = (
    Case("no twin", _twin(b"hello, world")),
    Case("an archive of something else", _twin(npz_of(a=SQUARE))),
    Case("a twin of another version", _twin(npz_of(about=np.array('{"twin_version": 99}')))),
    Case("a twin of another bundle", _twin_of_another),
    Case("a plan that is no JSON", _plan("hello, world")),
    Case("a plan that lacks what a plan has", _plan("{}")),
    Case("a plan of another version", _plan('{"version": 99}')),
    Case(
        "a plan of another parcellation",
        _plan('{"version": 1, "bundle": "x", "bundle_digest": "0", "parcellation": "y"}'),
    ),
    Case("JSON that is nested without an end", _plan("[" * 100_000), "maximum .* string"),
    Case("a key that stands twice", _plan('{"version": 1, "version": 2}')),
)
