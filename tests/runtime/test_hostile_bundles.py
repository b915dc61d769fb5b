"""Bundles, twins and plans made to do harm, with digests that are right.

That damage is noticed is tested in `test_bundle_loading.py` and `test_manifest.py`, what graphs may
hold in `test_onnx_scan.py`.
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_files import MAX_MANIFEST_BYTES, read_manifest
from dtb_runtime.bundle_layout import MAX_BUNDLE_BYTES, NORMS_FILE
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import BundleError, PlanError, TwinError
from dtb_runtime.json_object import LARGEST_INTEGER, MAX_JSON_BYTES
from dtb_runtime.manifest import Manifest, seal
from dtb_runtime.manifest_checks import MAX_LATENT, MAX_WEIGHTS
from dtb_runtime.norms_file import MAX_NORMS_BYTES, read_norms
from dtb_runtime.onnx_scan import scan_onnx
from dtb_runtime.plan import plan_of_text, read_plan
from dtb_runtime.twin_file import MAX_FILE_BYTES

EditManifest = Callable[[Path, Callable[[dict[str, Any]], object]], None]
ReplaceFile = Callable[[Path, str, bytes], None]


@contextmanager
def at_most(megabytes: float) -> Iterator[None]:
    """See that no more memory is asked for within."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 1e6, f"{peak / 1e6:.0f} MB were asked for"


def make_long(path: Path, size: int) -> None:
    """Let a file be this long without taking room: what is not written is a hole."""
    os.truncate(path, size)


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


# ---- sizes


def test_a_manifest_of_a_gigabyte_is_refused_by_its_size(tiny_copy: Path) -> None:
    make_long(tiny_copy / "manifest.json", 2**30)
    with at_most(1), pytest.raises(BundleError, match=r"is 1073741824 bytes, more than the 16777"):
        load_bundle(tiny_copy)


@pytest.mark.parametrize("file", ["main.onnx", "norms.npz", "MODEL_CARD.md"])
def test_a_file_of_a_gigabyte_is_refused_by_its_size(tiny_copy: Path, file: str) -> None:
    make_long(tiny_copy / file, 2**30)
    with at_most(5), pytest.raises(BundleError, match=f"{file} is 1073741824 bytes, more than"):
        load_bundle(tiny_copy)


@pytest.mark.parametrize("size", [2**30, 2**53])
def test_sizes_in_the_manifest_are_limited_together(
    tiny_copy: Path, edit_manifest: EditManifest, size: int
) -> None:
    edit_manifest(tiny_copy, lambda d: d["files"]["main.onnx"].update(size=size))
    make_long(tiny_copy / "main.onnx", 2**30)
    with at_most(5), pytest.raises(BundleError, match="more than the limit of 537 MB"):
        load_bundle(tiny_copy)


@pytest.mark.parametrize("value", [10**400, 2**64, LARGEST_INTEGER + 1])
@pytest.mark.parametrize("key", ["n_edges", "n_weights", "hidden_size", "latent_size", "n_inputs"])
def test_numbers_beyond_all_sizes_are_refused(
    tiny_copy: Path, edit_manifest: EditManifest, key: str, value: int
) -> None:
    edit_manifest(tiny_copy, lambda d: d.update({key: value}))
    with pytest.raises(BundleError, match=f"{key}: expected a whole number of at most") as caught:
        load_bundle(tiny_copy)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("where", ["size", "seed"])
def test_so_are_those_inside(tiny_copy: Path, edit_manifest: EditManifest, where: str) -> None:
    def change(document: dict[str, Any]) -> None:
        holder = document["files"]["main.onnx"] if where == "size" else document["training"]
        holder[where] = 10**400

    edit_manifest(tiny_copy, change)
    with pytest.raises(BundleError, match=f"{where}: expected"):
        load_bundle(tiny_copy)


def test_a_network_that_would_fill_the_memory_is_refused(
    tiny_copy: Path, edit_manifest: EditManifest
) -> None:
    def change(document: dict[str, Any]) -> None:
        hidden, n_outputs = 10_000, len(document["actions"]) + len(document["bold_regions"])
        document["hidden_size"] = hidden
        document["n_weights"] = hidden * (document["n_inputs"] + hidden + 2)
        document["n_weights"] += n_outputs * (hidden + 1)

    edit_manifest(tiny_copy, change)
    with pytest.raises(BundleError, match=f"n_weights is 10\\d+, more than the {MAX_WEIGHTS} it"):
        load_bundle(tiny_copy)
    edit_manifest(tiny_copy, lambda d: d.update(latent_size=MAX_LATENT + 1))
    with pytest.raises(BundleError, match="more than the"):
        load_bundle(tiny_copy)


