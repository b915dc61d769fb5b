"""Trials that a person was seen to do, read from files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .errors import EventsError, UsageError
from .events import events_from_columns
from .observed_run import ObservedRun
from .recorded_responses import Responses
from .tables import file_label, read_table
from .tasks import TASKS, get_task

_TASK_ENTITY = re.compile(r"(?:^|_)task-([A-Za-z0-9]+)(?=_|\.|$)")


def read_observed(path: str | Path, task: str | None = None) -> ObservedRun:
    """Read an events.tsv that was recorded while a person did a task.

    Parameters
    ----------
    path : str or pathlib.Path
        A BIDS events table with the columns ``response_time`` and ``accuracy_binarized``.
    task : str, optional
        Name of the task; by default what ``task-<label>`` in the file's name begins with; without
        one there, the task whose columns the file has.

    Raises
    ------
    EventsError
        The file cannot be used.
    UsageError
        There is no such task, or it cannot be told which it is.
    """
    path = Path(path)
    table = read_table(path, "\t", EventsError)
    if task is None:
        task = _task_of(path.name, table.columns.keys())
    events = events_from_columns(table.columns, get_task(task), table.source)
    return ObservedRun(events, Responses.from_events(events))


def task_of(path: str | Path) -> str:
    """Name of the task that an events file is of.

    Parameters
    ----------
    path : str or pathlib.Path
        A BIDS events table.

    Raises
    ------
    EventsError
        The file cannot be read.
    UsageError
        Neither what ``task-<label>`` in its name begins with nor its columns tell.
    """
    path = Path(path)
    return _task_of(path.name, read_table(path, "\t", EventsError).columns.keys())


def _task_of(name: str, columns: Iterable[str]) -> str:
    """Name of the task of an events file."""
    match = _TASK_ENTITY.search(name)
    if match is not None:
        for task in TASKS:
            if match[1].lower().startswith(task):
                return task
    present = set(columns)
    fitting = [task.name for task in TASKS.values() if present.issuperset(task.required_columns)]
    if len(fitting) == 1 and match is None:
        return fitting[0]
    said = "has no task-<label>" if match is None else f"says task-{match[1]}"
    whose = f"those of {' and '.join(fitting)}" if fitting else "those of no task"
    raise UsageError(
        f"It cannot be told which task {file_label(Path(name))} is of: its name {said}, its "
        f"columns are {whose}. If it is of one of {', '.join(TASKS)}, say so "
        f"(--task {'|'.join(TASKS)}); other tasks cannot be used."
    )
