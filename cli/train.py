"""`dtb-run train`: from a cohort to a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from .figures import print_figures
from .options import Device, DeviceOption, ForceOption, JsonOption, OutOption, SeedOption
from .training_options import (
    BatchSizeOption,
    BoldRegionsOption,
    EpochsOption,
    HiddenSizeOption,
    LatentSizeOption,
    LearningRateOption,
    LossOption,
    PatienceOption,
    PersonalUnitsOption,
    Preset,
    PresetOption,
    TrainingChoice,
    UpdatesOption,
)

if TYPE_CHECKING:
    from dtb_models.cohorts import Cohort
    from dtb_runtime.parcellation import Parcellation

EXAMPLES = """\b
Examples:
  dtb-run train --cohort ds005237 --derivatives derivatives --regions regions.csv --out checkpoint
  dtb-run train --simulate 100 --regions regions.csv --out checkpoint --updates 500
  dtb-run train --behavior-from ds005237 --regions regions.csv --out checkpoint --resume
"""


def train(
    out: OutOption,
    cohort: Annotated[
        Path | None,
        typer.Option(
            "--cohort",
            metavar="BIDS",
            show_default=False,
            help="Real people: a BIDS folder in the layout of the TCP.",
        ),
    ] = None,
    derivatives: Annotated[
        Path | None,
        typer.Option(
            "--derivatives",
            metavar="DIR",
            show_default=False,
            help="Folder of the parcellated series; default: derivatives inside the cohort.",
        ),
    ] = None,
    simulate: Annotated[
        int | None,
        typer.Option(
            "--simulate",
            min=1,
            metavar="N",
            show_default=False,
            help="Simulated people instead; with --behavior-from, the first N of the real ones.",
        ),
    ] = None,
    behavior_from: BehaviorOption = None,
    regions: RegionsOption = None,
    bundle: RegionsOfOption = None,
    parcellation: ParcellationOption = None,
    share: ShareOption = DEFAULT_SHARE,
    activations: ActivationsOption = None,
    activations_regions: ActivationsRegionsOption = None,
    name: Annotated[
        str | None,
        typer.Option(show_default=False, help="Name of the bundle to be; default: that of --out."),
    ] = None,
    preset: PresetOption = Preset.COMPACT,
    loss: LossOption = None,
    hidden_size: HiddenSizeOption = None,
    personal_units: PersonalUnitsOption = None,
    latent_size: LatentSizeOption = None,
    bold_regions: BoldRegionsOption = None,
    updates: UpdatesOption = None,
    held_out: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.9,
            show_default=False,
            help="Compact: share of the people held out to be measured; 0 trains on everybody.",
        ),
    ] = None,
    epochs: EpochsOption = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, show_default=False, help="Stop at the first report after this time."),
    ] = None,
    batch_size: BatchSizeOption = None,
    learning_rate: LearningRateOption = None,
    patience: PatienceOption = None,
    seed: SeedOption = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the training state in --out.")
    ] = False,
    force: ForceOption = False,
    device: DeviceOption = Device.AUTO,
    json: JsonOption = False,
) -> None:
    """Train a network on a cohort and write its checkpoint.

    The people are real (--cohort) or simulated (--simulate, --behavior-from). A killed training
    goes on with --resume. `dtb-run export` makes a bundle of the checkpoint.
    """
    choice = TrainingChoice(
        preset=preset,
        loss=loss,
        hidden_size=hidden_size,
        personal_units=personal_units,
        latent_size=latent_size,
        bold_regions=bold_regions,
        updates=updates,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        patience=patience,
        seed=seed,
        device=device.value,
    )
    choice.check(held_out=held_out)
    _check_place(out, resume=resume, force=force)
    chosen = choose_parcellation(regions, bundle, parcellation)
    people = _cohort(
        chosen,
        cohort,
        derivatives,
        simulate,
        behavior_from,
        seed=seed,
        share=share,
        activations=activations,
        activations_regions=activations_regions,
    )
    config, _ = choice.network(chosen)
    total = choice.n_steps(choice.settings(config, held_out))
    deadline = terminal.Deadline(minutes)
    with _folder(out), terminal.progress("Training", total) as progress:

        def on_progress(done: int, _total: int, sentence: str) -> bool:
            progress.advance(done, sentence)
            return deadline.has_passed()

        checkpoint = choice.train(
            people,
            chosen,
            out,
            name or out.resolve().name,
            held_out=held_out,
            resume=resume,
            on_progress=on_progress,
        )
    warnings = [] if people.warning is None else [people.warning]
    result = {
        "checkpoint": str(out),
        "name": checkpoint.name,
        "preset": preset.value,
        "regions": chosen.n_regions,
        "tasks": list(checkpoint.tasks),
        "training": checkpoint.training,
        "measured": checkpoint.measured,
        "warnings": warnings,
    }
    if json:
        terminal.print_json(result)
        return
    print_figures(checkpoint.measured)
    terminal.print_lines(
        f"Trained {checkpoint.name} for {checkpoint.training['epochs']} "
        f"{'updates' if preset is Preset.COMPACT else 'epochs'} on "
        f"{checkpoint.training['n_train']} people: {checkpoint.training['description']}",
        *(f"Warning: {warning}" for warning in warnings),
    )
    terminal.message(f"Wrote {out}. Next: dtb-run export {out} --out BUNDLE")


def _cohort(
    parcellation: Parcellation,
    cohort: Path | None,
    derivatives: Path | None,
    n_people: int | None,
    behavior_from: Path | None,
    *,
    seed: int,
    share: float,
    activations: Path | None,
    activations_regions: Path | None,
) -> Cohort:
    """Return the people that the options describe, real or simulated."""
    from dtb_models.tcp import TcpCohort
    from dtb_runtime.errors import UsageError

    is_simulated = n_people is not None or behavior_from is not None
    if (cohort is not None) == is_simulated:
        raise UsageError(
            "The people must come from one place: give --cohort BIDS, or --simulate N, or "
            f"--behavior-from BIDS; found {'both' if is_simulated else 'none of them'}."
        )
    if cohort is None:
        return simulated_cohort(
            parcellation,
            n_people=n_people,
            seed=seed,
            share=share,
            behavior_from=behavior_from,
            activations=activations,
            activations_regions=activations_regions,
        )
    people = TcpCohort(
        cohort,
        cohort / "derivatives" if derivatives is None else derivatives,
        parcellation=parcellation,
    )
    for participant_id, reason in people.skipped.items():
        terminal.message(f"Left out {participant_id}: {reason}")
    for note in people.notes:
        terminal.message(note)
    return people


def _check_place(out: Path, *, resume: bool, force: bool) -> None:
    """Refuse to train over an earlier training, before hours go into it."""
    from dtb_models.checkpoint import JSON_FILE
    from dtb_models.population import STATE_FILE as POPULATION_STATE
    from dtb_models.training_loop import STATE_FILE
    from dtb_runtime.errors import OutputError

    if out.exists() and not out.is_dir():
        raise OutputError(f"--out {out} is a file, expected a folder. Choose another name.")
    found = [file for file in (JSON_FILE, STATE_FILE, POPULATION_STATE) if (out / file).exists()]
    if found and not (resume or force):
        raise OutputError(
            f"{out} holds a training already ({found[0]}). Go on with --resume, start over with "
            "--force, or choose another folder."
        )


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """Make the folder for a training; take it away again if nothing was written to it."""
    from dtb_runtime.errors import OutputError

    was_there = out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written: {error.strerror or error}. Choose a folder you can write to."
        ) from error
    try:
        yield
    finally:
        if not was_there and not any(out.iterdir()):
            out.rmdir()
