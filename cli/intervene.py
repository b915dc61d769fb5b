"""`dtb-run intervene`: the change of a person's connectome that would move a chosen function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import terminal
from .options import (
    DEFAULT_BUNDLE,
    BundleOption,
    Device,
    DeviceOption,
    FisherOption,
    ForceOption,
    JsonOption,
    ParticipantOption,
    SeedOption,
    TimeseriesOption,
)
from .person import Person

if TYPE_CHECKING:
    from dtb_runtime.bundle import Bundle
    from dtb_runtime.connectome import Connectome
    from dtb_runtime.gradients import FoundPlan
    from dtb_runtime.intervention import Intervention
    from dtb_runtime.plan import Goal

EXAMPLES = """\b
Examples:
  dtb-run intervene sub-01_connectome.csv --target amygdala_response --direction decrease
  dtb-run intervene sub-01_connectome.csv --target reaction_time --direction decrease \\
      --size 0.3sd --hold amygdala_response --out plan
  dtb-run intervene sub-02_connectome.csv --plan plan --out same_plan
"""


def intervene(
    connectome: Annotated[
        Path,
        typer.Argument(
            metavar="CONNECTOME",
            show_default=False,
            help="Matrix of correlations between regions, or with --timeseries the series.",
        ),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="NAME",
            show_default=False,
            help="Indicator to move, e.g. reaction_time:stroop, stroop_effect, amygdala_response, "
            "contrast:face_shape:REGION. May be given again.",
        ),
    ] = None,
    direction: Annotated[
        list[str] | None,
        typer.Option(
            "--direction",
            metavar="increase|decrease",
            show_default=False,
            help="Where to: once, or once for each target.",
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            "--size",
            metavar="0.5sd|VALUE",
            show_default=False,
            help="How far, in SDs of the training cohort or in the indicator's unit: once, or once "
            "for each target. Sizes are the weights of several targets. Default: 0.5sd.",
        ),
    ] = None,
    hold: Annotated[
        list[str] | None,
        typer.Option(
            "--hold",
            metavar="NAME",
            show_default=False,
            help="Indicator that must not move. May be given again.",
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            metavar="JSON|DIR",
            show_default=False,
            help="Apply a plan that is there already, instead of --target. Needs no PyTorch.",
        ),
    ] = None,
    edges: Annotated[
        int | None,
        typer.Option("--edges", metavar="K", show_default=False, help="Change at most K edges."),
    ] = None,
    regions: Annotated[
        int | None,
        typer.Option(
            "--regions",
            metavar="K",
            show_default=False,
            help="Scale the coupling of at most K whole regions, as stimulation would.",
        ),
    ] = None,
    networks: Annotated[
        bool, typer.Option("--networks", help="Shift all edges between two networks alike.")
    ] = False,
    budget: Annotated[
        float,
        typer.Option(
            "--budget",
            help="Largest change, in SDs of edges between people (root mean square over edges).",
        ),
    ] = 1.0,
    shams: Annotated[
        int,
        typer.Option(
            "--shams", min=0, help="Random changes of the same size and kind to compare with."
        ),
    ] = 100,
    bundle: BundleOption = DEFAULT_BUNDLE,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", show_default=False, help="Folder to write files to."),
    ] = None,
    json: JsonOption = False,
    fisher_z: FisherOption = False,
    timeseries: TimeseriesOption = False,
    participant_label: ParticipantOption = None,
    seed: SeedOption = 0,
    force: ForceOption = False,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Find which change of a connectome would move a function.

    The smallest change that does is found and tried out. The changed connectome stays a possible
    one: positive semi-definite, and every edge within what people show. It is run through the twin
    again: before, after, side effects on every other indicator, doses from none to twice the
    plan's, and 100 random changes of the same size. A new plan needs PyTorch; applying one (--plan)
    does not. The twin's answer is a forecast from correlations that it has learned, not a
    treatment.
    """
    from dtb_runtime.bundle_loading import load_bundle
    from dtb_runtime.connectome import read_connectome
    from dtb_runtime.errors import UsageError
    from dtb_runtime.gradients import ChangeLimits, plan_finder
    from dtb_runtime.intervention import DOSES, try_plan
    from dtb_runtime.intervention_outputs import summary_of, write_intervention
    from dtb_runtime.plan import held, read_plan

    if (plan is None) == (not target):
        raise UsageError(
            "Say what to do: --target NAME with --direction for a new plan, or --plan for one that "
            f"is there; found {'both' if plan is not None else 'neither'}."
        )
    person = Person(
        connectome=connectome,
        twin=None,
        events=(),
        fisher_z=fisher_z,
        timeseries=timeseries,
        participant_label=participant_label,
        age=None,
        sex=None,
    )
    loaded = load_bundle(bundle, device=device.value)
    given = read_connectome(connectome, fisher_z=fisher_z, timeseries=timeseries)
    finder, found = None, None
    limits = ChangeLimits(edges, regions, networks, budget)
    limits.check()
    if plan is not None:
        ready = read_plan(plan, loaded)
    else:
        goals = _goals(loaded, target or [], direction or [], size or ["0.5sd"])
        finder = plan_finder(loaded, goals, held(hold or [], goals))
        found = finder.find(given, limits, participant_id=person.participant_id())
        ready = found.plan
    with terminal.progress("Trying", 2 + len(DOSES) + shams) as progress:
        tried = try_plan(
            loaded,
            given,
            ready,
            shams=shams,
            seed=seed,
            changed=None if found is None else found.correlations,
            on_step=lambda done, _: progress.advance(done, ""),
        )
    result = summary_of(loaded, tried)
    if found is not None:
        result["change"]["size_sd"] = found.size
        result["is_reached"] = found.is_reached
        result["is_within_budget"] = found.is_within_budget
    files: tuple[Path, ...] = ()
    if out is not None:
        figures, left_out = _figures(loaded, tried)
        result["left_out"] = left_out
        files = write_intervention(
            out,
            loaded,
            tried,
            gradient=None if found is None else found.gradient,
            trade_off=() if finder is None else finder.trade_off(given, limits),
            figures=figures,
            force=force,
        )
    result["files"] = [str(path) for path in files]
    if json:
        terminal.print_json(result)
    else:
        _print(result, given)
        if out is not None:
            for sentence in result["left_out"]:
                terminal.message(f"Left out {sentence}")
            terminal.message(f"Wrote {len(files)} files to {out}.")
    if found is not None and not found.is_reached:
        terminal.message(_how_far(found, budget))
        raise typer.Exit(1)


