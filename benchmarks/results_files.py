"""From the folder of an evaluation to the one file that the project keeps of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from results_runs import METRICS_FILE, Run

from dtb_models.evaluation_files import JUDGED_FOLDER
from dtb_models.judged_files import read_judged_trials
from dtb_models.judged_trials import JudgedTrials
from dtb_models.metrics import differences
from dtb_models.protocols import PROTOCOLS

POPULATION = "control/population"
DIGITS = 6
"""Significant digits that are kept."""


def kept(run: Run, work: Path) -> dict[str, Any]:
    """Return what is kept of a finished evaluation.

    That is its ``metrics.json``, its ``command``, and where own trials were seen ``no_trials``: how
    the population's twin compares with rules that know nothing of the person either.

    Parameters
    ----------
    run : Run
    work : Path
        Where the run's folder is.
    """
    place = work / run.name
    report: dict[str, Any] = json.loads((place / METRICS_FILE).read_text(encoding="utf-8"))
    report["command"] = run.shown()
    protocol = PROTOCOLS.get(report["protocol"])
    if protocol is not None and protocol.sees_first_half and POPULATION in report["methods"]:
        report["no_trials"] = no_trials(place / JUDGED_FOLDER)
    return report


def no_trials(judged: Path) -> dict[str, Any]:
    """Compare the population's twin with rules, from tables of judged trials.

    Returns
    -------
    dict
        ``differences``: by rule, the population twin's figures minus the rule's;
        ``interval_width_s``: by task and method, mean width of the 90 % interval over right trials.
    """
    rules = ("rule/trial_type_mean", "rule/position_mean", "rule/demographics")
    tables = {
        name: read_judged_trials(file)
        for name in (POPULATION, "twin", *rules)
        if (file := judged / f"{name.replace('/', '-')}.tsv").is_file()
    }
    ours = tables[POPULATION]
    return {
        "differences": {
            name: {key: found.to_json() for key, found in differences(ours, tables[name]).items()}
            for name in rules
            if name in tables
        },
        "interval_width_s": {
            task: {
                name: width
                for name, table in tables.items()
                if (width := _width_s(table.of_task(task))) is not None
            }
            for task in ours.tasks
        },
    }


def report_bytes(report: Mapping[str, Any]) -> bytes:
    """Return a report as JSON, a figure on a line, in the digits that are kept."""
    text = json.dumps(_rounded(report), indent=1, ensure_ascii=False, allow_nan=False)
    # A figure is an object without objects in it. Strings have no line breaks in JSON.
    text = re.sub(r"\{[^{}\[\]]*\}", lambda found: re.sub(r"\n\s*", " ", found[0]), text)
    return (text + "\n").encode()


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _width_s(trials: JudgedTrials) -> float | None:
    width = trials.rt_q95 - trials.rt_q05
    counts = trials.right & ~np.isnan(width)
    return float(width[counts].mean()) if counts.any() else None