def test_very_many_regions_are_refused(tiny_folder: Path) -> None:
    document = json.loads((tiny_folder / "manifest.json").read_bytes())
    del document["checksum"]
    names = [f"r{i}" for i in range(6000)]
    blank = [""] * len(names)
    document["parcellation"] = {
        **{"name": "x", "labels": names, "network": blank, "hemisphere": blank, "structures": {}},
        **{axis: [None] * len(names) for axis in "xyz"},
    }
    with pytest.raises(BundleError, match="has 6000 regions, expected at most 5000"):
        Manifest.from_bytes(seal(document))


# ---- JSON


def json_of(kind: str) -> tuple[bytes, str]:
    """Text that is hard on readers of JSON, and what is said of it."""
    match kind:
        case "deep":
            return b'{"a": ' + deep(100_000).encode() + b"}", "is not valid JSON"
        case "open":
            return b'{"a":' * 100_000, "is not valid JSON"
        case "one key of many twice":  # looking for it must not take the square of their number
            keys = ", ".join(f'"k{i}": 0' for i in range(300_000))
            return f'{{{keys}, "k299999": 1}}'.encode(), "'k299999' stands twice"
        case "digits":
            return b'{"a": ' + b"9" * 100_000 + b"}", "is not valid JSON: Exceeds the limit"
        case "NaN":
            return b'{"a": NaN}', "NaN is not a JSON number"
        case "escape":
            return b'{"\\u001b[31m": 1, "\\u001b[31m": 2}', r"'\\x1b\[31m' stands twice"
        case "utf-16":
            return '{"a": 1}'.encode("utf-16"), "is missing|unknown key|not valid JSON"
        case "long":
            return b" " * (MAX_JSON_BYTES + 1), "of JSON; at most|MB of text; at most"
        case _:
            return b"\xff\xfe\xfd", "not valid JSON|not a text file"


KINDS = ("deep", "open", "one key of many twice", "digits", "NaN", "escape", "utf-16", "long", "-")


@pytest.mark.parametrize("kind", KINDS)
def test_hard_json_as_a_manifest(tiny_copy: Path, kind: str) -> None:
    content, message = json_of(kind)
    (tiny_copy / "manifest.json").write_bytes(content)
    if kind == "long":
        message = "more than the 16777216 it may"
    with pytest.raises(BundleError, match=message) as caught:
        read_manifest(tiny_copy)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", KINDS)
def test_hard_json_as_a_plan(tiny: Bundle, tmp_path: Path, kind: str) -> None:
    content, message = json_of(kind)
    (tmp_path / "plan.json").write_bytes(content)
    message = "not a text file" if kind == "utf-16" else message
    with pytest.raises(PlanError, match=message) as caught:
        read_plan(tmp_path, tiny)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", KINDS)
def test_hard_json_as_what_a_twin_says(tiny: Bundle, tmp_path: Path, kind: str) -> None:
    content, message = json_of(kind)
    text = content.decode("utf-8", "replace")
    np.savez_compressed(tmp_path / "t.npz", about=np.array(text), latent=np.zeros(3, np.float32))
    if kind == "long":
        message = "unpacks to"
    with pytest.raises(TwinError, match=message) as caught:
        tiny.load_twin(tmp_path / "t.npz")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("key", ["schema_version", "name", "actions", "dt_s", "graphs", "files"])
def test_a_value_that_is_nested_is_not_printed(tiny_folder: Path, key: str) -> None:
    document = json.loads((tiny_folder / "manifest.json").read_bytes())
    del document["checksum"]
    value: Any = 0
    for _ in range(400):
        value = [value]
    with pytest.raises(BundleError, match=r"manifest\.json") as caught:
        Manifest.from_bytes(seal({**document, key: value}))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text", ["\x1b[31mred", "a\nb", "\x9b2J", "\u202egnp", "\u2028", "\x7f", "\u2066x"]
)
@pytest.mark.parametrize(
    "change",
    [
        lambda d, text: d["parcellation"]["labels"].__setitem__(0, text),
        lambda d, text: d["measured"].update({text: 1.0}),
        lambda d, text: d["created_with"].update({text: "1"}),
        lambda d, text: d["created_with"].update({"x": text}),
        lambda d, text: d["training"].update(description=text),
        lambda d, text: d["training"].update(warning=text),
        lambda d, text: d["parcellation"]["structures"].update({text: []}),
        lambda d, text: d["files"].update({text: d["files"]["main.onnx"]}),
        lambda d, text: d["actions"].__setitem__(0, text),
    ],
)
def test_text_that_changes_what_a_terminal_shows_is_refused(
    tiny_folder: Path, text: str, change: Callable[[dict[str, Any], str], object]
) -> None:
    document = json.loads((tiny_folder / "manifest.json").read_bytes())
    del document["checksum"]
    change(document, text)
    with pytest.raises(BundleError, match="one line") as caught:
        Manifest.from_bytes(seal(document))
    assert str(caught.value).isprintable()


