"""A report's section on a trial in silico: effects, responders, doses, and who failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .arm_settings import BEFORE
from .arm_settings import column as column_of
from .errors import DataError
from .report_blocks import Block, DataTable, Facts, Notice, Paragraph, Part, Picture, Section
from .report_canvas import Theme, drawable, plain, svg_picture
from .report_cohort import MOST_PEOPLE
from .report_numbers import (
    NONE,
    Floats,
    column,
    label_of,
    number,
    signed,
    texts,
    with_unit,
)
from .report_trial_summary import ARMS, Estimate, Responders, TrialSummary
from .tables import Table, read_table

if TYPE_CHECKING:
    from .report_canvas import Axes, Figure

_QUESTION = (
    "This is a question to the model, not a treatment, and not evidence for one: nobody was "
    "treated."
)
_MOST_LINES = 200
"""People drawn before and after; of more, these are spread over the cohort."""
_MOST_OTHERS = 8


def trial_section(summary: TrialSummary, path: Path | None) -> Section:
    """What plans would do in a cohort."""
    left_out: tuple[str, ...] = ()
    table = None if path is None else read_table(path, "\t", DataError)
    if table is None:
        left_out = ("Everybody before and after is left out: trial.tsv is not beside the others.",)
    goals = "; ".join(
        f"{with_unit(name)} changes by {number(by)}" for name, by in summary.goals.items()
    )
    facts = Facts(
        (
            ("People", f"{summary.n_people}, of which {summary.n_ok} were forecast"),
            ("Goal", goals or NONE),
            ("Held", ", ".join(label_of(name) for name in summary.holds) or "nothing"),
            ("Rule", summary.rule),
        )
    )
    parts = [Part("Effects", tuple(_effects(summary, table)))]
    parts.append(Part("Responders", (_responders_picture(summary), _responders_table(summary))))
    parts.append(Part("What else moves", (_others(summary),)))
    if summary.prediction:
        columns = ("arm", "response", "people", "predicted from", "r", "R2", "p")
        predicted = DataTable.of(
            "What predicts the response, in people left out", columns, summary.prediction
        )
        parts.append(Part("What predicts the response", (predicted,)))
    if table is not None:
        parts.append(Part("Who failed", (_failures(table),)))
    return Section("trial", "Trial in silico", (Notice(_QUESTION), facts), tuple(parts), left_out)


def _effects(summary: TrialSummary, table: Table | None) -> list[Block]:
    blocks: list[Block] = []
    if table is not None:
        blocks += [_paired_picture(summary, table, goal) for goal in list(summary.goals)[:3]]
    rows = [
        (
            f"{ARMS.get(arm.arm, arm.arm)}: {label_of(goal)}",
            _of_people(arm.change[goal]),
            _of_people(arm.effect[goal]),
            number(arm.size_sd),
        )
        for arm in summary.arms
        for goal in summary.goals
    ]
    columns = ("arm", "change (unit)", "effect (SD before)", "size (SD)")
    is_known = any(low is not None for arm in summary.arms for _, low, _ in arm.change.values())
    blocks.append(
        DataTable.of(
            "Mean change and effect in each arm"
            + (", with 90 % intervals over people" if is_known else " (too few for intervals)"),
            columns,
            rows,
        )
    )
    rows_of_pairs = [
        (f"{_pair(pair)}: {label_of(goal)}", _of_people(of))
        for pair, goals in summary.comparisons.items()
        for goal, of in goals.items()
    ]
    if rows_of_pairs:
        blocks.append(
            DataTable.of(
                "Arms beside one another: how much nearer to the goal (SD before)",
                ("arms", "difference"),
                rows_of_pairs,
            )
        )
    return blocks


def _pair(names: str) -> str:
    """Two arms as people call them."""
    return " - ".join(ARMS.get(name, name) for name in names.split(" - "))


def _of_people(estimate: Estimate) -> str:
    middle, low, high = estimate
    if middle is None:
        return NONE
    return (
        _digits(middle) if low is None else f"{_digits(middle)} ({_digits(low)} to {_digits(high)})"
    )


def _digits(value: float | None) -> str:
    return NONE if value is None else f"{value:+.3g}"


def _paired_picture(summary: TrialSummary, table: Table, goal: str) -> Picture:
    """Everybody before and in each arm."""
    arms = [arm.arm for arm in summary.arms if column_of(goal, arm.arm) in table.columns]
    before = column(table, column_of(goal, BEFORE))
    after = {arm: column(table, column_of(goal, arm)) for arm in arms}

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(1, len(arms), sharey=True, squeeze=False)[0]
        for axes, arm in zip(panels, arms, strict=True):
            _paired(axes, before, after[arm], theme)
            axes.set_title(ARMS.get(arm, drawable(arm)), fontsize=8.5)
        panels[0].set_ylabel(drawable(with_unit(goal)))
        figure.tight_layout(w_pad=1.0)

    means = []
    for arm in arms:
        known = np.isfinite(before) & np.isfinite(after[arm])
        if known.any():
            means.append(
                f"{ARMS.get(arm, arm)}: mean {number(float(before[known].mean()))} before, "
                f"{number(float(after[arm][known].mean()))} after."
            )
    return svg_picture(
        paint,
        (min(9.2, 1.0 + 2.1 * max(len(arms), 1)), 2.9),
        alt=f"{label_of(goal)} of everybody before and after, in each arm. {' '.join(means)}",
        caption=f"{with_unit(goal)} before and after in each arm: a thin line a person, the thick "
        "line is the mean.",
    )


def _paired(axes: Axes, before: Floats, after: Floats, theme: Theme) -> None:
    known = np.flatnonzero(np.isfinite(before) & np.isfinite(after))
    shown = known[np.linspace(0, len(known) - 1, min(len(known), _MOST_LINES)).astype(int)]
    if len(shown):
        axes.plot(
            [0, 1],
            np.stack([before[shown], after[shown]]),
            color=theme.muted,
            linewidth=0.5,
            alpha=0.6,
        )
        axes.plot(
            [0, 1],
            [before[known].mean(), after[known].mean()],
            "o-",
            color=theme.person,
            linewidth=2.4,
        )
    axes.set_xticks([0, 1], ["before", "after"])
    axes.set_xlim(-0.25, 1.25)
    plain(axes, theme)


def _responders_rows(summary: TrialSummary) -> list[tuple[str, float, Responders]]:
    """Arm, dose and who responds: all arms, then the other doses of the first one."""
    rows = [(ARMS.get(arm.arm, arm.arm), 1.0, arm.responders) for arm in summary.arms]
    first = ARMS.get(summary.dose_arm, summary.dose_arm)
    doses = zip(summary.doses, summary.at_doses, strict=True)
    return rows + [(first, dose, found) for dose, found in doses if dose != 1.0]


def _responders_picture(summary: TrialSummary) -> Picture:
    rows = [
        (arm if dose == 1.0 else f"{arm}, dose {dose:g}", found.share)
        for arm, dose, found in _responders_rows(summary)
    ]
    inches = (9.2, 0.75 + 0.36 * len(rows))

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        for row, (_, (share, low, high)) in enumerate(rows):
            if share is None:
                continue
            if low is not None and high is not None:
                axes.hlines(row, 100 * low, 100 * high, color=theme.person, linewidth=2.0)
            axes.plot(100 * share, row, "D", color=theme.person, markersize=6.5)
        axes.set_yticks(range(len(rows)), [drawable(name) for name, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(-3.0, 103.0)
        axes.set_xlabel("people who respond (%)")
        plain(axes, theme, grid="x")
        figure.subplots_adjust(0.28, 0.5 / inches[1], 0.985, 1.0 - 0.05 / inches[1])

    said = "; ".join(f"{name} {_percent(share)}" for name, share in rows)
    return svg_picture(
        paint,
        inches,
        alt=f"Share of people who respond, in each arm and at each dose: {said}.",
        caption="People who respond (diamond), with 90 % intervals (line) that say how much hangs "
        "on who is in the cohort.",
    )


def _percent(estimate: Estimate) -> str:
    share, low, high = estimate
    if share is None:
        return NONE
    text = f"{100 * share:.0f} %"
    return text if low is None or high is None else f"{text} ({100 * low:.0f} to {100 * high:.0f})"


def _responders_table(summary: TrialSummary) -> DataTable:
    rows = (
        (arm, f"{dose:g}", f"{found.n} of {found.of}", _percent(found.share))
        for arm, dose, found in _responders_rows(summary)
    )
    return DataTable.of("Who responds", ("arm", "dose", "people", "share"), rows)


def _others(summary: TrialSummary) -> Block:
    plans = [arm for arm in summary.arms if not arm.arm.startswith("sham_")]
    if not plans:
        return Paragraph("Nothing is known of it.")
    first = plans[0]
    names = sorted(first.others, key=lambda name: -abs(first.others[name]))[:_MOST_OTHERS]
    return DataTable.of(
        "Mean move of other indicators (SD before), those that move most",
        ("indicator", *(ARMS.get(arm.arm, arm.arm) for arm in summary.arms)),
        (
            (label_of(name), *(signed(arm.others.get(name)) for arm in summary.arms))
            for name in names
        ),
        where=summary.source,
    )


def _failures(table: Table) -> Block:
    status, who, errors = (texts(table, name) for name in ("status", "participant_id", "error"))
    failed = [row for row, each in enumerate(status) if each != "ok"]
    if not failed:
        return Paragraph("Nobody.")
    return DataTable.of(
        "Why there is no forecast",
        ("participant", "reason"),
        ((who[row], errors[row]) for row in failed),
        is_text=True,
        most=MOST_PEOPLE,
        where=table.source,
    )
