"""The loop: it learns what is there, stops early, and goes on after a kill as if nothing was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dtb_models.config import NetworkConfig, direct_config, paper_config
from dtb_models.settings import TrainingSettings, paper_settings
from dtb_models.tensors import RunBlock, TrainingData
from dtb_models.training_loop import (
    STATE_FILE,
    fit,
    held_out_losses,
    learning_rate,
    segments,
    select_device,
)
from dtb_runtime.errors import CheckpointError, UsageError

N_EDGES = 40


def toy_data(n_people: int, seed: int, n_steps: int = 200) -> TrainingData:
    """People whose first edge says how strongly a stimulus moves their BOLD and their presses."""
    generator = torch.Generator().manual_seed(seed)
    edges = 0.1 * torch.randn(n_people, N_EDGES, generator=generator)
    edges[:, 0] = torch.randn(n_people, generator=generator)
    stimulus = torch.zeros(n_people, n_steps, 9)
    stimulus[:, :, 0] = ((torch.arange(n_steps) // 20) % 2).float()
    bold = stimulus[:, ::10, :1] * edges[:, None, :1] + torch.zeros(n_people, n_steps // 10, 2)
    targets = torch.zeros(n_people, n_steps, 3)
    targets[:, 30::40, 0] = (edges[:, :1] > 0).float()
    block = RunBlock(
        task="hammer",
        run="hammerAP_run-01",
        people=tuple(range(n_people)),
        stimulus=stimulus.half(),
        targets=targets.half(),
        counted=torch.ones(n_people, n_steps, dtype=torch.bool),
        bold=bold,
        bold_counted=torch.ones(n_people, n_steps // 10, dtype=torch.bool),
        design=torch.zeros(n_people, n_steps // 10, 5),
        right_option=torch.full((n_people, n_steps), -1, dtype=torch.int8),
        trial_start=torch.zeros(n_people, n_steps, dtype=torch.int32),
    )
    return TrainingData(edges, (block,))


@pytest.fixture
def config() -> NetworkConfig:
    return paper_config(N_EDGES, 2, hidden_size=8, hypernetwork_sizes=(6, 6))


@pytest.fixture
def direct() -> NetworkConfig:
    return direct_config(N_EDGES, 2, hidden_size=8)


@pytest.fixture
def settings() -> TrainingSettings:
    return replace(
        paper_settings(epochs=6, seed=5),
        batch_size=6,
        segment_steps=50,
        learning_rate=3e-3,
        final_learning_rate=3e-4,
        interpolate_bold=False,
        clip_norm=1.0,
    )


@pytest.mark.parametrize(
    ("config", "carry_state"),
    [
        (paper_config(N_EDGES, 2, hidden_size=8, hypernetwork_sizes=(16, 16)), False),
        (direct_config(N_EDGES, 2, hidden_size=8), True),
    ],
    ids=["paper", "direct"],
)
def test_training_learns_what_connectomes_say(
    config: NetworkConfig, carry_state: bool, settings: TrainingSettings, tmp_path: Path
) -> None:
    training, validation = toy_data(24, 0), toy_data(8, 1)
    longer = replace(
        settings,
        epochs=40,
        patience=40,
        learning_rate=1e-2,
        final_learning_rate=1e-3,
        carry_state=carry_state,
    )
    network, history = fit(config, longer, training, validation, tmp_path)
    action, bold = held_out_losses(network, validation, longer, torch.device("cpu"))
    variance = float(validation.blocks[0].bold.var(unbiased=False))
    assert bold < 0.45 * variance
    assert action < 0.75 * history[0].validation_action
    shuffled = TrainingData(validation.edges.flip(0), validation.blocks)
    _, bold_of_others = held_out_losses(network, shuffled, longer, torch.device("cpu"))
    assert bold_of_others > 2 * bold


class KilledError(Exception):
    """Ends a training as a kill would: between two epochs, with the state just written."""


@pytest.mark.parametrize("preset", ["paper", "direct"])
def test_a_killed_run_continues_the_same_loss_curve(
    preset: str,
    config: NetworkConfig,
    direct: NetworkConfig,
    settings: TrainingSettings,
    tmp_path: Path,
) -> None:
    config = direct if preset == "direct" else config
    training, validation = toy_data(12, 0), toy_data(6, 1)
    whole, expected = fit(config, settings, training, validation, tmp_path / "whole")

    def stop_after_third(done: int, *_: object) -> None:
        if done == 3:
            raise KilledError

    with pytest.raises(KilledError):
        fit(
            config,
            settings,
            training,
            validation,
            tmp_path / "killed",
            on_progress=stop_after_third,
        )
    # What a kill in the middle of writing leaves behind must not be in the way either.
    (tmp_path / "killed" / (STATE_FILE + ".partial")).write_bytes(b"torn")
    seen: list[int] = []
    resumed, history = fit(
        config,
        settings,
        training,
        validation,
        tmp_path / "killed",
        resume=True,
        on_progress=lambda done, *_: seen.append(done),
    )
    assert seen == [4, 5, 6]
    assert history == expected
    for name, values in whole.state_dict().items():
        assert torch.equal(values, resumed.state_dict()[name]), name
    ours, theirs = ((tmp_path / name / STATE_FILE).read_bytes() for name in ("killed", "whole"))
    assert ours == theirs


def test_a_caller_can_end_the_training(
    config: NetworkConfig, settings: TrainingSettings, tmp_path: Path
) -> None:
    training, validation = toy_data(12, 0), toy_data(6, 1)
    said: list[tuple[int, int, str]] = []

    def stop(done: int, total: int, sentence: str) -> bool:
        said.append((done, total, sentence))
        return done == 2

    _, history = fit(config, settings, training, validation, tmp_path, on_progress=stop)
    assert [losses.epoch for losses in history] == [0, 1]
    assert said == [(k + 1, 6, losses.sentence) for k, losses in enumerate(history)]


def test_resume_refuses_other_settings_people_and_damaged_files(
    config: NetworkConfig, settings: TrainingSettings, tmp_path: Path
) -> None:
    training, validation = toy_data(12, 0), toy_data(6, 1)
    one = replace(settings, epochs=1)
    fit(config, one, training, validation, tmp_path)
    with pytest.raises(CheckpointError, match=r"other settings: epochs 1 \(now 6\)"):
        fit(config, settings, training, validation, tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="training on other people"):
        fit(config, one, toy_data(12, 3), validation, tmp_path, resume=True)
    (tmp_path / STATE_FILE).write_bytes(b"not a state")
    with pytest.raises(CheckpointError, match="not a readable training state"):
        fit(config, one, training, validation, tmp_path, resume=True)


def test_same_seed_same_network_other_seed_another(
    config: NetworkConfig, settings: TrainingSettings, tmp_path: Path
) -> None:
    training, validation = toy_data(12, 0), toy_data(6, 1)
    two = replace(settings, epochs=2)
    runs = [
        fit(config, s, training, validation, tmp_path / str(i))[1]
        for i, s in enumerate((two, two, replace(two, seed=6)))
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_training_stops_early_and_returns_the_best_epoch(
    config: NetworkConfig, settings: TrainingSettings, tmp_path: Path
) -> None:
    # Validation people whose BOLD is the opposite: every epoch after the first few is worse.
    training = toy_data(12, 0)
    validation = toy_data(6, 1)
    opposite = replace(validation.blocks[0], bold=-2 * validation.blocks[0].bold)
    stubborn = replace(settings, epochs=60, patience=3, learning_rate=1e-2)
    network, history = fit(
        config, stubborn, training, TrainingData(validation.edges, (opposite,)), tmp_path
    )
    assert len(history) < 60
    curve = [
        stubborn.action_weight * h.validation_action + stubborn.bold_weight * h.validation_bold
        for h in history
    ]
    best = int(np.argmin(curve))
    assert len(history) - 1 - best == stubborn.patience
    _, bold = held_out_losses(
        network, TrainingData(validation.edges, (opposite,)), stubborn, torch.device("cpu")
    )
    np.testing.assert_allclose(bold, history[best].validation_bold, rtol=1e-3)


def test_the_paper_preset_trains_on_segments_from_zero(tmp_path: Path) -> None:
    config = paper_config(N_EDGES, 2, hidden_size=8, hypernetwork_sizes=(6, 6))
    settings = replace(
        paper_settings(epochs=3),
        batch_size=6,
        learning_rate=1e-3,
        interpolate_bold=False,
        segment_steps=50,
    )
    _, history = fit(config, settings, toy_data(12, 0), toy_data(6, 1), tmp_path)
    assert history[-1].train_bold < history[0].train_bold


def test_learning_rate_is_half_a_cosine() -> None:
    settings = replace(paper_settings(epochs=11), learning_rate=1e-3)
    rates = [learning_rate(settings, epoch) for epoch in range(11)]
    assert rates[0] == settings.learning_rate
    assert rates[-1] == pytest.approx(settings.final_learning_rate)
    middle = (settings.learning_rate + settings.final_learning_rate) / 2
    assert rates[5] == pytest.approx(middle)
    assert learning_rate(paper_settings(), 400) == 1e-6


def test_segments_cover_a_run_once() -> None:
    assert [(s.start, s.stop) for s in segments(1030, 500)] == [(0, 500), (500, 1000), (1000, 1030)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment_steps": 262}, "multiple of 10"),
        ({"train_fraction": 0.9, "validation_fraction": 0.3}, "sum to at most 1"),
        ({"final_learning_rate": 1.0}, "final_learning_rate <= learning_rate"),
        ({"epochs": 0}, "epochs must be at least 1"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(paper_settings(), **({"interpolate_bold": False, "segment_steps": 260} | change))


def test_a_cuda_device_is_taken_when_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert select_device("auto").type == expected