# ---- files and folders


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("main.onnx", "Main.onnx"),
        ("manifest.json", "MANIFEST.JSON"),
        ("norms.npz", "norms.npz."),
        ("norms.npz", "norms.npz "),
        ("MODEL_CARD.md", "\uff2dODEL_CARD.md"),
    ],
)
def test_names_are_the_same_only_letter_by_letter(tiny_copy: Path, name: str, other: str) -> None:
    """As some systems find files under other names, and others two where those find one."""
    content = (tiny_copy / name).read_bytes()
    (tiny_copy / other).write_bytes(content)
    if len(list(tiny_copy.iterdir())) == 6:
        pytest.skip("this system takes both names for one")
    with pytest.raises(BundleError, match=f"must not hold {re.escape(other)}"):
        load_bundle(tiny_copy)
    (tiny_copy / name).unlink()
    with pytest.raises(BundleError, match=f"(lacks|holds no) {re.escape(name)}"):
        load_bundle(tiny_copy)


def test_a_hard_link_is_a_file_with_its_content(tiny_copy: Path, tmp_path: Path) -> None:
    """It shows nothing that its digest does not say: a file of somebody else's does not fit."""
    os.link(tiny_copy / "norms.npz", tmp_path / "norms")
    assert load_bundle(tiny_copy).name == "tiny"
    (tmp_path / "other").write_bytes(b"somebody's own")
    (tiny_copy / "norms.npz").unlink()
    os.link(tmp_path / "other", tiny_copy / "norms.npz")
    with pytest.raises(BundleError, match=r"norms\.npz should be \d+ bytes, but is 14"):
        load_bundle(tiny_copy)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
@pytest.mark.parametrize("file", ["manifest.json", "main.onnx", "norms.npz"])
@pytest.mark.parametrize("kind", ["fifo", "socket", "link to a device", "link to nowhere"])
def test_what_is_no_plain_file_is_not_waited_for(tiny_copy: Path, file: str, kind: str) -> None:
    path = tiny_copy / file
    path.unlink()
    with socket.socket(socket.AF_UNIX) as opened:
        match kind:
            case "fifo":
                os.mkfifo(path)
            case "socket":
                opened.bind(str(path))
            case "link to a device":
                path.symlink_to("/dev/zero")
            case _:
                path.symlink_to(tiny_copy / "nowhere")
        with pytest.raises(BundleError, match=rf"{file}( is not a plain| is a link| cannot be|\.)"):
            load_bundle(tiny_copy)


def test_a_folder_with_very_many_files_is_one_sentence(tiny_copy: Path) -> None:
    for i in range(3000):
        (tiny_copy / f"extra{i}\x1b[31m").touch()
    with pytest.raises(BundleError, match=r"must not hold extra0.* and 2990 more") as caught:
        load_bundle(tiny_copy)
    assert str(caught.value).isprintable()


def test_an_odd_name_of_the_folder_is_shown_as_one_line(tiny_copy: Path) -> None:
    folder = tiny_copy.rename(tiny_copy.with_name("b\n\x1b[31m\x9b[red]"))
    assert load_bundle(folder).name == "tiny"
    for file in ("MODEL_CARD.md", "norms.npz", "manifest.json"):
        (folder / file).write_bytes(b"")
        with pytest.raises(BundleError, match=r"b\\n\\x1b\[31m\\x9b\[red\]") as caught:
            load_bundle(folder)
        assert str(caught.value).isprintable()


