"""Parts of runs, put in order and joined to the runs that they belong to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from .errors import UsageError
from .events import OVERLAP_TOLERANCE_S
from .observed_run import ObservedRun, cells, joined_rows, own_columns
from .tasks import TASKS

MAX_PARTS = 256
"""Most runs and parts of runs of one person."""
LEAST_ALIKE = 4
"""Answers at the same moments of two runs that no chance explains, if they are half of all."""
ALIKE_S = 0.003
"""Times that near are the same, rounded to milliseconds or measured from another frame."""

_RUN_ENTITIES = re.compile(r"(?:^|_)((?:ses|task|acq|dir|run)-[A-Za-z0-9]+)(?=_|\.|$)")


class _Trial(NamedTuple):
    """What tells one trial of a task from another."""

    onset_s: float
    duration_s: float
    shown: tuple[str, ...]
    """Cells of the task's `own_columns`."""


class _Answer(NamedTuple):
    """What was done in a trial."""

    time_s: float | None
    """None where there was no response: unlike NaN it is equal to itself."""
    correct: bool
    usable: bool


_Trials = dict[_Trial, _Answer]


def canonical_order(parts: Iterable[ObservedRun]) -> tuple[ObservedRun, ...]:
    """The same parts in an order that does not depend on how they were given.

    Of the columns only those that decide what is on the screen and what is right are kept.

    Raises
    ------
    UsageError
        The same trials were given twice, or there are too many parts.
    """
    given = [joined_rows([part], [slice(None)]) for part in parts]
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


def check_not_seen(observed: Iterable[ObservedRun], new: Iterable[ObservedRun]) -> None:
    """Refuse trials that a twin has learned from before.

    Raises
    ------
    UsageError
        One of the new runs holds trials of an observed one.
    """
    known = [(part.task, _trials(joined_rows([part], [slice(None)]))) for part in observed]
    for part in new:
        own = _trials(joined_rows([part], [slice(None)]))
        if any(part.task == task and _are_shared(own, others) for task, others in known):
            raise UsageError(
                f"The twin has learned from the trials of {part.events.source} already; they would "
                "count twice. Leave this file out, or begin with a twin that has not seen them."
            )


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
    return tuple(joined_rows(chain, [slice(None)] * len(chain)) for chain in chains)


def _trials(part: ObservedRun) -> _Trials:
    """When and what each trial was, to what was done in it."""
    events, responses = part.events, part.responses
    shown = zip(*(cells(part, name) for name in own_columns(part.task)), strict=True)
    trials = zip(events.onset_s.tolist(), events.duration_s.tolist(), shown, strict=True)
    times = [None if np.isnan(time) else float(time) for time in responses.response_time_s]
    answers = zip(times, responses.correct.tolist(), responses.usable.tolist(), strict=True)
    return {_Trial(*trial): _Answer(*answer) for trial, answer in zip(trials, answers, strict=True)}


def _are_shared(one: _Trials, other: _Trials) -> bool:
    """Whether two parts hold the same trials, and not those of two runs of one schedule."""
    common = one.keys() & other.keys()
    is_same = len(common) > 0 and all(one[trial] == other[trial] for trial in common)
    if is_same and (one == other or any(one[trial].time_s is not None for trial in common)):
        return True
    return _n_alike(one, other) >= max(LEAST_ALIKE, min(len(one), len(other)) / 2)


def _n_alike(one: _Trials, other: _Trials) -> int:
    """Trials answered at the same moments, whatever they are called and however rounded.

    Of two runs of one schedule hardly one answer in a hundred falls so.
    """
    presses = [
        np.sort([trial.onset_s + a.time_s for trial, a in part.items() if a.time_s is not None])
        for part in (one, other)
    ]
    if not all(len(times) for times in presses):
        return 0
    after = np.searchsorted(presses[1], presses[0])
    nearest_s = np.minimum(
        np.abs(presses[0] - presses[1][np.minimum(after, len(presses[1]) - 1)]),
        np.abs(presses[0] - presses[1][np.maximum(after - 1, 0)]),
    )
    return int(np.count_nonzero(nearest_s <= ALIKE_S))


def _sort_key(part: ObservedRun, trials: _Trials) -> tuple[int, float, tuple[str, ...], str]:
    """Task, time and run; for what is still equal, what was done."""
    # Plain tuples: the order must not change with the names of classes.
    done = [(tuple(trial), tuple(answer)) for trial, answer in trials.items()]
    digest = hashlib.sha256(repr(done).encode()).hexdigest()
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
