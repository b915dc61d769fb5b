"""What was forecast for each judged trial beside what the person did: one table for every figure.

A twin and every simple rule end in such a table, with the same rows. All figures are computed from
it and from nothing else, so that anyone who has the table can compute them again
(`judged_files` writes and reads it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtb_runtime.errors import UsageError
from dtb_runtime.trial_distributions import TrialDistributions

from .cohorts import Run

TEXT = ("participant_id", "task", "run", "trial_group")
FLAGS = ("correct", "usable")
PREDICTED = (
    "rt_s",
    "p_correct",
    "p_no_response",
    "rt_q05",
    "rt_q25",
    "rt_q75",
    "rt_q95",
    "rt_log_density",
    "choice_is_right",
    "accuracy_sd",
    "mean_rt_sd_s",
)
"""Columns of what was forecast."""
RT_QUANTILES = {"rt_q05": 0.05, "rt_q25": 0.25, "rt_q75": 0.75, "rt_q95": 0.95}
"""Columns of response-time quantiles and which ones they are."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedTrials:
    """Trials of people's runs with a forecast of each. Every field has shape (n_rows,).

    Response times are seconds after the trial's onset, forecasts of them hold given that there is
    a response. NaN stands for what did not happen or is not forecast. Arrays are read-only.
    """

    participant_id: NDArray[np.str_]
    """BIDS id of the person."""
    task: NDArray[np.str_]
    """Name of the task."""
    run: NDArray[np.str_]
    """Name of the run, e.g. ``"stroopAP_run-01"``."""
    trial_group: NDArray[np.str_]
    """Trial type, one of the task's."""
    trial: NDArray[np.int64]
    """Position in the run, from 0."""
    onset_s: NDArray[np.float64]
    """Onset in seconds from the run's first frame."""
    response_time_s: NDArray[np.float64]
    """Measured response time; NaN where nobody pressed."""
    correct: NDArray[np.bool_]
    """Whether the right option was pressed."""
    usable: NDArray[np.bool_]
    """As in `Responses.usable`."""
    rt_s: NDArray[np.float64]
    """Mean of the forecast response time."""
    p_correct: NDArray[np.float64]
    """Chance that the right option is pressed."""
    p_no_response: NDArray[np.float64]
    """Chance that nothing is pressed."""
    rt_q05: NDArray[np.float64]
    """5 % quantile of the response time."""
    rt_q25: NDArray[np.float64]
    """25 % quantile."""
    rt_q75: NDArray[np.float64]
    """75 % quantile."""
    rt_q95: NDArray[np.float64]
    """95 % quantile."""
    rt_log_density: NDArray[np.float64]
    """Log of the forecast density (1/s) at the measured response time."""
    choice_is_right: NDArray[np.float64]
    """1 where the most probable option is the right one, 0 where it is another."""
    accuracy_sd: NDArray[np.float64]
    """How unsure the person's accuracy in this run is: SD over draws of the person."""
    mean_rt_sd_s: NDArray[np.float64]
    """How unsure the person's mean response time in this run is: SD over draws of the person."""

    def __post_init__(self) -> None:
        n_rows = len(self.trial)
        for field in fields(self):
            given = np.asarray(getattr(self, field.name))
            # A copy of what may be written to: nobody else's array is made read-only.
            array = given.astype(_dtype(field.name, given), copy=given.flags.writeable)
            if array.shape != (n_rows,):
                raise UsageError(
                    f"Every column of judged trials needs one value for each of {n_rows} rows, "
                    f"but {field.name} has shape {array.shape}."
                )
            array.setflags(write=False)
            object.__setattr__(self, field.name, array)

    def __len__(self) -> int:
        return len(self.trial)

    def __repr__(self) -> str:
        n_people = len(np.unique(self.participant_id))
        return f"JudgedTrials({len(self)} trials of {n_people} people)"

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Usable trials with a response."""
        return self.usable & ~np.isnan(self.response_time_s)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Answered rightly."""
        return self.answered & self.correct

    @property
    def p_right_if_answered(self) -> NDArray[np.float64]:
        """Chance of the right option given a response; NaN where it is not forecast."""
        p_response = 1.0 - self.p_no_response
        chance = np.full(len(self), np.nan)
        np.divide(self.p_correct, p_response, out=chance, where=p_response > 0)
        return np.asarray(np.clip(chance, 0.0, 1.0))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks in alphabetical order."""
        return tuple(np.unique(self.task).tolist())

    @classmethod
    def observed(
        cls, participant_id: str, run: Run, mask: NDArray[np.bool_] | None = None
    ) -> JudgedTrials:
        """Return what a person did, with nothing forecast.

        Parameters
        ----------
        participant_id : str
        run : Run
        mask : numpy.ndarray of bool, shape (n_trials,), optional
            Which trials; all by default.
        """
        events, responses = run.events, run.responses
        rows = np.flatnonzero(np.ones(events.n_trials, np.bool_) if mask is None else mask)
        unknown = np.full(len(rows), np.nan)
        return cls(
            participant_id=np.full(len(rows), participant_id),
            task=np.full(len(rows), run.task),
            run=np.full(len(rows), run.run),
            trial_group=np.array(events.trial_group, np.str_)[rows],
            trial=rows.astype(np.int64),
            onset_s=events.onset_s[rows],
            response_time_s=responses.response_time_s[rows],
            correct=responses.correct[rows],
            usable=responses.usable[rows],
            **dict.fromkeys(PREDICTED, unknown),
        )

    @classmethod
    def from_forecast(
        cls,
        participant_id: str,
        run: Run,
        distributions: TrialDistributions,
        mask: NDArray[np.bool_] | None = None,
        *,
        accuracy_sd: float = np.nan,
        mean_rt_sd_s: float = np.nan,
    ) -> JudgedTrials:
        """Return a twin's forecast of a run beside what its person did in it.

        Parameters
        ----------
        participant_id : str
        run : Run
            The run that was forecast.
        distributions : TrialDistributions
            Of all of the run's trials; `Forecast.distributions` has them.
        mask : numpy.ndarray of bool, shape (n_trials,), optional
            Which trials are judged; all by default.
        accuracy_sd, mean_rt_sd_s : float
            SD over draws of the person; NaN where there are none.

        Raises
        ------
        UsageError
            If the forecast has another number of trials than the run.
        """
        events = run.events
        if distributions.n_trials != events.n_trials:
            raise UsageError(
                f"The run {run.run} of {participant_id} has {events.n_trials} trials, but the "
                f"forecast has {distributions.n_trials}. Forecast it with the run's own events."
            )
        measured = cls.observed(participant_id, run, mask)
        rows, right = measured.trial, events.correct_option
        chance = distributions.option_probability[np.arange(events.n_trials), right]
        quantiles = {name: distributions.quantile(q)[rows] for name, q in RT_QUANTILES.items()}
        return measured.predicting(
            rt_s=distributions.response_time_s[rows],
            p_correct=chance[rows],
            p_no_response=distributions.p_no_response[rows],
            rt_log_density=distributions.log_density(run.responses.response_time_s)[rows],
            choice_is_right=(distributions.choice == right)[rows],
            accuracy_sd=np.full(len(rows), accuracy_sd),
            mean_rt_sd_s=np.full(len(rows), mean_rt_sd_s),
            **quantiles,
        )

    @classmethod
    def concatenate(cls, tables: Sequence[JudgedTrials]) -> JudgedTrials:
        """Return the rows of several tables, in order.

        Raises
        ------
        UsageError
            If there is no table.
        """
        if not tables:
            raise UsageError("There are no judged trials to put together: nobody was judged.")
        return cls(
            **{f.name: np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(cls)}
        )

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> JudgedTrials:
        """Return some of the rows: a mask of shape (n_rows,), or indices."""
        return JudgedTrials(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def of_task(self, task: str) -> JudgedTrials:
        """Return the rows of one task."""
        return self.select(self.task == task)

    def predicting(self, **columns: ArrayLike) -> JudgedTrials:
        """Return the same trials with these predicted columns and no others.

        Raises
        ------
        UsageError
            If a column is none of `PREDICTED`.
        """
        unknown = sorted(set(columns) - set(PREDICTED))
        if unknown:
            raise UsageError(
                f"{unknown[0]!r} is no predicted column; these are: {', '.join(PREDICTED)}."
            )
        nothing = np.full(len(self), np.nan)
        values: dict[str, Any] = {name: columns.get(name, nothing) for name in PREDICTED}
        return replace(self, **values)

    def has_rows_of(self, other: JudgedTrials) -> bool:
        """Whether both tables are of the same trials, in the same order."""
        keys = ("participant_id", "run", "trial")
        return len(self) == len(other) and all(
            np.array_equal(getattr(self, key), getattr(other, key)) for key in keys
        )


def _dtype(name: str, given: NDArray[Any]) -> np.dtype[Any]:
    """What a column is kept as; text stays as long as it is."""
    if name in TEXT:
        return given.dtype if given.dtype.kind == "U" else np.dtype(np.str_)
    if name in FLAGS:
        return np.dtype(np.bool_)
    return np.dtype(np.int64 if name == "trial" else np.float64)
