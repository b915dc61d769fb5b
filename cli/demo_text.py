"""What `dtb-run demo` prints: what each step showed, and its command for files of one's own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .forecasts import interval, number

COMMANDS = {
    "forecast": "dtb-run predict CONNECTOME --out FORECAST",
    "calibration": "dtb-run calibrate CONNECTOME --events EVENTS --save TWIN --out CALIBRATED",
    "intervention": "dtb-run intervene CONNECTOME --plan PLAN --out CHANGED",
    "new plan": "dtb-run intervene CONNECTOME --target stroop_effect --direction decrease",
    "report": "dtb-run report FORECAST CALIBRATED CHANGED --out PAGE",
}
"""Step to its command; words in capitals stand for files and folders of one's own."""


def opening_lines(result: Mapping[str, Any]) -> list[str]:
    """What this is, and what it is not."""
    from dtb_runtime.example_person import SIMULATED

    return [
        "A digital twin brain, from a connectome to a report. Research software, not a medical "
        "device.",
        f"{SIMULATED} Bundle {result['bundle']} is semi-synthetic, too: all of this shows how the "
        "chain works and says nothing about anybody.",
    ]


def person_lines(result: Mapping[str, Any]) -> list[str]:
    """Whose files these are."""
    return [
        f"1. The person: {result['participant_id']}",
        f"   {result['connectome']}: correlations between the {result['n_regions']} regions of "
        f"{result['parcellation']}, as resting-state fMRI gives them.",
        f"   {result['events']}: the person's own trials in one run of a task.",
    ]


def forecast_lines(forecast: Mapping[str, Any]) -> list[str]:
    """What the connectome alone tells."""
    effect = forecast["indicators"]["stroop_effect"]
    return [
        "2. Forecast from the connectome alone, with intervals of 90 %",
        *(f"   {line}" for line in _task_lines(forecast)),
        f"   Stroop effect (incongruent minus congruent): {number(effect)} s "
        f"({_interval(forecast, 'stroop_effect')}).",
        f"   {_strangeness(forecast)}",
        *_on_yours(COMMANDS["forecast"]),
    ]


def calibration_lines(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What the person's own trials add."""
    (seen,) = (each for each in after["seen"] if each["trial_type"] is None)
    name = f"reaction_time:{seen['task']}"
    return [
        f"3. Calibration: the twin learns from {seen['n_trials']} {seen['task']} trials of the "
        "person",
        f"   Response time in {seen['task']}: {number(before['indicators'][name])} s "
        f"({_interval(before, name)}) before, {number(after['indicators'][name])} s "
        f"({_interval(after, name)}) after; the person's own mean was "
        f"{number(seen['response_time_s'])} s.",
        *_on_yours(COMMANDS["calibration"]),
    ]


def intervention_lines(result: Mapping[str, Any], folder: Path) -> list[str]:
    """What a ready plan does; it lies in `folder` with the other files of the intervention."""
    (goal,) = result["plan"]["goals"]
    moved, change, n = result["indicators"][goal["name"]], result["change"], result["n_random"]
    n_less = round(n * moved["percentile_of_random"] / 100)
    return [
        "4. Intervention: a ready plan changes the connectome, and the twin is asked again",
        f"   {goal['name']}: {number(moved['before'])} s before, {number(moved['after'])} s after "
        f"({moved['effect_sd']:+.2f} SD of the training cohort), at the mean of what the "
        "connectome tells, without the trials of step 3: so before is another number than there.",
        f"   The change has {change['size_sd']:.2f} SD of edges between people; {n_less} of {n} "
        "random changes of this size move it less far.",
        "   A question to the model, not a treatment.",
        *_on_yours(COMMANDS["intervention"].replace("PLAN", shlex.quote(str(folder)))),
        f"   which tries 100 random changes instead of {n}, in about a minute (--shams sets them);",
        "   or with a new plan, which needs PyTorch (the extra torch):",
        f"      {COMMANDS['new plan']}",
    ]


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """Where the page is, or why there is none."""
    said = f"Open {report['file']} in a browser."
    if report["file"] is None:
        said = f"Left out: {report['why_none']}"
    return ["5. Report: one page with pictures", f"   {said}", *_on_yours(COMMANDS["report"])]


def _on_yours(command: str) -> list[str]:
    return ["   With files of yours:", f"      {command}"]


def _task_lines(forecast: Mapping[str, Any]) -> list[str]:
    from dtb_runtime.tasks import TASKS

    return [
        f"{of.what} ({task}): response time "
        f"{number(forecast['indicators'][f'reaction_time:{task}'])} s "
        f"({_interval(forecast, f'reaction_time:{task}')}), accuracy "
        f"{number(forecast['indicators'][f'accuracy:{task}'])} "
        f"({_interval(forecast, f'accuracy:{task}')})."
        for task, of in TASKS.items()
    ]


def _interval(forecast: Mapping[str, Any], name: str) -> str:
    return interval(forecast["indicator_intervals"].get(name))


def _strangeness(forecast: Mapping[str, Any]) -> str:
    sentence = str(forecast["strangeness"]["sentence"])
    return f"{sentence.partition(':')[0].rstrip('.')}."  # the figures are in the summary
