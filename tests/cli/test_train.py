"""`dtb-run train` goes from people to a checkpoint, and never over an earlier one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dtb_models.checkpoint import load_checkpoint

Run = Callable[..., Any]


def test_simulated_people_give_a_checkpoint_that_says_so(checkpoint: Path) -> None:
    made = load_checkpoint(checkpoint)
    assert made.name == "checkpoint"
    assert made.config.personal_units == 4
    assert made.config.latent_size == 4
    assert made.config.action_reading == "hazard"
    assert made.parcellation is not None
    assert made.parcellation.name == "eight"
    assert made.tasks == ("hammer", "stroop")
    assert made.training["kind"] == "simulated"
    assert "simulated" in made.training["warning"]
    assert made.training["epochs"] == 1


def test_people_on_disk_are_trained_on_and_figures_printed(
    dtb_run: Run, small_network: Sequence[str], tcp_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "checkpoint"
    done = dtb_run(
        "train",
        *("--cohort", tcp_folder / "bids", "--regions", tcp_folder / "eight_regions.csv"),
        *("--out", out, "--updates", 2, "--seed", 2, "--name", "mine", "--json", *small_network),
        *("--held-out", 0.4, "--learning-rate", 0.01),
    )
    assert done.code == 0, done.err
    result = json.loads(done.out)
    made = load_checkpoint(out)
    assert result["name"] == made.name == "mine"
    assert result["measured"] == made.measured
    assert result["training"] == made.training
    assert result["training"]["seed"] == 2
    assert result["training"]["kind"] == "simulated"  # written and read, still not real
    assert result["warnings"] == [made.training["warning"]]
    settings = result["training"]["settings"]
    assert settings["updates"] == result["training"]["epochs"] == 2
    assert (settings["learning_rate"], settings["final_learning_rate"]) == (0.01, 0.0005)
    assert settings["held_out_fraction"] == 0.4
    people = result["training"]
    assert (people["n_train"], people["n_validation"], people["n_test"]) == (4, 0, 2)
    assert "Training 3/3 slow units" in done.err


def test_the_table_shows_the_measured_figures(
    dtb_run: Run, small_network: Sequence[str], regions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "checkpoint"
    done = dtb_run(
        "train",
        *("--simulate", 6, "--regions", regions, "--out", out, "--updates", 1, *small_network),
        *("--loss", "density", "--parcellation", "mine8"),
    )
    assert done.code == 0, done.err
    made = load_checkpoint(out)
    assert made.config.action_reading == "density"
    assert made.parcellation is not None
    assert made.parcellation.name == "mine8"
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line}
    figures = [name for name in made.measured if "/" not in name]
    assert figures
    for figure in figures:
        beside = [f"{prefix}{figure}" for prefix in ("", "shuffled/", "rule/")]
        assert rows[figure] == [
            f"{made.measured[name]:.4f}" for name in beside if name in made.measured
        ]
    assert f"Warning: {made.training['warning']}" in done.out
    assert f"dtb-run export {out}" in done.err


def test_the_bold_outputs_can_be_named(
    dtb_run: Run, small_network: Sequence[str], regions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "checkpoint"
    done = dtb_run(
        "train",
        *("--simulate", 6, "--regions", regions, "--out", out, "--updates", 1, *small_network),
        *("--bold-regions", "lAMY-rh,L_Vis1"),
    )
    assert done.code == 0, done.err
    assert load_checkpoint(out).bold_regions == ("lAMY-rh", "L_Vis1")


def test_nobody_need_be_held_out(
    dtb_run: Run, small_network: Sequence[str], regions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "checkpoint"
    done = dtb_run(
        "train",
        *("--simulate", 6, "--regions", regions, "--out", out, "--updates", 1, *small_network),
        *("--held-out", 0),
    )
    assert done.code == 0, done.err
    made = load_checkpoint(out)
    assert made.training["n_train"] == 6
    assert made.measured == {}
    assert done.out.startswith("Trained checkpoint for 1 updates on 6 people")


def test_a_time_limit_ends_at_a_report_and_resume_goes_on(
    dtb_run: Run,
    small_network: Sequence[str],
    regions: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dtb_models.population.REPORT_EVERY", 2)
    arguments = ("train", "--simulate", 6, "--regions", regions, "--updates", 5, *small_network)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert dtb_run(*arguments, "--out", whole, "--name", "x").code == 0
    assert dtb_run(*arguments, "--out", parts, "--name", "x", "--minutes", 0).code == 0
    assert load_checkpoint(parts).training["epochs"] == 2
    done = dtb_run(*arguments, "--out", parts, "--name", "x", "--resume")
    assert done.code == 0, done.err
    assert load_checkpoint(parts).training["epochs"] == 5
    assert load_checkpoint(parts).measured == load_checkpoint(whole).measured
    for file in ("network.safetensors", "norms.safetensors"):
        assert (parts / file).read_bytes() == (whole / file).read_bytes()


def test_the_paper_preset_counts_epochs(dtb_run: Run, regions: Path, tmp_path: Path) -> None:
    out = tmp_path / "checkpoint"
    done = dtb_run(
        "train",
        *("--simulate", 6, "--regions", regions, "--out", out, "--preset", "paper"),
        *("--hidden-size", 5, "--epochs", 2, "--batch-size", 4, "--learning-rate", 0.001),
        *("--patience", 1, "--bold-regions", "L_Vis1,lAMY-rh", "--device", "cpu"),
    )
    assert done.code == 0, done.err
    made = load_checkpoint(out)
    assert made.config.preset == "paper"
    assert made.config.hidden_size == 5
    assert made.config.action_reading == "density"
    settings = made.training["settings"]
    assert (settings["epochs"], settings["batch_size"], settings["patience"]) == (2, 4, 1)
    assert "Training 2/2 validation loss" in done.err
    assert "for 2 epochs on 4 people" in done.out


def test_an_earlier_training_is_not_written_over(
    dtb_run: Run, regions: Path, checkpoint: Path
) -> None:
    before = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
    done = dtb_run("train", "--simulate", 6, "--regions", regions, "--out", checkpoint)
    assert done.code == 1
    assert "holds a training already" in done.err
    assert "--resume" in done.err
    assert "--force" in done.err
    assert {path.name: path.read_bytes() for path in checkpoint.iterdir()} == before


def test_other_settings_cannot_be_resumed(
    dtb_run: Run, small_network: Sequence[str], regions: Path, checkpoint: Path
) -> None:
    arguments = ("--simulate", 6, "--regions", regions, *small_network)
    done = dtb_run("train", *arguments, "--updates", 3, "--out", checkpoint, "--resume")
    assert done.code == 1
    assert "other settings: updates 1 (now 3)" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--regions", "{regions}"), "found none of them"),
        (("--regions", "{regions}", "--cohort", "x", "--simulate", "6"), "found both"),
        (("--simulate", "6"), "found neither"),
        (("--simulate", "6", "--regions", "{regions}", "--preset", "huge"), "huge"),
        (("--simulate", "6", "--regions", "{regions}", "--learning-rate", "-1"), "learning"),
        (
            ("--simulate", "6", "--regions", "{regions}", "--epochs", "3", "--batch-size", "2"),
            "The compact preset has no --epochs and no --batch-size.",
        ),
        (
            ("--simulate", "6", "--regions", "{regions}", "--preset", "paper", "--held-out", "0"),
            "The paper preset has no --held-out.",
        ),
        (
            ("--simulate", "6", "--regions", "{regions}", "--preset", "paper", "--updates", "9"),
            "The paper preset has no --updates.",
        ),
        (
            ("--simulate", "6", "--regions", "{regions}", "--hidden-size", "9"),
            "give --personal-units",
        ),
        (
            ("--simulate", "6", "--regions", "{regions}", "--bold-regions", "L_Vis1,nowhere"),
            "unknown: nowhere",
        ),
    ],
)
def test_options_that_do_not_go_together(
    arguments: tuple[str, ...], words: str, dtb_run: Run, regions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "checkpoint"
    filled = [argument.format(regions=regions) for argument in arguments]
    done = dtb_run("train", *filled, "--out", out)
    assert done.code == 2
    assert words in done.err
    assert done.out == ""
    assert not out.exists()


def test_too_few_people_leave_no_folder(dtb_run: Run, regions: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "checkpoint"
    done = dtb_run("train", "--simulate", 3, "--regions", regions, "--out", out)
    assert done.code == 1
    assert "at least 6 participants" in done.err
    assert not out.exists()


def test_a_cohort_that_is_not_there(dtb_run: Run, regions: Path, tmp_path: Path) -> None:
    out = tmp_path / "checkpoint"
    done = dtb_run("train", "--cohort", tmp_path / "no", "--regions", regions, "--out", out)
    assert done.code == 1
    assert "BIDS folder" in done.err
    assert not out.exists()


def test_a_place_that_cannot_be_written(dtb_run: Run, regions: Path, tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_text("mine", encoding="utf-8")
    for out in (blocker, blocker / "checkpoint"):
        done = dtb_run("train", "--simulate", 6, "--regions", regions, "--out", out)
        assert done.code == 1
        assert "blocker" in done.err
    assert blocker.read_text(encoding="utf-8") == "mine"


def test_a_disk_that_fills_up_is_said(
    dtb_run: Run,
    regions: Path,
    tmp_path: Path,
    small_network: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from safetensors import SafetensorError

    def full(*_: object, **__: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("dtb_models.state_file.save_file", full)
    out = tmp_path / "checkpoint"
    arguments = ("--simulate", 6, "--regions", regions, "--out", out, "--updates", 1)
    done = dtb_run("train", *arguments, *small_network)
    assert done.code == 1
    assert f"The training cannot be written to {out}: I/O error: No space left" in done.err
    assert not out.exists()
