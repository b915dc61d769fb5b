"""What a trial's arms do over a cohort: effects, responders, and arms beside one another.

The effect is the paper's, (pre - post) / SD_pre with the SD over the cohort before: positive where
the indicator falls. Where arms are compared, effects are turned towards the goal. Intervals are
90 %, from people drawn anew, with the SD computed anew as well; they are about which people are in
the cohort, and know nothing of how sure the twins are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arm_settings import BEFORE, TrialSettings, column, dose_name
from .cohort_statistics import (
    average,
    json_number,
    mean_with_interval,
    sd_of,
    share_with_interval,
    with_interval,
)
from .plan import Goal

Floats = NDArray[np.float64]

RESPONDER_SHARE = 0.5
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, eq=False)
class TrialValues:
    """Everybody's forecasts in every arm."""

    settings: TrialSettings
    names: tuple[str, ...]
    """All indicators reported."""
    values: dict[str, Floats]
    """Column to numbers, shape (people,) each; NaN for whoever lacks one."""
    responder_share: float = RESPONDER_SHARE
    """Who moves by this share of every goal's change responds."""

    def sd_before(self, name: str) -> float:
        """SD of an indicator over the cohort before; NaN with fewer than two people."""
        return sd_of(self.values[column(name, BEFORE)])

    def changes(self, name: str, arm: str) -> Floats:
        """Post - pre of each person, in the indicator's unit, shape (people,)."""
        changes: Floats = self.values[column(name, arm)] - self.values[column(name, BEFORE)]
        return changes

    def effects(self, name: str, arm: str) -> Floats:
        """(pre - post) / SD_pre of each person, shape (people,)."""
        sd = self.sd_before(name)
        changes = self.changes(name, arm)
        if not sd > 0.0:  # everybody is alike: there is no unit
            return np.full(len(changes), np.nan)
        effects: Floats = -changes / sd
        return effects

    def responders(self, arm: str) -> Floats:
        """1 who responds, 0 who does not, NaN of whom nothing is known, shape (people,).

        Whose indicator is lost after the change (a twin that never answers has no response time)
        does not respond.
        """
        responds = [
            self.changes(goal.name, arm) / goal.change >= self.responder_share
            for goal in self.settings.goals
        ]
        known = [
            np.isfinite(self.values[column(goal.name, BEFORE)]) for goal in self.settings.goals
        ]
        everywhere = np.all(np.stack(responds), axis=0)
        return np.where(np.all(np.stack(known), axis=0), np.where(everywhere, 1.0, 0.0), np.nan)

    def lost(self, arm: str) -> int:
        """People who had every goal's indicator before and lack one after."""
        lost = [
            np.isfinite(self.values[column(goal.name, BEFORE)])
            & ~np.isfinite(self.values[column(goal.name, arm)])
            for goal in self.settings.goals
        ]
        return int(np.any(np.stack(lost), axis=0).sum())


def rule(found: TrialValues) -> str:
    """Who responds, in words."""
    goals = " and ".join(
        f"{goal.name} {'rises' if goal.change > 0 else 'falls'} by at least "
        f"{abs(found.responder_share * goal.change):.4g}"
        for goal in found.settings.goals
    )
    return f"responder: {goals} ({found.responder_share:g} of the goal)"


def sum_up(found: TrialValues) -> dict[str, Any]:
    """Sum up a trial as JSON values.

    Parameters
    ----------
    found : TrialValues

    Returns
    -------
    dict
        ``rule``, ``sd_before``, ``arms`` (of each arm and its sham: effects on goals, responders,
        how large the changes were, how far everything else moved), ``doses`` (of the first arm's
        plan) and ``comparisons`` of arms (means of paired differences, towards the goal).
    """
    settings = found.settings
    arms = settings.all_arms
    return {
        "rule": rule(found),
        "sd_before": {name: json_number(found.sd_before(name)) for name in found.names},
        "arms": {arm: _arm(found, arm) for arm in arms},
        "doses": _doses(found),
        "comparisons": {
            f"{one} - {other}": {
                goal.name: _paired(found, goal, one, other) for goal in settings.goals
            }
            for one, other in _pairs(settings)
        },
    }


