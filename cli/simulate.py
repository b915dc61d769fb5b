"""`dtb-run simulate`: write a cohort of people whose truth is known."""

from __future__ import annotations

from typing import Annotated

import typer

from . import terminal
from .cohorts import (
    DEFAULT_SHARE,
    ActivationsOption,
    ActivationsRegionsOption,
    BehaviorOption,
    ParcellationOption,
    RegionsOfOption,
    RegionsOption,
    ShareOption,
    choose_parcellation,
    simulated_cohort,
)
from .options import ForceOption, JsonOption, OutOption, SeedOption

EXAMPLES = """\b
Examples:
  dtb-run simulate --bundle tcp434 --n 5 --out people
  dtb-run simulate --regions regions.csv --n 100 --seed 1 --out cohort --tcp-layout
  dtb-run simulate --bundle tcp434 --behavior-from bids --out semi_synthetic
"""

_WARNINGS = {
    "simulated": "All about these people is simulated, and so is what is learned from them.",
    "semi-synthetic": (
        "Semi-synthetic people: their behavior is real, connectomes and BOLD are simulated around "
        "it, and so is what is learned from these."
    ),
}
"""By what a cohort is."""


def simulate(
    out: OutOption,
    bundle: RegionsOfOption = None,
    regions: RegionsOption = None,
    parcellation: ParcellationOption = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            min=1,
            show_default=False,
            help="People to simulate; with --behavior-from, the first so many (default: all).",
        ),
    ] = None,
    seed: SeedOption = 0,
    share: ShareOption = DEFAULT_SHARE,
    behavior_from: BehaviorOption = None,
    activations: ActivationsOption = None,
    activations_regions: ActivationsRegionsOption = None,
    tcp_layout: Annotated[
        bool,
        typer.Option(
            "--tcp-layout",
            help="Write resting and task series as the Transdiagnostic Connectome Project does, "
            "to train on, instead of connectomes.",
        ),
    ] = False,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Simulate people: connectomes, trials and traits behind them.

    Each person gets a folder with a connectome and the events of each task; truth.tsv holds what
    the simulation knows about them.
    """
    from dtb_models.tcp_writer import write_connectomes, write_tcp

    cohort = simulated_cohort(
        choose_parcellation(regions, bundle, parcellation),
        n_people=n,
        seed=seed,
        share=share,
        behavior_from=behavior_from,
        activations=activations,
        activations_regions=activations_regions,
    )
    write = write_tcp if tcp_layout else write_connectomes
    n_people = len(cohort.participant_ids)
    with terminal.progress("Simulated", n_people) as progress:
        folder = write(
            cohort, out, force=force, progress=lambda done, _: progress.advance(done, "people")
        )
    if json:
        terminal.print_json(
            {
                "folder": str(folder),
                "layout": "tcp" if tcp_layout else "connectomes",
                "kind": cohort.kind,
                "n_people": n_people,
                "n_regions": cohort.parcellation.n_regions,
                "seed": seed,
                "description": cohort.description,
                "warnings": [_WARNINGS[cohort.kind]],
            }
        )
        return
    terminal.print_lines(f"Wrote {n_people} people to {folder}.", cohort.description)
    terminal.print_lines(f"Warning: {_WARNINGS[cohort.kind]}")
