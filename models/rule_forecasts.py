"""What each simple rule forecasts for the judged trials.

Rules on a person's own earlier trials see the first half of the run, as a calibrated twin does;
rules on the group see the whole runs of the other people.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.recorded_responses import MIN_RESPONSE_TIME_S
from dtb_runtime.tasks import get_task

from .judged_trials import JudgedTrials
from .rule_distributions import log_normal_columns
from .rule_regressions import demographic_forecast, loo_regression_s
from .rule_trials import Keys, OthersStatistics, RuleTrials, Values, unit_means, unit_sds

_KeyOf = Callable[[JudgedTrials, str], Keys]

# ---- the person's own earlier trials


def own_mean(trials: RuleTrials) -> JudgedTrials:
    """Forecast the person's mean response time of the first half, with their own spread."""
    own_s = trials.own_mean_s()
    counts = trials.seen.right
    n_right = np.bincount(trials.seen_unit[counts], minlength=trials.n_units)
    sd_s = unit_sds(trials.seen.response_time_s[counts], trials.seen_unit[counts], trials.n_units)
    error_s = sd_s / np.sqrt(np.maximum(n_right, 1))
    return _around_own(
        trials,
        own_s[trials.judged_unit],
        own_s[trials.seen_unit],
        mean_rt_sd_s=error_s[trials.judged_unit],
    )


def own_mean_trial_type(trials: RuleTrials) -> JudgedTrials:
    """Forecast the own mean plus how far others' trials of the type are from their own means."""
    return _own_mean_plus(trials, _half_and_type)


def own_mean_position(trials: RuleTrials) -> JudgedTrials:
    """Forecast the own mean plus how far others are from their own means at this trial."""
    return _own_mean_plus(trials, _position)


def loo_regression(trials: RuleTrials) -> JudgedTrials:
    """Forecast the leave-one-out regression's mean, with the person's own spread."""
    own_s = trials.own_mean_s()
    return _around_own(
        trials, loo_regression_s(trials)[trials.judged_unit], own_s[trials.seen_unit]
    )


def own_accuracy(trials: RuleTrials) -> JudgedTrials:
    """Forecast the chances of a right answer and of none as they were in the first half.

    Both smoothed, (n + 1) / (N + 2): nobody is sure to be right, or to answer, ever after.
    """
    seen, unit = trials.seen, trials.judged_unit
    every = seen.usable
    right = _smoothed(seen.correct, seen.answered, trials)[unit]
    missed = _smoothed(~seen.answered, every, trials)[unit]
    # Of a share smoothed like this, the beta distribution's SD.
    share = _smoothed(seen.right, every, trials)
    n_trials = np.bincount(trials.seen_unit[every], minlength=trials.n_units)
    sd = np.sqrt(share * (1 - share) / (n_trials + 3))[unit]
    return trials.judged.predicting(**_choice(trials.judged, right, missed), accuracy_sd=sd)


# ---- the group


def trial_type_mean(trials: RuleTrials) -> JudgedTrials:
    """Forecast others' mean response time and chances of the trial type.

    A person's own means are as unsure as others' differ.
    """
    return _of_others(trials, _half_and_type, **_spread_of_people(trials))


def position_mean(trials: RuleTrials) -> JudgedTrials:
    """Forecast others' mean response time and chances at this very trial of the run."""
    return _of_others(trials, _position)


def demographics(trials: RuleTrials) -> JudgedTrials | None:
    """Forecast the trial type's mean from age, sex, site and group, and others' chances of it."""
    found = demographic_forecast(trials)
    if found is None:
        return None
    times = log_normal_columns(*found, trials.judged.response_time_s)
    return trials.judged.predicting(**times, **_chances_of_others(trials, _half_and_type))


# ---- nothing at all


def always_correct(trials: RuleTrials) -> JudgedTrials:
    """Forecast the right option, without a chance."""
    return trials.judged.predicting(choice_is_right=np.ones(len(trials.judged)))


def _half_and_type(table: JudgedTrials, half: str) -> Keys:
    """Trial type of each row, apart for the halves: people get faster as a run goes on."""
    return _joined(table.task, np.full(len(table), half), table.trial_group)


def _position(table: JudgedTrials, half: str) -> Keys:
    """Place in the run of each row; another order of trial types has its own places."""
    return _joined(table.task, table.trial.astype(np.str_), table.trial_group)


