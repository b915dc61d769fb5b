"""What each figure needs of a person as sums, and the figure as a function of sums over people."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.tasks import get_task

from .judged_trials import JudgedTrials

Values = NDArray[np.float64]

LEAST_CHANCE = 1e-6
"""Chances and densities (1/s) below one in a million are taken as that: nobody can tell them apart
from so many trials, and one trial must not decide a mean."""
SD_OF_90 = NormalDist().inv_cdf(0.95)
"""SDs of a normal distribution around its mean between which 90 % of it lies."""
LEAST_VARIANCE = 1e-12
"""Variance (s^2) below which a response time counts as the same for everybody, without an r."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Which rows of a table are whose."""

    ids: NDArray[np.str_]
    """Shape (n_people,), sorted."""
    row: NDArray[np.int64]
    """Shape (n_rows,): index into `ids`."""

    @classmethod
    def of(cls, trials: JudgedTrials) -> People:
        """Return the people of a table."""
        ids, row = np.unique(trials.participant_id, return_inverse=True)
        return cls(ids, row)

    def sum(self, values: Values) -> Values:
        """Sum over each person's rows: shape (n_people,)."""
        return np.asarray(np.bincount(self.row, values, minlength=len(self.ids)))

    def mean(self, values: Values) -> Values:
        """Mean over each person's rows: shape (n_people,)."""
        return self.sum(values) / self.sum(np.ones(len(values)))


# ---- sums of each person


def trial_values(values: Values, people: People) -> Values:
    """Sums for a mean over trials: shape (n_people, 2)."""
    return np.stack([people.sum(np.ones(len(values))), people.sum(values)], axis=1)


def person_values(values: Values) -> Values:
    """Sums for a mean and SD over people of one value each: shape (n_people, 3)."""
    return np.stack([np.ones(len(values)), values, np.square(values)], axis=1)


def pair_products(x: Values, y: Values, people: People) -> Values:
    """Sums for a correlation over rows: shape (n_people, 6)."""
    x, y = x - x.mean(), y - y.mean()  # r stays the same, and large means take no digits away
    products = (np.ones(len(x)), x, y, x * x, y * y, x * y)
    return np.stack([people.sum(product) for product in products], axis=1)


def mean_rt_pairs(trials: JudgedTrials, people: People) -> Values:
    """Sums for the correlation over people of mean forecast and measured response time."""
    one_each = People(people.ids, np.arange(len(people.ids)))
    return pair_products(people.mean(trials.rt_s), people.mean(trials.response_time_s), one_each)


def mean_rt_errors(trials: JudgedTrials, people: People) -> Values:
    """Sums of mean forecast minus mean measured response time, one value a person."""
    return person_values(people.mean(trials.rt_s - trials.response_time_s))


def trial_type_pairs(trials: JudgedTrials, people: People) -> Values:
    """Sums for the correlation over each person's mean of each trial type.

    Trial types of two tasks are never one, whatever their names.
    """
    names = np.char.add(np.char.add(trials.task, "/"), trials.trial_group)
    _, trial_type = np.unique(names, return_inverse=True)
    cells, row = np.unique(np.stack([people.row, trial_type]), axis=1, return_inverse=True)
    n_trials = np.bincount(row.ravel())
    x, y = (
        np.bincount(row.ravel(), values) / n_trials
        for values in (trials.rt_s, trials.response_time_s)
    )
    return pair_products(x, y, People(people.ids, cells[0]))


def trial_pairs(trials: JudgedTrials, people: People) -> Values:
    """Sums for the correlation over trials."""
    return pair_products(trials.rt_s, trials.response_time_s, people)


def trial_squared_errors(trials: JudgedTrials, people: People) -> Values:
    """Sums of squared errors of the response time over trials."""
    return trial_values(np.square(trials.rt_s - trials.response_time_s), people)


def agreement(trials: JudgedTrials, people: People) -> Values:
    """Sums of each person's share of answers that are the forecast ones.

    Which wrong option was pressed is not recorded. Where a wrong one is forecast and a wrong one
    was pressed, the trial counts by the chance that they are the same.
    """
    n_wrong = np.array([len(get_task(task).options) - 1 for task in trials.task], np.float64)
    agrees = np.where(trials.choice_is_right == 1, trials.correct, ~trials.correct / n_wrong)
    return person_values(people.mean(agrees))


def choice_log_losses(trials: JudgedTrials, people: People) -> Values:
    """Sums of minus the log chance of what was pressed, right or not."""
    chance = np.where(trials.correct, trials.p_right_if_answered, 1 - trials.p_right_if_answered)
    return trial_values(-np.log(np.maximum(chance, LEAST_CHANCE)), people)


