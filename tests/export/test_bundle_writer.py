"""A bundle is written whole, loads, says what the checkpoint says, and is the same each time."""

from __future__ import annotations

import inspect
import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dtb_export import bundle_writer
from dtb_export.bundle_writer import export_bundle, norms_bytes
from dtb_export.network_graphs import network_graphs
from dtb_export.parity import ParityReport, check_parity
from dtb_models.checkpoint import Checkpoint, save_checkpoint
from dtb_models.hypernetwork import TwinNetwork
from dtb_runtime import load_bundle
from dtb_runtime.errors import BundleError, CheckpointError, OutputError, UsageError
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import TASKS

pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def parity_reports(monkeypatch: pytest.MonkeyPatch) -> list[ParityReport]:
    """Reports of the exports of a test, which compare short runs to save time."""
    reports: list[ParityReport] = []

    def short(*args: Any, **options: Any) -> ParityReport:
        reports.append(check_parity(*args, **{"n_steps": 100} | options))
        return reports[-1]

    monkeypatch.setattr(bundle_writer, "check_parity", short)
    return reports


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_bundle_loads_and_says_what_the_checkpoint_says(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = export_bundle(checkpoint, tmp_path / "bundle")
    assert folder == tmp_path / "bundle"
    manifest = load_bundle(folder, device="cpu").manifest
    config = checkpoint.config
    assert manifest.name == checkpoint.name
    assert manifest.preset == config.preset
    assert manifest.latent_size == config.latent_size
    assert manifest.n_weights == config.n_weights
    assert manifest.actions == ("action_0", "action_1", "action_2")
    assert manifest.bold_regions == checkpoint.bold_regions
    assert (manifest.bold_stride, manifest.dt_s, manifest.tr_s) == (10, 0.08, 0.8)
    assert manifest.action_reading == config.action_reading
    assert manifest.tasks == ("hammer", "stroop")
    np.testing.assert_array_equal(manifest.normalization.bold_mean, checkpoint.bold_mean)
    np.testing.assert_array_equal(manifest.normalization.bold_sd, checkpoint.bold_sd)
    assert manifest.training.warning == checkpoint.training["warning"]
    assert dict(manifest.training.settings) == checkpoint.training["settings"]
    assert dict(manifest.measured) == checkpoint.measured
    assert set(manifest.created_with) == {
        "dtb-runtime",
        "numpy",
        "onnx",
        "onnxruntime",
        "torch",
    }


def test_the_control_without_hypernetwork_is_not_exported(
    direct_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "checkpoint", direct_checkpoint)
    with pytest.raises(UsageError, match=r"'direct' preset is a control .* has no bundle"):
        export_bundle(tmp_path / "checkpoint", tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_every_export_compares_with_the_network_over_whole_runs(
    checkpoint: Checkpoint,
    tmp_path: Path,
    parity_reports: list[ParityReport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export_bundle(checkpoint, tmp_path / "short")
    assert [(r.n_people, r.n_runs, r.n_steps) for r in parity_reports] == [(3, 5, 100)]
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(bundle_writer, "check_parity", lambda *_, **options: calls.append(options))
    export_bundle(checkpoint, tmp_path / "whole")
    assert calls == [{}]  # nothing shortens the default, which is a whole run
    assert inspect.signature(check_parity).parameters["n_steps"].default == 5000


def test_the_bundles_twins_answer_like_the_network(
    checkpoint: Checkpoint, tmp_path: Path, rng: np.random.Generator
) -> None:
    bundle = load_bundle(export_bundle(checkpoint, tmp_path / "bundle"), device="cpu")
    edges = rng.normal(0.2, 0.3, (2, checkpoint.config.n_edges)).astype(np.float32)
    task = TASKS["hammer"]
    stimulus = network_input(task.stimulus(task.schedule()))
    with torch.no_grad():
        weights = checkpoint.network.weights(torch.from_numpy(edges))
        expected = checkpoint.network.run(weights, torch.from_numpy(stimulus).expand(2, -1, -1))
    for i, twin in enumerate(bundle.personalize_edges(edges)):
        actions, bold, _ = bundle.run_main(twin.weights, stimulus)
        np.testing.assert_allclose(
            actions, torch.sigmoid(expected.action_logits[i]).numpy(), atol=1e-5
        )
        np.testing.assert_allclose(bold, expected.bold[i].numpy(), atol=1e-5)


def test_the_same_checkpoint_gives_the_same_bytes(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint", checkpoint)
    first = contents(export_bundle(checkpoint, tmp_path / "first"))
    again = contents(export_bundle(tmp_path / "checkpoint", tmp_path / "again"))
    assert first == again


def test_the_compact_preset_has_a_decoder_and_the_papers_takes_runs_together(
    compact_checkpoint: Checkpoint, paper_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    compact = set(contents(export_bundle(compact_checkpoint, tmp_path / "compact")))
    paper = set(contents(export_bundle(paper_checkpoint, tmp_path / "paper")))
    assert compact - paper == {"decoder.onnx"}
    assert paper - compact == {"runs.onnx"}
    assert paper == {
        "manifest.json",
        "hypernetwork.onnx",
        "main.onnx",
        "runs.onnx",
        "norms.npz",
        "MODEL_CARD.md",
    }


def test_a_network_that_was_not_rounded_keeps_its_digits(
    compact_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    hyper = compact_checkpoint.network.hypernetwork
    rounded = len(network_graphs(compact_checkpoint.network)["decoder"])
    with torch.no_grad():
        hyper.get_parameter("decoder.weight").mul_(1.0001)
    export_bundle(compact_checkpoint, tmp_path / "bundle")
    assert (tmp_path / "bundle" / "decoder.onnx").stat().st_size > rounded


def test_a_bundle_can_be_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = export_bundle(checkpoint, tmp_path / "bundle", name="other")
    assert load_bundle(folder, device="cpu").name == "other"
    assert (folder / "MODEL_CARD.md").read_text().startswith("# other\n")


def test_norms_read_back_without_pickle(checkpoint: Checkpoint) -> None:
    data = norms_bytes(checkpoint.norms)
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        assert found.files == sorted(checkpoint.norms)
        for name, values in checkpoint.norms.items():
            np.testing.assert_array_equal(found[name], values)
            assert found[name].dtype == values.dtype
    assert norms_bytes(dict(reversed(checkpoint.norms.items()))) == data


def test_a_bundle_is_not_overwritten(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = export_bundle(checkpoint, tmp_path / "bundle")
    before = contents(folder)
    with pytest.raises(OutputError, match=r"exists already and is not overwritten\. Pass --force"):
        export_bundle(checkpoint, folder, name="other")
    assert contents(folder) == before


def test_force_replaces_a_bundle_of_another_preset(
    compact_checkpoint: Checkpoint, paper_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = export_bundle(compact_checkpoint, tmp_path / "bundle")
    export_bundle(paper_checkpoint, folder, force=True)
    assert load_bundle(folder, device="cpu").name == "tiny-paper"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("stranger", ["notes.txt", None])
def test_force_replaces_nothing_but_a_bundle(
    checkpoint: Checkpoint, tmp_path: Path, stranger: str | None
) -> None:
    folder = export_bundle(checkpoint, tmp_path / "bundle")
    if stranger:
        (folder / stranger).write_text("mine")
    else:
        (folder / "manifest.json").unlink()
    before = contents(folder)
    with pytest.raises(OutputError, match="is not only a bundle"):
        export_bundle(checkpoint, folder, force=True)
    assert contents(folder) == before


def test_an_empty_folder_is_filled(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    export_bundle(checkpoint, tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle", device="cpu").name == checkpoint.name


def test_a_file_in_the_way_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_text("mine")
    with pytest.raises(OutputError, match=r"A bundle is a folder, but .* is a file"):
        export_bundle(checkpoint, tmp_path / "bundle", force=True)


def test_a_place_that_cannot_be_written_is_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="Choose a folder you can write to"):
        export_bundle(checkpoint, tmp_path / "file" / "bundle")


@pytest.mark.parametrize("force", [False, True])
def test_failing_parity_leaves_nothing_behind(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    target = tmp_path / "deep" / "bundle"
    if force:
        export_bundle(checkpoint, target)
    before = sorted(tmp_path.rglob("*"))
    bytes_before = [path.read_bytes() for path in before if path.is_file()]
    other = network_graphs(TwinNetwork(checkpoint.config, seed=77).eval())
    monkeypatch.setattr(bundle_writer, "network_graphs", lambda network: other)
    with pytest.raises(BundleError, match="PyTorch and ONNX Runtime must agree"):
        export_bundle(checkpoint, target, force=force)
    assert sorted(tmp_path.rglob("*")) == before
    assert [path.read_bytes() for path in before if path.is_file()] == bytes_before


def test_a_bundle_that_does_not_load_leaves_nothing_behind(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """Norms that the runtime refuses: noticed by the last check, when all files are written."""
    broken = replace(checkpoint, norms={"edge_mean": np.zeros(3, np.float32)})
    with pytest.raises(BundleError, match=r"norms\.npz"):
        export_bundle(broken, tmp_path / "deep" / "er" / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_move_puts_the_old_bundle_back(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = export_bundle(checkpoint, tmp_path / "bundle")
    before = contents(folder)
    rename: Callable[[Path, Path], Path] = Path.rename

    def fail_for_the_new_one(self: Path, target: Path) -> Path:
        if self.name == "bundle" and self.parent != tmp_path:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)
    with pytest.raises(OutputError, match="No space left on device"):
        export_bundle(checkpoint, folder, name="other", force=True)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        export_bundle(tmp_path, tmp_path / "bundle")


def test_training_facts_of_another_release_are_refused(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    facts = {k: v for k, v in checkpoint.training.items() if k != "split"}
    with pytest.raises(CheckpointError, match="'split'"):
        export_bundle(replace(checkpoint, training=facts), tmp_path / "bundle")


def test_other_people_of_the_machine_can_read_a_bundle(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    """A temporary folder is its owner's alone; the bundle must not inherit that."""
    (tmp_path / "plain").mkdir()
    folder = export_bundle(checkpoint, tmp_path / "bundle")
    assert folder.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_moved_bundle_is_the_same_bundle(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = export_bundle(checkpoint, tmp_path / "bundle")
    digest = load_bundle(folder, device="cpu").digest
    moved = shutil.move(folder, tmp_path / "elsewhere")
    assert load_bundle(moved, device="cpu").digest == digest


def test_an_empty_name_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="name must be letters"):
        export_bundle(checkpoint, tmp_path / "bundle", name="")
    assert list(tmp_path.iterdir()) == []
