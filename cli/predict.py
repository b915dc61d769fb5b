"""`dtb-run predict`: one connectome in, a person's forecast out."""

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
    ForceOption,
    JsonOption,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dtb_runtime.demographics import Percentile
    from dtb_runtime.forecast import Forecast
    from dtb_runtime.twin import Twin

ALL_TASKS = "all"
UNITS = {
    "reaction_time": "s",
    "stroop_effect": "s",
    "face_shape_effect": "s",
    "amygdala_response": "t, no noise",
}
"""Units of the indicators that have one; accuracy is a share. Forecast BOLD has no measurement
noise, so its t is far larger than that of a scan."""

EXAMPLES = """\b
Examples:
  dtb-run predict sub-01_connectome.csv
  dtb-run predict sub-01_timeseries.npy --timeseries --bundle glasser360 --out twins
  dtb-run predict sub-01_connectome.csv --task stroop --events events.tsv --json
"""


def predict(
    connectome: Annotated[
        Path,
        typer.Argument(
            metavar="CONNECTOME",
            show_default=False,
            help="Matrix of correlations between regions (.npy .npz .csv .tsv .txt), "
            "or with --timeseries the resting series (time by regions). Without region labels in "
            "the file, the regions must be in the order of the bundle.",
        ),
    ],
    bundle: BundleOption = DEFAULT_BUNDLE,
    task: Annotated[
        str, typer.Option("--task", metavar="hammer|stroop|all", help="Task to forecast.")
    ] = ALL_TASKS,
    events: Annotated[
        Path | None,
        typer.Option(
            "--events",
            metavar="TSV",
            show_default=False,
            help="Schedule of one task as BIDS events; default: the study's own.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            show_default=False,
            help="Folder to write files to; another one for each schedule.",
        ),
    ] = None,
    json: JsonOption = False,
    fisher_z: Annotated[
        bool, typer.Option("--fisher-z", help="The matrix holds Fisher z, not correlations.")
    ] = False,
    timeseries: Annotated[
        bool, typer.Option("--timeseries", help="The file holds a time series, not a matrix.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            show_default=False,
            help="Also draw one choice and response time per trial, with this seed.",
        ),
    ] = None,
    participant_label: Annotated[
        str | None,
        typer.Option(
            "--participant-label",
            metavar="LABEL",
            show_default=False,
            help="Participant, where the file name has no sub-<label>.",
        ),
    ] = None,
    force: ForceOption = False,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Forecast choices, response times and BOLD from a connectome.

    Prints tables, or JSON with --json. With --out also writes files named after the participant
    and the task: trials (events), BOLD of every region (timeseries), the task's contrast
    (contrasts), and what is printed (summary).
    """
    from dtb_runtime.bundle import load_bundle
    from dtb_runtime.connectome import participant_id_from, read_connectome
    from dtb_runtime.errors import UsageError
    from dtb_runtime.outputs import summary, write_forecasts
    from dtb_runtime.tasks import get_task
    from dtb_runtime.twin import checked_participant_id

    if task != ALL_TASKS:
        get_task(task)
    elif events is not None:
        raise UsageError(
            f"--events {events} is the schedule of one task, but --task is 'all'. "
            "Add --task hammer or --task stroop."
        )
    if participant_label is None:
        participant_id = participant_id_from(connectome)
    else:
        participant_id = checked_participant_id(participant_label)
    if out is not None and participant_id is None:
        raise UsageError(
            f"--out names its files after the participant, but {connectome.name} has no "
            "'sub-<label>' in its name. Add --participant-label LABEL."
        )
    loaded = load_bundle(bundle, device=device.value)
    twin = loaded.personalize(
        read_connectome(connectome, fisher_z=fisher_z, timeseries=timeseries),
        participant_id=participant_id,
    )
    tasks = loaded.manifest.tasks if task == ALL_TASKS else (task,)
    forecasts = [twin.forecast(name, events, seed=seed) for name in tasks]
    files = [] if out is None else write_forecasts(out, twin, forecasts, force=force)
    result = summary(twin, forecasts, files)
    if json:
        terminal.print_json(result)
        return
    _print(result, twin, forecasts)
    if out is not None:
        terminal.message(f"Wrote {len(files)} files to {out}.")


def _print(result: dict[str, Any], twin: Twin, forecasts: Sequence[Forecast]) -> None:
    who = result["participant_id"] or "one person"
    where = result["provider"].removesuffix("ExecutionProvider")
    terminal.print_lines(f"Twin of {who}: bundle {result['bundle']} on {where}", "")
    terminal.print_table(_trial_type_table(result["indicators"], forecasts))
    terminal.print_table(_indicator_table(result["indicators"], twin))
    terminal.print_lines(*_missing_indicators(forecasts))
    strangeness, warnings = result["strangeness"], result["warnings"]
    if strangeness is not None and strangeness["sentence"] not in warnings:
        terminal.print_lines(strangeness["sentence"])
    terminal.print_lines(*(f"Warning: {warning}" for warning in warnings))


def _trial_type_table(
    indicators: Mapping[str, float], forecasts: Sequence[Forecast]
) -> terminal.Table:
    from dtb_runtime.tasks import get_task

    rows = []
    for forecast in forecasts:
        for trial_type in (*get_task(forecast.task).trial_types, None):
            suffix = f"{forecast.task}:{trial_type}" if trial_type else forecast.task
            rows.append(
                (
                    forecast.task,
                    trial_type or "all",
                    _cell(indicators.get(f"accuracy:{suffix}"), ".3f"),
                    _cell(indicators.get(f"reaction_time:{suffix}"), ".3f"),
                )
            )
    return terminal.Table(("task", "trial type", "accuracy", "response time (s)"), rows)


def _indicator_table(indicators: Mapping[str, float], twin: Twin) -> terminal.Table:
    """Return the indicators over all trials, and where they stand in the training cohort."""
    rows = [
        (
            name,
            format(value, ".3f"),
            UNITS.get(name, ""),
            _percent(twin.bundle.norms.indicator_percentile(name, value)),
        )
        for name, value in sorted(indicators.items())
        if ":" not in name
    ]
    return terminal.Table(("indicator", "value", "unit", "percentile in training cohort"), rows)


def _percent(percentile: Percentile | None) -> str:
    return _cell(None if percentile is None else percentile.percent, ".0f")


def _missing_indicators(forecasts: Sequence[Forecast]) -> list[str]:
    """Return why an indicator of the tasks forecast is not in the table."""
    from dtb_runtime.indicators import TASK_OF, combine_indicators

    tasks = [forecast.task for forecast in forecasts]
    missing = combine_indicators(forecast.indicator_report for forecast in forecasts).unavailable
    return [
        f"No {name}: {why}"
        for name, why in missing.items()
        if ":" not in name and TASK_OF.get(name, tasks[0]) in tasks
    ]


def _cell(value: float | None, form: str) -> str:
    return "n/a" if value is None else format(value, form)
