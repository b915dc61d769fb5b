"""Trials that a person was seen to do: read from files, joined to runs, turned into targets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EventsError, UsageError
from .events import MAX_RUN_S, OVERLAP_TOLERANCE_S, Events, Responses, events_from_columns
from .tables import file_label, one_line, read_table
from .tasks import DT_S, TASKS, get_task

MAX_PARTS = 256
"""Most runs and parts of runs of one person."""

_TASK_ENTITY = re.compile(r"(?:^|_)task-([A-Za-z0-9]+)(?=_|\.|$)")
_RUN_ENTITIES = re.compile(r"(?:^|_)((?:ses|task|acq|dir|run)-[A-Za-z0-9]+)(?=_|\.|$)")


@dataclass(frozen=True, slots=True, eq=False)
class ObservedRun:
    """One run of a task, or a part of one, with what the person did in it.

    Raises
    ------
    EventsError
        Events and responses differ in their number of trials, or a usable response has no time
        that a response can have.
    """

    events: Events
    """The trials; onsets count from the beginning of the whole run."""
    responses: Responses
    """What the person did in them."""

    def __post_init__(self) -> None:
        own = self.responses
        lengths = {len(own.response_time_s), len(own.correct), len(own.usable)}
        if lengths != {self.events.n_trials}:
            raise EventsError(
                f"{self.events.source} has {self.events.n_trials} trials, but there are responses "
                f"to {' or '.join(map(str, sorted(lengths)))}. Give one response a trial, NaN "
                "where there was none."
            )
        time = own.response_time_s[np.asarray(own.usable, dtype=np.bool_)]
        if not (np.isnan(time) | ((time >= 0.0) & (time <= MAX_RUN_S))).all():
            raise EventsError(
                f"{self.events.source}: response times must be seconds after the onset of their "
                "trials, NaN where there was no response, or the response not usable."
            )

    def __repr__(self) -> str:
        return f"ObservedRun({self.task!r}, {self.events.source!r}, {self.n_observed} trials)"

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.events.task

    @property
    def n_observed(self) -> int:
        """Trials that can be learned from: answered in time, or not answered at all."""
        return int(np.count_nonzero(self.responses.usable))

    @property
    def n_answered(self) -> int:
        """Those of them that have an answer."""
        answered = ~np.isnan(self.responses.response_time_s)
        return int(np.count_nonzero(self.responses.usable & answered))

    def until(self, end_s: float) -> ObservedRun | None:
        """The trials that begin before a time, None if there are none.

        Parameters
        ----------
        end_s : float
            Seconds from the beginning of the run.
        """
        n = int(np.searchsorted(self.events.onset_s, end_s, side="left"))
        return _rows([self], [slice(0, n)]) if n else None


def read_observed(path: str | Path, task: str | None = None) -> ObservedRun:
    """Read an events.tsv that was recorded while a person did a task.

    Parameters
    ----------
    path : str or pathlib.Path
        A BIDS events table with the columns ``response_time`` and ``accuracy_binarized``.
    task : str, optional
        Name of the task; by default what ``task-<label>`` in the file's name begins with, else
        the one task whose columns the file has.

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


def canonical_order(parts: Iterable[ObservedRun]) -> tuple[ObservedRun, ...]:
    """The same parts in an order that does not depend on how they were given.

    Of the columns only those that decide what is on the screen and what is right are kept.

    Raises
    ------
    UsageError
        The same trials were given twice, or there are too many parts.
    """
    given = [_rows([part], [slice(None)]) for part in parts]
    if len(given) > MAX_PARTS:
        raise UsageError(
            f"There are {len(given)} runs and parts of runs, expected at most {MAX_PARTS}. Give "
            "each run as one file."
        )
    trials = [_trials(part) for part in given]
    for (one, own), (other, others) in combinations(zip(given, trials, strict=True), 2):
        if one.task == other.task and _are_shared(own, others):
            raise UsageError(
                f"{one.events.source} and {other.events.source} hold the same trials of the task "
                f"{one.task!r}, which would count twice. Give each trial once."
            )
    keys = [_sort_key(part, own) for part, own in zip(given, trials, strict=True)]
    return tuple(given[i] for i in sorted(range(len(given)), key=keys.__getitem__))


def join_runs(parts: Iterable[ObservedRun]) -> tuple[ObservedRun, ...]:
    """The runs that these parts belong to.

    Parts of one run are of the same task, follow one another in time (onsets count from the run's
    beginning), and their file names do not say that they are different runs (BIDS' ``ses``,
    ``task``, ``acq``, ``dir`` and ``run``).

    Parameters
    ----------
    parts : iterable of ObservedRun
        In any order; the result does not depend on it.

    Raises
    ------
    UsageError
        The same trials were given twice.
    """
    chains: list[list[ObservedRun]] = []
    for part in canonical_order(parts):
        chain = next((c for c in chains if _continues(c, part)), None)
        if chain is None:
            chains.append([part])
        else:
            chain.append(part)
    return tuple(_rows(chain, [slice(None)] * len(chain)) for chain in chains)


def own_columns(task: str) -> tuple[str, ...]:
    """Columns of a task's events beside onset and duration that decide what is shown and right."""
    return tuple(
        name for name in get_task(task).required_columns if name not in ("onset", "duration")
    )


def cells(run: ObservedRun, name: str) -> tuple[str, ...]:
    """One of a run's `own_columns`, as text."""
    return run.events.trial_type if name == "trial_type" else run.events.columns[name]


