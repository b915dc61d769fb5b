"""Tables of an evaluation: what stands beside each figure, and what is not there."""

from __future__ import annotations

from typing import Any

import pytest

from dtb_cli.evaluation_tables import number, print_evaluation
from dtb_models.evaluation import MEANINGS


def figures(**values: float | None) -> dict[str, Any]:
    return {
        "meaning": "in words",
        "figures": {
            f"{name}:stroop": {"value": value, "low": 0.1, "high": 0.9, "n": 7}
            for name, value in values.items()
        },
    }


@pytest.fixture
def report() -> dict[str, Any]:
    return {
        "data": {"description": "Seven people."},
        "protocol": "calibrated",
        "bundle": "tiny",
        "training": None,
        "folds": None,
        "judged": {"hammer": 0, "stroop": 7},
        "left_out": {"hammer": {"no run hammerAP": 7}, "stroop": {}},
        "methods": {
            "twin": figures(rt_r=0.81234, rt_rmse_s=0.05, coverage_90=0.91, choice_brier=None),
            "rule/own_mean": figures(rt_r=0.7, rt_rmse_s=0.06, coverage_90=0.80),
            "rule/loo_regression": figures(rt_r=0.75, rt_rmse_s=0.07),
            "rule/own_mean_trial_type": figures(coverage_90=0.99),
            "control/population": figures(rt_r=-0.1, rt_rmse_s=0.2),
        },
        "reliability": {"mean_rt:stroop": {"bound_of_truth": 0.99}},
        "maps": None,
        "planted": None,
        "calibration": None,
        "notes": ["A note."],
        "warnings": ["Take care."],
    }


def test_each_figure_stands_beside_rule_control_and_bound(
    report: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    print_evaluation(report, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Seven people."
    assert lines[1] == "Bundle tiny, protocol calibrated."
    assert "hammer: 0 people judged; left out: 7 no run hammerAP." in lines
    row = next(line.split() for line in lines if line.startswith("rt_r "))
    assert row == [
        *("rt_r", "7", "0.812", "0.100", "to", "0.900", "0.750", "-0.100", "0.990"),
        "loo_regression",
    ]
    label = MEANINGS["control/population"].label
    assert next(line for line in lines if line.startswith("figure")).split()[-4:-3] == [label]
    assert f"{label}: in words." in lines
    assert "loo_regression: in words." in lines
    row = next(line.split() for line in lines if line.startswith("choice_brier "))
    assert row[2] == "n/a"
    assert lines[-2:] == ["A note.", "Warning: Take care."]
    assert not any(line.split()[:1] == ["hammer"] for line in lines if ":" not in line)


def test_numbers_have_three_decimals() -> None:
    assert [number(x) for x in (None, 0.12345, -0.0, 12.0)] == ["n/a", "0.123", "0.000", "12.000"]


def test_what_is_missing_beside_planted_truth_is_said(
    report: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    target = {"twin_r": {"value": 0.4}, "ceiling_r": 0.8, "share_of_ceiling": 0.5}
    report["planted"] = {
        "targets": {"reaction_time": target | {"control/shuffled_r": 0.0}},
        "explained": {},
        "notes": ["No linear models."],
    }
    print_evaluation(report, None)
    lines = capsys.readouterr().out.splitlines()
    row = next(line.split() for line in lines if line.startswith("reaction_time"))
    assert row == ["reaction_time", "0.400", "0.800", "0.500", "0.000", "n/a", "n/a"]
    assert "No linear models." in lines
