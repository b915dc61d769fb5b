"""Figures out of an evaluation's report: a method's own, the best rule beside them, the bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .metric_definitions import METRICS
from .protocols import PROTOCOLS
from .rules import rules_beside

Report = Mapping[str, Any]
"""Content of a ``metrics.json``."""


def method_figures(report: Report, method: str) -> Mapping[str, Any]:
    """Return a method's figures by their name, ``<metric>:<task>``; none for one that is not there.

    Parameters
    ----------
    report : mapping
    method : str
        Name in the report, e.g. ``twin`` or ``rule/own_mean``.
    """
    found: Mapping[str, Any] = report["methods"].get(method, {}).get("figures", {})
    return found


def best_rule(report: Report, name: str) -> str | None:
    """Return which of the simple rules beside a figure is the best at it.

    Linear models of connectomes are no rules but controls: they are never the best rule.

    Parameters
    ----------
    report : mapping
    name : str
        Of the figure, ``<metric>:<task>``.

    Returns
    -------
    str or None
        Name of the method in the report, e.g. ``rule/own_mean``: the one with the highest, the
        lowest or the nearest value, as is right for the metric. None where no rule has the figure.

    Raises
    ------
    UsageError
        If there is no such metric.
    """
    protocol = None if report["protocol"] is None else PROTOCOLS[report["protocol"]]
    methods = [f"rule/{rule}" for rule in rules_beside(name, protocol)]
    found = {method: method_figures(report, method).get(name) for method in methods}
    known: dict[str, float] = {
        method: figure["value"]
        for method, figure in found.items()
        if figure is not None and figure["value"] is not None
    }
    if not known:
        return None
    goal = METRICS[name.partition(":")[0]].goal
    if goal == "higher":
        return max(known, key=lambda method: known[method])
    if goal == "lower":
        return min(known, key=lambda method: known[method])
    return min(known, key=lambda method: abs(known[method] - float(goal)))


def bound(report: Report, name: str) -> float | None:
    """Return the highest value that a figure can have, as measured response times are noisy.

    Parameters
    ----------
    report : mapping
    name : str
        Of the figure, ``<metric>:<task>``.

    Returns
    -------
    float or None
        None for metrics other than ``rt_r``, and where reliability is not known.
    """
    metric, _, task = name.partition(":")
    if metric != "rt_r":
        return None
    found: float | None = report["reliability"].get(f"mean_rt:{task}", {}).get("bound_of_truth")
    return found