def press_targets(
    events: Events, responses: Responses, n_actions: int, *, masked: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Action targets and the steps that count, for one run.

    Parameters
    ----------
    events, responses : Events, Responses
        The trials and what the person did in them.
    n_actions : int
        Columns of the targets; options beyond the task's stay 0.
    masked : bool
        True for the hazard form: steps after a press, up to the next trial, do not count, and
        neither do trials whose response cannot be used. False for the paper's form: all count.

    Returns
    -------
    targets : ndarray, shape (n_steps, n_actions)
        1 at the step of the press. After a wrong answer among three options the pressed one is
        not known; each of the two others gets 0.5, the expected loss over which it was.
    counted : ndarray, shape (n_steps,)
    """
    n_options = len(get_task(events.task).options)
    targets = np.zeros((events.n_steps, n_actions), np.float32)
    counted = np.ones(events.n_steps, np.bool_)
    starts = np.append(events.onset_step, events.n_steps)
    for trial in range(events.n_trials):
        first, following = int(starts[trial]), int(starts[trial + 1])
        if not responses.usable[trial]:
            if masked:
                counted[first:following] = False
            continue
        time_s = responses.response_time_s[trial]
        if np.isnan(time_s):
            continue
        press = int((events.onset_s[trial] + time_s) / DT_S + 1e-6)
        press = min(max(press, first), following - 1, events.n_steps - 1)
        right = int(events.correct_option[trial])
        if responses.correct[trial]:
            targets[press, right] = 1.0
        else:
            others = [option for option in range(n_options) if option != right]
            targets[press, others] = 1.0 / len(others)
        if masked:
            counted[press + 1 : following] = False
    return targets, counted


def _task_of(name: str, columns: Iterable[str]) -> str:
    """Name of the task of an events file."""
    match = _TASK_ENTITY.search(name)
    if match is not None:
        for task in TASKS:
            if match[1].lower().startswith(task):
                return task
    present = set(columns)
    fitting = [task.name for task in TASKS.values() if present.issuperset(task.required_columns)]
    if len(fitting) == 1:
        return fitting[0]
    found = "no task-<label>" if match is None else f"task-{match[1]}"
    raise UsageError(
        f"It cannot be told which task {file_label(Path(name))} is of: its name has {found}, and "
        f"its columns fit {' and '.join(fitting) or 'none'} of {', '.join(TASKS)}. Say which task "
        "it is."
    )


def _trials(part: ObservedRun) -> dict[Any, Any]:
    """When and what each trial was, to what was done in it."""
    events, responses = part.events, part.responses
    shown = zip(*(cells(part, name) for name in own_columns(part.task)), strict=True)
    what = zip(events.onset_s.tolist(), events.duration_s.tolist(), shown, strict=True)
    answers = [None if np.isnan(time) else float(time) for time in responses.response_time_s]
    done = zip(answers, responses.correct.tolist(), responses.usable.tolist(), strict=True)
    return dict(zip(what, done, strict=True))


def _are_shared(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    """Whether two parts hold the same trials, and not those of two runs of one schedule."""
    common = one.keys() & other.keys()
    return (
        len(common) > 0
        and all(one[trial] == other[trial] for trial in common)
        and (one == other or any(one[trial][0] is not None for trial in common))
    )


def _sort_key(part: ObservedRun, trials: dict[Any, Any]) -> tuple[Any, ...]:
    """Task, time and run; for what is still equal, what was done."""
    digest = hashlib.sha256(repr(list(trials.items())).encode()).hexdigest()
    return list(TASKS).index(part.task), float(part.events.onset_s[0]), _run_of(part), digest


def _run_of(part: ObservedRun) -> tuple[str, ...]:
    """What the name of the file says about which run of a task it is."""
    return tuple(_RUN_ENTITIES.findall(part.events.source))


def _continues(chain: Sequence[ObservedRun], part: ObservedRun) -> bool:
    """Whether a part goes on where the parts of a run so far end."""
    last = chain[-1].events
    end_s = float(last.onset_s[-1] + last.duration_s[-1])
    names = {name for each in chain if (name := _run_of(each))}
    own = _run_of(part)
    return (
        part.task == chain[0].task
        and float(part.events.onset_s[0]) >= end_s - OVERLAP_TOLERANCE_S
        and (not own or not names or names == {own})
    )


def _rows(parts: Sequence[ObservedRun], rows: Sequence[slice]) -> ObservedRun:
    """One run of the given rows of each part; only what trials are made of is kept."""
    chosen = list(zip(parts, rows, strict=True))
    names = dict.fromkeys(one_line(part.events.source).strip() or "events" for part in parts)
    columns: dict[str, list[Any]] = {
        "onset": [time for part, own in chosen for time in part.events.onset_s[own]],
        "duration": [time for part, own in chosen for time in part.events.duration_s[own]],
    }
    for name in own_columns(parts[0].task):
        columns[name] = [cell for part, own in chosen for cell in cells(part, name)[own]]
    events = events_from_columns(columns, parts[0].task, " + ".join(names))
    joined = [
        np.concatenate([getattr(part.responses, name)[own] for part, own in chosen])
        for name in ("response_time_s", "correct", "usable")
    ]
    for array in joined:
        array.setflags(write=False)
    return ObservedRun(events, Responses(*joined))
