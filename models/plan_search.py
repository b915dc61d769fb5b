"""The smallest change of a connectome that moves a person's indicators to where they shall go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.edges import edges_from_correlations
from dtb_runtime.errors import UsageError
from dtb_runtime.gradients import ChangeLimits, Promise
from dtb_runtime.indicator_forecasts import IndicatorForecasts, cohort_sds
from dtb_runtime.plan import GOAL_TOLERANCE, Goal, Method, Plan, parcellation_of

from .bundle_network import BundleNetwork
from .change_search import ChangeSearch, Found, by_correlation
from .indicator_tensors import IndicatorTensors

Floats = NDArray[np.float64]

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How firmly indicators are held, or how much the first of several goals counts, in a trade-off."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundPlan:
    """A plan, and what it makes of the person's connectome."""

    plan: Plan
    correlations: Floats
    """The changed connectome, shape (n_regions, n_regions)."""
    gradient: Floats
    """What each edge gains per unit of correlation, where the person is: shares of the goals,
    summed; or the score's share of the move that a promise needs. Shape (n_edges,)."""
    size: float
    """Of the change, in SDs of edges between people."""
    is_within_budget: bool
    n_evaluations: int
    """How often the indicators were computed."""
    promise: Promise | None = None
    """What the paper's way said, where the plan was made so."""

    @property
    def is_reached(self) -> bool:
        """Whether every goal is reached."""
        return self.plan.share_reached >= 1.0 - GOAL_TOLERANCE


class _Indicators:
    """Indicators in SDs of the cohort, as an objective."""

    def __init__(self, bundle: Bundle, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.sds = cohort_sds(bundle, names)
        self._forecasts = IndicatorForecasts(bundle, names)
        self._tensors = IndicatorTensors(BundleNetwork.of(bundle), names)

    def values(self, correlations: Floats) -> Floats:
        """See `Objective`."""
        edges = edges_from_correlations(correlations)[np.newaxis]
        values: Floats = self._forecasts.of_edges(edges)[0] / self.sds
        return values

    def derivatives(self, correlations: Floats) -> Floats:
        """See `Objective`."""
        edges = edges_from_correlations(correlations)
        _, found = self._tensors.gradients(torch.from_numpy(edges)[None])
        by_z = found[:, 0].double().numpy()
        derivatives: Floats = by_correlation(edges, by_z) / self.sds[:, None]
        return derivatives


class PlanSearch:
    """Looks for plans with one bundle.

    Parameters
    ----------
    bundle : Bundle
    goals : sequence of Goal
        At least one.
    holds : sequence of str
        Indicators that shall not move.

    Raises
    ------
    UsageError
        There is no goal, an indicator is named twice, or the bundle cannot give one.
    """

    def __init__(self, bundle: Bundle, goals: Sequence[Goal], holds: Sequence[str] = ()) -> None:
        names = [*(goal.name for goal in goals), *holds]
        if not goals or len(set(names)) != len(names):
            raise UsageError(
                f"A plan needs goals and holds that are all different, found {', '.join(names)}."
            )
        self.bundle = bundle
        self.goals, self.holds = tuple(goals), tuple(holds)
        self._indicators = _Indicators(bundle, names)
        self._search = ChangeSearch(bundle, self._indicators)
        changes = np.array([goal.change for goal in goals] + [0.0] * len(holds))
        self._wanted = changes / self._indicators.sds

    def find(
        self,
        connectome: Connectome,
        limits: ChangeLimits | None = None,
        *,
        participant_id: str | None = None,
    ) -> FoundPlan:
        """Find the smallest change that reaches the goals in one person.

        Parameters
        ----------
        connectome : Connectome
        limits : ChangeLimits, optional
            What may change, and how much.
        participant_id : str, optional

        Returns
        -------
        FoundPlan
            Where a goal cannot be reached, the change that comes nearest.

        Raises
        ------
        ConnectomeError
            Of another parcellation, or not positive semi-definite.
        BundleError
            The bundle does not know which changes are possible.
        """
        limits = limits or ChangeLimits()
        start = self._search.start(connectome, limits)
        found = self._search.best(start, limits, self._wanted)
        found, is_within = self._search.within_budget(start, found, limits.budget)
        moved = found.point.moved * self._indicators.sds
        goals = slice(len(self.goals))
        return FoundPlan(
            plan=written_plan(
                self.bundle,
                connectome,
                found,
                goals=self.goals,
                holds=self.holds,
                method="gradient",
                reached=dict(zip(self._indicators.names, moved.tolist(), strict=True)),
                participant_id=participant_id,
            ),
            correlations=found.point.found,
            gradient=(start.by_edges[goals] / self._wanted[goals, None]).sum(axis=0),
            size=self._search.size(start.original, found.point.found),
            is_within_budget=is_within,
            n_evaluations=found.search.n_evaluations,
        )

    def trade_off(
        self, connectome: Connectome, limits: ChangeLimits | None = None
    ) -> list[dict[str, float]]:
        """What goals cost one another, or what it costs to hold what is held.

        Parameters
        ----------
        connectome : Connectome
        limits : ChangeLimits, optional

        Returns
        -------
        list of dict
            With holds: a row for each strength of holding, from none (0: the change that is
            smallest for the goals alone) to full (1). Without, and with several goals: a row for
            each weight of the first goal, those of the others being one less it. Each has the size
            of the change (SDs of edges between people) and by how much every indicator moved (SDs
            of the cohort). Empty for one goal and no hold.
        """
        limits = limits or ChangeLimits()
        n_goals = len(self.goals)
        if n_goals == 1 and not self.holds:
            return []
        start = self._search.start(connectome, limits)
        free = None
        rows = []
        for strength in STRENGTHS:
            wanted = self._wanted.copy()
            if not self.holds:
                wanted *= np.where(np.arange(n_goals) == 0, strength, 1.0 - strength)
                name = "weight_of_first"
            else:
                name = "held"
                if free is None:  # by how much everything moves where nothing is held
                    alone = self._search.best(start, limits, self._wanted[:n_goals])
                    free = self._indicators.values(alone.point.found) - start.before
                wanted[n_goals:] = (1.0 - strength) * free[n_goals:]
            best = self._search.best(start, limits, wanted).point
            row = {name: strength, "size_sd": self._search.size(start.original, best.found)}
            names = self._indicators.names
            rows.append(row | dict(zip(names, best.moved.tolist(), strict=True)))
        return rows


def written_plan(
    bundle: Bundle,
    connectome: Connectome,
    found: Found,
    *,
    goals: Sequence[Goal],
    holds: Sequence[str],
    method: Method,
    reached: dict[str, float],
    participant_id: str | None,
) -> Plan:
    """A change as a plan that can be written down."""
    parcellation = parcellation_of(bundle)
    aligned = bundle.aligned(connectome)
    return Plan(
        bundle=bundle.name,
        bundle_digest=bundle.digest,
        parcellation=parcellation.name,
        goals=tuple(goals),
        holds=tuple(holds),
        method=method,
        change=found.family.change(found.point.numbers, found.point.found),
        participant_id=participant_id,
        connectome_digest=aligned.digest(),
        reached=reached,
    )
