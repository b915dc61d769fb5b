"""What the columns of a trial's table are, and those that are known once everybody is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .arm_effects import TrialValues, rule
from .arm_settings import BEFORE, TrialSettings, column, dose_name, sham_of
from .score_columns import indicator_description


def effect_columns(settings: TrialSettings) -> tuple[str, ...]:
    """Columns of a trial's table that are known once everybody is done, in their order."""
    effects = [
        f"{goal.name}_{what}_{arm}"
        for goal in settings.goals
        for arm in settings.all_arms
        for what in ("change", "effect_sd")
    ]
    return (*effects, *(f"responder_{arm}" for arm in settings.all_arms))


def effect_values(found: TrialValues) -> dict[str, Sequence[float]]:
    """`effect_columns` of everybody."""
    values: dict[str, Sequence[float]] = {}
    for arm in found.settings.all_arms:
        values[f"responder_{arm}"] = found.responders(arm).tolist()
        for goal in found.settings.goals:
            values[f"{goal.name}_change_{arm}"] = found.changes(goal.name, arm).tolist()
            values[f"{goal.name}_effect_sd_{arm}"] = found.effects(goal.name, arm).tolist()
    return values


def fact_columns(settings: TrialSettings) -> tuple[str, ...]:
    """Columns about the change of each arm."""
    of_all = ("size_sd", "size_r", "smallest_eigenvalue", "distance_percentile")
    of_arm = {"personal": ("share_reached", "within_budget"), "common": ("share_possible",)}
    return (
        f"{BEFORE}_distance_percentile",
        *(f"{arm}_{fact}" for arm in settings.arms for fact in (*of_arm[arm], *of_all)),
        *(f"{dose_name(dose)}_share_possible" for dose in settings.doses),
    )


_FACTS = {
    "share_reached": "how much of the goals the person's own plan reaches, at most 1",
    "within_budget": "1 where the budget did not end the search for the person's own plan",
    "share_possible": "how much of the change was possible in this connectome, in [0, 1]",
    "size_sd": "size of the change, root mean square over edges, in SDs of edges between people",
    "size_r": "size of the change, root mean square over edges, in correlation",
    "smallest_eigenvalue": "of the changed connectome",
    "distance_percentile": "people of the training cohort whose connectome is nearer to its mean, "
    "in percent: how unusual this one is",
}


def trial_descriptions(found: TrialValues) -> dict[str, Any]:
    """What each column of a trial's own is."""
    settings, names = found.settings, found.names
    where = {
        BEFORE: "before",
        "personal": "with the person's own plan",
        "common": "with the common plan",
        sham_of("personal"): "with a random change as large as that of the person's own plan",
        sham_of("common"): "with a random change as large as that of the common plan",
        **{
            dose_name(dose): f"with dose {dose:g} of the first arm's plan"
            for dose in settings.doses
        },
    }
    described: dict[str, Any] = {}
    for name in names:
        for arm, words in where.items():
            of = indicator_description(name)
            described[column(name, arm)] = of | {"Description": f"{of['Description']}; {words}"}
    for arm in (BEFORE, *settings.all_arms, *map(dose_name, settings.doses)):
        for goal in settings.goals:
            of = indicator_description(goal.name)
            described[f"{goal.name}_change_{arm}"] = of | {
                "Description": f"change of {goal.name} {where[arm]}: after - before"
            }
            described[f"{goal.name}_effect_sd_{arm}"] = {
                "Description": f"effect on {goal.name} {where[arm]}: (before - after) / SD before "
                "over the cohort"
            }
        described[f"responder_{arm}"] = {
            "Description": f"{rule(found)}; {where[arm]}",
            "Levels": {"1": "responds", "0": "does not"},
        }
        for fact, words in _FACTS.items():
            described[f"{arm}_{fact}"] = {"Description": words}
    return described
