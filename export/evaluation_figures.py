"""The figures of an evaluation, for a bundle's manifest and model card."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dtb_runtime.errors import DataError
from dtb_runtime.tables import check_is_file

CARD_METRICS = (
    "rt_r",
    "rt_rmse_s",
    "rt_trial_r",
    "choice_concordance",
    "choice_log_loss",
    "coverage_90",
)
"""Metrics that go into a bundle; an evaluation's own files have all of them."""
CARD_METHODS: Mapping[str, str] = {
    "twin": "twin",
    "control/population": "population",
    "control/shuffled": "exchanged",
    "connectome/components": "ridge",
    "rule/own_mean": "own mean",
    "rule/loo_regression": "regression",
    "rule/own_mean_condition": "own mean + condition",
    "rule/condition_mean": "condition mean",
    "rule/always_correct": "always right",
    "rule/own_accuracy": "own accuracy",
}
"""Methods that go into a bundle, and what a narrow column calls them."""
_MAX_BYTES = 64 * 1024**2


def read_figures(path: Path) -> dict[str, float]:
    """Read the figures that a bundle carries from an evaluation's ``metrics.json``.

    Parameters
    ----------
    path : Path
        Written by ``dtb-run evaluate --out``.

    Returns
    -------
    dict of str to float
        ``<protocol>/<method>/<metric>:<task>``, for example
        ``calibrated/rule/own_mean/rt_r:stroop``, and ``<protocol>/n:<task>``, the people judged.

    Raises
    ------
    DataError
        If the file is no such evaluation.
    """
    check_is_file(path, DataError)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("it is larger than any evaluation's")
        report = json.loads(path.read_text(encoding="utf-8"))
        protocol = str(report["protocol"])
        return dict(_figures(protocol, report["methods"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} is not the metrics.json of an evaluation ({error!r}). Give the file that "
            "`dtb-run evaluate --out` wrote."
        ) from error


def protocols_of(measured: Mapping[str, float]) -> tuple[str, ...]:
    """Return the protocols whose figures a manifest's ``measured`` holds, in their order."""
    found = (name.partition("/")[0] for name in measured if "/twin/" in name)
    return tuple(dict.fromkeys(found))


def figures_table(measured: Mapping[str, float], protocol: str) -> str:
    """Return one protocol's figures as a Markdown table, a row per figure."""
    prefix = f"{protocol}/twin/"
    names = [name.removeprefix(prefix) for name in measured if name.startswith(prefix)]
    methods = [
        method
        for method in CARD_METHODS
        if any(f"{protocol}/{method}/{name}" in measured for name in names)
    ]
    header = ["figure", "n", *(CARD_METHODS[method] for method in methods)]
    rows = [header, ["---"] * len(header)]
    for name in names:
        task = name.partition(":")[2]
        cells = [_cell(measured.get(f"{protocol}/{method}/{name}")) for method in methods]
        n = measured.get(f"{protocol}/n:{task}")
        rows.append([name, "" if n is None else f"{n:.0f}", *cells])
    return "\n".join(_row(row) for row in rows)


def _figures(protocol: str, methods: Mapping[str, Any]) -> list[tuple[str, float]]:
    twin = methods["twin"]["figures"]
    names = [name for name in twin if name.partition(":")[0] in CARD_METRICS]
    tasks = dict.fromkeys(name.partition(":")[2] for name in names)
    found: list[tuple[str, float]] = []
    for task in tasks:
        n = next((twin[name]["n"] for name in names if name.endswith(f":{task}")), None)
        if n is not None:
            found.append((f"{protocol}/n:{task}", float(n)))
    for method in CARD_METHODS:
        figures = methods.get(method, {}).get("figures", {})
        for name in names:
            value = figures.get(name, {}).get("value")
            if value is not None and math.isfinite(value):
                found.append((f"{protocol}/{method}/{name}", round(float(value), 6)))
    return found


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
