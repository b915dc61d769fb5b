"""A report's section on an intervention: what a plan changes, what it does, and beside chance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DataError
from .report_blocks import Block, DataTable, Facts, Notice, Paragraph, Part, Picture, Section
from .report_canvas import Theme, drawable, plain, svg_picture
from .report_edges import edges_part
from .report_inputs import Together
from .report_intervention_summary import Effect, InterventionSummary
from .report_numbers import (
    NONE,
    column,
    interval,
    label_of,
    number,
    signed,
    whole,
    with_unit,
)
from .tables import read_table

if TYPE_CHECKING:
    from .report_canvas import Axes, Figure

_NO_TREATMENT = (
    "This is a question to the model, not a treatment: a twin knows how behavior and BOLD go with "
    "connectomes between people, not what would follow if a connectome were changed."
)
_WHOSE = (
    "Plans are tried on the connectome alone, at the mean of what it tells: nothing here has "
    "learned from this person's trials. So 'before' is another number than the forecast above; "
    "compare 'before' with 'after' only."
)
_KINDS = {
    "edges": "edges",
    "regions": "regions, whose coupling is scaled",
    "networks": "pairs of networks, whose edges shift alike",
}
_MOST_EFFECTS = 24
_MOST_PANELS = 6
_SMALLEST = 1e-9


def intervention_section(summary: InterventionSummary, files: Together) -> Section:
    """What a plan changes in a person, and what comes of it."""
    left_out: list[str] = []
    parts = [Part("What doses do", tuple(_doses(summary)))]
    heading = "What moves, beside random changes" if summary.n_random else "What moves"
    parts.append(Part(heading, tuple(_moves(summary))))
    edges = files.other("edges.tsv")
    if edges is None:
        left_out.append("Edges by network are left out: edges.tsv is not beside the others.")
    else:
        parts.append(edges_part(edges))
    trade_off = files.other("trade_off.tsv")
    if trade_off is not None:
        parts.append(Part("What holding costs", (_trade_off(trade_off),)))
    return Section(
        "intervention",
        "Intervention plan",
        (Notice(_NO_TREATMENT), Paragraph(_WHOSE), _facts(summary)),
        tuple(parts),
        tuple(left_out),
    )


def _facts(summary: InterventionSummary) -> Facts:
    change = summary.change
    goals = "; ".join(
        f"{with_unit(name)}: {number(asked)} asked for, "
        + (
            "what is reached is not known"
            if share is None
            else f"{100 * share:.0f} % of it reached"
        )
        for name, (asked, share) in summary.goals.items()
    )
    of = _KINDS.get(change["kind"], change["kind"])
    before, after = summary.distance
    return Facts(
        (
            ("Goal", goals or NONE),
            ("Held", ", ".join(label_of(name) for name in summary.holds) or "nothing"),
            ("Changes", f"up to {change['places']} {of}"),
            (
                "Size",
                f"{change['size_r']:.3f} in r, {change['size_sd']:.2f} SD between people (root "
                f"mean square over edges); {100 * change['share_possible']:.0f} % of what the plan "
                "asks for is possible in this connectome",
            ),
            (
                "How unusual",
                f"farther from the cohort's mean than {whole(before)} % of its people before, "
                f"{whole(after)} % after",
            ),
        )
    )


def _doses(summary: InterventionSummary) -> list[Block]:
    own = (*summary.goals, *summary.holds)
    names = [name for name in own if name in summary.at_doses][:_MOST_PANELS]
    if not names or len(summary.doses) < 2:
        return [Paragraph("There are no doses of this plan.")]
    blocks: list[Block] = [_doses_picture(summary, names)]
    rows = (
        (f"{dose:g}", *(number(summary.at_doses[name][k]) for name in names))
        for k, dose in enumerate(summary.doses)
    )
    columns = ("dose", *(with_unit(name) for name in names))
    blocks.append(DataTable.of("Indicators by dose", columns, rows, where=summary.source))
    return blocks


def _doses_picture(summary: InterventionSummary, names: Sequence[str]) -> Picture:
    n_columns = min(len(names), 3)
    n_rows = -(-len(names) // n_columns)
    inches = (min(9.2, 0.4 + 4.4 * n_columns), 2.5 * n_rows)

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        for axes, name in zip(panels, names, strict=False):
            color = theme.person if name in summary.goals else theme.other
            axes.axvline(1.0, color=theme.faint, linewidth=1.2)
            axes.plot(summary.doses, summary.at_doses[name], "o-", color=color, markersize=4)
            if name in summary.goals:
                aim = summary.at_doses[name][0] + summary.goals[name][0]
                axes.axhline(aim, color=theme.muted, linestyle="--", linewidth=1.0)
            _fit(axes, summary, name)
            role = "goal" if name in summary.goals else "held"
            axes.set_title(f"{drawable(with_unit(name))}: {role}", fontsize=9)
            axes.set_xlabel("dose")
            plain(axes, theme, grid="y")
        figure.tight_layout(w_pad=2.0)

    said = " ".join(
        f"{with_unit(name)}: {number(summary.at_doses[name][0])} at dose {summary.doses[0]:g}, "
        f"{number(summary.at_doses[name][-1])} at dose {summary.doses[-1]:g}."
        for name in names
    )
    return svg_picture(
        paint,
        inches,
        alt=f"Lines of indicators over doses of the plan. {said}",
        caption="What the twin forecasts where the connectome is changed by so much of the plan; "
        "the upright line is the plan itself (dose 1), the dashed one its goal."
        + (
            " The axis of what is held spans half an SD of the training cohort or more."
            if summary.holds
            else ""
        ),
    )


def _fit(axes: Axes, summary: InterventionSummary, name: str) -> None:
    """Do not let a held indicator fill its axis with changes that are next to nothing."""
    values = summary.at_doses[name]
    effect = next((each for each in summary.effects if each.name == name), None)
    if effect is None or not effect.sd or name in summary.goals:
        return  # nothing is known of it, or it is to change
    sd = abs((effect.after - effect.before) / effect.sd)
    middle, half = (max(values) + min(values)) / 2, max((max(values) - min(values)) / 2, 0.25 * sd)
    if half > _SMALLEST * max(1.0, abs(middle)):  # else the two ends were one number
        axes.set_ylim(middle - 1.15 * half, middle + 1.15 * half)


def _moves(summary: InterventionSummary) -> list[Block]:
    own = (*summary.goals, *summary.holds)
    known = [effect for effect in summary.effects if effect.sd is not None]
    known.sort(key=lambda effect: (effect.name not in own, -abs(effect.sd or 0.0)))
    shown = known[:_MOST_EFFECTS]
    if not shown:
        return [Paragraph("Nothing is known of what moves.")]
    rows = (
        (
            f"{with_unit(effect.name)}{_role(effect.name, summary)}",
            number(effect.before),
            number(effect.after),
            signed(effect.sd),
            "none"
            if effect.random is None
            else f"{signed(effect.random[0])} to {signed(effect.random[1])}",
            NONE
            if effect.percent is None
            else f"{effect.percent * summary.n_random / 100:.0f} of {summary.n_random}",
        )
        for effect in shown
    )
    columns = (
        *("indicator", "before", "after", "change (SD)", "random changes (SD)"),
        "farther than random changes",
    )
    return [
        _moves_picture(shown, summary),
        DataTable.of("What the plan moves", columns, rows, where=summary.source),
    ]


def _role(name: str, summary: InterventionSummary) -> str:
    if name in summary.goals:
        return ", goal"
    return ", held" if name in summary.holds else ""


def _moves_picture(effects: Sequence[Effect], summary: InterventionSummary) -> Picture:
    inches = (9.2, 0.75 + 0.26 * len(effects))

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        for row, effect in enumerate(effects):
            if effect.random is not None:
                low, high = effect.random
                axes.barh(row, high - low, left=low, height=0.62, color=theme.narrow)
            color = theme.person if effect.name in summary.goals else theme.ink
            marker = "D" if effect.name in summary.goals else "o"
            axes.plot(effect.sd or 0.0, row, marker, color=color, markersize=6)
        axes.axvline(0.0, color=theme.muted, linewidth=0.8)
        names = [
            f"{drawable(label_of(effect.name))}{_role(effect.name, summary)}" for effect in effects
        ]
        axes.set_yticks(range(len(effects)), names, fontsize=8.5)
        axes.set_ylim(len(effects) - 0.4, -0.6)
        axes.set_xlabel("change (SD of the training cohort)")
        plain(axes, theme, grid="x")
        figure.subplots_adjust(0.3, 0.5 / inches[1], 0.985, 1.0 - 0.05 / inches[1])

    beside = (
        f", and from where to where (5 % to 95 %) {summary.n_random} random changes of the same "
        "size and kind move it (bar). To lie outside says that the plan aims, not that the change "
        "is large."
        if summary.n_random
        else "."
    )
    said = " ".join(
        f"{label_of(effect.name)} {signed(effect.sd)} SD"
        + ("." if effect.random is None else f", random {interval(effect.random)}.")
        for effect in effects[: max(6, len(summary.goals) + len(summary.holds))]
    )
    return svg_picture(
        paint,
        inches,
        alt=f"Change of each indicator at dose 1 beside random changes. {said}",
        caption=f"Change at dose 1 (diamond: goal){beside}",
    )


def _trade_off(path: Path) -> DataTable:
    table = read_table(path, "\t", DataError)
    columns = {name: column(table, name) for name in table.columns}
    names = {"held": "held (0 to 1)", "size_sd": "size (SD)"}
    return DataTable.of(
        "What holding costs: the size of the change, and what moves (SD)",
        (names.get(name, label_of(name)) for name in columns),
        ([f"{values[row]:.2f}" for values in columns.values()] for row in range(table.n_rows)),
        where=table.source,
    )