def _joined(*parts: Keys) -> Keys:
    key = parts[0]
    for part in parts[1:]:
        key = np.char.add(np.char.add(key, "/"), part)
    return key


def _around_own(trials: RuleTrials, mean_s: Values, seen_s: Values, **more: Values) -> JudgedTrials:
    """Spread the own seen trials' departures from their forecast around the judged forecast."""
    log_sd = trials.own_log_sd(seen_s)[trials.judged_unit]
    times = trials.judged.response_time_s
    return trials.judged.predicting(**log_normal_columns(mean_s, log_sd, times), **more)


def _own_mean_plus(trials: RuleTrials, key_of: _KeyOf) -> JudgedTrials:
    own_s = trials.own_mean_s()
    forecasts = []
    for table, unit, half in _halves(trials):
        counts = table.right
        away = table.response_time_s - own_s[unit]
        keys, folds = key_of(table, half), trials.fold[unit]
        effects = OthersStatistics.of(away[counts], keys[counts], folds[counts])
        forecasts.append(np.maximum(own_s[unit] + effects.mean(keys, folds), MIN_RESPONSE_TIME_S))
    seen_s, judged_s = forecasts
    return _around_own(trials, judged_s, seen_s)


def _of_others(trials: RuleTrials, key_of: _KeyOf, **more: Values) -> JudgedTrials:
    judged, folds = trials.judged, trials.fold[trials.judged_unit]
    keys, counts = key_of(judged, "judged"), judged.right
    times = judged.response_time_s[counts]
    mean = OthersStatistics.of(times, keys[counts], folds[counts]).mean(keys, folds)
    sd = OthersStatistics.of(np.log(times), keys[counts], folds[counts]).sd(keys, folds)
    columns = log_normal_columns(mean, sd, judged.response_time_s)
    return judged.predicting(**columns, **_chances_of_others(trials, key_of), **more)


def _spread_of_people(trials: RuleTrials) -> dict[str, Values]:
    """SDs over others of a person's accuracy and mean response time, for each judged row."""
    judged, unit, n_units = trials.judged, trials.judged_unit, trials.n_units
    own = {
        "accuracy_sd": unit_means(judged.right.astype(np.float64), judged.usable, unit, n_units),
        "mean_rt_sd_s": unit_means(judged.response_time_s, judged.right, unit, n_units),
    }
    tasks = np.array(trials.unit_task)
    columns = {}
    for name, values in own.items():
        known = np.isfinite(values)
        others = OthersStatistics.of(values[known], tasks[known], trials.fold[known])
        columns[name] = others.sd(tasks, trials.fold)[unit]
    return columns


def _chances_of_others(trials: RuleTrials, key_of: _KeyOf) -> dict[str, Values]:
    judged, folds = trials.judged, trials.fold[trials.judged_unit]
    keys = key_of(judged, "judged")

    def share(values: NDArray[np.bool_], counts: NDArray[np.bool_]) -> Values:
        others = OthersStatistics.of(values[counts], keys[counts], folds[counts])
        return others.smoothed_share(keys, folds)

    right = share(judged.correct, judged.answered)
    return _choice(judged, right, share(~judged.answered, judged.usable))


def _choice(judged: JudgedTrials, right: Values, missed: Values) -> dict[str, Values]:
    """Columns of the choice, from the chance to be right if answered and that not to answer."""
    chance = {task: 1 / len(get_task(task).options) for task in judged.tasks}
    is_right = right > np.array([chance[task] for task in judged.task], np.float64)
    return {
        "p_correct": right * (1 - missed),
        "p_no_response": missed,
        "choice_is_right": np.where(np.isnan(right), np.nan, is_right),
    }


def _smoothed(values: NDArray[np.bool_], counts: NDArray[np.bool_], trials: RuleTrials) -> Values:
    """Smoothed share of each unit's counted seen trials, shape (n_units,)."""
    number = np.bincount(trials.seen_unit[counts], minlength=trials.n_units)
    total = np.bincount(trials.seen_unit[counts & values], minlength=trials.n_units)
    return np.asarray((total + 1) / (number + 2))


def _halves(trials: RuleTrials) -> tuple[tuple[JudgedTrials, NDArray[np.int64], str], ...]:
    return (
        (trials.seen, trials.seen_unit, "seen"),
        (trials.judged, trials.judged_unit, "judged"),
    )
