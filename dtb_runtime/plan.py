"""An intervention plan: what shall change in a person, and which change of the connectome does it.

A plan is made with gradients, which need PyTorch; from then on it is data, and applying it to this
or another person needs the lean runtime only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from .connectome_change import ConnectomeChange
from .errors import PlanError, UsageError
from .indicator_forecasts import IndicatorForecasts, cohort_sds
from .json_object import MAX_JSON_BYTES, JsonObject
from .tables import listed_names, one_line, read_text, shortened, shown

if TYPE_CHECKING:
    from .bundle import Bundle
    from .parcellation import Parcellation

PLAN_FILE = "plan.json"
FORMAT_VERSION = 1
Direction = Literal["increase", "decrease"]
Method = Literal["gradient", "pls"]
GOAL_TOLERANCE = 0.02
"""A goal is reached within this share of its size."""
HOLD_TOLERANCE = 0.02
"""A held indicator has not moved if it did by less, in SDs of the cohort."""
SMALLEST_CHANGE, LARGEST_CHANGE = 1e-9, 1e6
"""Of an indicator, in its unit: beyond them numbers say nothing."""
_SD_SIZE = re.compile(r"([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)sd")


@dataclass(frozen=True, slots=True)
class Goal:
    """By how much one indicator shall change."""

    name: str
    """Of the indicator."""
    change: float
    """In the indicator's unit; negative to decrease it."""

    def __post_init__(self) -> None:
        if not SMALLEST_CHANGE <= abs(self.change) <= LARGEST_CHANGE:
            raise UsageError(
                f"{self.name} shall change by {self.change:g}, expected a number from "
                f"{SMALLEST_CHANGE:g} to {LARGEST_CHANGE:g} in its unit, or less than nothing to "
                "decrease it."
            )

    @classmethod
    def of(cls, bundle: Bundle, name: str, direction: Direction, size: str) -> Goal:
        """A goal as a command line has it.

        Parameters
        ----------
        bundle : Bundle
        name : str
        direction : {"increase", "decrease"}
        size : str
            ``"0.5sd"`` for half an SD of the training cohort, or a number in the indicator's unit.

        Raises
        ------
        UsageError
            Another direction, or a size that is not above 0.
        """
        if direction not in get_args(Direction):
            raise UsageError(f"direction must be increase or decrease, found {direction!r}.")
        matched = _SD_SIZE.fullmatch(size.strip().lower())
        try:
            value = float(matched[1]) if matched else float(size)
        except ValueError:
            value = 0.0
        if not 0.0 < value < float("inf"):
            raise UsageError(
                f"A size must be above 0: 0.5sd for half an SD of the training cohort, or a number "
                f"in the unit of the indicator; found {size!r}."
            )
        if matched:
            value *= float(cohort_sds(bundle, [name])[0])
        return cls(name, value if direction == "increase" else -value)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A change of the connectome, and what it is for."""

    bundle: str
    """Name of the bundle that it was made with."""
    bundle_digest: str
    parcellation: str
    goals: tuple[Goal, ...]
    holds: tuple[str, ...]
    """Indicators that were not to move."""
    method: Method
    change: ConnectomeChange
    participant_id: str | None
    """Whom it was made for; None for a cohort, or somebody without a name."""
    connectome_digest: str | None
    """Of the connectome that it was made for."""
    reached: Mapping[str, float] = field(default_factory=dict)
    """By how much each goal's and each held indicator changed in whom it was made for, at dose 1,
    in its unit."""

    @property
    def share_reached(self) -> float:
        """How much of the goals was reached: the least share over them, at most 1; may be < 0."""
        shares = [self.reached.get(goal.name, 0.0) / goal.change for goal in self.goals]
        return min(1.0, *shares) if shares else 0.0

    def check_bundle(self, bundle: Bundle) -> None:
        """See that a bundle is the one that the plan was made with.

        Raises
        ------
        PlanError
            It is another one, or of another parcellation.
        """
        _check_bundle(bundle, self.bundle, self.bundle_digest, self.parcellation)

    def to_bytes(self, bundle: Bundle) -> bytes:
        """Content of ``plan.json``: the same plan gives the same bytes."""
        document: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "bundle": self.bundle,
            "bundle_digest": self.bundle_digest,
            "parcellation": self.parcellation,
            "goals": [{"name": goal.name, "change": goal.change} for goal in self.goals],
            "holds": list(self.holds),
            "method": self.method,
            "participant_id": self.participant_id,
            "connectome_digest": self.connectome_digest,
            "reached": dict(self.reached),
            "change": self.change.to_json(parcellation_of(bundle)),
        }
        return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()


def read_plan(path: str | Path, bundle: Bundle) -> Plan:
    """Read a plan that was made with this bundle.

    Parameters
    ----------
    path : str or pathlib.Path
        ``plan.json``, or the folder that holds it.
    bundle : Bundle

    Raises
    ------
    PlanError
        The file is missing, no plan, or one of another bundle or parcellation.
    """
    path = Path(path)
    if path.is_dir():
        path = path / PLAN_FILE
    text = read_text(path, PlanError, MAX_JSON_BYTES)
    return plan_of_text(text, one_line(str(path)), bundle)


def plan_of_text(text: str | bytes, where: str, bundle: Bundle) -> Plan:
    """Read the content of a ``plan.json``; `where` names it in messages. Raises as `read_plan`."""
    document = JsonObject.parse(text, where, PlanError)
    version = document.integer("version", minimum=1)
    if version != FORMAT_VERSION:
        raise PlanError(
            f"{where} is a plan of version {version}, this dtb-runtime reads version "
            f"{FORMAT_VERSION}. Make the plan again."
        )
    made_with = [document.text(key) for key in ("bundle", "bundle_digest", "parcellation")]
    # First of all: names of another parcellation's regions would be the first error otherwise.
    _check_bundle(bundle, *made_with)
    reached = document.child("reached")
    plan = Plan(
        bundle=made_with[0],
        bundle_digest=made_with[1],
        parcellation=made_with[2],
        goals=tuple(_goal(goal) for goal in document.children("goals")),
        holds=document.texts("holds"),
        method=document.one_of("method", get_args(Method)),
        change=ConnectomeChange.from_json(document.child("change"), parcellation_of(bundle)),
        participant_id=document.optional_text("participant_id"),
        connectome_digest=document.optional_text("connectome_digest"),
        reached={name: reached.number(name) for name in reached.remaining_keys()},
    )
    document.close()
    _check_indicators(plan, where, bundle)
    return plan


def parcellation_of(bundle: Bundle) -> Parcellation:
    """A bundle's regions.

    Raises
    ------
    UsageError
        It has none.
    """
    if bundle.manifest.parcellation is None:
        raise UsageError(
            f"Bundle {bundle.name!r} was not trained on connectomes, so there is none to change."
        )
    return bundle.manifest.parcellation


def _check_bundle(bundle: Bundle, name: str, digest: str, parcellation: str) -> None:
    own = bundle.manifest.parcellation
    if own is None or own.name != parcellation:
        has = "no regions" if own is None else f"those of {own.name}"
        raise PlanError(
            f"The plan changes regions of {shortened(parcellation)}, but bundle {bundle.name!r} "
            f"has {has}. Use the bundle {shown(name)} that the plan was made with."
        )
    if bundle.digest != digest:
        raise PlanError(
            f"The plan was made with another bundle ({shown(name)}, digest "
            f"{one_line(digest[:12])}) than {bundle.name!r}, digest {bundle.digest[:12]}: its "
            "effect is known there alone. Use that bundle, or make a new plan."
        )


def _goal(document: JsonObject) -> Goal:
    try:
        goal = Goal(document.text("name"), document.number("change"))
    except UsageError as cause:
        raise document.error(f"{document.where}: {cause}") from cause
    document.close()
    return goal


def _check_indicators(plan: Plan, where: str, bundle: Bundle) -> None:
    """See that a plan has goals, each indicator once, and none that the bundle cannot give."""
    names = [*(goal.name for goal in plan.goals), *plan.holds]
    if not plan.goals or len(set(names)) != len(names):
        raise PlanError(
            f"{where} needs goals and holds that are all different, found "
            f"{listed_names(names)}. Make the plan again."
        )
    try:
        IndicatorForecasts(bundle, names)
    except UsageError as cause:
        raise PlanError(f"{where}: {cause}") from cause


def held(names: Sequence[str], goals: Sequence[Goal]) -> tuple[str, ...]:
    """Names to hold, each once.

    Raises
    ------
    UsageError
        One of them is a goal as well.
    """
    for goal in goals:
        if goal.name in names:
            raise UsageError(f"{goal.name!r} cannot both change and be held. Leave one out.")
    return tuple(dict.fromkeys(names))