def _pairs(settings: TrialSettings) -> list[tuple[str, str]]:
    """Arms that stand beside one another: the two plans, and each beside its own sham."""
    arms, n = settings.all_arms, len(settings.arms)
    return [*([(arms[0], arms[1])] if n == 2 else []), *zip(arms[:n], arms[n:], strict=True)]


def _arm(found: TrialValues, arm: str) -> dict[str, Any]:
    settings = found.settings
    goals = {}
    for goal in settings.goals:
        effects = found.effects(goal.name, arm)
        known = effects[np.isfinite(effects)]
        goals[goal.name] = {
            "n": len(known),
            "change": mean_with_interval(found.changes(goal.name, arm)),
            "effect_sd": _mean_effect(found, goal.name, arm),
            "effect_sd_quantiles": {
                f"{q:g}": json_number(float(np.quantile(known, q))) if len(known) else None
                for q in _QUANTILES
            },
        }
    own = {goal.name for goal in settings.goals}
    size = found.values.get(f"{arm.removeprefix('sham_')}_size_sd", np.array([]))
    return {
        "goals": goals,
        "responders": share_with_interval(found.responders(arm)),
        "n_lost": found.lost(arm),
        "size_sd": mean_with_interval(size),
        "held_moved_sd": {name: _moved(found, name, arm) for name in settings.holds},
        "others_moved_sd": {
            name: _moved(found, name, arm)
            for name in found.names
            if name not in own and name not in settings.holds
        },
    }


def _moved(found: TrialValues, name: str, arm: str) -> dict[str, float | None]:
    """(post - pre) / SD_pre: its mean, which opposite moves cancel in, and mean size."""
    moved = -found.effects(name, arm)
    return {
        "mean": json_number(average(moved)),
        "mean_absolute": json_number(average(np.abs(moved))),
    }


def _doses(found: TrialValues) -> dict[str, Any]:
    """Of the first arm's plan: what each dose does, and in how many more does more."""
    settings = found.settings
    arm_of = {dose: dose_name(dose) for dose in settings.doses} | {1.0: settings.arms[0]}
    doses = sorted(arm_of)
    result: dict[str, Any] = {"arm": settings.arms[0], "doses": doses, "goals": {}}
    for goal in settings.goals:
        moved = np.stack([found.changes(goal.name, arm_of[dose]) / goal.change for dose in doses])
        known = np.all(np.isfinite(moved), axis=0)
        rising = np.all(np.diff(moved[:, known], axis=0, prepend=0.0) > 0, axis=0)
        result["goals"][goal.name] = {
            "effect_sd": [_mean_effect(found, goal.name, arm_of[dose]) for dose in doses],
            "share_monotonic": share_with_interval(np.where(rising, 1.0, 0.0)),
        }
    result["responders"] = [share_with_interval(found.responders(arm_of[dose])) for dose in doses]
    return result


def _mean_effect(found: TrialValues, name: str, arm: str) -> dict[str, Any]:
    """Mean of (pre - post) / SD_pre."""
    return _ratio(-found.changes(name, arm), found.values[column(name, BEFORE)])


def _paired(found: TrialValues, goal: Goal, one: str, other: str) -> dict[str, Any]:
    """Mean by which one arm comes nearer to a goal than another, in SD_pre."""
    nearer = found.changes(goal.name, one) - found.changes(goal.name, other)
    return _ratio(nearer * float(np.sign(goal.change)), found.values[column(goal.name, BEFORE)])


def _ratio(values: Floats, before: Floats) -> dict[str, Any]:
    """Mean of values in SDs of what was before."""

    def ratio(values: Floats, before: Floats) -> float:
        sd = sd_of(before)
        return average(values) / sd if sd > 0.0 else float("nan")

    return with_interval(ratio, values, before)
