"""What a bundle takes over from an evaluation, and how its card shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtb_export.evaluation_figures import figures_table, protocols_of, read_figures
from dtb_runtime.errors import DataError


def figure(value: float | None, n: int = 31) -> dict[str, float | int | None]:
    return {"value": value, "low": None, "high": None, "n": n}


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    report = {
        "protocol": "calibrated",
        "methods": {
            "twin": {
                "meaning": "",
                "figures": {
                    "rt_r:hammer": figure(0.93),
                    "rt_r:stroop": figure(0.9, 29),
                    "rt_bias_s:hammer": figure(0.01),
                },
            },
            "rule/own_mean": {"meaning": "", "figures": {"rt_r:hammer": figure(0.92)}},
            "rule/condition_mean": {"meaning": "", "figures": {"rt_r:hammer": figure(None)}},
            "rule/position_mean": {"meaning": "", "figures": {"rt_r:hammer": figure(0.1)}},
        },
    }
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    return path


def test_the_card_s_figures_are_taken_over_and_no_others(metrics: Path) -> None:
    assert read_figures(metrics) == {
        "calibrated/n:hammer": 31.0,
        "calibrated/n:stroop": 29.0,
        "calibrated/twin/rt_r:hammer": 0.93,
        "calibrated/twin/rt_r:stroop": 0.9,
        "calibrated/rule/own_mean/rt_r:hammer": 0.92,
    }


def test_the_table_has_a_column_for_every_method_that_was_measured(metrics: Path) -> None:
    measured = read_figures(metrics)
    assert protocols_of(measured) == ("calibrated",)
    assert figures_table(measured, "calibrated").splitlines() == [
        "| figure | n | twin | own mean |",
        "| --- | --- | --- | --- |",
        "| rt_r:hammer | 31 | 0.930 | 0.920 |",
        "| rt_r:stroop | 29 | 0.900 |  |",
    ]


@pytest.mark.parametrize("content", ["", "[1]", '{"protocol": "x"}', "[" * 5000])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"is not the metrics\.json of an evaluation"):
        read_figures(path)
