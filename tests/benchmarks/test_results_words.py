"""What the page says in words follows from the differences alone."""

from __future__ import annotations

from typing import Any

import pytest
from results_words import in_words


def figure(value: float, half: float = 0.01) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half, "n": 20}


def report(rt_r: float, rmse_s: float) -> dict[str, Any]:
    """Two figures of a twin, and of two rules of which the first is the better one at both."""
    names = {"rt_r:stroop": (0.9, 0.8), "rt_rmse_s:stroop": (0.05, 0.09)}
    rules = ("rule/own_mean", "rule/loo_regression")
    return {
        "protocol": "calibrated",
        "judged": {"stroop": 20},
        "methods": {
            rule: {"figures": {name: figure(both[i]) for name, both in names.items()}}
            for i, rule in enumerate(rules)
        },
        "differences": {
            rule: {"rt_r:stroop": figure(rt_r + i), "rt_rmse_s:stroop": figure(rmse_s + i)}
            for i, rule in enumerate(rules)
        },
    }


@pytest.mark.parametrize(
    ("rt_r", "rmse_s", "said"),
    [
        (0.02, 0.005, "Better: mean RT, r over people (0.020 [0.010, 0.030], own mean). No diff"),
        (
            -0.02,
            -0.02,
            "Better: mean RT, RMSE over people (s) (-0.020 [-0.030, -0.010], own mean).",
        ),
        (-0.02, -0.02, "Worse: mean RT, r over people (-0.020 [-0.030, -0.010], own mean)."),
        (0.005, 0.02, "Worse: mean RT, RMSE over people (s) (0.020 [0.010, 0.030], own mean). No"),
        (0.0, 0.0, "No difference that these people show: mean RT, r over people; mean RT, RMSE"),
    ],
)
def test_better_and_worse_are_beside_the_best_rule(rt_r: float, rmse_s: float, said: str) -> None:
    text = in_words({"tcp_calibrated": report(rt_r, rmse_s)})
    assert "- **Real people, after their own first half, Stroop (`stroop`)**: " in text
    assert said in text


def test_without_evaluations_nothing_is_said() -> None:
    assert in_words({}) == ""
