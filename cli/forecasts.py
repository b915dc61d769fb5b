"""A person's forecasts as tables: by trial type, by indicator, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import terminal

if TYPE_CHECKING:
    from dtb_runtime.forecast import Forecast

UNITS = {
    "reaction_time": "s",
    "stroop_effect": "s",
    "face_shape_effect": "s",
    "amygdala_response": "t, no noise",
}
"""Units of the indicators that have one; accuracy is a share. Forecast BOLD has no measurement
noise, so its t is far larger than that of a scan."""
INTERVAL = "90 %"
"""Header of a column of intervals."""


def print_forecasts(result: Mapping[str, Any], forecasts: Sequence[Forecast]) -> None:
    """Print the tables of a summary, and what is not in them.

    Parameters
    ----------
    result
        What `dtb_runtime.summary.summary` made of `forecasts`.
    forecasts
        Of one twin, at most one per task.
    """
    terminal.print_table(_trial_type_table(result, forecasts))
    terminal.print_table(_indicator_table(result))
    terminal.print_lines(*_compared_to(result), *_missing_indicators(forecasts))


def print_heading(result: Mapping[str, Any]) -> None:
    """Print who the twin is of, and what ran it."""
    who = result["participant_id"] or "one person"
    where = result["provider"].removesuffix("ExecutionProvider")
    terminal.print_lines(f"Twin of {who}: bundle {result['bundle']} on {where}", "")


def print_remarks(result: Mapping[str, Any]) -> None:
    """Print what the forecast rests on, how unusual the connectome is, and every warning."""
    strangeness, warnings = result["strangeness"], result["warnings"]
    terminal.print_lines(result["calibration"]["sentence"])
    if result["connectome"] is not None:
        terminal.print_lines(_about(result["connectome"]))
    if strangeness is not None and strangeness["sentence"] not in warnings:
        terminal.print_lines(strangeness["sentence"])
    terminal.print_lines(*(f"Warning: {warning}" for warning in warnings))


def _about(connectome: Mapping[str, Any]) -> str:
    """What a connectome was taken for, and how good it is."""
    of = connectome["n_timepoints"], connectome["mean_fd_mm"]
    more = "" if of[0] is None else f", {of[0]} time points"
    more += "" if of[1] is None else f", mean framewise displacement {of[1]:.2f} mm"
    return (
        f"Connectome: taken for {connectome['taken_for']}; regions {connectome['regions']}; "
        f"mean r {connectome['mean_r']:.2f}, SD {connectome['sd_r']:.2f}{more}."
    )


def number(value: float | None) -> str:
    """A cell of a table: milliseconds, or a tenth of a t."""
    if value is None:
        return "n/a"
    return f"{value:.3f}" if abs(value) < 10.0 else f"{value:.1f}"


def interval(bounds: Sequence[float] | None) -> str:
    """A cell of a table: from the first to the second."""
    return "n/a" if bounds is None else f"{number(bounds[0])} to {number(bounds[1])}"


def _trial_type_table(result: Mapping[str, Any], forecasts: Sequence[Forecast]) -> terminal.Table:
    from dtb_runtime.tasks import get_task

    values, intervals = result["indicators"], result["indicator_intervals"]
    columns = ["task", "trial type"]
    for name in ("accuracy", "time (s)"):
        columns += [name, INTERVAL] if intervals else [name]
    rows = []
    for forecast in forecasts:
        for trial_type in (*get_task(forecast.task).trial_types, None):
            suffix = f"{forecast.task}:{trial_type}" if trial_type else forecast.task
            row = [forecast.task, trial_type or "all"]
            for measure in ("accuracy", "reaction_time"):
                name = f"{measure}:{suffix}"
                row.append(number(values.get(name)))
                if intervals:
                    row.append(interval(intervals.get(name)))
            rows.append(tuple(row))
    return terminal.Table(tuple(columns), rows)


def _indicator_table(result: Mapping[str, Any]) -> terminal.Table:
    """Return the indicators over all trials, and where they stand in the training cohort."""
    intervals = result["indicator_intervals"]
    rows = []
    for name, value in sorted(result["indicators"].items()):
        if ":" in name:
            continue
        sure = (interval(intervals.get(name)),) if intervals else ()
        rows.append((name, number(value), *sure, UNITS.get(name, ""), _percent(result, name)))
    sure = (INTERVAL,) if intervals else ()
    return terminal.Table(("indicator", "value", *sure, "unit", "percentile"), rows)


def _percent(result: Mapping[str, Any], name: str) -> str:
    found = result["percentiles"].get(name)
    return "n/a" if found is None else f"{found['percent']:.0f}"


def _compared_to(result: Mapping[str, Any]) -> list[str]:
    """Return among whom the percentiles are, each once."""
    names_of: dict[str, list[str]] = {}
    for name, found in result["percentiles"].items():
        if ":" not in name:
            names_of.setdefault(found["compared_to"], []).append(name)
    if len(names_of) == 1:
        return [f"Percentiles are among {whom}." for whom in names_of]
    return [f"Percentile of {', '.join(names)}: among {whom}." for whom, names in names_of.items()]


def _missing_indicators(forecasts: Sequence[Forecast]) -> list[str]:
    """Return why an indicator of the tasks forecast is not in the table."""
    from dtb_runtime.indicator_names import TASK_OF
    from dtb_runtime.indicators import combine_indicators

    tasks = [forecast.task for forecast in forecasts]
    missing = combine_indicators(forecast.indicator_report for forecast in forecasts).unavailable
    return [
        f"No {name}: {why}"
        for name, why in missing.items()
        if ":" not in name and TASK_OF.get(name, tasks[0]) in tasks
    ]
