"""A report's section on responses: when, how often right, and how often none, by trial type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataError
from .report_blocks import DataTable, Paragraph, Part, Picture, Section
from .report_canvas import Theme, drawable, plain, svg_picture
from .report_numbers import Floats, column, interval, number, texts
from .report_summary import Interval, PersonSummary
from .tables import read_table
from .tasks import TASKS

if TYPE_CHECKING:
    from .report_canvas import Axes, Figure

_QUANTILES = (
    "response_time_low",
    "response_time_lower_quartile",
    "response_time_upper_quartile",
    "response_time_high",
)
_LARGEST_TIME_S = 1e6
_MOST_TYPES = 12
"""Kinds of trials of one task; a table with more is none of ours."""


@dataclass(frozen=True, slots=True, eq=False)
class TrialKind:
    """All trials of one kind of one task."""

    task: str
    trial_type: str
    onset_s: Floats
    """Shape (trials,)."""
    duration_s: Floats
    p_correct: Floats
    p_no_response: Floats
    mean_s: Floats
    """Mean response time of each trial, given a response; NaN where there is none."""
    quantiles_s: Floats
    """5, 25, 75 and 95 % of the response time of each trial, shape (4, trials)."""

    @property
    def name(self) -> str:
        """Task and trial type."""
        return f"{self.task}, {self.trial_type}"

    @property
    def spread_s(self) -> tuple[float, float, float, float]:
        """Quantiles of the kind: means over its trials of theirs; NaN without a response."""
        known = self.quantiles_s[:, np.isfinite(self.quantiles_s).all(axis=0)]
        if not known.shape[1]:
            return (np.nan,) * 4
        low, lower, upper, high = known.mean(axis=1).tolist()
        return low, lower, upper, high

    @property
    def response_time_s(self) -> float:
        """Mean over trials; NaN without a response."""
        known = self.mean_s[np.isfinite(self.mean_s)]
        return float(known.mean()) if len(known) else float("nan")


def read_trial_kinds(path: Path, task: str) -> tuple[TrialKind, ...]:
    """Read a forecast's table of trials, its trials sorted by kind.

    Raises
    ------
    DataError
        It cannot be read, or is no such table.
    """
    table = read_table(path, "\t", DataError)
    groups = np.array([_group(task, each) for each in texts(table, "trial_type")], dtype=np.str_)
    columns = {
        name: column(table, name)
        for name in (
            *("onset", "duration", "p_correct", "p_no_response", "response_time"),
            *_QUANTILES,
        )
    }
    for name in ("p_correct", "p_no_response"):
        if not (np.nan_to_num(np.abs(columns[name] - 0.5), nan=np.inf) <= 0.5).all():
            raise DataError(f"{table.source}: {name} must be probabilities from 0 to 1.")
    for name in ("onset", "duration"):
        known = np.nan_to_num(columns[name], nan=-1.0)
        if not ((known >= 0.0) & (known <= _LARGEST_TIME_S)).all():
            raise DataError(f"{table.source}: {name} must be seconds in every row, none below 0.")
    kinds = list(dict.fromkeys(groups.tolist()))
    if len(kinds) > _MOST_TYPES:
        raise DataError(
            f"{table.source} has {len(kinds)} kinds of trials, expected at most {_MOST_TYPES}. "
            "Check that this is the table that the command wrote."
        )
    order = TASKS[task].trial_types
    kinds.sort(key=lambda kind: order.index(kind) if kind in order else len(order))
    return tuple(
        _kind(task, kind, {name: of[groups == kind] for name, of in columns.items()})
        for kind in kinds
    )


def _kind(task: str, trial_type: str, columns: dict[str, Floats]) -> TrialKind:
    return TrialKind(
        task=task,
        trial_type=trial_type,
        onset_s=columns["onset"],
        duration_s=columns["duration"],
        p_correct=columns["p_correct"],
        p_no_response=columns["p_no_response"],
        mean_s=columns["response_time"],
        quantiles_s=np.stack([columns[name] for name in _QUANTILES]),
    )


def _group(task: str, trial_type: str) -> str:
    """The kind that trials count as: ``con1`` is ``congruent``."""
    stem = trial_type.rstrip("0123456789").lower()
    meant = [name for name in TASKS[task].trial_types if stem and name.startswith(stem)]
    return meant[0] if len(meant) == 1 else trial_type


def responses_section(summary: PersonSummary | None, kinds: Sequence[TrialKind]) -> Section:
    """When and how a person would respond, by trial type."""
    left_out: tuple[str, ...] = ()
    if summary is None:
        left_out = ("The 90 % intervals of accuracy are left out: the summary was not given.",)
    times = Part("Response times", (_times_picture(kinds), _times_table(kinds)))
    accuracy = Part(
        "Accuracy", (_accuracy_picture(kinds, summary), _accuracy_table(kinds, summary))
    )
    tasks = dict.fromkeys(kind.task for kind in kinds)
    what = Paragraph(f"{'; '.join(f'{name}: {TASKS[name].what}' for name in tasks)}.".capitalize())
    return Section("responses", "Responses", (what,), (times, accuracy), left_out)


def _rows(axes: Axes, kinds: Sequence[TrialKind]) -> None:
    axes.set_ylim(len(kinds) - 0.45, -0.55)
    axes.set_yticks(range(len(kinds)), [drawable(kind.name) for kind in kinds], fontsize=9)


def _times_picture(kinds: Sequence[TrialKind]) -> Picture:
    inches = (9.2, 0.75 + 0.52 * len(kinds))

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        for row, kind in enumerate(kinds):
            low, lower, upper, high = kind.spread_s
            color = _color(kind, theme)
            if np.isfinite(low):
                axes.hlines(row, low, high, color=color, linewidth=1.6)
                axes.vlines((low, high), row - 0.12, row + 0.12, color=color, linewidth=1.6)
                axes.barh(
                    row,
                    upper - lower,
                    left=lower,
                    height=0.44,
                    color=theme.wide,
                    edgecolor=color,
                    linewidth=1.6,
                    zorder=2.5,
                )
            known = kind.mean_s[np.isfinite(kind.mean_s)]
            axes.plot(known, np.full(len(known), row + 0.36), "|", color=theme.muted, markersize=4)
            axes.plot(kind.response_time_s, row, "D", color=color, markersize=6, zorder=3)
        _rows(axes, kinds)
        axes.set_xlim(left=0.0)
        axes.set_xlabel("response time after trial onset (s)")
        plain(axes, theme, grid="x")
        figure.subplots_adjust(0.2, 0.5 / inches[1], 0.985, 1.0 - 0.05 / inches[1])

    said = " ".join(
        f"{kind.name}: mean {number(kind.response_time_s)} s, half of the responses at "
        f"{interval(kind.spread_s[1:3])} s, 90 % at {interval(kind.spread_s[::3])} s."
        for kind in kinds
    )
    return svg_picture(
        paint,
        inches,
        alt=f"Box plots of forecast response times by task and trial type. {said}",
        caption="Forecast response times, given that there is a response: the box holds the middle "
        "half, the line 90 %, the diamond is the mean; small strokes are the means of single "
        "trials. Quantiles are means over trials of each trial's own; the trial's noise and what "
        "is not known of the person are both in them.",
    )


def _times_table(kinds: Sequence[TrialKind]) -> DataTable:
    return DataTable.of(
        "Response times (s)",
        ("task, trial type", "trials", "mean", "5 %", "25 %", "75 %", "95 %"),
        (
            (
                kind.name,
                str(len(kind.mean_s)),
                number(kind.response_time_s),
                *(number(value) for value in kind.spread_s),
            )
            for kind in kinds
        ),
    )


def _accuracy_of(kind: TrialKind, summary: PersonSummary | None) -> tuple[float, Interval | None]:
    """Mean chance of the right answer, and its interval where the summary has it."""
    name = f"accuracy:{kind.task}:{kind.trial_type}"
    bounds = None if summary is None else summary.forecast.intervals.get(name)
    return float(kind.p_correct.mean()), bounds


def _accuracy_picture(kinds: Sequence[TrialKind], summary: PersonSummary | None) -> Picture:
    inches = (9.2, 0.75 + 0.42 * len(kinds))
    found = [(kind, *_accuracy_of(kind, summary)) for kind in kinds]
    lowest = min(min(value, *(bounds or ())) if bounds else value for _, value, bounds in found)

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        for row, (kind, value, bounds) in enumerate(found):
            color = _color(kind, theme)
            if bounds is not None:
                axes.hlines(row, *bounds, color=color, linewidth=2.0)
                axes.vlines(bounds, row - 0.12, row + 0.12, color=color, linewidth=2.0)
            axes.plot(value, row, "D", color=color, markersize=7)
        _rows(axes, kinds)
        axes.set_xlim(max(0.0, np.floor(10 * lowest - 0.5) / 10), 1.01)
        axes.set_xlabel("chance of the right response, where no response is not right")
        plain(axes, theme, grid="x")
        figure.subplots_adjust(0.2, 0.5 / inches[1], 0.985, 1.0 - 0.05 / inches[1])

    said = " ".join(
        f"{kind.name}: {value:.3f}"
        + ("." if bounds is None else f", 90 % interval {interval(bounds)}.")
        for kind, value, bounds in found
    )
    return svg_picture(
        paint,
        inches,
        alt=f"Forecast accuracy by task and trial type. {said}",
        caption="Forecast accuracy (diamond)"
        + (
            " with its 90 % interval (line), which says what is not known of the person."
            if any(bounds is not None for *_, bounds in found)
            else ". No summary that says its interval was given."
        ),
    )


def _accuracy_table(kinds: Sequence[TrialKind], summary: PersonSummary | None) -> DataTable:
    rows = []
    for kind in kinds:
        value, bounds = _accuracy_of(kind, summary)
        none = float(kind.p_no_response.mean())
        rows.append((kind.name, number(value), interval(bounds), number(none)))
    return DataTable.of(
        "Accuracy and missing responses (shares of trials)",
        ("task, trial type", "right", "90 % interval", "no response"),
        rows,
    )


def _color(kind: TrialKind, theme: Theme) -> str:
    """One color for what a contrast counts positive, another for the rest."""
    is_positive = kind.trial_type == TASKS[kind.task].contrast[0]
    return theme.other if is_positive else theme.person
