"""What an in-silico trial does with everybody.

A trial has arms. In ``personal`` everybody gets a plan of their own, in ``common`` all get the same
one; beside each there is a sham, a random change as large, and there are other doses of the first
arm's plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from .errors import UsageError
from .gradients import ChangeLimits
from .own_files import OwnFiles
from .plan import Goal
from .reading import Reading
from .reading_digest import settings_of

if TYPE_CHECKING:
    from .arm_scoring import TrialScorer
    from .bundle import Bundle

Arm = Literal["personal", "common"]
BEFORE = "before"
DOSES = (0.5, 2.0)
"""Beside dose 1, which every arm has."""
_AT_ONCE = 2  # people that go to a worker together: each takes seconds


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """What changes a row."""

    goals: tuple[Goal, ...]
    holds: tuple[str, ...]
    arms: tuple[Arm, ...]
    """At least one; doses are of the first."""
    common: bytes | None = None
    """``plan.json`` of the common plan; None without that arm."""
    limits: ChangeLimits = field(default_factory=ChangeLimits)
    """Of personal plans."""
    doses: tuple[float, ...] = DOSES
    seed: int = 0
    """Of sham changes."""
    reading: Reading = field(default_factory=Reading)
    files: str | None = None
    """Folder for everybody's own files; None writes none."""

    def check(self) -> None:
        """Raise `UsageError` if something is out of its range."""
        if not self.arms or len(set(self.arms)) != len(self.arms):
            raise UsageError(f"A trial needs arms that are all different, found {self.arms!r}.")
        if not set(self.arms) <= set(get_args(Arm)):
            raise UsageError(f"Arms are {' and '.join(get_args(Arm))}, found {self.arms!r}.")
        if any(not 0.0 < dose < float("inf") for dose in self.doses):
            raise UsageError(f"Doses must be above 0, found {min(self.doses):g}.")
        names = [dose_name(dose) for dose in (1.0, *self.doses)]  # which are columns
        if len(set(names)) != len(names):
            raise UsageError(
                "Doses must all be different, and 1 is there anyway; found "
                f"{', '.join(f'{dose:g}' for dose in self.doses)}."
            )
        if self.seed < 0:
            raise UsageError(f"The seed must be at least 0, found {self.seed}.")
        self.limits.check()

    @property
    def all_arms(self) -> tuple[str, ...]:
        """The arms and their shams."""
        return (*self.arms, *map(sham_of, self.arms))

    def to_json(self) -> dict[str, Any]:
        """See `WorkSettings`; of the common plan and files of regions their digests."""
        plan = None if self.common is None else plan_digest(self.common)
        fields = {
            "kind": "trial",
            "goals": [[goal.name, goal.change] for goal in self.goals],
            "holds": list(self.holds),
            "arms": list(self.arms),
            "common": plan,
            "limits": asdict(self.limits),
            "doses": list(self.doses),
            "seed": self.seed,
            "reading": settings_of(self.reading),
            "files": self.files is not None,
        }
        return fields

    @property
    def own_files(self) -> OwnFiles | None:
        """Where everybody's own files go; None without `files`."""
        return None if self.files is None else OwnFiles(Path(self.files), self.arms)

    def scorer(self, bundle: Bundle) -> TrialScorer:
        """See `WorkSettings`."""
        from .arm_scoring import TrialScorer  # late: it knows these settings

        return TrialScorer(bundle, self)

    def at_once(self, bundle: Bundle) -> int:
        """See `WorkSettings`."""
        return _AT_ONCE


def plan_digest(content: bytes) -> str:
    """SHA-256 of a plan's file."""
    return hashlib.sha256(content).hexdigest()


def sham_of(arm: str) -> str:
    """The sham beside an arm."""
    return f"sham_{arm}"


def dose_name(dose: float) -> str:
    """The arm of a dose of the first arm's plan, as columns are called."""
    return f"dose_{dose:g}"


def column(indicator: str, arm: str) -> str:
    """The column of an indicator in an arm."""
    return f"{indicator}_{arm}"


def trial_columns(settings: TrialSettings, names: Sequence[str]) -> tuple[str, ...]:
    """Columns of what is forecast of everybody, in their order.

    Parameters
    ----------
    settings : TrialSettings
    names : sequence of str
        All indicators that are reported; the goals' and the held ones come first.
    """
    own = [goal.name for goal in settings.goals] + list(settings.holds)
    ordered = [*own, *(name for name in names if name not in own)]
    arms = (BEFORE, *settings.all_arms, *map(dose_name, settings.doses))
    return tuple(column(name, arm) for name in ordered for arm in arms)
