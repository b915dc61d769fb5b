"""`dtb-run evaluate reference` prints figures that are computed from the files it is given."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]

PUBLISHED = {"act_accuracy": 0.9550088652, "act_bce": 0.12957242, "bold_mse": 0.00442929}


@pytest.fixture
def reference_model(shared_data: Path) -> Path:
    """The authors' data, weights and metrics."""
    return shared_data / "reference_model"


def test_the_published_figures_come_out_of_both_engines(
    dtb_run: Run, reference_model: Path
) -> None:
    done = dtb_run("evaluate", "reference", reference_model, "--json")
    assert done.code == 0, done.err
    figures = json.loads(done.out)
    assert list(figures) == ["torch", "onnx"]
    for engine in figures.values():
        assert engine == pytest.approx(PUBLISHED, abs=1e-6)


def test_the_table_has_a_column_for_each_engine(dtb_run: Run, reference_model: Path) -> None:
    done = dtb_run("evaluate", "reference", reference_model)
    assert done.code == 0, done.err
    header, *rows = [line.split() for line in done.out.splitlines() if line]
    assert header[-2:] == ["torch", "onnx"]
    for name, *values in rows:
        assert [float(value) for value in values] == pytest.approx([PUBLISHED[name]] * 2, abs=1e-6)


def test_the_figures_follow_the_data(dtb_run: Run, reference_model: Path, tmp_path: Path) -> None:
    shutil.copy(reference_model / "weights.npz", tmp_path)
    with np.load(reference_model / "dataset.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["test_bldi"] = arrays["test_bldi"] + 1.0
    np.savez(tmp_path / "dataset.npz", allow_pickle=False, **arrays)
    done = dtb_run("evaluate", "reference", tmp_path, "--json")
    assert done.code == 0, done.err
    figures = json.loads(done.out)["onnx"]
    assert figures["act_accuracy"] == pytest.approx(PUBLISHED["act_accuracy"], abs=1e-6)
    assert figures["bold_mse"] > 0.5


def test_training_from_scratch_shows_its_progress(dtb_run: Run, reference_model: Path) -> None:
    """Two epochs only: that 60 reach the authors' figures is tested with the training."""
    done = dtb_run("evaluate", "reference", reference_model, "--train", "--epochs", 2, "--json")
    assert done.code == 0, done.err
    assert "Epoch 2/2" in done.err
    figures = json.loads(done.out)
    assert figures["torch"] == pytest.approx(figures["onnx"], abs=1e-5)
    assert figures["torch"]["bold_mse"] != pytest.approx(PUBLISHED["bold_mse"], abs=1e-4)


def test_a_folder_without_the_files(dtb_run: Run, tmp_path: Path) -> None:
    done = dtb_run("evaluate", "reference", tmp_path)
    assert done.code == 1
    assert done.out == ""
    assert "dataset.npz" in done.err
    assert "does not exist" in done.err
