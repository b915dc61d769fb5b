"""`dtb-run intervene`: the change of a person's connectome that would move a chosen function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dtb_runtime.reading import Reading

from . import terminal
from .intervention_text import how_far, print_intervention
from .options import (
    DEFAULT_BUNDLE,
    BundleOption,
    Device,
    DeviceOption,
    ForceOption,
    JsonOption,
    ParticipantOption,
    SeedOption,
)
from .person import Person
from .plan_options import (
    BudgetOption,
    CohortOption,
    DirectionOption,
    EdgesOption,
    HoldOption,
    MethodOption,
    NetworksOption,
    NoiseOption,
    PlanMethod,
    PlanOption,
    RegionsOption,
    SamplesOption,
    SizeOption,
    TargetOption,
)
from .plan_request import change_limits, check_source, connectomes_of, direction_settings, goals_of
from .reading_options import with_reading

if TYPE_CHECKING:
    from dtb_runtime.bundle import Bundle
    from dtb_runtime.intervention import Intervention

EXAMPLES = """\b
Examples:
  dtb-run intervene sub-01_connectome.csv --target amygdala_response --direction decrease
  dtb-run intervene sub-01_connectome.csv --target reaction_time --direction decrease \\
      --size 0.3sd --hold amygdala_response --out plan
  dtb-run intervene sub-01_connectome.csv --target reaction_time --direction decrease --method pls
  dtb-run intervene sub-02_connectome.csv --plan plan --out same_plan
"""


@with_reading
def intervene(
    connectome: Annotated[
        Path,
        typer.Argument(
            metavar="CONNECTOME",
            show_default=False,
            help="Correlations between regions, or the resting series they come from; files as "
            "predict takes them.",
        ),
    ],
    target: TargetOption = None,
    direction: DirectionOption = None,
    size: SizeOption = None,
    hold: HoldOption = None,
    plan: PlanOption = None,
    edges: EdgesOption = None,
    regions: RegionsOption = None,
    networks: NetworksOption = False,
    budget: BudgetOption = None,
    method: MethodOption = PlanMethod.GRADIENT,
    samples: SamplesOption = None,
    noise: NoiseOption = None,
    cohort: CohortOption = None,
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
    participant_label: ParticipantOption = None,
    seed: SeedOption = 0,
    force: ForceOption = False,
    device: DeviceOption = Device.AUTO,
    *,
    reading: Reading,
) -> None:
    """Find which change of a connectome would move a function.

    The smallest change that does is found and tried out. The changed connectome stays a possible
    one: positive semi-definite, and every edge within what people show. It is run through the twin
    again: before, after, side effects on every other indicator, doses from none to twice the
    plan's, and 100 random changes of the same size. A new plan needs PyTorch; applying one (--plan)
    does not. The twin's answer is a forecast from correlations that it has learned, not a
    treatment.
    """
    from dtb_runtime.atomic import check_free
    from dtb_runtime.bundle_loading import load_bundle
    from dtb_runtime.connectome_file import read_connectome
    from dtb_runtime.gradients import plan_finder
    from dtb_runtime.intervention import DOSES, try_plan
    from dtb_runtime.intervention_outputs import WRITTEN, summary_of, write_intervention
    from dtb_runtime.plan import held, read_plan

    of_new = {
        "--direction": direction,
        "--size": size,
        "--hold": hold,
        "--edges": edges,
        "--regions": regions,
        "--networks": networks,
        "--budget": budget,
        "--method": method is not PlanMethod.GRADIENT,
        "--samples": samples,
        "--noise": noise,
        "--cohort": cohort,
    }
    check_source(plan, target, of_new)
    person = Person(
        connectome=connectome,
        twin=None,
        events=(),
        reading=reading,
        participant_label=participant_label,
        age=None,
        sex=None,
    )
    if out is not None:
        check_free(out, WRITTEN, force=force)  # now, and not when all is done
    loaded = load_bundle(bundle, device=device.value)
    given = read_connectome(connectome, reading)
    finder, found = None, None
    limits = change_limits(edges, regions, budget, networks=networks)
    if plan is not None:
        ready = read_plan(plan, loaded)
    else:
        goals = goals_of(loaded, target, direction, size)
        people = connectomes_of(loaded, cohort, reading)
        finder = plan_finder(
            loaded,
            goals,
            held(hold or [], goals),
            method=method.value,
            direction=direction_settings(method, samples, noise, seed, people),
        )
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
    result = summary_of(loaded, tried, found)
    files: tuple[Path, ...] = ()
    if out is not None:
        figures, left_out = _figures(loaded, tried)
        result["left_out"] = left_out
        files = write_intervention(
            out,
            loaded,
            tried,
            found=found,
            trade_off=() if finder is None else finder.trade_off(given, limits),
            figures=figures,
            force=force,
        )
    result["files"] = [str(path) for path in files]
    if json:
        terminal.print_json(result)
    else:
        print_intervention(result, given.source)
        if out is not None:
            for sentence in result["left_out"]:
                terminal.message(f"Left out {sentence}")
            terminal.message(f"Wrote {len(files)} files to {out}.")
    if found is not None and not found.is_reached:
        terminal.message(how_far(found, limits.budget))
        raise typer.Exit(1)


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
