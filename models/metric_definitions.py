"""What is measured of a forecast, as data: which trials count, what is summed, which way is better.

Means over trials take all people's trials together, means over people one value from each. People
are judged on response times by their correct trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from . import metric_sums
from .bootstrap import Statistic
from .judged_trials import JudgedTrials
from .metric_sums import People, Values

FEWEST_FOR_R = 5
"""A correlation over fewer people says nothing and is left out."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How one figure is computed."""

    name: str
    """As in figures' names, before the colon."""
    meaning: str
    """What the number is, for tables."""
    trials: Literal["usable", "answered", "right"]
    """Which trials count."""
    needs: tuple[str, ...]
    """Columns that must be forecast; rows without one of them do not count."""
    sums: Callable[[JudgedTrials, People], Values]
    """From trials to sums of each person, shape (n_people, n_sums)."""
    statistic: Statistic
    """From sums over people to the figure."""
    goal: Literal["higher", "lower"] | float
    """Which way is better, or the one value that is right."""
    quartile: int | None = None
    """Of people by their own mean response time, 0 the fastest; None for everybody."""
    fewest_people: int = 1
    """Of fewer people the figure is left out."""

    def rows(self, trials: JudgedTrials) -> NDArray[np.bool_]:
        """Return which rows of one task's table count, shape (n_rows,)."""
        counts = np.array(getattr(trials, self.trials))
        if self.quartile is not None:
            counts &= rt_quartile(trials) == self.quartile
        for name in self.needs:
            counts &= ~np.isnan(getattr(trials, name))
        return counts

    def of_people(self, trials: JudgedTrials) -> Values:
        """Return each person's sums, shape (n_people, n_sums); every row of the table counts."""
        return self.sums(trials, People.of(trials))


def rt_quartile(trials: JudgedTrials) -> NDArray[np.int64]:
    """Return in which quarter of the people each row's person is, by own mean response time.

    Returns
    -------
    numpy.ndarray, shape (n_rows,)
        0 for the fastest quarter to 3 for the slowest; -1 for people without a right answer.
    """
    people = People.of(trials)
    right = trials.right
    n_right = people.sum(right.astype(np.float64))
    total = people.sum(np.where(right, trials.response_time_s, 0.0))
    known = np.flatnonzero(n_right)
    rank = np.argsort(np.argsort(total[known] / n_right[known], kind="stable"))
    quartile = np.full(len(people.ids), -1)
    quartile[known] = rank * 4 // max(len(known), 1)
    return np.asarray(quartile[people.row])


_CHANCE = ("p_right_if_answered",)
_50, _90 = ("rt_q25", "rt_q75"), ("rt_q05", "rt_q95")
_QUARTERS = ("fastest", "second fastest", "second slowest", "slowest")

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(
                "choice_concordance",
                "share of a person's answers that are the forecast ones, mean over people",
                "answered",
                ("choice_is_right",),
                metric_sums.agreement,
                metric_sums.mean,
                "higher",
            ),
            Metric(
                "choice_concordance_sd",
                "the same, SD over people",
                "answered",
                ("choice_is_right",),
                metric_sums.agreement,
                metric_sums.sd,
                "lower",
                fewest_people=2,
            ),
            Metric(
                "choice_log_loss",
                "minus the log chance of right or wrong, whichever it was, mean over answers",
                "answered",
                _CHANCE,
                metric_sums.choice_log_losses,
                metric_sums.mean,
                "lower",
            ),
            Metric(
                "choice_brier",
                "squared difference between chance and answer, mean over answers",
                "answered",
                _CHANCE,
                metric_sums.choice_squares,
                metric_sums.mean,
                "lower",
            ),
            Metric(
                "no_response_log_loss",
                "minus the log chance of answering or not, whichever it was, mean over trials",
                "usable",
                ("p_no_response",),
                metric_sums.no_response_log_losses,
                metric_sums.mean,
                "lower",
            ),
            Metric(
                "accuracy_bias",
                "forecast minus measured share of right answers, mean over people",
                "usable",
                ("p_correct",),
                metric_sums.accuracy_errors,
                metric_sums.mean,
                0.0,
            ),
            Metric(
                "accuracy_coverage_90",
                "share of people whose accuracy is inside its 90 % interval",
                "usable",
                ("p_correct", "accuracy_sd"),
                metric_sums.accuracy_inside_90,
                metric_sums.mean,
                0.9,
            ),
            Metric(
                "rt_r",
                "r over people between mean forecast and mean measured response time",
                "right",
                ("rt_s",),
                metric_sums.mean_rt_pairs,
                metric_sums.correlation,
                "higher",
                fewest_people=FEWEST_FOR_R,
            ),
            Metric(
                "rt_rmse_s",
                "root mean square, over people, of the mean response time's error (s)",
                "right",
                ("rt_s",),
                metric_sums.mean_rt_errors,
                metric_sums.root_mean_square,
                "lower",
            ),
            Metric(
                "rt_bias_s",
                "forecast minus measured mean response time, mean over people (s)",
                "right",
                ("rt_s",),
                metric_sums.mean_rt_errors,
                metric_sums.mean,
                0.0,
            ),
            Metric(
                "rt_trial_type_r",
                "r over people's means of each trial type",
                "right",
                ("rt_s",),
                metric_sums.trial_type_pairs,
                metric_sums.correlation,
                "higher",
                fewest_people=FEWEST_FOR_R,
            ),
            Metric(
                "rt_trial_r",
                "r over all trials",
                "right",
                ("rt_s",),
                metric_sums.trial_pairs,
                metric_sums.correlation,
                "higher",
                fewest_people=FEWEST_FOR_R,
            ),
            Metric(
                "rt_trial_rmse_s",
                "root mean square error over all trials (s)",
                "right",
                ("rt_s",),
                metric_sums.trial_squared_errors,
                metric_sums.root_mean,
                "lower",
            ),
            Metric(
                "rt_log_likelihood",
                "log density (1/s) of the measured response time, mean over trials",
                "right",
                ("rt_log_density",),
                metric_sums.log_densities,
                metric_sums.mean,
                "higher",
            ),
            Metric(
                "mean_rt_coverage_90",
                "share of people whose mean response time is inside its 90 % interval",
                "right",
                ("rt_s", *_90, "mean_rt_sd_s"),
                metric_sums.mean_rt_inside_90,
                metric_sums.mean,
                0.9,
            ),
            Metric(
                "coverage_50",
                "share of response times inside the forecast 50 % interval",
                "right",
                _50,
                metric_sums.inside_50,
                metric_sums.mean,
                0.5,
            ),
            Metric(
                "coverage_90",
                "share of response times inside the forecast 90 % interval",
                "right",
                _90,
                metric_sums.inside_90,
                metric_sums.mean,
                0.9,
            ),
            *(
                Metric(
                    f"coverage_90_q{quartile + 1}",
                    f"the same for the {name} quarter of the people",
                    "right",
                    _90,
                    metric_sums.inside_90,
                    metric_sums.mean,
                    0.9,
                    quartile=quartile,
                )
                for quartile, name in enumerate(_QUARTERS)
            ),
        )
    }
)
"""Every metric by its name."""
