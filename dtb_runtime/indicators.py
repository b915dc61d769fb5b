"""The scalars that sum up a twin's forecast: speed, accuracy, effects, the amygdala's response.

======================================  =========================================================
name                                    what it is
======================================  =========================================================
``reaction_time:<task>:<trial_type>``   mean over trials of the response time given a response, s
``reaction_time:<task>``                the same over all trials of the task, s
``reaction_time``                       mean of ``reaction_time:<task>`` over the tasks forecast, s
``accuracy:<task>:<trial_type>``        mean over trials of the chance to press the right option
``accuracy:<task>``                     the same over all trials of the task
``accuracy``                            mean of ``accuracy:<task>`` over the tasks forecast
``stroop_effect``                       reaction time, incongruent minus congruent, s
``face_shape_effect``                   reaction time, face minus shape, s
``amygdala_response``                   t of the right amygdala's mean BOLD, face > shape
======================================  =========================================================

Forecast BOLD has no measurement noise, so ``amygdala_response`` is far larger than a scan's t: it
ranks people, and its size means nothing beside a threshold. Over several draws of a person's latent
it is the mean of their t.

A trial without a response counts as not right, as ``accuracy_binarized`` has it in the study's
events. What a forecast cannot give is not a NaN among the values but a sentence that says why.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from .errors import UsageError
from .indicator_names import AMYGDALA, AVERAGED, EFFECTS, TASK_OF
from .tasks import TASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .events import Events
    from .glm import Contrast
    from .tasks import Task
    from .trial_distributions import TrialDistributions

_FLAT = "The forecast BOLD of {} does not vary beyond what the design explains, so it has no t."


@dataclass(frozen=True, slots=True)
class Indicators:
    """What a forecast says in scalars, and why it does not say the rest."""

    values: Mapping[str, float]
    """Finite numbers by name. Read-only."""

    unavailable: Mapping[str, str]
    """For each indicator that could not be given, a sentence or two that say why. Read-only."""

    tasks: tuple[str, ...]
    """Names of the tasks forecast."""

    def value(self, name: str) -> float:
        """Return one indicator.

        Raises
        ------
        UsageError
            If this forecast does not give it; the message says why, or which names there are.
        """
        if name in self.values:
            return self.values[name]
        measure, _, rest = name.partition(":")
        task = rest.partition(":")[0]
        if name in self.unavailable:
            why = self.unavailable[name]
        elif measure in AVERAGED and task in TASKS and task not in self.tasks:
            why = _needs_task(task, self.tasks)
        else:
            near = difflib.get_close_matches(name, [*self.values, *self.unavailable], n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UsageError(
                f"There is no indicator {name!r}.{hint} A forecast of {_listed(self.tasks)} gives "
                f"{', '.join(self.values)}, and contrast:<contrast>:<region> for each region."
            )
        raise UsageError(f"The indicator {name!r} cannot be given. {why}")


def task_indicators(
    task: Task,
    events: Events,
    distributions: TrialDistributions,
    structure_t: Mapping[str, float],
    *,
    contrast_problem: str | None = None,
) -> Indicators:
    """Sum up one task's forecast.

    Parameters
    ----------
    task : Task
        The task forecast.
    events : Events
        The run's trials, in the order of `distributions`.
    distributions : TrialDistributions
        What the twin does in each trial.
    structure_t : mapping of str to float
        t of the task's contrast in each structure that the bundle's regions give
        (`glm.structure_bold`, `glm.fit_contrast`).
    contrast_problem : str, optional
        Why the contrast could not be fitted (`glm.Design.why_no_contrast`).

    Returns
    -------
    Indicators
        Those in the table above that one task can have. ``reaction_time`` and ``accuracy`` are
        then this task's.
    """
    values: dict[str, float] = {}
    unavailable: dict[str, str] = {}
    trial = np.arange(distributions.n_trials)
    p_correct = distributions.option_probability[trial, events.correct_option]
    groups = np.array(events.trial_group)
    for measure, per_trial in (
        ("reaction_time", distributions.response_time_s),
        ("accuracy", p_correct),
    ):
        for trial_type in (None, *task.trial_types):
            name = ":".join(filter(None, (measure, task.name, trial_type)))
            chosen = groups == trial_type if trial_type else np.ones(len(groups), dtype=np.bool_)
            mean = _mean(per_trial[chosen])
            if mean is not None:
                values[name] = mean
            else:
                unavailable[name] = _why_no_mean(trial_type, events, bool(chosen.any()))
    _average_tasks(values, unavailable, (task.name,))
    for name, trial_types in EFFECTS.items():
        if TASK_OF[name] == task.name:
            _add_effect(values, unavailable, name, trial_types)
    if TASK_OF["amygdala_response"] == task.name:
        _add_amygdala(values, unavailable, structure_t, contrast_problem)
    if contrast_problem is not None:
        unavailable[f"contrast:{task.contrast_name}"] = contrast_problem
    _name_missing_tasks(unavailable, (task.name,))
    return _frozen(values, unavailable, (task.name,))


def combine_indicators(forecasts: Iterable[Indicators]) -> Indicators:
    """Put the indicators of several tasks' forecasts of one twin together.

    Parameters
    ----------
    forecasts : iterable of Indicators
        At most one per task.

    Returns
    -------
    Indicators
        Everything the tasks give each for itself; ``reaction_time`` and ``accuracy`` are the mean
        over the tasks, each task counted once however many trials it has.

    Raises
    ------
    UsageError
        If there is no forecast, or a task comes twice.
    """
    parts = tuple(forecasts)
    tasks = tuple(task for part in parts for task in part.tasks)
    if not tasks:
        raise UsageError("There are no forecasts to combine; forecast at least one task first.")
    twice = sorted({task for task in tasks if tasks.count(task) > 1})
    if twice:
        raise UsageError(
            f"Indicators are combined over different tasks, but {_listed(twice)} comes more than "
            f"once; combine one forecast per task."
        )
    values: dict[str, float] = {}
    unavailable: dict[str, str] = {}
    for part in parts:
        values.update((name, x) for name, x in part.values.items() if name not in AVERAGED)
        # A part's word on an indicator that only another task can give says nothing here.
        unavailable.update(
            (name, why)
            for name, why in part.unavailable.items()
            if name not in AVERAGED and TASK_OF.get(name, part.tasks[0]) in part.tasks
        )
    _average_tasks(values, unavailable, tasks)
    _name_missing_tasks(unavailable, tasks)
    return _frozen(values, unavailable, tasks)


def contrast_indicator(
    name: str,
    contrasts: Mapping[str, Contrast],
    region_labels: Sequence[str],
    *,
    unavailable: Mapping[str, str] = MappingProxyType({}),
) -> float:
    """Return the t of one region in one contrast, by its indicator name.

    Parameters
    ----------
    name : str
        ``contrast:<contrast>:<region label>``, for example ``contrast:face_shape:L_V1``.
    contrasts : mapping of str to Contrast
        By contrast name, such as ``face_shape``.
    region_labels : sequence of str
        Labels in the order of the contrasts' arrays.
    unavailable : mapping of str to str, optional
        `Indicators.unavailable`, where a contrast that could not be fitted has its reason.

    Returns
    -------
    float
        t of the region.

    Raises
    ------
    UsageError
        If the name has another form, or there is no such contrast or region, or the region has no
        t because its forecast BOLD is flat.
    """
    measure, _, rest = name.partition(":")
    contrast_name, _, region = rest.partition(":")
    if measure != "contrast" or not region:
        raise UsageError(
            f"A contrast indicator is written contrast:<contrast>:<region label>, for example "
            f"contrast:face_shape:{next(iter(region_labels), 'L_V1')}, but {name!r} was asked for."
        )
    if contrast_name not in contrasts:
        why = unavailable.get(f"contrast:{contrast_name}") or _why_no_contrast(
            contrast_name, contrasts
        )
        raise UsageError(f"The indicator {name!r} cannot be given. {why}")
    if region not in region_labels:
        near = difflib.get_close_matches(region, region_labels, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(
            f"The indicator {name!r} cannot be given. No region {region!r} is among the "
            f"{len(region_labels)} regions of the bundle.{hint}"
        )
    t = float(contrasts[contrast_name].t[list(region_labels).index(region)])
    if math.isnan(t):
        raise UsageError(f"The indicator {name!r} cannot be given. {_FLAT.format(region)}")
    return t


def _mean(per_trial: NDArray[np.float64]) -> float | None:
    """Mean of the trials that have a number; None where none has."""
    known = per_trial[~np.isnan(per_trial)]
    return float(known.mean()) if len(known) else None


def _why_no_mean(trial_type: str | None, events: Events, has_trials: bool) -> str:
    kind = f"{trial_type} " if trial_type else ""
    if has_trials:
        return f"The twin responds in none of the {kind}trials of {events.source}."
    return f"{events.source} has no {kind}trials; add some to the events."


def _why_no_contrast(contrast_name: str, contrasts: Iterable[str]) -> str:
    found = _listed(contrasts)
    has = f"This forecast has the contrast {found}" if found else "This forecast has no contrast"
    for task in TASKS.values():
        if task.contrast_name == contrast_name:
            return f"{has}; forecast the task {task.name} for {contrast_name}."
    known = ", ".join(task.contrast_name for task in TASKS.values())
    return f"{has}, and no task has a contrast {contrast_name!r}; there are {known}."


def _average_tasks(
    values: dict[str, float], unavailable: dict[str, str], tasks: Sequence[str]
) -> None:
    for measure in AVERAGED:
        names = [f"{measure}:{task}" for task in tasks]
        lacking = [name for name in names if name not in values]
        if lacking:
            # A mean over fewer tasks than were asked for would pass for the real one.
            unavailable[measure] = unavailable[lacking[0]]
        else:
            values[measure] = sum(values[name] for name in names) / len(names)


def _add_effect(
    values: dict[str, float], unavailable: dict[str, str], name: str, trial_types: tuple[str, str]
) -> None:
    sides = [f"reaction_time:{TASK_OF[name]}:{trial_type}" for trial_type in trial_types]
    lacking = [side for side in sides if side not in values]
    if lacking:
        unavailable[name] = unavailable[lacking[0]]
    else:
        values[name] = values[sides[0]] - values[sides[1]]


def _add_amygdala(
    values: dict[str, float],
    unavailable: dict[str, str],
    structure_t: Mapping[str, float],
    contrast_problem: str | None,
) -> None:
    name = "amygdala_response"
    if contrast_problem is not None:
        unavailable[name] = contrast_problem
    elif AMYGDALA not in structure_t:
        unavailable[name] = (
            "The bundle's regions have no right amygdala; use a bundle of a parcellation with "
            "subcortical regions, such as tcp434."
        )
    elif math.isnan(structure_t[AMYGDALA]):
        unavailable[name] = _FLAT.format("the right amygdala")
    else:
        values[name] = float(structure_t[AMYGDALA])


def _name_missing_tasks(unavailable: dict[str, str], tasks: Sequence[str]) -> None:
    for name, task in TASK_OF.items():
        if task not in tasks:
            unavailable[name] = _needs_task(task, tasks)


def _needs_task(task: str, tasks: Sequence[str]) -> str:
    return f"It needs the task {task}, but this is a forecast of {_listed(tasks)}."


def _listed(names: Iterable[str]) -> str:
    return " and ".join(names)


def _frozen(
    values: dict[str, float], unavailable: dict[str, str], tasks: tuple[str, ...]
) -> Indicators:
    return Indicators(MappingProxyType(values), MappingProxyType(unavailable), tasks)
