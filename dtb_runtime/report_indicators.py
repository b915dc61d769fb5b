"""A report's section on indicators: each on its centile strip, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .report_blocks import Block, DataTable, Facts, Paragraph, Picture, Section
from .report_bundle import ReportBundle
from .report_canvas import LABEL_WIDTH, Theme, svg_picture, wrapped
from .report_numbers import (
    NONE,
    Floats,
    interval,
    label_of,
    main_indicators,
    number,
    unit_of,
    whole,
    with_unit,
)
from .report_summary import Interval, PersonSummary

if TYPE_CHECKING:
    from .report_canvas import Axes, Figure

_MARKED = (5, 25, 50, 75, 95)
"""Centiles that strips show."""


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """One indicator of one person, with where the cohort lies."""

    name: str
    value: float
    interval: Interval | None
    percent: float | None
    """Centile of the person; None where it is not known."""
    norm: Floats
    """Percentiles 0 to 100 of the cohort, shape (101,)."""


def indicators_section(
    summary: PersonSummary, bundle: ReportBundle | None, problem: str
) -> Section:
    """Every indicator of a forecast, the main ones on centile strips."""
    values = summary.forecast.values
    blocks: list[Block] = [Paragraph(f"{_basis(summary)} {_in_short(summary)}")]
    strips = _strips(summary, bundle)
    left_out: tuple[str, ...] = ()
    if strips:
        blocks.append(_picture(strips, _compared_to(summary)))
    if bundle is None:
        left_out = (f"The centile strips of the indicators are left out: {problem}.",)
    main = main_indicators(values)
    blocks.append(_table("Indicators over all trials", main, summary))
    if summary.meanings:
        blocks.append(Facts(_meanings(main, summary)))
    others = [name for name in values if name not in main]
    if others:
        blocks.append(_table("Indicators by task and trial type", others, summary, is_folded=True))
    return Section("indicators", "Indicators", tuple(blocks), left_out=left_out)


def _meanings(names: list[str], summary: PersonSummary) -> tuple[tuple[str, str], ...]:
    """What each indicator is, as the summary says it."""
    known = [name for name in names if name in summary.meanings]
    return tuple((label_of(name), summary.meanings[name]) for name in known)


def _basis(summary: PersonSummary) -> str:
    """What the forecast rests on, in half a sentence."""
    if not summary.n_trials:
        origin = "what people are like" if summary.connectome is None else "the connectome"
        return f"Forecast from {origin}, before any trial of this person was seen."
    return f"Forecast after learning from {summary.n_trials} trials of this person."


def _in_short(summary: PersonSummary) -> str:
    """Which indicators lie far out, in a sentence."""
    main = [
        name for name in main_indicators(summary.forecast.values) if name in summary.percentiles
    ]
    if not main:
        return "The bundle has no norms of these indicators, so they stand without centiles."
    low, high = _MARKED[0], _MARKED[-1]
    far = [name for name in main if not low <= summary.percentiles[name][0] <= high]
    inside = (
        f"All {len(main)} main indicators lie in the middle 90 % of {_compared_to(summary)}."
        if not far
        else f"Outside of the middle 90 % of {_compared_to(summary)}: "
        + ", ".join(
            f"{with_unit(name)} at centile {summary.percentiles[name][0]:.0f}" for name in far
        )
        + "."
    )
    return (
        f"{inside} A centile is the percent of them with a lower value. Where an interval is wide, "
        "the forecast knows little of this person, and its centile stays near 50."
    )


def _compared_to(summary: PersonSummary) -> str:
    """Whom the main indicators are compared with."""
    main = main_indicators(summary.forecast.values)
    whom = dict.fromkeys(
        summary.percentiles[name][1] for name in main if name in summary.percentiles
    )
    return " or ".join(whom) or "the training cohort"


def _strips(summary: PersonSummary, bundle: ReportBundle | None) -> list[Strip]:
    found: list[Strip] = []
    if bundle is None:
        return found
    for name in main_indicators(summary.forecast.values):
        # Several draws are people each; one is a mean that nobody is.
        norm = bundle.norm(name, of_mean_twin=summary.is_mean)
        if norm is not None:
            percent = summary.percentiles.get(name)
            found.append(
                Strip(
                    name=name,
                    value=summary.forecast.values[name],
                    interval=summary.forecast.intervals.get(name),
                    percent=None if percent is None else percent[0],
                    norm=norm,
                )
            )
    return found


def _picture(strips: list[Strip], whom: str) -> Picture:
    height = 0.45 + 0.72 * len(strips)

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(len(strips), 1, squeeze=False)[:, 0]
        for axes, strip in zip(panels, strips, strict=True):
            _draw(axes, strip, theme)
        figure.subplots_adjust(0.2, 0.32 / height, 0.87, 1.0 - 0.12 / height, hspace=1.05)

    return svg_picture(
        paint,
        (9.2, height),
        alt=f"Centile strips. {' '.join(_said(strip) for strip in strips)}",
        caption="Each indicator (diamond) with its 90 % interval (line) on the training cohort: "
        "the wide band holds the middle 90 % of people, the narrow one the middle half, the "
        f"upright line is the median. Centiles are among {whom}.",
    )


def _said(strip: Strip) -> str:
    """A strip in words."""
    unit = f" {unit_of(strip.name)}".rstrip()
    name = with_unit(strip.name).partition(" (")[0]
    place = "" if strip.percent is None else f", centile {strip.percent:.0f}"
    sure = "" if strip.interval is None else f", 90 % interval {interval(strip.interval)}"
    low, middle, high = (strip.norm[q] for q in (5, 50, 95))
    return (
        f"{name} {number(strip.value)}{unit}{sure}{place}; cohort: median {number(float(middle))}, "
        f"middle 90 % {number(float(low))} to {number(float(high))}."
    )


def _draw(axes: Axes, strip: Strip, theme: Theme) -> None:
    low, lower, middle, upper, high = (float(strip.norm[q]) for q in _MARKED)
    ends = [low, high, float(strip.norm[1]), float(strip.norm[99]), strip.value]
    ends += [] if strip.interval is None else list(strip.interval)
    left, right = min(ends), max(ends)
    pad = 0.03 * max(right - left, 1e-9)
    axes.barh(0.0, high - low, left=low, height=1.0, color=theme.wide)
    axes.barh(0.0, upper - lower, left=lower, height=1.0, color=theme.narrow)
    axes.vlines(middle, -0.5, 0.5, color="black" if theme.is_dark else "white", linewidth=2.0)
    if strip.interval is not None:
        axes.hlines(0.0, *strip.interval, color=theme.person, linewidth=2.2)
        axes.vlines(strip.interval, -0.18, 0.18, color=theme.person, linewidth=2.2)
    axes.plot(strip.value, 0.0, "D", color=theme.person, markersize=7.5, zorder=3)
    axes.set_xlim(left - pad, right + pad)
    axes.set_ylim(-0.5, 0.5)
    axes.set_yticks([])
    apart = 0.09 * (right - left)  # else the words would lie on one another
    ticks = [middle, *(end for end in (low, high) if abs(end - middle) > apart)]
    axes.set_xticks(ticks, [number(tick) for tick in ticks], fontsize=8)
    axes.tick_params(axis="x", length=2, pad=1)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _beside(axes, wrapped(with_unit(strip.name), LABEL_WIDTH), theme.ink, is_left=True)
    centile = "" if strip.percent is None else f"centile {strip.percent:.0f}"
    _beside(axes, f"{number(strip.value)}\n{centile}", theme.person, is_left=False)


def _beside(axes: Axes, words: str, color: str, *, is_left: bool) -> None:
    axes.annotate(
        words,
        (0.0 if is_left else 1.0, 0.5),
        xytext=(-8 if is_left else 8, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right" if is_left else "left",
        va="center",
        color=color,
        fontweight="bold" if is_left else "normal",
    )


def _table(
    caption: str, names: list[str], summary: PersonSummary, *, is_folded: bool = False
) -> DataTable:
    rows = []
    for name in names:
        percent = summary.percentiles.get(name)
        rows.append(
            (
                with_unit(name),
                number(summary.forecast.values[name]),
                interval(summary.forecast.intervals.get(name)),
                NONE if percent is None else whole(percent[0]),
            )
        )
    columns = ("indicator", "forecast", "90 % interval", "centile")
    return DataTable.of(caption, columns, rows, is_folded=is_folded, where="the summary")
