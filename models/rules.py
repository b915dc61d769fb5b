"""Simple rules that know nothing of a connectome, on the same trials as the twins beside them.

A rule gives the same table as a twin, so the same figures come out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dtb_runtime.errors import UsageError

from . import rule_forecasts
from .judged_trials import JudgedTrials
from .metric_definitions import METRICS
from .protocols import JudgedPeople, Protocol
from .rule_trials import RuleTrials


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to forecast that anybody could think of."""

    name: str
    """As in tables."""
    meaning: str
    """What it forecasts, for tables."""
    sees_own_trials: bool
    """Whether it needs the person's first half."""
    forecast: Callable[[RuleTrials], JudgedTrials | None]
    """Return the judged trials with the forecast; None if too little is known of the people."""
    beside: tuple[str, ...]
    """Metrics that it stands beside."""


def all_rules(
    people: JudgedPeople, protocol: Protocol, folds: Sequence[Sequence[str]] | None = None
) -> dict[str, JudgedTrials]:
    """Run every rule that a protocol allows.

    Parameters
    ----------
    people : JudgedPeople
    protocol : Protocol
        Where own trials are not seen, rules that need them are left out.
    folds : sequence of sequence of str, optional
        Participant ids by fold; a rule on the group sees the other folds' people only. Without it,
        everybody but the person. The leave-one-out regression sees everybody but the person in any
        case.

    Returns
    -------
    dict of str to JudgedTrials
        By rule; all with the rows of ``people.trials()``.

    Raises
    ------
    UsageError
        If nobody is judged, or the folds are not of everybody.
    """
    trials = RuleTrials.of(people, folds)
    tables = {
        rule.name: rule.forecast(trials)
        for rule in RULES.values()
        if protocol.sees_first_half or not rule.sees_own_trials
    }
    return {name: table for name, table in tables.items() if table is not None}


def rules_beside(metric: str, protocol: Protocol | None = None) -> tuple[str, ...]:
    """Return the names of the rules that stand beside a figure.

    Parameters
    ----------
    metric : str
        Name of a metric, or of a figure as ``rt_r:stroop``.
    protocol : Protocol, optional
        Leaves out rules that need own trials where it sees none.

    Raises
    ------
    UsageError
        If there is no such metric.
    """
    name = metric.partition(":")[0]
    if name not in METRICS:
        raise UsageError(f"There is no metric {name!r}; there are: {', '.join(METRICS)}.")
    return tuple(
        rule.name
        for rule in RULES.values()
        if name in rule.beside
        and (protocol is None or protocol.sees_first_half or not rule.sees_own_trials)
    )


_CHOICE = ("choice_concordance", "choice_concordance_sd")
_CHANCE = ("choice_log_loss", "choice_brier")
_ACCURACY = ("accuracy_bias", "accuracy_coverage_90")
_MISSED = ("no_response_log_loss",)
_PEOPLE = ("rt_rmse_s", "rt_bias_s")
_TRIALS = ("rt_trial_r", "rt_trial_rmse_s")
_SPREAD = tuple(name for name in METRICS if name.startswith(("coverage", "rt_log_likelihood")))

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            Rule(
                "own_mean",
                "the person's own mean response time in the first half",
                True,
                rule_forecasts.own_mean,
                ("rt_r", *_PEOPLE, "mean_rt_coverage_90", *_SPREAD),
            ),
            Rule(
                "loo_regression",
                "regression on own mean, own median and the other task's mean, leave-one-out",
                True,
                rule_forecasts.loo_regression,
                ("rt_r", *_PEOPLE),
            ),
            Rule(
                "own_mean_trial_type",
                "own mean plus the group's effect of the trial type",
                True,
                rule_forecasts.own_mean_trial_type,
                ("rt_trial_type_r", *_TRIALS, *_SPREAD),
            ),
            Rule(
                "own_mean_position",
                "own mean plus the group's effect of the trial's position",
                True,
                rule_forecasts.own_mean_position,
                (*_TRIALS, *_SPREAD),
            ),
            # A group's mean is the same for everybody but for who is left out of it, so an r over
            # people would only tell of that.
            Rule(
                "trial_type_mean",
                "the group's mean of the trial type",
                False,
                rule_forecasts.trial_type_mean,
                (
                    *(*_ACCURACY, *_CHANCE, *_MISSED, *_PEOPLE, "mean_rt_coverage_90"),
                    *("rt_trial_type_r", *_TRIALS, *_SPREAD),
                ),
            ),
            Rule(
                "position_mean",
                "the group's mean at this trial of the run",
                False,
                rule_forecasts.position_mean,
                (*_CHANCE, *_MISSED, *_TRIALS, *_SPREAD),
            ),
            Rule(
                "demographics",
                "regression of the trial type's mean on age, sex, site and group",
                False,
                rule_forecasts.demographics,
                ("rt_r", *_PEOPLE, "rt_trial_type_r", *_SPREAD),
            ),
            Rule(
                "always_correct",
                "always the right option",
                False,
                rule_forecasts.always_correct,
                _CHOICE,
            ),
            Rule(
                "own_accuracy",
                "own share of right answers in the first half, smoothed",
                True,
                rule_forecasts.own_accuracy,
                (*_CHOICE, *_ACCURACY, *_CHANCE, *_MISSED),
            ),
        )
    }
)
"""Every rule by its name."""
