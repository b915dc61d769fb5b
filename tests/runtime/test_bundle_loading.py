"""Loading bundles: what is right works, everything else is refused with a sentence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dtb_runtime import bundle_loading
from dtb_runtime.bundle_loading import available_bundles, load_bundle
from dtb_runtime.errors import BundleError, UsageError

EditManifest = Callable[[Path, Callable[[dict[str, Any]], object]], None]
ReplaceFile = Callable[[Path, str, bytes], None]
FILES = (
    "MODEL_CARD.md",
    "decoder.onnx",
    "hypernetwork.onnx",
    "main.onnx",
    "manifest.json",
    "norms.npz",
)


@pytest.mark.parametrize("file", FILES)
def test_one_flipped_byte_anywhere_is_refused(tiny_copy: Path, file: str) -> None:
    data = bytearray((tiny_copy / file).read_bytes())
    for at in {0, len(data) // 3, len(data) - 1}:
        data[at] ^= 0x04
        (tiny_copy / file).write_bytes(data)
        with pytest.raises(BundleError, match=file):
            load_bundle(tiny_copy)
        data[at] ^= 0x04
    (tiny_copy / file).write_bytes(data)
    load_bundle(tiny_copy)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(tiny_copy: Path, file: str) -> None:
    (tiny_copy / file).unlink()
    with pytest.raises(BundleError, match=f"(lacks|holds no) {file}"):
        load_bundle(tiny_copy)


@pytest.mark.parametrize("file", FILES)
def test_a_file_cut_short_is_named(tiny_copy: Path, file: str) -> None:
    data = (tiny_copy / file).read_bytes()
    (tiny_copy / file).write_bytes(data[:-1])
    with pytest.raises(BundleError, match=file):
        load_bundle(tiny_copy)
    (tiny_copy / file).write_bytes(b"")
    with pytest.raises(BundleError, match=file):
        load_bundle(tiny_copy)


def test_a_file_that_grew_is_refused(tiny_copy: Path) -> None:
    with (tiny_copy / "norms.npz").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundleError, match=r"norms\.npz is \d+ bytes, more than the \d+ it may"):
        load_bundle(tiny_copy)


@pytest.mark.parametrize("extra", ["weights.bin", ".hidden", "main.onnx.bak"])
def test_an_extra_file_is_named(tiny_copy: Path, extra: str) -> None:
    (tiny_copy / extra).write_bytes(b"")
    with pytest.raises(BundleError, match=f"must not hold {extra}"):
        load_bundle(tiny_copy)


def test_an_extra_folder_is_named(tiny_copy: Path) -> None:
    (tiny_copy / "more").mkdir()
    with pytest.raises(BundleError, match="must not hold more"):
        load_bundle(tiny_copy)


@pytest.mark.parametrize("file", FILES)
def test_a_link_is_refused_even_to_the_right_content(
    tiny_copy: Path, tmp_path: Path, file: str
) -> None:
    shutil.move(tiny_copy / file, tmp_path / "elsewhere")
    (tiny_copy / file).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=f"{file} is a link"):
        load_bundle(tiny_copy)


def test_a_folder_in_place_of_a_file_is_refused(tiny_copy: Path) -> None:
    (tiny_copy / "norms.npz").unlink()
    (tiny_copy / "norms.npz").mkdir()
    with pytest.raises(BundleError, match=r"norms\.npz"):
        load_bundle(tiny_copy)


def test_a_bundle_may_be_reached_through_a_link(tiny_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tiny_copy)
    assert load_bundle(tmp_path / "link").name == "tiny"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "sub/main.onnx"])
def test_a_path_in_the_manifest_is_never_followed(
    tiny_copy: Path, edit_manifest: EditManifest, name: str
) -> None:
    edit_manifest(tiny_copy, lambda d: d["files"].update({name: d["files"]["main.onnx"]}))
    with pytest.raises(BundleError, match="files must list exactly"):
        load_bundle(tiny_copy)
    edit_manifest(tiny_copy, lambda d: d["graphs"]["main"].update(file=name))
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load_bundle(tiny_copy)


def test_a_graph_with_external_data_and_right_digests_is_refused(
    tiny_copy: Path, tmp_path: Path, replace_file: ReplaceFile
) -> None:
    onnx = pytest.importorskip("onnx")
    proto = onnx.load(tiny_copy / "decoder.onnx")
    onnx.save(proto, tmp_path / "d", save_as_external_data=True, location="w", size_threshold=0)
    replace_file(tiny_copy, "decoder.onnx", (tmp_path / "d").read_bytes())
    with pytest.raises(BundleError, match=r"decoder\.onnx keeps tensor data in another file"):
        load_bundle(tiny_copy)


def test_a_graph_with_an_unknown_operator_and_right_digests_is_refused(
    tiny_copy: Path, replace_file: ReplaceFile
) -> None:
    data = (tiny_copy / "main.onnx").read_bytes()
    assert data.count(b"Reciprocal") == 1
    replace_file(tiny_copy, "main.onnx", data.replace(b"Reciprocal", b"StringSpli"))
    with pytest.raises(BundleError, match=r"main\.onnx uses the operator 'StringSpli'"):
        load_bundle(tiny_copy)


def test_graphs_in_each_others_place_are_refused(
    tiny_copy: Path, replace_file: ReplaceFile
) -> None:
    replace_file(tiny_copy, "main.onnx", (tiny_copy / "decoder.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"main\.onnx: expected the inputs weights, stimulus"):
        load_bundle(tiny_copy)


def test_a_model_card_that_is_no_text_is_refused(
    tiny_copy: Path, replace_file: ReplaceFile
) -> None:
    replace_file(tiny_copy, "MODEL_CARD.md", b"\xff")
    with pytest.raises(BundleError, match=r"MODEL_CARD\.md is not UTF-8"):
        load_bundle(tiny_copy)


def test_what_is_no_bundle_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"holds no manifest\.json"):
        load_bundle(tmp_path)
    with pytest.raises(BundleError, match="nothing does not exist"):
        load_bundle(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="file is a file"):
        load_bundle(tmp_path / "file")


def test_shipped_bundles_are_found_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_folder: Path
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "shipped" / "tiny434")
    (tmp_path / "shipped" / "half").mkdir()
    monkeypatch.setattr(bundle_loading, "SHIPPED_BUNDLES", tmp_path / "shipped")
    (info,) = available_bundles()
    assert info.name == "tiny434"
    assert info.manifest.name == "tiny"
    assert info.size == sum(path.stat().st_size for path in info.folder.iterdir())
    assert load_bundle("tiny434").digest == info.digest
    with pytest.raises(UsageError, match=r"no bundle 'tiny43'.*Did you mean 'tiny434'\?"):
        load_bundle("tiny43")
    # A folder of the same name in the working directory does not hide the shipped one.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny434").mkdir()
    assert load_bundle("tiny434").name == "tiny"
    with pytest.raises(BundleError, match="holds no manifest"):
        load_bundle("./tiny434")
    monkeypatch.setattr(bundle_loading, "SHIPPED_BUNDLES", tmp_path / "nowhere")
    assert available_bundles() == ()
    with pytest.raises(UsageError, match=r"shipped bundles \(none\)"):
        load_bundle("tiny999")


def test_the_committed_bundles_are_those_of_the_generator(
    generator: Any, tmp_path: Path, tiny_folder: Path
) -> None:
    generator.write_tiny(tmp_path / "tiny")
    generator.write_tiny_plain(tmp_path / "tiny_plain")
    for name in ("tiny", "tiny_plain"):
        committed = tiny_folder.parent / name
        for path in committed.iterdir():
            assert (tmp_path / name / path.name).read_bytes() == path.read_bytes(), path


def test_a_name_that_is_too_long_is_no_bundle() -> None:
    with pytest.raises(UsageError, match="cannot be read: File name too long"):
        load_bundle("x" * 5000)
