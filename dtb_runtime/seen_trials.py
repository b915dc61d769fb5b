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


LARGE_ACCURACY, LARGE_TIME_S = 0.1, 0.1
"""Differences from which on a forecast is off by much."""
LEAST_TO_TELL = 8
"""Answers below which the spread of response times is not known well enough to be sure."""
SURE = 4.0
"""Standard errors that chance alone does not explain."""
_LEAST_VARIANCE = 0.01  # of an answer: nobody is surer of it


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
    response_time_error_s: float
    """Standard error of the mean that was seen; NaN for less than two answers."""

    @property
    def is_whole(self) -> bool:
        """Whether these are all trials of the task."""
        return self.trial_type is None

    @property
    def misfits(self) -> tuple[str, ...]:
        """Where the forecast is not what was seen, beyond chance and by much: a sentence each."""
        p = self.forecast_accuracy
        chance = math.sqrt(max(p * (1.0 - p), _LEAST_VARIANCE) / self.n_trials)
        pairs = (
            ("accuracy", "", self.accuracy, p, chance, LARGE_ACCURACY),
            (
                *("response time", " s", self.response_time_s, self.forecast_response_time_s),
                *(self.response_time_error_s, LARGE_TIME_S),
            ),
        )
        return tuple(
            f"The twin does not describe the {self.n_trials} trials of {self.task} that it has "
            f"seen: {name} was {seen:.2f}{unit}, its forecast for them is about {forecast:.2f}"
            f"{unit}. The networks know no such person: do not rely on this twin, and check the "
            "trials."
            for name, unit, seen, forecast, error, large in pairs
            if self.n_answered >= LEAST_TO_TELL
            and math.isfinite(error)
            and abs(seen - forecast) > max(large, SURE * error)
        )

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        values = asdict(self)
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in values.items()
        }


def seen_trials(
    twin: Twin, *, draws: int | None = None, threads: int = 1
) -> tuple[SeenTrials, ...]:
    """Compare what a twin has seen with what it forecasts for the same trials.

    Parameters
    ----------
    twin : Twin
        Calibrated; one that has seen nothing gives nothing.
    draws, threads : int
        See `Twin.forecast`.

    Returns
    -------
    tuple of SeenTrials
        By task, its trial types and then all of them; those without a trial are left out.
    """
    from .run_joining import join_runs  # late: a twin that has seen nothing needs it not

    columns: dict[str, list[tuple[NDArray[np.str_], NDArray[np.float64]]]] = {}
    for run in join_runs(twin.observed):
        forecast = twin.forecast(run.task, run.events, draws=draws, threads=threads)
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
        response_time_error_s=(
            float(time_s[answered].std(ddof=1)) / math.sqrt(n_answered)
            if n_answered > 1
            else math.nan
        ),
    )