def choice_squares(trials: JudgedTrials, people: People) -> Values:
    """Sums of the squared difference of chance and answer (Brier's score)."""
    return trial_values(np.square(trials.p_right_if_answered - trials.correct), people)


def no_response_log_losses(trials: JudgedTrials, people: People) -> Values:
    """Sums of minus the log chance of answering, or of not answering."""
    chance = np.where(trials.answered, 1 - trials.p_no_response, trials.p_no_response)
    return trial_values(-np.log(np.maximum(chance, LEAST_CHANCE)), people)


def accuracy_errors(trials: JudgedTrials, people: People) -> Values:
    """Sums of forecast minus measured accuracy, one value a person; a miss is not right."""
    return person_values(people.mean(trials.p_correct - trials.right))


def accuracy_inside_90(trials: JudgedTrials, people: People) -> Values:
    """Sums of people whose accuracy is where 90 % are expected.

    What is not known of the person and the luck of n trials, as if accuracy were normal, and half
    a trial more on each side, because it moves in whole trials.
    """
    n = people.sum(np.ones(len(trials)))
    expected = people.mean(trials.p_correct)
    variance = np.square(people.mean(trials.accuracy_sd)) + expected * (1.0 - expected) / n
    error = people.mean(trials.p_correct - trials.right)
    return person_values((np.abs(error) <= SD_OF_90 * np.sqrt(variance) + 0.5 / n).astype(float))


def mean_rt_inside_90(trials: JudgedTrials, people: People) -> Values:
    """Sums of people whose mean response time is where 90 % are expected.

    What is not known of the person and the noise of n trials, both as if normal.
    """
    n = people.sum(np.ones(len(trials)))
    of_trials = people.mean(np.square((trials.rt_q95 - trials.rt_q05) / (2.0 * SD_OF_90))) / n
    variance = np.square(people.mean(trials.mean_rt_sd_s)) + of_trials
    error = people.mean(trials.rt_s - trials.response_time_s)
    return person_values((np.abs(error) <= SD_OF_90 * np.sqrt(variance)).astype(float))


def log_densities(trials: JudgedTrials, people: People) -> Values:
    """Sums of the log density of the measured response time."""
    return trial_values(np.maximum(trials.rt_log_density, np.log(LEAST_CHANCE)), people)


def inside_50(trials: JudgedTrials, people: People) -> Values:
    """Sums of trials between the 25 % and the 75 % quantile."""
    return _inside(trials, people, trials.rt_q25, trials.rt_q75)


def inside_90(trials: JudgedTrials, people: People) -> Values:
    """Sums of trials between the 5 % and the 95 % quantile."""
    return _inside(trials, people, trials.rt_q05, trials.rt_q95)


def _inside(trials: JudgedTrials, people: People, low: Values, high: Values) -> Values:
    inside = (low <= trials.response_time_s) & (trials.response_time_s <= high)
    return trial_values(inside.astype(np.float64), people)


# ---- figures of sums over people


def mean(total: Values) -> Values:
    """Mean, of `trial_values` or `person_values`."""
    return np.asarray(total[..., 1] / total[..., 0])


def root_mean(total: Values) -> Values:
    """Root of a mean of squares, of `trial_values`."""
    return np.sqrt(mean(total))


def root_mean_square(total: Values) -> Values:
    """Root of the mean square, of `person_values`."""
    return np.asarray(np.sqrt(total[..., 2] / total[..., 0]))


def sd(total: Values) -> Values:
    """SD over people (n - 1), of `person_values`; NaN for one person."""
    n, first, second = np.moveaxis(total, -1, 0)
    squares = np.maximum(second - first * first / n, 0.0)
    variance = np.divide(squares, n - 1, out=np.full_like(n, np.nan), where=n > 1)
    return np.asarray(np.sqrt(variance))


def correlation(total: Values) -> Values:
    """Pearson correlation, of `pair_products`; NaN where one of the two does not vary."""
    n, x, y, xx, yy, xy = np.moveaxis(total, -1, 0)
    var_x, var_y = (xx - x * x / n) / n, (yy - y * y / n) / n
    varies = (var_x > LEAST_VARIANCE) & (var_y > LEAST_VARIANCE)
    scale = np.sqrt(np.where(varies, var_x * var_y, 1.0))
    return np.where(varies, np.clip((xy - x * y / n) / n / scale, -1.0, 1.0), np.nan)
