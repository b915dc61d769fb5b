"""Tables of an evaluation: the best rule by the figure's own goal, and what is not there."""

from __future__ import annotations

from typing import Any

import pytest

from dtb_cli.evaluation_tables import CONTROLS, best_rule, number, print_evaluation
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
            "rule/own_mean_condition": figures(coverage_90=0.99),
            "control/population": figures(rt_r=-0.1, rt_rmse_s=0.2),
        },
        "reliability": {"mean_rt:stroop": {"bound_of_truth": 0.99}},
        "maps": None,
        "planted": None,
        "calibration": None,
        "notes": ["A note."],
        "warnings": ["Take care."],
    }


def test_the_best_rule_is_the_best_at_this_figure(report: dict[str, Any]) -> None:
    assert best_rule(report, "rt_r:stroop") == "loo_regression"
    assert best_rule(report, "rt_rmse_s:stroop") == "own_mean"
    assert best_rule(report, "coverage_90:stroop") == "own_mean_condition"  # nearest to 0.9
    assert best_rule(report, "choice_concordance:stroop") is None


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
    row = next(line.split() for line in lines if line.startswith("choice_brier "))
    assert row[2] == "n/a"
    assert lines[-2:] == ["A note.", "Warning: Take care."]
    assert not any(line.split()[:1] == ["hammer"] for line in lines if ":" not in line)


def test_numbers_have_three_decimals() -> None:
    assert [number(x) for x in (None, 0.12345, -0.0, 12.0)] == ["n/a", "0.123", "0.000", "12.000"]


def test_every_method_beside_the_twin_has_a_column() -> None:
    assert set(CONTROLS) == set(MEANINGS) - {"twin"}
