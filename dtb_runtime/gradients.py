"""The one door to PyTorch: new plans take gradients, and everything else does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import MissingDependencyError, UsageError
from .plan import Goal, Plan

if TYPE_CHECKING:
    from .bundle import Bundle
    from .connectome import Connectome


@dataclass(frozen=True, slots=True)
class ChangeLimits:
    """What a plan may change, and how much."""

    edges: int | None = None
    """At most so many edges; None for all."""
    regions: int | None = None
    """The coupling of at most so many whole regions; None for single edges."""
    networks: bool = False
    """All edges between two networks alike."""
    budget: float = 1.0
    """Largest change, in SDs of edges between people (root mean square over edges)."""

    def check(self) -> None:
        """Raise `UsageError` if more than one kind is asked for, or less than one place."""
        if sum((self.edges is not None, self.regions is not None, self.networks)) > 1:
            raise UsageError("Changes are of edges, of regions or of networks: choose one.")
        for name, n in (("edges", self.edges), ("regions", self.regions)):
            if n is not None and n < 1:
                raise UsageError(f"{name} must be at least 1, found {n}.")
        if not self.budget > 0:
            raise UsageError(f"The budget must be above 0, found {self.budget}.")


class FoundPlan(Protocol):
    """A new plan, as `dtb_models.plan_search` finds it."""

    @property
    def plan(self) -> Plan:
        """The plan."""
        ...

    @property
    def correlations(self) -> NDArray[np.float64]:
        """The changed connectome, shape (n_regions, n_regions)."""
        ...

    @property
    def gradient(self) -> NDArray[np.float64]:
        """Of the goals together, by correlation of each edge, shape (n_edges,)."""
        ...

    @property
    def size(self) -> float:
        """Of the change, in SDs of edges between people."""
        ...

    @property
    def is_reached(self) -> bool:
        """Whether every goal is reached."""
        ...

    @property
    def is_within_budget(self) -> bool:
        """Whether the budget did not end the search."""
        ...


class PlanFinder(Protocol):
    """Finds plans with one bundle; `dtb_models.plan_search.PlanSearch`."""

    def find(
        self,
        connectome: Connectome,
        limits: ChangeLimits | None = None,
        *,
        participant_id: str | None = None,
    ) -> FoundPlan:
        """Find the smallest change that reaches the goals in one person."""
        ...

    def trade_off(
        self, connectome: Connectome, limits: ChangeLimits | None = None
    ) -> list[dict[str, float]]:
        """What goals cost one another, or what it costs to hold what is held."""
        ...


def plan_finder(bundle: Bundle, goals: Sequence[Goal], holds: Sequence[str] = ()) -> PlanFinder:
    """What finds new plans.

    Parameters
    ----------
    bundle : Bundle
    goals : sequence of Goal
    holds : sequence of str

    Raises
    ------
    MissingDependencyError
        PyTorch is not installed.
    UsageError
        There is no goal, an indicator is named twice, or the bundle cannot give one.
    """
    try:
        module = import_module("dtb_models.plan_search")
    except ModuleNotFoundError as cause:
        raise MissingDependencyError(
            f"A new plan takes gradients, and these need {cause.name}, which is not installed: pip "
            "install 'dtb-runtime[torch]'. A plan that is there already (--plan) needs none."
        ) from cause
    finder: PlanFinder = module.PlanSearch(bundle, goals, holds)
    return finder
