"""Simple rules that are linear regressions over people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.recorded_responses import MIN_RESPONSE_TIME_S
from dtb_runtime.tasks import TASKS

from .phenotypes import Phenotype, phenotype_cells, phenotype_numbers
from .protocols import MIN_RIGHT_TRIALS, first_half, run_of_task
from .rule_trials import RuleTrials, unit_means

Values = NDArray[np.float64]
PHENOTYPE = ("age", "sex", "site", "group")
"""Columns of participants.tsv that forecast response times, in any case."""


def loo_regression_s(trials: RuleTrials) -> Values:
    """Return each unit's mean response time from a leave-one-out regression, shape (n_units,).

    On the person's own mean and median and their mean in the other task, all of the seen half,
    learned from all other judged people, of whom the judged half is known. Of people who lack the
    other task, or have fewer than `MIN_RIGHT_TRIALS` right answers in it, the forecast comes from
    a second regression on own mean and median alone.
    """
    target = unit_means(
        trials.judged.response_time_s, trials.judged.right, trials.judged_unit, trials.n_units
    )
    own = np.stack([trials.own_mean_s(), _own_median_s(trials)], axis=1)
    whole = np.column_stack([own, other_task_mean_s(trials)])
    forecast = np.full(trials.n_units, np.nan)
    tasks = np.array(trials.unit_task)
    for task in np.unique(tasks):
        units = np.flatnonzero(tasks == task)
        for predictors in (own, whole):  # the better one overwrites the other
            here = units[np.isfinite(predictors[units]).all(axis=1)]
            for unit in here:
                rest = here[(here != unit) & np.isfinite(target[here])]
                if len(rest) > predictors.shape[1]:
                    forecast[unit] = _fitted(predictors[rest], target[rest], predictors[[unit]])[0]
    return np.asarray(np.maximum(forecast, MIN_RESPONSE_TIME_S))


def other_task_mean_s(trials: RuleTrials) -> Values:
    """Return each unit's person's mean response time in the other task's first half, (n_units,).

    NaN where the person has fewer than `MIN_RIGHT_TRIALS` right answers there. The other run need
    not be judged itself.
    """
    means = np.full(trials.n_units, np.nan)
    for unit, judged in enumerate(trials.people.runs):
        for task in TASKS:
            run = run_of_task(judged.participant, task)
            if task == judged.run.task or run is None:
                continue
            counts = first_half(run.events) & run.responses.usable & run.responses.correct
            if counts.sum() >= MIN_RIGHT_TRIALS:
                means[unit] = run.responses.response_time_s[counts].mean()
    return means


def demographic_predictors(phenotypes: Sequence[Phenotype]) -> Values | None:
    """Return people's phenotypes as numbers, shape (n_people, n_predictors).

    Age in decades around the people's mean, which also stands in where it is unknown; every other
    column as one indicator for each of its values but the first. None if nothing differs between
    the people.
    """
    columns = []
    for name in PHENOTYPE:
        if name == "age":
            age = phenotype_numbers(phenotypes, name)
            if np.isfinite(age).any():
                columns.append(np.where(np.isfinite(age), age - np.nanmean(age), 0.0) / 10)
        else:
            cells = phenotype_cells(phenotypes, name)
            columns += [
                np.array([float(cell == level) for cell in cells])
                for level in sorted(set(cells))[1:]
            ]
    columns = [column for column in columns if column.std() > 0]
    return np.stack(columns, axis=1) if columns else None


def demographic_forecast(trials: RuleTrials) -> tuple[Values, Values] | None:
    """Return mean response time and log SD of each judged trial from age, sex, site and group.

    For each task and trial type, a regression over other people of their mean response time in
    the judged half; the spread is that of the same people's trials around their own forecasts.

    Returns
    -------
    mean_s, log_sd : numpy.ndarray, shape (n_judged_rows,)
        NaN where there are too few other people. None if nothing is known of the people, or
        nothing differs between them.
    """
    predictors = demographic_predictors(
        [judged.participant.phenotype for judged in trials.people.runs]
    )
    if predictors is None:
        return None
    judged, unit = trials.judged, trials.judged_unit
    mean_s, log_sd = np.full((2, len(judged)), np.nan)
    names = np.char.add(np.char.add(judged.task, "/"), judged.trial_group)
    for name in np.unique(names):
        counts = (names == name) & judged.right
        target = unit_means(judged.response_time_s, counts, unit, trials.n_units)
        for fold in np.unique(trials.fold):
            rest = np.flatnonzero(np.isfinite(target) & (trials.fold != fold))
            if len(rest) <= predictors.shape[1] + 1:
                continue
            forecast = np.maximum(
                _fitted(predictors[rest], target[rest], predictors), MIN_RESPONSE_TIME_S
            )
            theirs = counts & (trials.fold[unit] != fold)
            ratio = np.log(judged.response_time_s[theirs] / forecast[unit[theirs]])
            rows = (names == name) & (trials.fold[unit] == fold)
            mean_s[rows] = forecast[unit[rows]]
            log_sd[rows] = ratio.std(ddof=1)
    return mean_s, log_sd


def _own_median_s(trials: RuleTrials) -> Values:
    right, times = trials.seen.right, trials.seen.response_time_s
    medians = [times[right & (trials.seen_unit == unit)] for unit in range(trials.n_units)]
    return np.array([np.median(each) if len(each) else np.nan for each in medians])


def _fitted(predictors: Values, target: Values, at: Values) -> Values:
    """Fit least squares with an intercept and return its values at other predictors."""
    center = predictors.mean(axis=0)
    design = np.column_stack([np.ones(len(predictors)), predictors - center])
    coefficients = np.linalg.lstsq(design, target, rcond=None)[0]
    return np.asarray(coefficients[0] + (at - center) @ coefficients[1:])
