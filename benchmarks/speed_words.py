"""Times, ratios and tables as the performance page writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results_claims import NOT_THERE
from speed_timing import Spread, Timing

Figures = Mapping[str, Any]
"""What one section of the benchmark found: JSON values."""


def timings(figures: Figures, name: str = "timings") -> dict[str, Timing]:
    """Return a section's timings by method."""
    return {method: Timing.from_json(found) for method, found in figures[name].items()}


def milliseconds(spread: Spread) -> str:
    """Return a cell: median and quartiles of a time, in milliseconds."""
    return _with_quartiles(Spread(*(1e3 * value for value in _ends(spread))), "")


def times(spread: Spread) -> str:
    """Return a cell: median and quartiles of a ratio."""
    return _with_quartiles(spread, " times")


def digits(value: float) -> str:
    """Return a number in three digits, or whole where it has more."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def small(value: float) -> str:
    """Return a tiny number, such as a difference, in two digits."""
    return f"{value:.1e}"


def left_out(figures: Figures) -> str:
    """Return why a section could not be measured; empty where it was."""
    reason = figures.get("left_out")
    return NOT_THERE if reason is None else f"Left out: {reason}"


def _ends(spread: Spread) -> tuple[float, float, float]:
    return spread.median, spread.low, spread.high


def _with_quartiles(spread: Spread, unit: str) -> str:
    median, low, high = (digits(value) for value in _ends(spread))
    return f"{median}{unit} [{low}, {high}]"
