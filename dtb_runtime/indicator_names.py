"""Which indicators there are: what they are called, and which tasks and regions they need."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from .tasks import TASKS

AMYGDALA = "right_amygdala"
"""The structure, named so in a bundle's parcellation, whose t is ``amygdala_response``."""

AVERAGED = ("reaction_time", "accuracy")
"""Indicators that are means over the tasks forecast."""

EFFECTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "stroop_effect": ("incongruent", "congruent"),
        "face_shape_effect": ("face", "shape"),
    }
)
"""Differences of reaction time: trial type counted positive, trial type counted negative."""

TASK_OF: Mapping[str, str] = MappingProxyType(
    {
        "stroop_effect": "stroop",
        "face_shape_effect": "hammer",
        "amygdala_response": "hammer",
    }
)
"""Indicators that only one task can give, and that task."""


def indicator_names(tasks: Sequence[str], structures: Collection[str]) -> tuple[str, ...]:
    """Every indicator that forecasts of these tasks can have, in the order of `Indicators.values`.

    Somebody's forecast may lack one: a twin that responds in no trial of a type has no mean of it.

    Parameters
    ----------
    tasks : sequence of str
        Names of the tasks.
    structures : collection of str
        Anatomical structures whose regions are all among the BOLD outputs.
    """
    names: list[str] = []
    for task in tasks:
        trial_types = TASKS[task].trial_types
        for measure in AVERAGED:
            names += [f"{measure}:{task}", *(f"{measure}:{task}:{each}" for each in trial_types)]
        names += [name for name in EFFECTS if TASK_OF[name] == task]
        if TASK_OF["amygdala_response"] == task and AMYGDALA in structures:
            names.append("amygdala_response")
    return (*names, *AVERAGED)
