"""The authors' model: their published figures in both libraries, and reached from scratch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtb_export.reference import FIRST_SCORED_STEP, evaluate_reference, score, train_reference
from dtb_models.reference import ReferencePeople, read_reference_data
from dtb_runtime import load_bundle
from dtb_runtime.errors import DataError, OutputError

pytest.importorskip("onnxruntime")

PUBLISHED = {"act_accuracy": 0.9550088652, "act_bce": 0.12957242, "bold_mse": 0.00442929}


@pytest.fixture
def reference(shared_data: Path) -> Path:
    return shared_data / "reference_model"


def changed(reference: Path, folder: Path, **arrays: np.ndarray) -> Path:
    """A copy of the authors' folder with some arrays of the data set replaced."""
    with np.load(reference / "dataset.npz", allow_pickle=False) as file:
        kept = {name: file[name] for name in file.files}
    np.savez(folder / "dataset.npz", **(kept | arrays))
    (folder / "weights.npz").write_bytes((reference / "weights.npz").read_bytes())
    return folder


def test_their_weights_give_their_published_figures_in_both(reference: Path) -> None:
    figures = evaluate_reference(reference)
    assert set(figures) == {"torch", "onnx"}
    for found in figures.values():
        assert found == pytest.approx(PUBLISHED, abs=1e-6, rel=0)


def test_the_figures_follow_the_data(reference: Path, tmp_path: Path) -> None:
    people = read_reference_data(reference).test
    folder = changed(reference, tmp_path, test_action=1 - people.actions, test_bldi=people.bold + 1)
    for found in evaluate_reference(folder).values():
        # Every right action is wrong now; (e + 1)^2 on average is e^2 + 2 e + 1.
        assert found["act_accuracy"] == pytest.approx(1 - PUBLISHED["act_accuracy"], abs=1e-6)
        assert found["bold_mse"] == pytest.approx(1, abs=0.05)
        assert found["bold_mse"] != pytest.approx(PUBLISHED["bold_mse"], abs=0.1)
        assert found["act_bce"] > 1


def test_other_peoples_edges_give_worse_figures(reference: Path, tmp_path: Path) -> None:
    """Their own control: people one place on (their published figures for this shift)."""
    people = read_reference_data(reference).test
    folder = changed(reference, tmp_path, test_bld=np.roll(people.edges, -1, axis=0))
    figures = evaluate_reference(folder)
    for found in figures.values():
        assert found["act_accuracy"] == pytest.approx(0.7492243, abs=1e-6)
        assert found["bold_mse"] == pytest.approx(0.0130643975, abs=1e-6)
        # Here many a sure answer is wrong: an action output of exactly 0 would cost 100.
        assert found["act_bce"] == pytest.approx(2.7044573, abs=2e-6)


def test_step_0_is_not_scored(reference: Path, tmp_path: Path) -> None:
    people = read_reference_data(reference).test
    bold = people.bold.copy()
    bold[:, 0] = 100
    figures = evaluate_reference(changed(reference, tmp_path, test_bldi=bold))
    assert figures["onnx"]["bold_mse"] == pytest.approx(PUBLISHED["bold_mse"], abs=1e-6)


def test_training_from_scratch_beats_their_figures(reference: Path) -> None:
    figures = train_reference(reference)
    for found in figures.values():
        assert found["act_accuracy"] >= 0.955
        assert found["bold_mse"] <= 0.00443
        assert found["act_bce"] < PUBLISHED["act_bce"]
    assert figures["onnx"] == pytest.approx(figures["torch"], abs=1e-6)


def test_the_bundle_can_be_kept(reference: Path, tmp_path: Path) -> None:
    figures = evaluate_reference(reference, bundle_dir=tmp_path / "reference")
    manifest = load_bundle(tmp_path / "reference", device="cpu").manifest
    assert manifest.parcellation is None
    assert manifest.tasks == ()
    assert manifest.bold_stride == 1
    assert manifest.measured == pytest.approx(figures["torch"])
    assert manifest.training.kind == "simulated"
    assert manifest.warnings and "no connectomes" in manifest.warnings[0]
    card = (tmp_path / "reference" / "MODEL_CARD.md").read_text()
    assert "mini-hyper-rnn-cogtask" in card
    with pytest.raises(OutputError, match="exists already"):
        evaluate_reference(reference, bundle_dir=tmp_path / "reference")


def test_missing_weights_are_named(reference: Path, tmp_path: Path) -> None:
    changed(reference, tmp_path)
    (tmp_path / "weights.npz").unlink()
    with pytest.raises(DataError, match=r"weights\.npz does not exist"):
        evaluate_reference(tmp_path)


def test_score_by_hand() -> None:
    people = ReferencePeople(
        edges=np.zeros((1, 1), np.float32),
        stimulus=np.zeros((1, 3, 1), np.float32),
        actions=np.array([[[1], [1], [0]]], np.float32),
        bold=np.array([[[0], [1], [2]]], np.float32),
    )
    assert FIRST_SCORED_STEP == 1
    actions = np.array([[[0.0], [0.5], [0.9]]], np.float32)
    bold = np.array([[[9], [1.5], [2]]], np.float32)
    assert score(actions, bold, people) == pytest.approx(
        {
            "act_accuracy": 0.5,  # 0.5 counts as pressed
            "act_bce": -(np.log(0.5) + np.log(1 - np.float64(np.float32(0.9)))) / 2,
            "bold_mse": 0.125,
        }
    )


def test_a_certain_wrong_answer_costs_100() -> None:
    people = ReferencePeople(
        edges=np.zeros((1, 1), np.float32),
        stimulus=np.zeros((1, 2, 1), np.float32),
        actions=np.ones((1, 2, 1), np.float32),
        bold=np.zeros((1, 2, 1), np.float32),
    )
    found = score(np.zeros((1, 2, 1), np.float32), people.bold, people)
    assert found["act_bce"] == 100