def _goals(
    bundle: Bundle, targets: list[str], directions: list[str], sizes: list[str]
) -> list[Goal]:
    from dtb_runtime.errors import UsageError
    from dtb_runtime.plan import Goal

    for option, values in (("--direction", directions), ("--size", sizes)):
        if len(values) not in (1, len(targets)):
            raise UsageError(
                f"{option} must be given once, or once for each of the {len(targets)} targets, "
                f"found {len(values)}."
            )
    directions = directions * len(targets) if len(directions) == 1 else directions
    sizes = sizes * len(targets) if len(sizes) == 1 else sizes
    return [
        Goal.of(bundle, name, where, how_far)  # type: ignore[arg-type]  # which it checks
        for name, where, how_far in zip(targets, directions, sizes, strict=True)
    ]


def _figures(bundle: Bundle, tried: Intervention) -> tuple[dict[str, bytes], list[str]]:
    """The pictures, and which of them there are not, and why."""
    from .intervention_figure import FIGURE_FILE, draw

    try:
        return {FIGURE_FILE: draw(bundle, tried)}, []
    except ModuleNotFoundError as cause:
        return {}, [
            f"{FIGURE_FILE}: it needs {cause.name}, which is not installed: pip install "
            "'dtb-runtime[figures]'"
        ]


def _how_far(found: FoundPlan, budget: float) -> str:
    shares = ", ".join(
        f"{goal.name} {found.plan.reached[goal.name] / goal.change:.0%}"
        for goal in found.plan.goals
    )
    if not found.is_within_budget:
        return (
            f"The goal is not reached within the budget of {budget:g} SD of edges: {shares} of it "
            "is. Raise --budget, or ask for less."
        )
    return (
        f"The goal cannot be reached by such changes of this connectome: {shares} of it is. Ask "
        "for less, hold fewer indicators, or allow more edges or regions."
    )


def _print(result: dict[str, Any], connectome: Connectome) -> None:
    change = result["change"]
    what = {
        "edges": "edges",
        "regions": "regions scaled as wholes",
        "networks": "pairs of networks",
    }[change["kind"]]
    size = f"{change['size_r']:.3f} in r (root mean square over edges)"
    if "size_sd" in change:
        size += f", {change['size_sd']:.2f} SD between people"
    terminal.print_lines(
        f"{connectome.source}: change of {change['places']} {what}, {size}; "
        f"{change['share_possible']:.0%} of it possible; smallest eigenvalue "
        f"{change['smallest_eigenvalue']:.2g}.",
        "",
    )
    aims = {goal["name"] for goal in result["plan"]["goals"]}
    rows = [
        (
            f"{name} *" if name in aims else name,
            f"{of['before']:.4g}",
            f"{of['after']:.4g}",
            f"{of['effect_sd']:+.2f}",
            "" if of["percentile_of_random"] is None else f"{of['percentile_of_random']:.0f}",
        )
        for name, of in result["indicators"].items()
    ]
    header = ("indicator", "before", "after", "change (SD)", "farther than random (%)")
    terminal.print_table(terminal.Table(header, rows))
    terminal.print_lines("* what was to move. SDs are those of the training cohort.")
    for warning in result["warnings"]:
        terminal.message(f"Warning: {warning}")
