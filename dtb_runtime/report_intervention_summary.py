"""What ``intervention.json`` says of a plan and a person, as far as a report shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DataError
from .json_object import MAX_JSON_BYTES, JsonObject
from .report_bundle import Made
from .report_numbers import bounded
from .tables import file_label, read_text

_MOST_DOSES = 100


@dataclass(frozen=True, slots=True)
class Effect:
    """What a plan does to one indicator."""

    name: str
    before: float
    after: float
    sd: float | None
    """In SDs of the training cohort."""
    percent: float | None
    """Percent of random changes that move it less far the same way."""
    random: tuple[float, float] | None
    """Where nine in ten random changes lie, in SDs of the training cohort."""


@dataclass(frozen=True, slots=True)
class InterventionSummary:
    """What ``intervention.json`` says, as far as a report shows it."""

    source: str
    participant_id: str | None
    made: Made
    goals: Mapping[str, tuple[float, float | None]]
    """Indicator to the change that is asked for, and the share of it that is reached."""
    holds: tuple[str, ...]
    change: Mapping[str, Any]
    distance: tuple[float | None, float | None]
    """Percent of people nearer to the cohort's mean, before and after."""
    effects: tuple[Effect, ...]
    doses: tuple[float, ...]
    at_doses: Mapping[str, tuple[float, ...]]
    n_random: int
    warnings: tuple[str, ...]


def read_intervention(path: Path) -> InterventionSummary:
    """Read ``intervention.json``. Raises `DataError` where it is none of ours."""
    name = file_label(path)
    document = JsonObject.parse(read_text(path, DataError, MAX_JSON_BYTES), name, DataError)
    plan, change = document.child("plan"), document.child("change")
    strange, versions = document.child("strangeness"), document.child("versions")
    doses = document.child("doses")
    at = {
        key: tuple(bounded(value, doses.where) for value in doses.numbers(key))
        for key in doses.remaining_keys()
    }
    steps = at.pop("dose", ())
    at.pop("share_possible", None)
    if len(steps) > _MOST_DOSES or any(len(values) != len(steps) for values in at.values()):
        raise DataError(
            f"{doses.where}: expected one value for each dose, and at most {_MOST_DOSES} doses."
        )
    goals = {
        goal.text("name"): (
            bounded(goal.number("change"), goal.where),
            goal.optional_number("share_reached"),
        )
        for goal in plan.children("goals")
    }
    return InterventionSummary(
        source=name,
        participant_id=document.optional_text("participant_id"),
        made=Made(document.text("bundle"), versions.text("bundle_digest")),
        goals=goals,
        holds=plan.texts("holds"),
        change={
            "kind": change.text("kind"),
            "places": change.integer("places", minimum=0),
            **{key: change.number(key) for key in ("size_r", "size_sd", "share_possible")},
        },
        distance=(
            strange.optional_number("distance_percentile_before"),
            strange.optional_number("distance_percentile_after"),
        ),
        effects=_effects(document.child("indicators")),
        doses=steps,
        at_doses=at,
        n_random=document.integer("n_random", minimum=0),
        warnings=document.texts("warnings"),
    )


def _effects(document: JsonObject) -> tuple[Effect, ...]:
    found = []
    for name in document.remaining_keys():
        of = document.child(name)
        ends = of.take("random_effect_sd_90")
        if ends is not None:
            if not isinstance(ends, list) or len(ends) != 2:
                raise DataError(f"{of.where}, random_effect_sd_90: expected two numbers or null.")
            both = JsonObject({"ends": ends}, of.where, DataError).numbers("ends")
            low, high = (bounded(end, of.where) for end in both)
        sd = of.optional_number("effect_sd")
        found.append(
            Effect(
                name=name,
                before=bounded(of.number("before"), of.where),
                after=bounded(of.number("after"), of.where),
                sd=None if sd is None else bounded(sd, of.where),
                percent=of.optional_number("percentile_of_random"),
                random=None if ends is None else (low, high),
            )
        )
    return tuple(found)
