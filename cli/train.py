"""`dtb-run train`: from a cohort to a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
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

if TYPE_CHECKING:
    from dtb_models.cohorts import Cohort
    from dtb_models.config import NetworkConfig
    from dtb_models.population_settings import PopulationSettings
    from dtb_models.settings import TrainingSettings
    from dtb_runtime.parcellation import Parcellation

EXAMPLES = """\b
Examples:
  dtb-run train --cohort ds005237 --derivatives derivatives --regions regions.csv --out checkpoint
  dtb-run train --simulate 100 --regions regions.csv --out checkpoint --updates 500
  dtb-run train --behavior-from ds005237 --regions regions.csv --out checkpoint --resume
"""


class Preset(StrEnum):
    """Which family of networks."""

    COMPACT = "compact"
    PAPER = "paper"


class Loss(StrEnum):
    """How action outputs are read, which decides the form of their loss."""

    HAZARD = "hazard"
    DENSITY = "density"


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
    preset: Annotated[Preset, typer.Option(help="Family of networks.")] = Preset.COMPACT,
    loss: Annotated[
        Loss | None,
        typer.Option(
            show_default=False,
            help="hazard: steps after a press do not count (default of compact); density: the "
            "paper's unmasked form (default of paper).",
        ),
    ] = None,
    hidden_size: Annotated[
        int | None,
        typer.Option(min=1, show_default=False, help="Paper: units of the main network."),
    ] = None,
    personal_units: Annotated[
        int | None,
        typer.Option(
            min=1, show_default=False, help="Compact: units whose weights differ between people."
        ),
    ] = None,
    latent_size: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Compact: numbers of the latent.")
    ] = None,
    bold_regions: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL,LABEL,...",
            show_default=False,
            help="BOLD outputs; default: every region (compact), the paper's areas (paper).",
        ),
    ] = None,
    updates: Annotated[
        int | None,
        typer.Option(min=1, show_default=False, help="Compact: updates of the population fit."),
    ] = None,
    held_out: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.9,
            show_default=False,
            help="Compact: share of the people held out to be measured; 0 trains on everybody.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Paper: epochs, at most.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, show_default=False, help="Stop at the first report after this time."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Paper: people per batch.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(show_default=False, help="First learning rate.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default=False,
            help="Paper: epochs without a better validation loss to wait for.",
        ),
    ] = None,
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
    from dtb_models.training import preset_config
    from dtb_models.training import train as train_network

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
    config, bold_labels = preset_config(
        preset.value,
        chosen,
        bold_regions=None if bold_regions is None else bold_regions.split(","),
        hidden_size=hidden_size,
        personal_units=personal_units,
        latent_size=latent_size,
    )
    if loss is not None:
        config = replace(config, action_reading=loss.value)
    settings: PopulationSettings | TrainingSettings
    if preset is Preset.COMPACT:
        _check_unused("compact", epochs=epochs, batch_size=batch_size, patience=patience)
        settings = _population_settings(config, seed, updates, held_out, learning_rate)
        total = settings.updates + settings.slow_epochs
    else:
        _check_unused("paper", updates=updates, held_out=held_out)
        settings = _settings(config, seed, epochs, batch_size, learning_rate, patience)
        total = settings.epochs
    deadline = terminal.Deadline(minutes)
    with _folder(out), terminal.progress("Training", total) as progress:

        def on_progress(done: int, _total: int, sentence: str) -> bool:
            progress.advance(done, sentence)
            return deadline.has_passed()

        checkpoint = train_network(
            people,
            out,
            name=name or out.resolve().name,
            preset=preset.value,
            config=config,
            bold_regions=bold_labels,
            settings=settings,
            resume=resume,
            device=device.value,
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


def _population_settings(
    config: NetworkConfig,
    seed: int,
    updates: int | None,
    held_out: float | None,
    learning_rate: float | None,
) -> PopulationSettings:
    from dtb_models.population_settings import PopulationSettings

    settings = PopulationSettings(masked=config.action_reading == "hazard", seed=seed)
    if updates is not None:
        settings = replace(settings, updates=updates)
    if held_out is not None:
        settings = replace(settings, held_out_fraction=held_out)
    if learning_rate is not None:
        ratio = settings.final_learning_rate / settings.learning_rate
        settings = replace(
            settings, learning_rate=learning_rate, final_learning_rate=learning_rate * ratio
        )
    return settings


def _settings(
    config: NetworkConfig,
    seed: int,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    patience: int | None,
) -> TrainingSettings:
    from dtb_models.settings import paper_settings

    settings = paper_settings(seed=seed, masked=config.action_reading == "hazard")
    if learning_rate is not None:
        ratio = settings.final_learning_rate / settings.learning_rate
        settings = replace(
            settings, learning_rate=learning_rate, final_learning_rate=learning_rate * ratio
        )
    return replace(
        settings,
        epochs=epochs or settings.epochs,
        batch_size=batch_size or settings.batch_size,
        patience=patience or settings.patience,
    )


def _check_unused(preset: str, **options: float | None) -> None:
    """Refuse options that the preset would not listen to."""
    from dtb_runtime.errors import UsageError

    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise UsageError(
            f"The {preset} preset has no {' and no '.join(given)}. Leave "
            f"{'it' if len(given) == 1 else 'them'} out, or choose the other preset."
        )


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