# ---- norms and twins


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_norms_that_unpack_to_anything_are_not_unpacked(
    tiny_copy: Path, replace_file: ReplaceFile
) -> None:
    zeros = bytes(2**20)
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("edge_mean.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(MAX_NORMS_BYTES // 2**20 + 1):
            member.write(zeros)
    replace_file(tiny_copy, NORMS_FILE, buffer.getvalue())
    with at_most(10), pytest.raises(BundleError, match=r"unpacks to 135\.3 MB; at most 134\.2 MB"):
        load_bundle(tiny_copy, device="cpu")


def test_norms_that_claim_less_than_they_unpack_to_are_not_unpacked(tiny: Bundle) -> None:
    data = bytearray(archive(edge_mean=npy(np.zeros(66)) + bytes(50_000_000)))
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", 656)
    with at_most(5), pytest.raises(BundleError, match=r"norms\.npz cannot be used"):
        read_norms(bytes(data), tiny.manifest)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("edge_mean", np.array([None])),
        ("edge_mean", np.zeros((1, 0, 5))),
        ("indicator_names", np.array(["\x1b[31m"])),
        ("../../evil", np.zeros(3)),
        ("\x1b[31m", np.zeros(3)),
    ],
)
def test_odd_arrays_of_norms_are_refused(
    tiny: Bundle, name: str, array: NDArray[np.generic]
) -> None:
    with pytest.raises(BundleError, match=r"norms\.npz cannot be used") as caught:
        read_norms(archive(**{name: npy(array)}), tiny.manifest)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "about", [np.zeros(8_000_000), np.zeros(9_000_000), np.array(["{}", "{}"]), np.array(b"{}")]
)
def test_what_a_twin_says_must_be_one_text(
    tiny: Bundle, tmp_path: Path, about: NDArray[np.generic]
) -> None:
    np.savez_compressed(tmp_path / "t.npz", about=about)
    with pytest.raises(TwinError, match=r"is not a saved twin|unpacks to"):
        tiny.load_twin(tmp_path / "t.npz")


def test_a_twin_of_a_gigabyte_is_refused_by_its_size(tiny: Bundle, tmp_path: Path) -> None:
    (tmp_path / "t.npz").touch()
    make_long(tmp_path / "t.npz", 2**30)
    with at_most(1), pytest.raises(TwinError, match="is larger than any twin"):
        tiny.load_twin(tmp_path / "t.npz")


def test_a_plan_of_a_gigabyte_is_refused_by_its_size(tiny: Bundle, tmp_path: Path) -> None:
    (tmp_path / "plan.json").touch()
    make_long(tmp_path / "plan.json", 2**30)
    with at_most(1), pytest.raises(PlanError, match="is 1074 MB of text; at most 34 MB"):
        read_plan(tmp_path, tiny)


def test_very_many_goals_of_a_plan_are_one_sentence(tiny: Bundle) -> None:
    assert tiny.manifest.parcellation is not None
    plan = {
        "version": 1,
        "bundle": "tiny",
        "bundle_digest": tiny.digest,
        "parcellation": tiny.manifest.parcellation.name,
        "goals": [{"name": "accuracy", "change": 1.0}] * 20_000,
        "holds": [],
        "method": "gradient",
        "participant_id": None,
        "connectome_digest": None,
        "reached": {},
        "change": {"kind": "regions", "of": [["L_Vis1"]], "sizes": [0.1]},
    }
    with pytest.raises(PlanError, match="and 19990 more") as caught:
        plan_of_text(json.dumps(plan), "plan.json", tiny)
    assert len(str(caught.value)) < 500


def test_names_in_twins_and_plans_are_shown_as_one_line(tiny: Bundle, tmp_path: Path) -> None:
    odd = "a\u200b\xa0" * 50  # text that JSON may hold, and nobody sees
    about = {"twin_version": 4, "bundle": odd, "bundle_digest": odd}
    np.savez(tmp_path / "t.npz", about=np.array(json.dumps(about)))
    with pytest.raises(TwinError, match="was made with bundle") as caught:
        tiny.load_twin(tmp_path / "t.npz")
    assert str(caught.value).isprintable()
    plan = {"version": 1, "bundle": odd, "bundle_digest": odd, "parcellation": odd}
    for parcellation in (odd, "tiny12"):
        with pytest.raises(PlanError, match="The plan") as refused:
            plan_of_text(json.dumps(plan | {"parcellation": parcellation}), "plan.json", tiny)
        assert str(refused.value).isprintable()


# ---- graphs


