"""`dtb-run trial`: an in-silico trial of an intervention over a cohort."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtb_runtime.processors import n_usable
from dtb_runtime.reading import Reading

from . import terminal
from .hash_options import HashIdsOption, HashKeyOption, listing_to_use
from .options import (
    DEFAULT_BUNDLE,
    BundleOption,
    Device,
    DeviceOption,
    ForceOption,
    JsonOption,
    SeedOption,
)
from .plan_options import (
    BudgetOption,
    DirectionOption,
    EdgesOption,
    HoldOption,
    NetworksOption,
    PlanOption,
    RegionsOption,
    SizeOption,
    TargetOption,
)
from .plan_request import change_limits, check_source, goals_of
from .reading_options import with_reading
from .trial_text import print_trial

if TYPE_CHECKING:
    from dtb_runtime.arm_settings import Arm
    from dtb_runtime.arm_tables import TrialHelpers

EXAMPLES = """\b
Examples:
  dtb-run trial connectomes --target amygdala_response --direction decrease --out trial
  dtb-run trial cohort.tsv --plan plan --out trial --jobs 8
"""


class Arms(StrEnum):
    """Whose plans are tried."""

    BOTH = "both"
    PERSONAL = "personal"
    COMMON = "common"


@with_reading
def trial(
    cohort: Annotated[
        Path,
        typer.Argument(
            metavar="COHORT",
            show_default=False,
            help="A folder of connectomes, a BIDS derivatives tree, or a table, as dtb-run score "
            "takes it.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", show_default=False, help="Folder for the results."),
    ],
    target: TargetOption = None,
    direction: DirectionOption = None,
    size: SizeOption = None,
    hold: HoldOption = None,
    plan: PlanOption = None,
    arms: Annotated[
        Arms | None,
        typer.Option(
            "--arms",
            show_default=False,
            help="Everybody's own plan, one for the cohort's mean connectome, or both (default; "
            "with --plan: common, which is then that plan).",
        ),
    ] = None,
    edges: EdgesOption = None,
    regions: RegionsOption = None,
    networks: NetworksOption = False,
    budget: BudgetOption = None,
    dose: Annotated[
        list[float] | None,
        typer.Option(
            "--dose",
            metavar="FACTOR",
            show_default=False,
            help="Another dose of the first arm's plan. May be given again. Default: 0.5 and 2.",
        ),
    ] = None,
    responder: Annotated[
        float,
        typer.Option(
            "--responder",
            help="Who moves by this share of every goal responds.",
        ),
    ] = 0.5,
    bundle: BundleOption = DEFAULT_BUNDLE,
    files: Annotated[
        bool,
        typer.Option("--files", help="Also write each person's own files, as intervene does."),
    ] = False,
    hash_ids: HashIdsOption = False,
    hash_key: HashKeyOption = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", min=1, show_default=False, help="Processes (default: one a processor)."
        ),
    ] = None,
    seed: SeedOption = 0,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first person who cannot be forecast.")
    ] = False,
    force: ForceOption = False,
    device: DeviceOption = Device.AUTO,
    json: JsonOption = False,
    *,
    reading: Reading,
) -> None:
    """Try an intervention on a whole cohort, in silico.

    Everybody is forecast before, with their own plan, with one common plan, with a random change as
    large (sham) and at other doses. Writes trial.tsv (a row for everybody), trial.json (effects,
    responders, arms beside one another, what predicts the response), baseline.tsv and a picture.
    Killed and started again it goes on; whoever cannot be forecast gets a row that says why, and
    the exit code is then 1. It is a question to the model, not a treatment.
    """
    from dtb_runtime.arm_settings import DOSES, TrialSettings
    from dtb_runtime.bundle_loading import load_bundle
    from dtb_runtime.cohort_listing import list_cohort
    from dtb_runtime.errors import UsageError
    from dtb_runtime.intervention_trial import run_trial
    from dtb_runtime.plan import held, parcellation_of, read_plan

    of_new: dict[str, object] = {"--direction": direction, "--size": size, "--hold": hold}
    if arms in (None, Arms.COMMON):
        of_new |= {"--edges": edges, "--regions": regions, "--networks": networks}
        of_new |= {"--budget": budget}
    check_source(plan, target, of_new)
    loaded = load_bundle(bundle, device=device.value)
    listing = list_cohort(
        cohort, parcellation=parcellation_of(loaded).name, timeseries=reading.timeseries
    )
    listing = listing_to_use(listing, out, hash_ids=hash_ids, hash_key=hash_key)
    common: bytes | None = None
    if plan is not None:
        ready = read_plan(plan, loaded)
        if hash_ids:
            ready = replace(ready, participant_id=None)  # in whom it was found is an id, too
        goals, holds, common = ready.goals, ready.holds, ready.to_bytes(loaded)
        chosen = _chosen(arms or Arms.COMMON)
        if "common" not in chosen:
            raise UsageError("--plan is the common plan. Leave out --arms personal, or --plan.")
    else:
        goals = tuple(goals_of(loaded, target, direction, size))
        holds = held(hold or [], goals)
        chosen = _chosen(arms or Arms.BOTH)
    settings = TrialSettings(
        goals=goals,
        holds=holds,
        arms=chosen,
        common=common,
        limits=change_limits(edges, regions, budget, networks=networks),
        doses=DOSES if dose is None else tuple(sorted(dose)),
        seed=seed,
        reading=reading,
        files=str((out / "people").absolute()) if files else None,
    )
    settings.check()
    n_people = len(listing.entries)
    with terminal.progress("Trying", n_people) as progress:
        run = run_trial(
            loaded,
            listing,
            out,
            settings,
            helpers=_helpers(),
            responder_share=responder,
            jobs=min(jobs or n_usable(), n_people),
            fail_fast=fail_fast,
            force=force,
            on_scored=lambda done, failed, _: progress.advance(
                done, f"{failed} failed" if failed else ""
            ),
        )
    if not json:
        for note in listing.notes:
            terminal.message(note)
    result = _result(out)
    result |= {
        "provider": loaded.provider,
        "n_failed": run.n_failed,
        "seconds": round(run.seconds, 3),
        "done_before": run.n_before,
        "first_error": run.first_error or None,
        "files": [str(path) for path in run.files],
        "left_out": list(run.left_out),
        "was_ended": run.was_ended,
    }
    if json:
        terminal.print_json(result)
    else:
        print_trial(result, out)
    if run.n_failed:
        raise typer.Exit(1)


def _chosen(arms: Arms) -> tuple[Arm, ...]:
    chosen: dict[Arms, tuple[Arm, ...]] = {
        Arms.BOTH: ("personal", "common"),
        Arms.PERSONAL: ("personal",),
        Arms.COMMON: ("common",),
    }
    return chosen[arms]


def _helpers() -> TrialHelpers:
    from dtb_models.response_prediction import predict_responses
    from dtb_runtime.arm_tables import TrialHelpers

    from .trial_figure import draw

    return TrialHelpers(predict_responses, draw, needs=("sklearn", "matplotlib"))


def _result(out: Path) -> dict[str, Any]:
    """What `--json` prints of the trial: what its file has."""
    import json as json_module

    from dtb_runtime.arm_tables import SUMMARY_FILE

    summary: dict[str, Any] = json_module.loads((out / SUMMARY_FILE).read_text(encoding="utf-8"))
    return summary
