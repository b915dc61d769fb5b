"""Makes the default schedules that ship with the runtime, from a study's BIDS folder.

All trials of the study are the same for everybody, so a task's schedule is what people share;
Hammer's measured screen times differ by milliseconds, and their median is taken. Run it as::

    python -m dtb_models.schedules BIDS_DIR [--out DIR]
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dtb_runtime.errors import CohortError, DtbError, OutputError
from dtb_runtime.events import SCHEDULES_DIR, Events, read_events
from dtb_runtime.tables import is_missing
from dtb_runtime.tasks import get_task

RUN_OF_TASK = {"hammer": "hammerAP", "stroop": "stroopAP"}
"""The BIDS task label whose files make each default schedule."""

_COLUMNS = {
    "hammer": (
        "onset",
        "duration",
        "trial_type",
        "cueStartTime",
        "cueEndTime",
        "runEndTime",
        "stimLeft",
        "stimTop",
        "stimRight",
    ),
    "stroop": ("onset", "duration", "trial_type", "stimulus_text", "stimulus_color"),
}
_MEASURED = ("onset", "duration", "cueStartTime", "cueEndTime", "runEndTime")
_DECIMALS = 2


def make_schedule(bids_dir: Path, task: str) -> str:
    """The schedule that most people of a study had, as the text of an events.tsv.

    Parameters
    ----------
    bids_dir : pathlib.Path
        Folder with ``sub-*/func/*_task-<label>_*_events.tsv``.
    task : str
        ``"hammer"`` or ``"stroop"``.

    Returns
    -------
    str
        Tab-separated, one row a trial, no measured response; times are medians over the people
        with the commonest order of trials, rounded to 0.01 s.

    Raises
    ------
    CohortError
        There are no such files.
    EventsError
        One of them cannot be read.
    """
    pattern = f"sub-*/**/*_task-{RUN_OF_TASK[get_task(task).name]}_*events.tsv"
    paths = sorted(bids_dir.glob(pattern))
    if not paths:
        raise CohortError(
            f"No file in {bids_dir} matches {pattern}. Give the folder that holds the sub-* "
            "folders of the study."
        )
    runs = [read_events(path, task) for path in paths]
    names = _COLUMNS[task]
    shared = [name for name in names if name not in _MEASURED]
    orders = [tuple(_column(run, name) for name in shared) for run in runs]
    commonest = Counter(orders).most_common(1)[0][0]
    alike = [run for run, order in zip(runs, orders, strict=True) if order == commonest]

    table = [
        _median(alike, name) if name in _MEASURED else _column(alike[0], name) for name in names
    ]
    lines = ["\t".join(names), *("\t".join(cells) for cells in zip(*table, strict=True))]
    return "\n".join(lines) + "\n"


def _column(run: Events, name: str) -> tuple[str, ...]:
    if name == "trial_type":
        return run.trial_type
    if name in ("onset", "duration"):
        values = run.onset_s if name == "onset" else run.duration_s
        return tuple(repr(float(value)) for value in values)
    return run.columns.get(name, ("n/a",) * run.n_trials)  # runEndTime need not be there


def _median(runs: Sequence[Events], name: str) -> tuple[str, ...]:
    cells = []
    for trial in zip(*(_column(run, name) for run in runs), strict=True):
        known = [float(cell) for cell in trial if not is_missing(cell)]
        # A time that half of the people lack is no part of the schedule.
        is_shared = 2 * len(known) > len(trial)
        cells.append(f"{np.median(known):.{_DECIMALS}f}" if is_shared else "n/a")
    return tuple(cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write ``<task>.tsv`` for every task; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dtb_models.schedules",
        description="Make the default schedules from a study's BIDS folder of events.",
    )
    parser.add_argument("bids_dir", type=Path, help="folder that holds the sub-* folders")
    parser.add_argument(
        "--out",
        type=Path,
        default=SCHEDULES_DIR,
        help="where <task>.tsv is written (default: the schedules of the installed dtb_runtime)",
    )
    options = parser.parse_args(arguments)
    try:
        schedules = {task: make_schedule(options.bids_dir, task) for task in RUN_OF_TASK}
    except DtbError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for task, text in schedules.items():
            path = options.out / f"{task}.tsv"
            path.write_text(text, encoding="utf-8", newline="\n")
            print(path)
    except OSError as cause:
        print(f"Error: {options.out} cannot be written: {cause.strerror}.", file=sys.stderr)
        return OutputError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
