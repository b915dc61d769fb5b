"""`dtb-run predict`: one connectome in, a person's forecast out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dtb_runtime.reading import Reading

from . import terminal
from .forecasts import print_forecasts, print_heading, print_remarks
from .options import (
    DEFAULT_BUNDLE,
    AgeOption,
    BundleOption,
    Device,
    DeviceOption,
    FilesOutOption,
    ForceOption,
    JsonOption,
    OptionalConnectome,
    ParticipantOption,
    SexOption,
    TwinOption,
)
from .person import Person
from .reading_options import with_reading

ALL_TASKS = "all"

EXAMPLES = """\b
Examples:
  dtb-run predict sub-01_connectome.csv
  dtb-run predict sub-01_timeseries.npy --timeseries --bundle glasser360 --out twins
  dtb-run predict sub-01_connectome.csv --task stroop --events events.tsv --json
  dtb-run predict --twin sub-01_twin.npz --age 34 --sex female
"""


@with_reading
def predict(
    connectome: OptionalConnectome = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    twin: TwinOption = None,
    task: Annotated[
        str, typer.Option("--task", metavar="hammer|stroop|all", help="Task to forecast.")
    ] = ALL_TASKS,
    events: Annotated[
        Path | None,
        typer.Option(
            "--events",
            metavar="TSV",
            show_default=False,
            help="Schedule of one task as BIDS events, which --task or the file says; default: "
            "the study's own.",
        ),
    ] = None,
    out: FilesOutOption = None,
    json: JsonOption = False,
    age: AgeOption = None,
    sex: SexOption = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            show_default=False,
            help="Also draw one choice and response time per trial, with this seed.",
        ),
    ] = None,
    participant_label: ParticipantOption = None,
    force: ForceOption = False,
    device: DeviceOption = Device.AUTO,
    *,
    reading: Reading,
) -> None:
    """Forecast choices, response times and BOLD from a connectome.

    Prints tables, or JSON with --json. With --out also writes files named after the participant
    and the task: trials (events), BOLD of every region (timeseries), the task's contrast
    (contrasts), and what is printed (summary). Intervals say how far off the person may be.
    """
    from dtb_runtime.bundle_loading import load_bundle
    from dtb_runtime.errors import UsageError
    from dtb_runtime.outputs import write_forecasts
    from dtb_runtime.summary import summary
    from dtb_runtime.tasks import get_task
    from dtb_runtime.trials_seen import task_of

    if task != ALL_TASKS:
        get_task(task)
    if connectome is None and twin is None:
        raise UsageError(
            "There is nobody to forecast. Give a CONNECTOME or --twin NPZ; from trials alone: "
            "dtb-run calibrate --events TSV."
        )
    person = Person(
        connectome=connectome,
        twin=twin,
        events=(),  # a schedule, not what the person did in it
        reading=reading,
        participant_label=participant_label,
        age=age,
        sex=sex,
    )
    person.check()
    if out is not None:
        person.check_has_id()
    loaded = load_bundle(bundle, device=device.value)
    own = person.make_twin(loaded)
    tasks = loaded.manifest.tasks if task == ALL_TASKS else (task,)
    if task == ALL_TASKS and events is not None:
        tasks = (task_of(events),)
    forecasts = own.forecast_tasks(dict.fromkeys(tasks, events), seed=seed)  # threads take memory
    age, norm_sex = person.age, person.norm_sex
    files: Sequence[Path] = ()
    if out is not None:
        files = write_forecasts(out, own, forecasts, age=age, sex=norm_sex, force=force)
    result = summary(own, forecasts, files, age=age, sex=norm_sex)
    if json:
        terminal.print_json(result)
        return
    print_heading(result)
    print_forecasts(result, forecasts)
    print_remarks(result)
    if out is not None:
        terminal.message(f"Wrote {len(files)} files to {out}.")
