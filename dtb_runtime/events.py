"""One run's trials, from a BIDS events table: checked, and laid on the 80-ms grid."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .errors import EventsError
from .tables import is_missing, listed_names, read_table, shown, to_number
from .tasks import DT_S, STEPS_PER_TR, TR_S, Task, get_task
from .trials import TRIAL_READERS

SCHEDULES_DIR = Path(__file__).parent / "schedules"
"""The folder of the default schedules, one ``<task>.tsv`` each."""
MAX_RUN_S = 3 * 3600.0
"""Longest run that is accepted, in seconds; a longer one has its times in milliseconds."""
MAX_TRIALS = 5000
"""Most trials of one run: one every two seconds over the longest run."""
MAX_WINDOW_STEPS = 2_000_000
"""Limit for trials times the steps of the longest: responses are read with all padded to it."""
OVERLAP_TOLERANCE_S = 0.05
"""How far a trial may reach into the next one: measured screen times jitter by frames."""
_GRID_TOLERANCE = 1e-6  # in steps, so that 0.24 / 0.08 = 3.0000000000000004 is step 3


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """The trials of one run. Every trial has its own steps, in order, inside the run."""

    task: str
    """Name of the task."""
    source: str
    """File name, for messages."""
    onset_s: NDArray[np.float64]
    """Shape (n_trials,): when each trial starts, in seconds from the first BOLD frame."""
    duration_s: NDArray[np.float64]
    """Shape (n_trials,): how long each trial lasts, in seconds."""
    trial_type: tuple[str, ...]
    """The column as it stands in the file, e.g. ``"con1"``."""
    trial_group: tuple[str, ...]
    """The `Task.trial_types` entry of each trial, e.g. ``"congruent"``."""
    correct_option: NDArray[np.int64]
    """Shape (n_trials,): index into `Task.options` of the right answer."""
    columns: Mapping[str, tuple[str, ...]]
    """The other columns of the file, as text."""
    onset_step: NDArray[np.int64]
    """Shape (n_trials,): first step of each trial."""
    offset_step: NDArray[np.int64]
    """Shape (n_trials,): the step after each trial's last one, at most the next `onset_step`."""
    n_frames: int
    """BOLD frames (TR 0.8 s) of the run."""

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return len(self.trial_type)

    @property
    def n_steps(self) -> int:
        """Number of 80-ms steps of the run."""
        return self.n_frames * STEPS_PER_TR


def read_events(path: str | Path, task: Task | str) -> Events:
    """Read and check a BIDS events.tsv.

    Parameters
    ----------
    path : str or pathlib.Path
        Tab-separated table with at least the task's `required_columns`; one row a trial.
    task : Task or str
        The task these events belong to.

    Raises
    ------
    EventsError
        The file cannot be read; a column is missing; a cell holds what it must not (the message
        names row, column and value); trials are out of order or overlap.
    UsageError
        There is no such task.
    """
    if isinstance(task, str):
        task = get_task(task)
    table = read_table(Path(path), "\t", EventsError)
    return events_from_columns(table.columns, task, table.source)


@cache
def default_schedule(task: str) -> Events:
    """The study's own schedule of a task, as it ships with this package."""
    return read_events(SCHEDULES_DIR / f"{get_task(task).name}.tsv", task)


def events_from_columns(
    columns: Mapping[str, Sequence[str | float]], task: Task | str, source: str = "events"
) -> Events:
    """Check columns that are already in memory, as `read_events` does for a file.

    Parameters
    ----------
    columns : mapping of str to sequence of str or float
        Column name to one value a trial; NaN and None are written as n/a.
    task : Task or str
        The task these events belong to.
    source : str
        What messages call these columns.

    Raises
    ------
    EventsError
        As for `read_events`.
    UsageError
        There is no such task.
    """
    if isinstance(task, str):
        task = get_task(task)
    cells = {name: tuple(_cell(value) for value in column) for name, column in columns.items()}
    _check_columns(cells, task, source)
    n_trials = len(cells["onset"])
    if n_trials > MAX_TRIALS:
        raise EventsError(
            f"{source} holds {n_trials} trials, expected at most {MAX_TRIALS}. Give one run a "
            "file, with one row a trial."
        )
    onset_s = _numbers(cells, "onset", source)
    duration_s = _numbers(cells, "duration", source)
    _check_times(onset_s, duration_s, source)

    groups, correct = [], []
    for row in range(len(onset_s)):
        trial = {name: column[row] for name, column in cells.items()}
        group, option = TRIAL_READERS[task.name](trial, f"{source}, row {row + 1}")
        groups.append(group)
        correct.append(option)

    onset_step = np.floor(onset_s / DT_S + _GRID_TOLERANCE).astype(np.int64)
    offset_step = np.ceil((onset_s + duration_s) / DT_S - _GRID_TOLERANCE).astype(np.int64)
    offset_step[:-1] = np.minimum(offset_step[:-1], onset_step[1:])
    _check_steps(onset_s, onset_step, offset_step, source)
    correct_option = np.array(correct, dtype=np.int64)
    for array in (onset_s, duration_s, correct_option, onset_step, offset_step):
        array.setflags(write=False)
    own_fields = ("onset", "duration", "trial_type")
    return Events(
        task=task.name,
        source=source,
        onset_s=onset_s,
        duration_s=duration_s,
        trial_type=cells["trial_type"],
        trial_group=tuple(groups),
        correct_option=correct_option,
        columns=MappingProxyType({k: v for k, v in cells.items() if k not in own_fields}),
        onset_step=onset_step,
        offset_step=offset_step,
        n_frames=_run_frames(cells, task, float(onset_s[-1] + duration_s[-1]), source),
    )


