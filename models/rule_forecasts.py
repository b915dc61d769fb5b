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
from .rule_trials import Keys, OthersStatistics, RuleTrials, Values

_KeyOf = Callable[[JudgedTrials, str], Keys]

# ---- the person's own earlier trials


def own_mean(trials: RuleTrials) -> JudgedTrials:
    """Forecast the person's mean response time of the first half, with their own spread."""
    own_s = trials.own_mean_s()
    return _around_own(trials, own_s[trials.judged_unit], own_s[trials.seen_unit])


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
    return trials.judged.predicting(**_choice(trials.judged, right, missed))


# ---- the group


def trial_type_mean(trials: RuleTrials) -> JudgedTrials:
    """Forecast others' mean response time and chances of the trial type."""
    return _of_others(trials, _half_and_type)


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


def _around_own(trials: RuleTrials, mean_s: Values, seen_s: Values) -> JudgedTrials:
    """Spread the own seen trials' departures from their forecast around the judged forecast."""
    log_sd = trials.own_log_sd(seen_s)[trials.judged_unit]
    times = trials.judged.response_time_s
    return trials.judged.predicting(**log_normal_columns(mean_s, log_sd, times))


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


def _of_others(trials: RuleTrials, key_of: _KeyOf) -> JudgedTrials:
    judged, folds = trials.judged, trials.fold[trials.judged_unit]
    keys, counts = key_of(judged, "judged"), judged.right
    times = judged.response_time_s[counts]
    mean = OthersStatistics.of(times, keys[counts], folds[counts]).mean(keys, folds)
    sd = OthersStatistics.of(np.log(times), keys[counts], folds[counts]).sd(keys, folds)
    columns = log_normal_columns(mean, sd, judged.response_time_s)
    return judged.predicting(**columns, **_chances_of_others(trials, key_of))


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
