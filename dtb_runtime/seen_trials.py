"""The trials that a twin learned from, beside what it forecasts for the same trials.

The look that anybody takes first: a twin that does not even describe what it has seen has not
learned it. It says nothing about trials to come, for which twins are judged on trials that they
have not seen.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .tasks import TASKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .twin import Twin


@dataclass(frozen=True, slots=True)
class SeenTrials:
    """What was seen in trials of one kind, and what the twin forecasts for them."""

    task: str
    trial_type: str | None
    """One of the task's `trial_types`; None for all of them."""
    n_trials: int
    """Trials that can be used, with or without an answer."""
    n_answered: int
    """Those of them that have an answer."""
    accuracy: float
    """Share of right answers among all of them, in [0, 1]."""
    forecast_accuracy: float
    """Mean chance of a right answer, in [0, 1]."""
    response_time_s: float
    """Mean over the answered ones; NaN where there is none."""
    forecast_response_time_s: float
    """Mean over the same trials; NaN where there is none."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        values = asdict(self)
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in values.items()
        }


def seen_trials(twin: Twin, *, threads: int = 1) -> tuple[SeenTrials, ...]:
    """Compare what a twin has seen with what it forecasts for the same trials.

    Parameters
    ----------
    twin : Twin
        Calibrated; one that has seen nothing gives nothing.
    threads : int
        See `Twin.forecast`.

    Returns
    -------
    tuple of SeenTrials
        By task, its trial types and then all of them; those without a trial are left out.
    """
    from .run_joining import join_runs  # late: a twin that has seen nothing needs it not

    columns: dict[str, list[tuple[NDArray[np.str_], NDArray[np.float64]]]] = {}
    for run in join_runs(twin.observed):
        forecast = twin.forecast(run.task, run.events, threads=threads)
        seen, use = run.responses, run.responses.usable
        values = np.stack(
            [
                seen.correct[use],
                forecast.trials["p_correct"][use],
                seen.response_time_s[use],
                forecast.trials["response_time"][use],
            ]
        )
        groups = np.array(run.events.trial_group, dtype=np.str_)[use]
        columns.setdefault(run.task, []).append((groups, values))
    compared = []
    for task in TASKS:
        if task not in columns:
            continue
        groups = np.concatenate([group for group, _ in columns[task]])
        values = np.concatenate([value for _, value in columns[task]], axis=1)
        for trial_type in (*TASKS[task].trial_types, None):
            of_type = values if trial_type is None else values[:, groups == trial_type]
            if of_type.shape[1]:
                compared.append(_compared(task, trial_type, of_type))
    return tuple(compared)


def _compared(task: str, trial_type: str | None, values: NDArray[np.float64]) -> SeenTrials:
    correct, p_correct, time_s, forecast_s = values
    answered = ~np.isnan(time_s)
    n_answered = int(answered.sum())
    return SeenTrials(
        task=task,
        trial_type=trial_type,
        n_trials=len(correct),
        n_answered=n_answered,
        accuracy=float(correct.mean()),
        forecast_accuracy=float(p_correct.mean()),
        response_time_s=float(time_s[answered].mean()) if n_answered else math.nan,
        forecast_response_time_s=float(forecast_s[answered].mean()) if n_answered else math.nan,
    )
