"""Figures out of an evaluation's report, and what tables call metrics and methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from results_claims import NOT_THERE, interval, number

from dtb_models.bootstrap import Figure
from dtb_models.metric_definitions import METRICS
from dtb_models.protocols import PROTOCOLS
from dtb_models.rules import RULES, rules_beside

Report = Mapping[str, Any]
"""Content of one ``docs/results/<name>.json``."""

TASK_NAMES = {"hammer": "Faces (`hammer`)", "stroop": "Stroop (`stroop`)", "both": "both tasks"}
RULE_NAMES = {
    "rule/own_mean": "own mean",
    "rule/loo_regression": "regression",
    "rule/own_mean_trial_type": "own mean + trial type",
    "rule/position_mean": "group mean of position",
    "rule/own_mean_position": "own mean + position",
    "rule/trial_type_mean": "group mean of trial type",
    "rule/demographics": "age, sex, site, group",
    "rule/always_correct": "always right",
    "rule/own_accuracy": "own accuracy",
    "connectome/edge_sums": "edge sums (CPM)",
    "connectome/components": "ridge on components",
}
"""Rules and linear models by their name in reports, in the order of columns."""
CONTROL_NAMES = {
    "control/population": "population twin (no trials)",
    "control/connectome_alone": "connectome alone (no trials)",
    "control/shuffled": "shuffled connectomes",
    "control/direct_input": "direct input",
}
METRIC_NAMES = {
    "rt_r": "mean RT, r over people",
    "rt_rmse_s": "mean RT, RMSE over people (s)",
    "rt_bias_s": "mean RT, bias (s)",
    "rt_trial_type_r": "RT of person x trial type, r",
    "rt_trial_r": "RT of trials, r",
    "rt_trial_rmse_s": "RT of trials, RMSE (s)",
    "rt_log_likelihood": "RT of trials, log likelihood",
    "choice_concordance": "choice concordance",
    "choice_log_loss": "choice, log loss",
    "choice_brier": "choice, Brier score",
    "no_response_log_loss": "no response, log loss",
    "accuracy_bias": "accuracy, bias over people",
    "accuracy_coverage_90": "90 % interval of a person's accuracy covers",
    "mean_rt_coverage_90": "90 % interval of a person's mean RT covers",
    "coverage_50": "50 % interval of RT covers",
    "coverage_90": "90 % interval of RT covers",
    "coverage_90_q1": "90 %, fastest quarter",
    "coverage_90_q2": "90 %, second fastest quarter",
    "coverage_90_q3": "90 %, second slowest quarter",
    "coverage_90_q4": "90 %, slowest quarter",
}
"""Metrics that have a row, in their order."""


def figure_of(found: Any) -> Figure | None:
    """Return a figure from its JSON object; None for null."""
    if found is None or found.get("value") is None:
        return None
    low, high = (np.nan if found[end] is None else float(found[end]) for end in ("low", "high"))
    return Figure(float(found["value"]), low, high, int(found["n"]))


def figure(report: Report, method: str, name: str) -> Figure | None:
    """Return a method's figure ``<metric>:<task>``; None where there is none."""
    return figure_of(report["methods"].get(method, {}).get("figures", {}).get(name))


def difference(report: Report, method: str, name: str) -> Figure | None:
    """Return the twin's figure minus a method's, on what both forecast; None without."""
    return figure_of(report["differences"].get(method, {}).get(name))


def rules_of(report: Report, name: str) -> list[str]:
    """Return the rules and linear models that stand beside a figure, by their name in reports."""
    protocol = PROTOCOLS[report["protocol"]]
    beside = {f"rule/{rule}" for rule in rules_beside(name, protocol)}
    return [method for method in RULE_NAMES if method in beside or method not in _RULES]


def rule_cells(report: Report, name: str) -> dict[str, str]:
    """Return a cell for every rule; empty where it does not stand beside the figure."""
    beside = rules_of(report, name)
    return {
        label: value_cell(report, method, name) if method in beside else NOT_THERE
        for method, label in RULE_NAMES.items()
    }


def control_cells(report: Report, name: str) -> dict[str, str]:
    """Return a cell for every control."""
    return {label: value_cell(report, method, name) for method, label in CONTROL_NAMES.items()}


def value_cell(report: Report, method: str, name: str) -> str:
    """Return a method's figure without its interval."""
    found = figure(report, method, name)
    return NOT_THERE if found is None else number(found.value)


def minus_best_rule(report: Report, name: str, twin: str = "twin") -> str:
    """Return the twin's figure minus that of the best rule, with its interval and the rule's name.

    Empty for figures with one right value, which have no better and worse by difference.
    """
    found = difference_from_best_rule(report, name, twin)
    return NOT_THERE if found is None else f"{interval(found[1])} ({found[0]})"


def difference_from_best_rule(
    report: Report, name: str, twin: str = "twin"
) -> tuple[str, Figure] | None:
    """Return the best rule's name and the twin's figure minus its; None without either."""
    goal = METRICS[name.partition(":")[0]].goal
    if isinstance(goal, float):
        return None
    sign = 1.0 if goal == "higher" else -1.0
    values = {
        method: sign * found.value
        for method in rules_of(report, name)
        if (found := figure(report, method, name)) is not None
    }
    if not values:
        return None
    best = max(values, key=lambda method: values[method])
    differences = report["differences"] if twin == "twin" else report["no_trials"]["differences"]
    found = figure_of(differences.get(best, {}).get(name))
    return None if found is None else (RULE_NAMES[best], found)


def n_cell(figures: Iterable[Figure | None]) -> str:
    """Return how many people there are; empty without a figure."""
    known = [each.n for each in figures if each is not None]
    return str(known[0]) if known else NOT_THERE


_RULES = frozenset(f"rule/{name}" for name in RULES)
