"""The cost curves as one SVG, drawn from their figures alone: no plotting library is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from speed_curves import AXES, MAIN, PARTS, TOGETHER, curve_timings
from speed_words import Figures

_PANEL_WIDTH, _PANEL_HEIGHT = 430, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 34, 46
_COLORS = {"paper": "#1f5fa8", "compact": "#c2571a"}
_DASHES = {TOGETHER: "none", MAIN: "5 4"}
_HEAD = 46
_STEPS = (1, 2, 5)
"""Leading digits of the marks on the axis of times."""


def draw(figures: Figures) -> str:
    """Return an SVG with one panel for each axis, both scales logarithmic.

    Parameters
    ----------
    figures : mapping
        Of the section about cost curves.
    """
    panels = [axis for axis in AXES if any(c["axis"] == axis for c in figures["curves"])]
    rows = -(-len(panels) // 2)
    width, height = 2 * _PANEL_WIDTH, _HEAD + rows * _PANEL_HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
        "<title>Milliseconds a person over people, regions, time and hidden units</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_legend(),
    ]
    for number, axis in enumerate(panels):
        x, y = _PANEL_WIDTH * (number % 2), _HEAD + _PANEL_HEIGHT * (number // 2)
        curves = [curve for curve in figures["curves"] if curve["axis"] == axis]
        parts += [f'<g transform="translate({x} {y})">', *_panel(AXES[axis], curves), "</g>"]
    return "\n".join((*parts, "</svg>")) + "\n"


class _Scale:
    """A logarithmic axis: numbers to positions in a drawing."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = math.log(low), math.log(high)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log(value) - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.end - self.start)


def _panel(label: str, curves: Sequence[Figures]) -> list[str]:
    """Return the elements of one panel, whose corner is the origin."""
    lines = [
        (curve["preset"], part, _milliseconds(curve, part)) for curve in curves for part in PARTS
    ]
    values = sorted({value for *_, points in lines for value, _ in points})
    heights = [height for *_, points in lines for _, height in points]
    right, bottom = _PANEL_WIDTH - _RIGHT, _PANEL_HEIGHT - _BOTTOM
    across = _Scale(values[0], values[-1], _LEFT + 10, right - 10)
    marks = _marks(min(heights), max(heights))
    up = _Scale(marks[0], marks[-1], bottom, _TOP)
    parts = [
        f'<text x="{(_LEFT + right) / 2:.1f}" y="{_PANEL_HEIGHT - 8}" '
        f'text-anchor="middle">{label}</text>',
        f'<text x="{_LEFT - 46}" y="{_TOP - 12}">ms a person</text>',
    ]
    for mark in marks:
        y = up(mark)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{mark:g}</text>')
    for value in values:
        x = across(value)
        parts.append(f'<path d="M{x:.1f} {bottom}v5" stroke="#444444"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>')
    parts.append(f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" stroke="#444444" fill="none"/>')
    for preset, part, points in lines:
        parts += _line(
            [(across(value), up(height)) for value, height in points], _COLORS[preset], part
        )
    return parts


def _line(points: Sequence[tuple[float, float]], color: str, part: str) -> list[str]:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    drawn = [
        f'<path d="M{path}" stroke="{color}" stroke-width="2" fill="none" '
        f'stroke-dasharray="{_DASHES[part]}"/>'
    ]
    return drawn + [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points]


def _legend() -> list[str]:
    entries = [(preset, part) for preset in _COLORS for part in (TOGETHER, MAIN)]
    parts = []
    for number, (preset, part) in enumerate(entries):
        x, y = 62 + 400 * (number // 2), 18 + 18 * (number % 2)
        parts.append(
            f'<path d="M{x} {y - 4}h34" stroke="{_COLORS[preset]}" stroke-width="2" '
            f'stroke-dasharray="{_DASHES[part]}"/>'
        )
        parts.append(f'<text x="{x + 42}" y="{y}">{preset}: {PARTS[part]}</text>')
    return parts


def _milliseconds(curve: Figures, part: str) -> list[tuple[float, float]]:
    found = curve_timings(curve, part)
    return [(value, 1e3 * timing.spread.median) for value, timing in found.items()]


def _marks(low: float, high: float) -> list[float]:
    """Return round numbers, the first not above `low`, the last not below `high`."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [step * 10.0**decade for decade in decades for step in _STEPS]
    first = max(i for i, mark in enumerate(marks) if mark <= low)
    last = min(i for i, mark in enumerate(marks) if mark >= high)
    return marks[first : last + 1]