def _cell(value: str | float | None) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None or math.isnan(value):
        return "n/a"
    return str(value)


def _check_columns(cells: Mapping[str, tuple[str, ...]], task: Task, source: str) -> None:
    missing = [name for name in task.required_columns if name not in cells]
    if missing:
        names = ", ".join(repr(name) for name in missing)
        comma = len(cells) == 1 and re.search("[,;]", next(iter(cells)))
        hint = " Columns must be separated by tabs." if comma else " Add what is missing."
        raise EventsError(
            f"{source} has no column {names}, which the task {task.name!r} needs; found "
            f"{listed_names(cells) if cells else 'no columns'}.{hint}"
        )
    lengths = {name: len(column) for name, column in cells.items()}
    if len(set(lengths.values())) > 1:
        listed = listed_names(f"{name} {n}" for name, n in lengths.items())
        raise EventsError(f"The columns of {source} differ in length: {listed}. Make them equal.")
    if not lengths["onset"]:
        raise EventsError(
            f"{source} names its columns but holds no trials. Add one row for each trial."
        )


def cell_number(cell: str, column: str, source: str, row: int, expected: str = "a number") -> float:
    """The finite number in a cell; the message of an `EventsError` names the cell."""
    try:
        value = to_number(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise EventsError(
            f"{source}, row {row}: {column} is {shown(cell)}, expected {expected}. Correct this "
            "cell."
        )
    return value


def _numbers(cells: Mapping[str, tuple[str, ...]], column: str, source: str) -> NDArray[np.float64]:
    rows = enumerate(cells[column], start=1)
    return np.array([cell_number(cell, column, source, row) for row, cell in rows])


def _check_times(
    onset_s: NDArray[np.float64], duration_s: NDArray[np.float64], source: str
) -> None:
    for row, (onset, duration) in enumerate(zip(onset_s, duration_s, strict=True), start=1):
        if onset < 0:
            raise EventsError(
                f"{source}, row {row}: onset is {onset:g} s, expected 0 or later. Count onsets "
                "from the first BOLD frame and leave out trials before it."
            )
        if duration <= 0:
            raise EventsError(
                f"{source}, row {row}: duration is {duration:g} s, expected more than 0. "
                "Give how long a response counted, in seconds."
            )
        if onset + duration > MAX_RUN_S:
            raise EventsError(
                f"{source}, row {row}: the trial at {onset:g} s lasting {duration:g} s ends after "
                f"{MAX_RUN_S / 3600:g} hours. Give onset and duration in seconds, not milliseconds."
            )
    for row in range(1, len(onset_s)):
        if onset_s[row] < onset_s[row - 1]:
            raise EventsError(
                f"{source}, row {row + 1}: onset {onset_s[row]:g} s comes before that of row {row} "
                f"({onset_s[row - 1]:g} s). Sort the rows by onset."
            )
        end = onset_s[row - 1] + duration_s[row - 1]
        if onset_s[row] < end - OVERLAP_TOLERANCE_S:
            raise EventsError(
                f"{source}: rows {row} and {row + 1} overlap: the trial at {onset_s[row - 1]:g} s "
                f"ends at {end:g} s, after the next onset at {onset_s[row]:g} s. "
                "Shorten the first or move the second."
            )


def _check_steps(
    onset_s: NDArray[np.float64],
    onset_step: NDArray[np.int64],
    offset_step: NDArray[np.int64],
    source: str,
) -> None:
    empty = np.flatnonzero(offset_step <= onset_step)
    if len(empty):
        row = int(empty[0]) + 1
        raise EventsError(
            f"{source}: rows {row} and {row + 1} start in the same {DT_S * 1000:.0f}-ms step (at "
            f"{onset_s[row - 1]:g} and {onset_s[row]:g} s). Every trial needs a step of its own."
        )
    longest = int((offset_step - onset_step).argmax())
    n_steps = int(offset_step[longest] - onset_step[longest])
    if n_steps * len(onset_s) > MAX_WINDOW_STEPS:
        raise EventsError(
            f"{source}, row {longest + 1}: a trial of {n_steps * DT_S:g} s is too long among "
            f"{len(onset_s)} trials. Give how long a response counted, or split the run."
        )


def _run_frames(
    cells: Mapping[str, tuple[str, ...]], task: Task, last_end_s: float, source: str
) -> int:
    """Whole BOLD frames of the run, never fewer than the trials need."""
    run_end_s = last_end_s + task.rest_after_s
    for row, cell in enumerate(cells.get("runEndTime", ()), start=1):
        if not is_missing(cell):
            run_end_s = cell_number(cell, "runEndTime", source, row)
            if not last_end_s - OVERLAP_TOLERANCE_S <= run_end_s <= MAX_RUN_S:
                raise EventsError(
                    f"{source}, row {row}: runEndTime is {run_end_s:g} s, expected a time after "
                    f"the last trial, which ends at {last_end_s:g} s. Correct it or write n/a."
                )
    whole_frames = math.floor(run_end_s / TR_S + _GRID_TOLERANCE)
    return max(whole_frames, math.ceil(last_end_s / TR_S - _GRID_TOLERANCE))
