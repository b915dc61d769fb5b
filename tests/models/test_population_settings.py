"""Settings of the compact preset's training: checked, and the same after JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dtb_models.population_settings import PopulationSettings
from dtb_runtime.errors import CheckpointError, UsageError


def test_settings_survive_json() -> None:
    settings = PopulationSettings(updates=7, masked=False, held_out_fraction=0.0, seed=9)
    assert PopulationSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_settings_with_another_key_are_refused() -> None:
    values = PopulationSettings().to_json() | {"epochs": 3}
    with pytest.raises(CheckpointError, match="differing: epochs"):
        PopulationSettings.from_json(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"updates": 0}, "updates must be at least 1, found 0"),
        ({"window_steps": 0}, "window_steps must be at least 1"),
        ({"slow_people": 0}, "slow_people must be at least 1"),
        ({"burn_in_steps": -1}, "burn_in_steps must be at least 0, found -1"),
        ({"direction_decay": -0.1}, "direction_decay must be at least 0"),
        ({"imagined_weight": -1.0}, "imagined_weight must be at least 0"),
        ({"imagined_sd": 0.0}, "imagined_sd must be above 0"),
        ({"imagined_share": 1.5}, r"imagined_share must be in \[0, 1\], found 1\.5"),
        ({"final_learning_rate": 1.0}, "final_learning_rate <= learning_rate"),
        ({"learning_rate": -1.0}, "0 < final_learning_rate"),
        ({"latent_rate": 0.0}, "latent_rate must be above 0"),
        ({"clip_norm": float("nan")}, "clip_norm must be above 0"),
        ({"slow_segment_steps": 262}, "multiple of 10"),
        ({"held_out_fraction": 1.0}, r"held_out_fraction must be in \[0, 1\)"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(PopulationSettings(), **change)
