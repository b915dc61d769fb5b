"""Figures of forecast contrast maps, as numbers of a manifest and as a table of a model card."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dtb_runtime.errors import DataError

MAPS = "maps"
"""Name of the evaluation that compares contrast maps alone."""
MAP_METHODS: Mapping[str, str] = {
    "twin": "twin",
    "rule/mean_of_others": "mean of others",
    "control/other_connectomes": "forecasts of others",
    "control/population": "population",
}
"""Methods that go into a bundle, and what a narrow column calls them."""
_ROWS: Mapping[str, str] = {
    "map_r": "own map, mean r [95 %]",
    "group_r": "mean map of all, r",
    "unseen_half_r": "mean map of the half that is not known, r",
    "identification": "own map closer than another's (chance 0.5)",
}
"""Figures in the order of the card, and what they are."""


def check_left_out(maps: Mapping[str, Any], path: Path) -> None:
    """Refuse maps of people whose own the judging bundle may have been made with.

    Raises
    ------
    DataError
    """
    if maps["leave_one_out"] is not True:
        raise DataError(
            f"{path} judges maps by a bundle that may have been made with these people's own, but "
            "maps in a bundle must be of people left out. Evaluate with --leave-one-out."
        )


def map_figures(evaluation: str, task: str, maps: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield names and numbers of what ``metrics.json`` has under ``maps``.

    Parameters
    ----------
    evaluation : str
        How the names begin.
    task : str
        Whose contrast was compared.
    maps : mapping
        See `dtb_models.evaluation_hcp`.
    """
    people, group, told = maps["people"], maps["group"], maps["identification"]["maps"]
    halves = group["unseen_half_r"]
    found: dict[str, float | None] = {
        "twin/group_r": group["all_r"],
        "control/population/group_r": group.get("control/population_all_r"),
        "twin/unseen_half_r": _mean(half["r"] for half in halves),
        "rule/mean_of_others/unseen_half_r": _mean(half["rule/mean_of_known_r"] for half in halves),
        "control/population/unseen_half_r": _mean(half["control/population_r"] for half in halves),
        "twin/identification": told["pairwise_rate"],
        "twin/identification_p": told["pairwise_p"],
    }
    for method in MAP_METHODS:
        figure = people.get(f"{method}_r") or {}
        for part, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
            found[f"{method}/map_r{suffix}"] = figure.get(part)
    yield f"{evaluation}/n:{task}", float(people["twin_r"]["n"])
    for name, value in found.items():
        if value is not None and math.isfinite(value):
            yield f"{evaluation}/{name}:{task}", round(float(value), 6)


def figures_and_methods(
    measured: Mapping[str, float], evaluation: str, known: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Return the figures that an evaluation has of its twins, and which methods have one too."""
    start = f"{evaluation}/twin/"
    names = [name.removeprefix(start) for name in measured if name.startswith(start)]
    methods = [
        method
        for method in known
        if any(f"{evaluation}/{method}/{name}" in measured for name in names)
    ]
    return names, methods


def maps_table(measured: Mapping[str, float], evaluation: str) -> list[list[str]]:
    """Return the rows of a card's table, the first one its header."""
    names, methods = figures_and_methods(measured, evaluation, MAP_METHODS)
    rows = [["figure", "n", *(MAP_METHODS[method] for method in methods)]]
    for task in dict.fromkeys(name.partition(":")[2] for name in names):
        n = measured.get(f"{evaluation}/n:{task}")
        rows += [
            [
                f"{label}:{task}",
                "" if n is None else f"{n:.0f}",
                *(_cell(measured, f"{evaluation}/{method}", figure, task) for method in methods),
            ]
            for figure, label in _ROWS.items()
            if f"{figure}:{task}" in names
        ]
    return rows


def _cell(measured: Mapping[str, float], start: str, figure: str, task: str) -> str:
    value = measured.get(f"{start}/{figure}:{task}")
    if value is None:
        return ""
    low, high = (measured.get(f"{start}/{figure}_{end}:{task}") for end in ("low", "high"))
    interval = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
    p = measured.get(f"{start}/{figure}_p:{task}")
    return f"{value:.3f}{interval}" + ("" if p is None else f", p {p:.2g}")


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean over the halves; None where one of them has no number."""
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if known and len(known) == len(found) else None
