"""A report's section on calibration: one person's forecast before and after their own trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .report_blocks import Block, DataTable, Paragraph, Picture, Section
from .report_canvas import LABEL_WIDTH, Theme, plain, svg_picture, wrapped
from .report_numbers import interval, main_indicators, number, with_unit
from .report_summary import PersonSummary, SeenLine, Values

if TYPE_CHECKING:
    from .report_canvas import Axes, Figure

_MOST = 12
"""Indicators; ours are fewer."""


def calibration_section(summary: PersonSummary, before: Values) -> Section:
    """What learning from trials changed.

    Parameters
    ----------
    summary : PersonSummary
        After.
    before : Values
        What was forecast before.
    """
    after = summary.forecast
    names = [name for name in main_indicators(after.values) if name in before.values][:_MOST]
    sentences = [f"Before: {before.basis}", f"After: {after.basis}"]
    if summary.spread_left is not None:
        sentences.append(
            f"Learning left {100 * summary.spread_left:.0f} % of the doubt about this person "
            "(standard deviation of the latent, mean over its numbers)."
        )
    blocks: list[Block] = [Paragraph(" ".join(sentences))]
    if names:
        blocks += [_picture(names, before, after), _table(names, before, after)]
    if summary.seen:
        blocks.append(_seen_table(summary.seen))
    return Section("calibration", "Before and after calibration", tuple(blocks))


def _picture(names: Sequence[str], before: Values, after: Values) -> Picture:
    height = 0.7 + 0.75 * len(names)

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(len(names), 1, squeeze=False)[:, 0]
        for axes, name in zip(panels, names, strict=True):
            _draw(axes, name, before, after, theme)
        figure.subplots_adjust(0.245, 0.3 / height, 0.98, 1.0 - 0.1 / height, hspace=0.75)

    said = " ".join(
        f"{with_unit(name)}: {number(before.values[name])} before"
        f" ({interval(before.intervals.get(name))}), {number(after.values[name])} after"
        f" ({interval(after.intervals.get(name))})."
        for name in names
    )
    return svg_picture(
        paint,
        (9.2, height),
        alt=f"Each indicator before and after calibration, with 90 % intervals. {said}",
        caption="Each indicator before (open circle, dashed line) and after (diamond, full line) "
        "the twin learned from this person's own trials; lines are 90 % intervals.",
    )


def _draw(axes: Axes, name: str, before: Values, after: Values, theme: Theme) -> None:
    rows = (
        (before, 0.0, theme.muted, "o", (0, (3, 2)), "before"),
        (after, 1.0, theme.person, "D", "solid", "after"),
    )
    for values, row, color, marker, line, _ in rows:
        bounds = values.intervals.get(name)
        if bounds is not None:
            axes.hlines(row, *bounds, color=color, linewidth=2.0, linestyles=line)  # type: ignore[arg-type]
            axes.vlines(bounds, row - 0.15, row + 0.15, color=color, linewidth=2.0)
        face = "none" if values is before else color
        axes.plot(
            values.values[name], row, marker, color=color, markerfacecolor=face, markersize=6.5
        )
    axes.set_ylim(1.6, -0.6)
    axes.set_yticks([0.0, 1.0], ["before", "after"], fontsize=8)
    axes.annotate(
        wrapped(with_unit(name), LABEL_WIDTH),
        (0.0, 0.5),
        xytext=(-46, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="center",
        fontweight="bold",
    )
    axes.tick_params(labelsize=8)
    axes.margins(x=0.04)
    plain(axes, theme, grid="x")


def _table(names: Sequence[str], before: Values, after: Values) -> DataTable:
    return DataTable.of(
        "Indicators before and after",
        ("indicator", "before", "90 % interval", "after", "90 % interval"),
        (
            (
                with_unit(name),
                number(before.values[name]),
                interval(before.intervals.get(name)),
                number(after.values[name]),
                interval(after.intervals.get(name)),
            )
            for name in names
        ),
    )


def _seen_table(seen: Sequence[SeenLine]) -> DataTable:
    return DataTable.of(
        "The trials it learned from, and its forecast for the same trials",
        (
            *("task, trial type", "trials", "answered", "accuracy", "forecast"),
            *("response time (s)", "forecast (s)"),
        ),
        (
            (
                f"{line.task}, {line.trial_type or 'all'}",
                str(line.n_trials),
                str(line.n_answered),
                number(line.accuracy),
                number(line.forecast_accuracy),
                number(line.response_time_s),
                number(line.forecast_response_time_s),
            )
            for line in seen
        ),
    )
