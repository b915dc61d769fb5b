"""The best rule by each figure's own goal, and the bound, out of a report."""

from __future__ import annotations

from typing import Any

import pytest

from dtb_models.report_figures import best_rule, bound, method_figures
from dtb_runtime.errors import UsageError


def figures(**values: float | None) -> dict[str, Any]:
    return {"figures": {f"{name}:stroop": {"value": value} for name, value in values.items()}}


@pytest.fixture
def report() -> dict[str, Any]:
    return {
        "protocol": "calibrated",
        "methods": {
            "twin": figures(rt_r=0.81, rt_rmse_s=0.05, coverage_90=0.91),
            "rule/own_mean": figures(rt_r=0.7, rt_rmse_s=0.06, coverage_90=0.80),
            "rule/loo_regression": figures(rt_r=0.75, rt_rmse_s=0.07),
            "rule/own_mean_trial_type": figures(coverage_90=0.99),
            "rule/trial_type_mean": figures(rt_r=0.9, rt_rmse_s=0.2, choice_log_loss=None),
            "connectome/edge_sums": figures(rt_r=0.95, rt_rmse_s=0.01),
            "control/population": figures(rt_r=-0.1, rt_rmse_s=0.2),
        },
        "reliability": {"mean_rt:stroop": {"bound_of_truth": 0.99}},
    }


def test_the_best_rule_is_the_best_at_this_figure(report: dict[str, Any]) -> None:
    """Linear models of connectomes are no rules; a group's mean stands beside no r over people."""
    assert best_rule(report, "rt_r:stroop") == "rule/loo_regression"
    assert best_rule(report, "rt_rmse_s:stroop") == "rule/own_mean"
    assert best_rule(report, "coverage_90:stroop") == "rule/own_mean_trial_type"  # nearest to 0.9
    assert best_rule(report, "choice_log_loss:stroop") is None
    assert best_rule(report, "rt_r:hammer") is None


def test_rules_that_need_own_trials_stand_beside_no_twin_without_any(
    report: dict[str, Any],
) -> None:
    report["protocol"] = "new-people"
    assert best_rule(report, "rt_r:stroop") is None
    assert best_rule(report, "rt_rmse_s:stroop") == "rule/trial_type_mean"


def test_only_r_over_people_has_a_bound(report: dict[str, Any]) -> None:
    assert bound(report, "rt_r:stroop") == 0.99
    assert bound(report, "rt_r:hammer") is None
    assert bound(report, "rt_rmse_s:stroop") is None


def test_what_is_not_there_has_no_figures(report: dict[str, Any]) -> None:
    assert method_figures(report, "twin")["rt_r:stroop"] == {"value": 0.81}
    assert method_figures(report, "rule/demographics") == {}
    with pytest.raises(UsageError, match="There is no metric 'speed'"):
        best_rule(report, "speed:stroop")
