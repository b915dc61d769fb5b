"""A run made ready to be forecast: what its schedule fixes, whoever the person is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .events import Events, read_events
from .glm import Design, design_matrix
from .stimulus import network_input
from .tasks import TASKS, TR_S, Task, get_task


@dataclass(frozen=True, slots=True, eq=False)
class PreparedRun:
    """The same for everybody who does this run. Immutable; arrays are read-only."""

    task: Task
    events: Events
    network_input: NDArray[np.float32]
    """What the main network sees, shape (n_steps, n_inputs)."""
    design: Design
    """Of the linear model that turns BOLD into the task's contrast."""
    no_contrast: str | None
    """Why the schedule cannot give the task's contrast, None if it can."""

    @classmethod
    def of(cls, task: Task, events: Events) -> PreparedRun:
        """Prepare these trials.

        Raises
        ------
        UsageError
            The events belong to another task.
        """
        design = design_matrix(events, events.n_frames, TR_S)
        stimulus = network_input(task.stimulus(events))
        stimulus.setflags(write=False)
        return cls(task, events, stimulus, design, design.why_no_contrast(task.contrast))


def prepare_run(task: Task, events: Events | Path | str | None) -> PreparedRun:
    """Prepare a schedule; the study's own, which is prepared once, by default.

    Raises
    ------
    UsageError
        The events belong to another task.
    EventsError
        The events file cannot be used.
    """
    if events is None:
        return _default_run(task.name)
    if not isinstance(events, Events):
        events = read_events(events, task)
    return PreparedRun.of(task, events)


@lru_cache(maxsize=len(TASKS))
def _default_run(task_name: str) -> PreparedRun:
    task = get_task(task_name)
    return PreparedRun.of(task, task.schedule())
