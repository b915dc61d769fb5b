"""What ``trial.json`` says of a trial in silico, as far as a report shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import DataError
from .json_object import MAX_JSON_BYTES, JsonObject
from .report_bundle import Made
from .report_numbers import NONE, bounded, label_of, number
from .tables import file_label, read_text

ARMS = {
    "personal": "own plan",
    "common": "common plan",
    "sham_personal": "sham of own plan",
    "sham_common": "sham of common plan",
}
"""Arms as people call them."""
_MOST_DOSES = 40
Estimate = tuple[float | None, float | None, float | None]
"""Mean or share, and its 90 % interval over people."""


@dataclass(frozen=True, slots=True)
class Responders:
    """How many people respond."""

    n: int
    of: int
    share: Estimate


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What one arm does."""

    arm: str
    change: Mapping[str, Estimate]
    """By goal, after - before, in the indicator's unit."""
    effect: Mapping[str, Estimate]
    """By goal, (before - after) / SD before."""
    responders: Responders
    size_sd: float | None
    others: Mapping[str, float]
    """Mean move of every other indicator, in SDs before."""


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """What ``trial.json`` says, as far as a report shows it."""

    source: str
    made: Made
    n_people: int
    n_ok: int
    goals: Mapping[str, float]
    holds: tuple[str, ...]
    rule: str
    arms: tuple[ArmResult, ...]
    dose_arm: str
    doses: tuple[float, ...]
    at_doses: tuple[Responders, ...]
    comparisons: Mapping[str, Mapping[str, Estimate]]
    prediction: tuple[tuple[str, ...], ...]
    """Rows: arm, response, people, what it is predicted from, r, R2, p."""
    warnings: tuple[str, ...]


def read_trial(path: Path) -> TrialSummary:
    """Read ``trial.json``. Raises `DataError` where it is none of ours."""
    name = file_label(path)
    document = JsonObject.parse(read_text(path, DataError, MAX_JSON_BYTES), name, DataError)
    doses, arms = document.child("doses"), document.child("arms")
    unknown = [arm for arm in arms.remaining_keys() if arm not in ARMS]
    steps, at_doses = doses.numbers("doses"), doses.children("responders")
    if unknown or len(steps) != len(at_doses) or len(steps) > _MOST_DOSES:
        raise DataError(
            f"{name} must have the arms {', '.join(ARMS)} or some of them, and responders for "
            f"each of at most {_MOST_DOSES} doses. Check that dtb-run trial wrote it."
        )
    comparisons = document.child("comparisons")
    goals = {goal.text("name"): goal.number("change") for goal in document.children("goals")}
    return TrialSummary(
        source=name,
        made=Made(document.text("bundle"), document.text("bundle_digest")),
        n_people=document.integer("n_people", minimum=0),
        n_ok=document.integer("n_ok", minimum=0),
        goals=goals,
        holds=document.texts("holds"),
        rule=document.text("rule"),
        arms=tuple(_arm(arm, arms.child(arm), tuple(goals)) for arm in arms.remaining_keys()),
        dose_arm=doses.text("arm"),
        doses=steps,
        at_doses=tuple(map(_responders, at_doses)),
        comparisons={
            pair: _estimates(comparisons.child(pair), "mean")
            for pair in comparisons.remaining_keys()
        },
        prediction=_prediction(document.optional_child("prediction")),
        warnings=document.texts("warnings"),
    )


def _arm(arm: str, of: JsonObject, goals: Sequence[str]) -> ArmResult:
    of_goals = of.child("goals")
    each = {goal: of_goals.child(goal) for goal in goals}
    moved = of.child("others_moved_sd")
    means = {name: moved.child(name).optional_number("mean") for name in moved.remaining_keys()}
    return ArmResult(
        arm=arm,
        change={goal: _estimate(each[goal].child("change"), "mean") for goal in goals},
        effect={goal: _estimate(each[goal].child("effect_sd"), "mean") for goal in goals},
        responders=_responders(of.child("responders")),
        size_sd=of.child("size_sd").optional_number("mean"),
        others={
            name: bounded(mean, moved.where) for name, mean in means.items() if mean is not None
        },
    )


def _responders(of: JsonObject) -> Responders:
    n, n_people = of.integer("n", minimum=0), of.integer("of", minimum=0)
    return Responders(n, n_people, _estimate(of, "share"))


def _estimate(of: JsonObject, name: str) -> Estimate:
    found = [of.optional_number(each) for each in (name, "low", "high")]
    for value in found:
        bounded(value or 0.0, of.where)
    return found[0], found[1], found[2]


def _estimates(of: JsonObject, name: str) -> dict[str, Estimate]:
    return {goal: _estimate(of.child(goal), name) for goal in of.remaining_keys()}


def _prediction(document: JsonObject | None) -> tuple[tuple[str, ...], ...]:
    """What predicts the response, row by row; none where nothing could be said."""
    rows: list[tuple[str, ...]] = []
    for arm in () if document is None else document.remaining_keys():
        of_arm = document.child(arm)  # type: ignore[union-attr]
        for response in of_arm.remaining_keys():
            of = of_arm.child(response)
            what = "size of the change" if response == "size_sd" else label_of(response)
            start = (ARMS.get(arm, arm), what, str(of.integer("n", minimum=0)))
            if "sets" not in of.remaining_keys():
                rows.append((*start, of.text("left_out"), NONE, NONE, NONE))
                continue
            sets = of.child("sets")
            for features in sets.remaining_keys():
                each = sets.child(features)
                numbers = (number(each.optional_number(name)) for name in ("r", "r2", "p"))
                rows.append((*start, features, *numbers))
    return tuple(rows)
