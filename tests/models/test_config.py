"""Presets: the paper's sizes are exact, bad sizes are refused in a sentence."""

from __future__ import annotations

import json

import pytest

from dtb_models.config import NetworkConfig, compact_config, graded_leak, paper_config
from dtb_runtime.errors import CheckpointError, UsageError


def test_paper_preset_has_the_papers_parameter_count() -> None:
    config = paper_config(n_edges=446 * 445 // 2)
    assert config.n_edges == 99_235
    assert config.n_weights == 173_623
    assert config.hypernetwork_sizes == (200, 200)
    assert (config.n_inputs, config.n_actions, config.n_bold) == (9, 3, 20)
    assert set(config.leak) == {1.0}


def test_compact_preset_counts_its_weights() -> None:
    config = compact_config(n_edges=66, n_bold=12, hidden_size=8)
    h, i, o = 8, 9, 15
    assert config.n_weights == h * i + h * h + 2 * h + o * h + o


def test_graded_leak_spans_the_hemodynamic_response() -> None:
    leak = graded_leak(64)
    time_constants_s = [0.08 / a for a in leak]
    assert len(leak) == 64
    assert min(time_constants_s) == pytest.approx(0.08)
    assert max(time_constants_s) == pytest.approx(8.0)
    assert leak[:2] == (1.0, 0.5)


def test_config_survives_json() -> None:
    config = compact_config(n_edges=66, n_bold=12)
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
        ({"leak": (1.0,)}, "leak must hold 64 values"),
        ({"dropout": 1.0}, "dropout must be in"),
        ({"latent_size": 0}, "needs latent_size and n_components above 0"),
        ({"preset": "large"}, "preset must be one of"),
        ({"action_reading": "rate"}, "action_reading must be one of"),
    ],
)
def test_bad_sizes_are_refused(change: dict[str, object], message: str) -> None:
    values = compact_config(n_edges=66, n_bold=12).to_json() | change
    with pytest.raises(UsageError, match=message):
        NetworkConfig.from_json(values)
