"""One run of a task with what a person did in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import EventsError
from .events import MAX_RUN_S, Events, events_from_columns
from .recorded_responses import Responses
from .tables import one_line
from .tasks import get_task


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

    @property
    def n_right(self) -> int:
        """Those of these that are right."""
        return int(np.count_nonzero(self.responses.usable & self.responses.correct))

    @property
    def n_left_out(self) -> int:
        """Trials that tell nothing: answered too fast, too slowly or after they ended, or of which
        it is not known whether the answer is right.
        """
        return self.events.n_trials - self.n_observed

    def until(self, end_s: float) -> ObservedRun | None:
        """The trials that begin before a time, None if there are none.

        Parameters
        ----------
        end_s : float
            Seconds from the beginning of the run.
        """
        n = int(np.searchsorted(self.events.onset_s, end_s, side="left"))
        return joined_rows([self], [slice(0, n)]) if n else None


def own_columns(task: str) -> tuple[str, ...]:
    """Columns of a task's events beside onset and duration that decide what is shown and right."""
    return tuple(
        name for name in get_task(task).required_columns if name not in ("onset", "duration")
    )


def cells(run: ObservedRun, name: str) -> tuple[str, ...]:
    """One of a run's `own_columns`, as text."""
    return run.events.trial_type if name == "trial_type" else run.events.columns[name]


def joined_rows(parts: Sequence[ObservedRun], rows: Sequence[slice]) -> ObservedRun:
    """One run of the given rows of each part; only what trials are made of is kept.

    Parameters
    ----------
    parts : sequence of ObservedRun
        Of one task, at least one, in the order of their trials.
    rows : sequence of slice
        Which trials of each part.
    """
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
