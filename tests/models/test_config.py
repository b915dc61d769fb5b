"""Presets: the paper's sizes are exact, bad sizes are refused in a sentence."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest

from dtb_models.config import (
    CLOCK_TAU_S,
    NetworkConfig,
    compact_config,
    compact_leak,
    direct_config,
    paper_config,
)
from dtb_runtime.errors import CheckpointError, UsageError


def test_paper_preset_has_the_papers_parameter_count() -> None:
    config = paper_config(n_edges=446 * 445 // 2)
    assert config.n_edges == 99_235
    assert config.n_weights == 173_623
    assert config.hypernetwork_sizes == (200, 200)
    assert (config.n_inputs, config.n_actions, config.n_bold) == (9, 3, 20)
    assert set(config.leak) == {1.0}


def test_compact_preset_counts_its_weights() -> None:
    config = compact_config(n_edges=66, n_bold=12, personal_units=4, slow_units=2, clock_units=2)
    h, i, o = 8, 9, 15
    assert config.hidden_size == h
    assert config.n_weights == h * i + h * h + 2 * h + o * h + o


def test_latents_are_those_of_actions_and_then_those_of_bold() -> None:
    config = compact_config(n_edges=66, n_bold=12, latent_size=7, bold_latents=2)
    assert config.action_latents == 5
    assert compact_config(n_edges=66, n_bold=12, latent_size=7, bold_latents=0).action_latents == 7
    assert paper_config(n_edges=66).action_latents == 0


def test_slow_units_span_the_hemodynamic_response() -> None:
    leak = compact_leak(personal_units=6, slow_units=20, clock_units=0)
    assert leak[:6] == (1.0, 0.5, 0.25, 0.1, 1.0, 0.5)
    time_constants_s = [0.08 / a for a in leak[6:]]
    assert len(time_constants_s) == 20
    assert time_constants_s[0] == pytest.approx(0.3, rel=1e-4)
    assert time_constants_s[-1] == pytest.approx(8.0, rel=1e-4)
    ratios = [b / a for a, b in pairwise(time_constants_s)]
    assert ratios == pytest.approx([ratios[0]] * 19, rel=1e-3)


def test_a_clocks_leak_is_the_exact_share_of_one_step() -> None:
    leak = compact_leak(personal_units=1, slow_units=1, clock_units=2)
    for a, tau_s in zip(leak[2:], CLOCK_TAU_S, strict=True):
        assert (1 - a) ** (tau_s / 0.08) == pytest.approx(math.exp(-1), rel=1e-9)


@pytest.mark.parametrize("n_slow", [0, 1])
def test_a_network_may_have_hardly_any_slow_units(n_slow: int) -> None:
    config = compact_config(n_edges=66, n_bold=12, personal_units=2, slow_units=n_slow)
    assert config.hidden_size == 2 + n_slow + len(CLOCK_TAU_S)


@pytest.mark.parametrize(
    "config",
    [
        compact_config(n_edges=66, n_bold=12),
        paper_config(n_edges=66),
        direct_config(n_edges=66, n_bold=3),
    ],
    ids=lambda config: config.preset,
)
def test_config_survives_json(config: NetworkConfig) -> None:
    assert NetworkConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_config_with_another_key_is_refused() -> None:
    values = compact_config(n_edges=66, n_bold=12).to_json()
    del values["leak"]
    with pytest.raises(CheckpointError, match="differing: leak"):
        NetworkConfig.from_json(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be at least 1, found 0"),
        ({"leak": (1.0,)}, "leak must hold 10 values"),
        ({"dropout": 1.0}, "dropout must be in"),
        ({"latent_size": 0}, "needs latent_size, n_components and personal_units above 0"),
        ({"personal_units": 0}, "needs latent_size, n_components and personal_units above 0"),
        ({"preset": "paper"}, "others have none of them; found preset 'paper' with 4, 32 and 6"),
        ({"bold_latents": 4}, "some of the latent numbers must be left for actions"),
        ({"clock_units": 3}, "clock_units must be 0 to 2, found 3"),
        ({"personal_units": 9}, "must fit into 10 hidden units, found 9 and 2"),
        ({"component_limit": 0}, "component_limit must be above 0"),
        ({"preset": "large"}, "preset must be one of"),
        ({"action_reading": "rate"}, "action_reading must be one of"),
    ],
)
def test_bad_sizes_are_refused(change: dict[str, object], message: str) -> None:
    config = compact_config(
        n_edges=66, n_bold=12, personal_units=6, slow_units=2, latent_size=4, bold_latents=1
    )
    with pytest.raises(UsageError, match=message):
        NetworkConfig.from_json(config.to_json() | change)
