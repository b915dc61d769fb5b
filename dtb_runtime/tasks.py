"""The tasks a twin can be put through, as data: options, trial types, contrasts, columns.

A task is this definition plus a schedule, which is an events table. ``hammer`` matches a face or
a shape to the picture on top (left or right); ``stroop`` names the ink color of a color word.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError

if TYPE_CHECKING:
    from .events import Events

DT_S = 0.08
"""One step of the main network, in seconds."""
TR_S = 0.8
"""Repetition time of the study's BOLD, in seconds."""
STEPS_PER_TR = 10
"""Network steps in one BOLD frame."""
N_INPUTS = 9
"""Input channels of the main network: 8 sensory ones and the task flag."""

SHAPE_CODES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "oval-horizontal": (1.0, 0.0),
        "oval-vertical": (0.0, 1.0),
        "circle": (1.0, 1.0),
    }
)
"""Hammer's shapes by file name without its ending, and the two numbers each is shown as."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task: what can be answered, what is contrasted, which columns its events need."""

    name: str
    """The name used everywhere, e.g. ``"hammer"``."""
    what: str
    """What people do in it, e.g. ``"matching faces and shapes"``."""
    flag: float
    """Value of the task channel (input 8) during the whole run."""
    options: tuple[str, ...]
    """Response options; option i is column i of the main network's actions, of which there may be
    more."""
    trial_types: tuple[str, ...]
    """The groups of trials that are reported apart."""
    contrast: tuple[str, str]
    """Trial types (a, b) of the contrast a > b."""
    required_columns: tuple[str, ...]
    """Columns that an events table of this task must have."""
    rest_after_s: float
    """How long the scanner of the study ran on after the last trial, in seconds."""

    @property
    def contrast_name(self) -> str:
        """Name of the contrast, e.g. ``"face_shape"`` for face > shape."""
        return f"{self.contrast[0]}_{self.contrast[1]}"

    def schedule(self) -> Events:
        """The study's own schedule, which is the same for everybody."""
        # Late, because reading events needs the definitions of this module.
        from .events import default_schedule

        return default_schedule(self.name)

    def stimulus(self, events: Events) -> NDArray[np.float32]:
        """What is on the screen at every step of a run, as it is presented.

        Parameters
        ----------
        events : Events
            A run of this task.

        Returns
        -------
        numpy.ndarray, shape (n_steps, 9), float32, read-only
            Steps of 80 ms. The network sees it one step later: `stimulus.network_input`.

        Raises
        ------
        UsageError
            The events belong to another task.
        """
        from .stimulus import encode

        if events.task != self.name:
            raise UsageError(
                f"{events.source} holds events of the task {events.task!r}, but its stimulus was "
                f"asked for as {self.name!r}. Read the file again as {self.name!r} or change task."
            )
        return encode(events)


HAMMER = Task(
    name="hammer",
    what="matching faces and shapes",
    flag=0.0,
    options=("left", "right"),
    trial_types=("face", "shape"),
    contrast=("face", "shape"),
    required_columns=(
        "onset",
        "duration",
        "trial_type",
        "stimLeft",
        "stimTop",
        "stimRight",
        "cueStartTime",
        "cueEndTime",
    ),
    rest_after_s=9.4,
)

STROOP = Task(
    name="stroop",
    what="naming the ink colors of color words",
    flag=1.0,
    options=("red", "green", "blue"),
    trial_types=("congruent", "incongruent"),
    contrast=("incongruent", "congruent"),
    required_columns=("onset", "duration", "trial_type", "stimulus_text", "stimulus_color"),
    rest_after_s=10.0,
)

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in (HAMMER, STROOP)})
"""Every task by its name."""


def get_task(name: str) -> Task:
    """The task of this name.

    Raises
    ------
    UsageError
        There is no such task; the message names the ones there are and the nearest.
    """
    try:
        return TASKS[name]
    except KeyError:
        near = difflib.get_close_matches(name.lower(), TASKS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(
            f"There is no task named {name!r}; the tasks are {', '.join(TASKS)}.{hint}"
        ) from None
