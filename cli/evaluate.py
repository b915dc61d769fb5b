"""`dtb-run evaluate`: twins judged beside simple rules and controls, on the same people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from . import evaluate_reference
from .cohorts import (
    DEFAULT_SHARE,
    ActivationsOption,
    ActivationsRegionsOption,
    BehaviorOption,
    ParcellationOption,
    RegionsOption,
    ShareOption,
)
from .evaluation_people import DEFAULT_NEW, DEFAULT_PEOPLE, DataKind, ProtocolName
from .options import Device, DeviceOption, ForceOption, JsonOption, SeedOption
from .training_options import (
    BatchSizeOption,
    EpochsOption,
    HiddenSizeOption,
    LatentSizeOption,
    LearningRateOption,
    LossOption,
    PatienceOption,
    PersonalUnitsOption,
    Preset,
    TrainingChoice,
    UpdatesOption,
)

EXAMPLES = """\b
Examples:
  dtb-run evaluate --data tcp ds005237 --protocol calibrated --bundle tcp434
  dtb-run evaluate --data tcp ds005237 --folds 5 --regions regions.csv --out evaluation
  dtb-run evaluate --data tcp ds005237 --protocol temporal --regions regions.csv --out evaluation
  dtb-run evaluate --data simulated --regions regions.csv --people 228 --new 200 --out evaluation
  dtb-run evaluate --data hcp hcp_rest --bundle glasser360
"""
DIRECT_EPOCHS = 60


class EvaluateCommand(TyperCommand):
    """`evaluate`, and `evaluate reference`, which has arguments of its own."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: Any = None,
        **extra: Any,
    ) -> Any:  # typer's Context is that of click, or of its own copy of click
        """Hand the words after ``reference`` to that command."""
        if args[:1] == ["reference"]:
            return _reference().make_context(f"{info_name} reference", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


def _reference() -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(epilog=evaluate_reference.EXAMPLES)(evaluate_reference.reference)
    return typer.main.get_command(app)


def evaluate(
    data: Annotated[
        DataKind,
        typer.Option(
            "--data",
            show_default=False,
            help="The people: tcp DIR (a BIDS folder in the layout of the TCP), simulated (made "
            "up; no DIR), hcp DIR (resting scans and face and shape activations).",
        ),
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", show_default=False, help="Folder of the people."),
    ] = None,
    protocol: Annotated[
        ProtocolName | None,
        typer.Option(
            "--protocol",
            show_default=False,
            help="temporal: trained on the first half of the same people's runs; new-people: "
            "people held out, of whom no trial is seen (default of simulated); calibrated: people "
            "held out, after their own first half (default of tcp). All judge the trials of the "
            "second half; maps of new-people are of whole runs.",
        ),
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(
            "--bundle",
            metavar="NAME|DIR",
            show_default=False,
            help="Judge this bundle; without it networks are trained for the evaluation.",
        ),
    ] = None,
    derivatives: Annotated[
        Path | None,
        typer.Option(
            "--derivatives",
            metavar="DIR",
            show_default=False,
            help="tcp: folder of the parcellated series; default: derivatives inside DIR. Without "
            "any, there are no real connectomes.",
        ),
    ] = None,
    people: Annotated[
        int | None,
        typer.Option(
            "--people",
            min=1,
            show_default=False,
            help=f"simulated: people to train on (default {DEFAULT_PEOPLE}).",
        ),
    ] = None,
    new: Annotated[
        int | None,
        typer.Option(
            "--new",
            min=1,
            show_default=False,
            help=f"simulated: people to judge, who come after them (default {DEFAULT_NEW}).",
        ),
    ] = None,
    share: ShareOption = DEFAULT_SHARE,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            min=2,
            show_default=False,
            help="tcp: parts of the people, each judged by a network trained on the others "
            "(default 5).",
        ),
    ] = None,
    regions: RegionsOption = None,
    parcellation: ParcellationOption = None,
    behavior_from: BehaviorOption = None,
    activations: ActivationsOption = None,
    activations_regions: ActivationsRegionsOption = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            "--preset", show_default=False, help="Family of networks to train (default compact)."
        ),
    ] = None,
    loss: LossOption = None,
    hidden_size: HiddenSizeOption = None,
    personal_units: PersonalUnitsOption = None,
    latent_size: LatentSizeOption = None,
    updates: UpdatesOption = None,
    epochs: EpochsOption = None,
    batch_size: BatchSizeOption = None,
    learning_rate: LearningRateOption = None,
    patience: PatienceOption = None,
    direct_input: Annotated[
        bool,
        typer.Option(
            "--direct-input",
            help="Also train and judge a network that takes the connectome as input.",
        ),
    ] = False,
    direct_epochs: Annotated[
        int, typer.Option("--direct-epochs", min=1, help="Epochs of that network.")
    ] = DIRECT_EPOCHS,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out",
            help="hcp: train without each person's activations, and without those of each half.",
        ),
    ] = False,
    reuse: Annotated[
        Path | None,
        typer.Option(
            "--reuse",
            metavar="CHECKPOINT",
            show_default=False,
            help="With --leave-one-out: begin with the behavior that this checkpoint learned from "
            "the same people.",
        ),
    ] = None,
    seed: SeedOption = 0,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            min=1,
            show_default=False,
            help="Trainings, and people judged, at a time (default: one a processor).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            show_default=False,
            help="Folder for metrics.json, judged trials, every prediction, and what was trained; "
            "without it nothing is written.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in --out; what is trained stays.")
    ] = False,
    force: ForceOption = False,
    device: DeviceOption = Device.AUTO,
    json: JsonOption = False,
) -> None:
    """Judge twins beside simple rules and controls.

    The people are real or simulated; either a bundle is judged on them (--bundle), or networks are
    trained on some and judged on the others. Prints a table; with --out writes every figure
    (metrics.json), every prediction and every judged trial. From the judged trials anybody can
    compute the figures of choices and response times again.

    The authors' public model is measured by another command: dtb-run evaluate reference --help
    """
    from dtb_runtime.processors import n_usable

    from .evaluation_people import PeopleChoice
    from .evaluation_request import Request
    from .evaluation_tables import print_evaluation

    request = Request(
        people=PeopleChoice(
            kind=data,
            folder=folder,
            derivatives=derivatives,
            regions=regions,
            parcellation_name=parcellation,
            bundle=bundle,
            n_people=people or DEFAULT_PEOPLE,
            # The temporal protocol judges those that it trains on.
            n_new=0 if protocol is ProtocolName.TEMPORAL else new or DEFAULT_NEW,
            share=share,
            behavior_from=behavior_from,
            activations=activations,
            activations_regions=activations_regions,
            seed=seed,
        ),
        training=TrainingChoice(
            preset=preset or Preset.COMPACT,
            loss=loss,
            hidden_size=hidden_size,
            personal_units=personal_units,
            latent_size=latent_size,
            bold_regions=None,
            updates=updates,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            patience=patience,
            seed=seed,
            device=device.value,
        ),
        protocol=protocol,
        n_folds=folds,
        direct_epochs=direct_epochs if direct_input else None,
        leave_one_out=leave_one_out,
        reuse=reuse,
        jobs=jobs or n_usable(),
        out=out,
        resume=resume,
        force=force,
    )
    request.check({"--people": people, "--new": new, "--preset": preset, "--folds": folds})
    report = request.run()
    if json:
        from . import terminal

        terminal.print_json(report)
        return
    print_evaluation(report, out)
