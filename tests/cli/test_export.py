"""`dtb-run export` makes a bundle that `predict` and `inspect` take."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_runtime import load_bundle

Run = Callable[..., Any]
TINY = Path(__file__).parents[1] / "bundles" / "tiny"


def test_a_checkpoint_becomes_a_bundle_that_predicts(
    dtb_run: Run, checkpoint: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    done = dtb_run("export", checkpoint, "--out", bundle, "--name", "eight", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["name"] == "eight"
    assert result["folder"] == str(bundle)
    manifest = (bundle / "manifest.json").read_bytes()
    assert result["digest"] == hashlib.sha256(manifest).hexdigest()
    assert result["files"] == {
        path.name: path.stat().st_size for path in bundle.iterdir() if path.name != "manifest.json"
    }

    connectome = tmp_path / "sub-3.npy"
    np.save(connectome, 0.5 ** np.abs(np.arange(8)[:, None] - np.arange(8)))
    predicted = dtb_run("predict", connectome, "--bundle", bundle, "--json")
    assert predicted.code == 0, predicted.err
    assert json.loads(predicted.out)["warnings"][0] == result["warnings"][0]
    inspected = dtb_run("inspect", bundle, "--json")
    assert json.loads(inspected.out)["digest"] == result["digest"]


def test_the_table_shows_the_files(dtb_run: Run, checkpoint: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    done = dtb_run("export", checkpoint, "--out", bundle)
    assert done.code == 0, done.err
    for name in ("main.onnx", "decoder.onnx", "hypernetwork.onnx", "norms.npz"):
        assert name in done.out
    digest = load_bundle(bundle, device="cpu").digest
    assert f"Exported checkpoint to {bundle}, digest {digest[:12]}." in done.out
    assert "Warning: Simulated bundle" in done.out


def test_a_bundle_is_not_overwritten_without_force(
    dtb_run: Run, checkpoint: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    assert dtb_run("export", checkpoint, "--out", bundle).code == 0
    before = (bundle / "manifest.json").read_bytes()
    again = dtb_run("export", checkpoint, "--out", bundle, "--name", "other")
    assert again.code == 1
    assert "--force" in again.err
    assert (bundle / "manifest.json").read_bytes() == before
    assert dtb_run("export", checkpoint, "--out", bundle, "--name", "other", "--force").code == 0
    assert load_bundle(bundle, device="cpu").name == "other"


@pytest.mark.parametrize("what", ["missing", "empty folder", "file"])
def test_what_is_no_checkpoint(what: str, dtb_run: Run, tmp_path: Path) -> None:
    source = tmp_path / "source"
    if what == "empty folder":
        source.mkdir()
    elif what == "file":
        source.write_text("x", encoding="utf-8")
    done = dtb_run("export", source, "--out", tmp_path / "bundle")
    assert done.code == 1
    assert done.out == ""
    assert "is not a checkpoint" in done.err
    assert "dtb-run train" in done.err
    assert not (tmp_path / "bundle").exists()


def test_a_place_that_cannot_be_written(dtb_run: Run, checkpoint: Path, tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_text("mine", encoding="utf-8")
    done = dtb_run("export", checkpoint, "--out", blocker / "bundle")
    assert done.code == 1
    assert done.out == ""
    assert "blocker" in done.err
    assert blocker.read_text(encoding="utf-8") == "mine"


def test_a_bundle_that_is_there_is_laid_out_for_triton_without_pytorch(
    dtb_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("torch", "dtb_export")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("torch", "onnx"):
        monkeypatch.setitem(sys.modules, name, None)
    models = tmp_path / "models"
    done = dtb_run("export", "--bundle", TINY, "--triton", models)
    assert done.code == 0, done.err
    digest = load_bundle(TINY, device="cpu").digest[:12]
    names = ("tiny-decoder", "tiny-hypernetwork", "tiny-main")
    assert sorted(path.name for path in models.iterdir()) == list(names)
    assert all(f"{name}" in done.out for name in names)
    assert f"out in {models}, digest {digest}." in done.out
    assert "Warning: " in done.out
    assert f"tritonserver --model-repository={models}" in done.err
    again = dtb_run("export", "--bundle", TINY, "--triton", models, "--json")
    assert again.code == 1
    assert "exists already" in again.err
    forced = dtb_run("export", "--bundle", TINY, "--triton", models, "--json", "--force")
    result = json.loads(forced.out)
    assert sorted(result["triton"]["models"]) == list(names)
    assert result["folder"] == str(TINY)


def test_a_new_bundle_is_laid_out_with_its_export(
    dtb_run: Run, checkpoint: Path, tmp_path: Path
) -> None:
    bundle, models = tmp_path / "bundle", tmp_path / "models"
    done = dtb_run("export", checkpoint, "--out", bundle, "--name", "eight", "--triton", models)
    assert done.code == 0, done.err
    graph = models / "eight-main" / "1" / "model.onnx"
    assert graph.read_bytes() == (bundle / "main.onnx").read_bytes()
    assert "Exported eight" in done.out
    assert "Next: dtb-run inspect" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Give a CHECKPOINT and --out DIR for a new bundle, or --bundle NAME and --triton"),
        (("--bundle", "tcp434"), "Give a CHECKPOINT and --out DIR"),
        (("checkpoint",), "Give a CHECKPOINT and --out DIR"),
        (("checkpoint", "--bundle", "tcp434", "--triton", "x"), "Give a CHECKPOINT and --out DIR"),
        (("--bundle", "tcp434", "--triton", "x", "--name", "y"), "--name: the bundle of --bundle"),
        (("--bundle", "tcp434", "--triton", "x", "--out", "y"), "--out: the bundle of --bundle"),
        (("--bundle", "tcp433", "--triton", "x"), "Did you mean 'tcp434'?"),
    ],
)
def test_what_cannot_be_exported_is_wrong_usage(
    words: tuple[str, ...],
    message: str,
    dtb_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = dtb_run("export", *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert list(tmp_path.iterdir()) == []