def test_a_graph_that_asks_for_all_memory_there_is_ends_in_a_sentence(
    tiny_copy: Path, replace_file: ReplaceFile, tiny: Bundle
) -> None:
    """Its file is small, and only operators that are allowed are in it."""
    onnx = pytest.importorskip("onnx")
    helper, numbers = onnx.helper, onnx.numpy_helper.from_array
    n, n_weights = 4096, tiny.manifest.n_weights
    shapes = {"a": (n, 1, 1, 1), "b": (1, n, 1, 1), "c": (1, 1, n, 1), "d": (1, 1, 1, n)}
    arrays = [numbers(np.ones(shape, np.float32), name) for name, shape in shapes.items()]
    arrays.append(numbers(np.ones((3, n_weights), np.float32), "spread"))
    arrays += [numbers(np.array([at] * 3), name) for name, at in (("zero", 0), ("one", 1))]
    arrays += [numbers(np.array([1, 2, 3]), "axes"), numbers(np.array([1, n]), "shape")]
    nodes = [
        helper.make_node("MatMul", ["latent", "spread"], ["w"]),
        helper.make_node("Add", ["a", "b"], ["ab"]),
        helper.make_node("Add", ["c", "d"], ["cd"]),
        helper.make_node("Mul", ["ab", "cd"], ["all"]),  # 4096 ** 4 numbers: a petabyte
        helper.make_node("Slice", ["all", "zero", "one", "axes"], ["few"]),
        helper.make_node("Reshape", ["few", "shape"], ["row"]),
        helper.make_node("MatMul", ["row", "down"], ["number"]),
        helper.make_node("Add", ["w", "number"], ["weights"]),
    ]
    arrays.append(numbers(np.zeros((n, 1), np.float32), "down"))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "decoder",
        [value("latent", onnx.TensorProto.FLOAT, ["people", 3])],
        [value("weights", onnx.TensorProto.FLOAT, ["people", n_weights])],
        arrays,
    )
    opset = [helper.make_opsetid("", 17)]
    data = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    assert len(data) < 200_000
    scan_onnx(data, "decoder.onnx")
    replace_file(tiny_copy, "decoder.onnx", data)
    with pytest.raises(BundleError, match=r"decoder\.onnx (failed in|cannot be opened by) ONNX"):
        load_bundle(tiny_copy, device="cpu").population_twin()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (b"late\xff\xfe", "a name among its inputs is no UTF-8 text"),
        (b"l\x1b[2Jt", r"found l\\x1b\[2Jt"),
    ],
)
def test_names_of_inputs_are_shown_as_one_line_or_refused(
    tiny_copy: Path, replace_file: ReplaceFile, name: bytes, message: str
) -> None:
    """ONNX Runtime takes any bytes for a name, and fails when it is asked for it."""
    data = (tiny_copy / "decoder.onnx").read_bytes()
    assert data.count(b"latent") >= 2
    replace_file(tiny_copy, "decoder.onnx", data.replace(b"latent", name))
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(tiny_copy, device="cpu")
    assert str(caught.value).isprintable()


def test_a_graph_may_not_be_another_model_with_the_same_digest(tiny_copy: Path) -> None:
    """Content behind the model is part of the file, and of its digest."""
    with (tiny_copy / "main.onnx").open("ab") as file:
        file.write(b"\0" * 8)
    with pytest.raises(BundleError, match=r"main\.onnx is \d+ bytes, more than"):
        load_bundle(tiny_copy)


@pytest.mark.parametrize("at", range(0, 120, 7))
def test_text_in_a_graph_is_shown_as_one_line(tiny_folder: Path, at: int) -> None:
    data = bytearray((tiny_folder / "decoder.onnx").read_bytes())
    places = [found.start() for found in re.finditer(rb"MatMul|Reshape|Add|Mul|Cast", data)]
    place = places[at % len(places)]
    data[place : place + 3] = b"\x1b[2"
    with pytest.raises(BundleError, match=r"uses the operator") as caught:
        scan_onnx(bytes(data), "decoder.onnx")
    assert str(caught.value).isprintable()


def test_limits_are_those_that_the_page_states() -> None:
    text = Path(__file__).parents[2].joinpath("docs", "SECURITY.md").read_text(encoding="utf-8")
    for words in (
        f"{MAX_BUNDLE_BYTES // 2**20} MiB together",
        f"manifest {MAX_MANIFEST_BYTES // 2**20} MiB",
        f"norms {MAX_NORMS_BYTES // 2**20} MiB unpacked",
        f"{MAX_FILE_BYTES // 2**20} MiB, packed or unpacked",
        f"{MAX_JSON_BYTES // 2**20} MiB of JSON",
    ):
        assert words in text, words
