"""The smallest change of a connectome that moves indicators to where they shall go.

With the gradients G_k of the indicators (by correlation), the possible connectome nearest to the
original on which the linearized indicators have their values is the projection of
``original + sum_k m_k G_k`` onto the possible ones, for some multipliers m (the optimality
condition of a projection onto a convex set cut by hyperplanes). So only m is looked for: by
Broyden's method, with the indicators themselves instead of their linearization; then once more
with the gradients where that ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_change import network_pairs
from dtb_runtime.edges import edges_from_correlations
from dtb_runtime.errors import UsageError
from dtb_runtime.gradients import ChangeLimits
from dtb_runtime.indicator_forecasts import IndicatorForecasts, cohort_sds
from dtb_runtime.plan import Goal, Plan, parcellation_of
from dtb_runtime.possible_connectomes import EdgeRange, check_original

from .bundle_network import BundleNetwork
from .change_families import EdgeFamily, Family, NetworkFamily, RegionFamily
from .indicator_tensors import IndicatorTensors
from .multiplier_search import GOAL_TOLERANCE, MultiplierSearch, Point, least_norm, solve

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
    """Of the goals together, by correlation of each edge, where the person is: what each goal's
    indicator gains in shares of its goal, summed. Shape (n_edges,)."""
    size: float
    """Of the change, in SDs of edges between people."""
    is_within_budget: bool
    n_evaluations: int
    """How often the indicators were computed."""

    @property
    def is_reached(self) -> bool:
        """Whether every goal is reached, and nothing moved that was held."""
        return self.plan.share_reached >= 1.0 - GOAL_TOLERANCE


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    """Where one person is."""

    original: Floats
    allowed: EdgeRange
    before: Floats
    """Indicators, in SDs of the cohort, shape (k,)."""
    by_edges: Floats
    """Their derivatives by correlation, shape (k, n_edges)."""


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
        self._forecasts = IndicatorForecasts(bundle, names)
        self._tensors = IndicatorTensors(BundleNetwork.of(bundle), names)
        self._sds = cohort_sds(bundle, names)
        self._wanted = np.array([goal.change for goal in goals] + [0.0] * len(holds)) / self._sds

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
        start = self._start(connectome, limits)
        best, search, family = self._best(start, limits, self._wanted)
        best, is_within = self._within_budget(search, best, start.original, limits.budget)
        reached = dict(zip(self._forecasts.names, (best.moved * self._sds).tolist(), strict=True))
        goals = slice(len(self.goals))
        return FoundPlan(
            plan=self._plan(family, best, reached, connectome, participant_id),
            correlations=best.found,
            gradient=(start.by_edges[goals] / self._wanted[goals, None]).sum(axis=0),
            size=self.size(start.original, best.found),
            is_within_budget=is_within,
            n_evaluations=search.n_evaluations,
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
        start = self._start(connectome, limits)
        free = None
        rows = []
        for strength in STRENGTHS:
            wanted = self._wanted.copy()
            if not self.holds:
                wanted *= np.where(np.arange(n_goals) == 0, strength, 1.0 - strength)
                name = "weight_of_first"
            else:
                name = "held"
                if free is None:
                    free = self._moved_by_goals_alone(start, limits)
                wanted[n_goals:] = (1.0 - strength) * free[n_goals:]
            best, _, _ = self._best(start, limits, wanted)
            row = {name: strength, "size_sd": self.size(start.original, best.found)}
            rows.append(row | dict(zip(self._forecasts.names, best.moved.tolist(), strict=True)))
        return rows

    def _moved_by_goals_alone(self, start: _Start, limits: ChangeLimits) -> Floats:
        """By how much everything moves where nothing is held."""
        n_goals = len(self.goals)
        alone = _Start(
            start.original, start.allowed, start.before[:n_goals], start.by_edges[:n_goals]
        )
        best, _, _ = self._best(alone, limits, self._wanted[:n_goals], n=n_goals)
        return self._values(best.found) - start.before

    def _start(self, connectome: Connectome, limits: ChangeLimits) -> _Start:
        limits.check()
        original = self._correlations(connectome)
        check_original(original, connectome.source)
        allowed = EdgeRange.around(original, self.bundle.norms, self.bundle.name)
        return _Start(original, allowed, *self._gradients(original))

    def _best(
        self, start: _Start, limits: ChangeLimits, wanted: Floats, n: int | None = None
    ) -> tuple[Point, MultiplierSearch, Family]:
        """The change that comes nearest to what is wanted of the first `n` indicators."""
        family = self._family(start, limits)
        jacobian = family.derivative(start.original, start.by_edges)
        n_places = limits.edges or limits.regions
        if n_places is not None:
            family = family.largest(least_norm(jacobian, wanted), n_places)
            jacobian = family.derivative(start.original, start.by_edges)

        def values(correlations: Floats) -> Floats:
            return self._values(correlations)[:n]

        search = MultiplierSearch(values, family, start.original, start.before, wanted)
        best = search.follow(jacobian, solve(jacobian, wanted))
        if not best.is_good:
            jacobian = family.derivative(best.found, self._gradients(best.found)[1][:n])
            right = wanted - best.moved + jacobian @ family.numbers_of(best.numbers, best.found)
            again = search.follow(jacobian, solve(jacobian, right))
            best = min(best, again, key=lambda point: point.miss)
        return best, search, family

    def size(self, original: Floats, changed: Floats) -> float:
        """How large a change is, in SDs of edges between people (root mean square over edges)."""
        norms = self.bundle.norms.edges
        if norms is None or norms.sd is None:  # which EdgeRange has refused
            return float("nan")
        moved = edges_from_correlations(changed).astype(np.float64)
        moved -= edges_from_correlations(original)
        return float(np.sqrt(np.mean(np.square(moved / np.maximum(norms.sd, 1e-3)))))

    def _correlations(self, connectome: Connectome) -> Floats:
        parcellation = parcellation_of(self.bundle)
        aligned = connectome.aligned(parcellation.labels, parcellation.name)
        return aligned.correlations.astype(np.float64)

    def _family(self, start: _Start, limits: ChangeLimits) -> Family:
        parcellation = parcellation_of(self.bundle)
        if limits.regions is not None:
            everywhere = np.arange(len(start.original), dtype=np.int64)
            return RegionFamily(start.original, start.allowed, parcellation, everywhere)
        if limits.networks:
            pairs = network_pairs(parcellation)
            return NetworkFamily(start.original, start.allowed, parcellation, pairs)
        return EdgeFamily(start.original, start.allowed)

    def _gradients(self, correlations: Floats) -> tuple[Floats, Floats]:
        """Indicators (k,), and their derivatives by correlation (k, n_edges), both in SDs."""
        edges = edges_from_correlations(correlations)
        _, found = self._tensors.gradients(torch.from_numpy(edges)[None])
        r = np.tanh(edges.astype(np.float64))
        by_correlation = found[:, 0].double().numpy() / (1.0 - np.square(r))
        return self._values(correlations), by_correlation / self._sds[:, None]

    def _values(self, correlations: Floats) -> Floats:
        values: Floats = (
            self._forecasts.of_edges(edges_from_correlations(correlations)[None])[0] / self._sds
        )
        return values

    def _within_budget(
        self, search: MultiplierSearch, best: Point, original: Floats, budget: float
    ) -> tuple[Point, bool]:
        if self.size(original, best.found) <= budget:
            return best, True
        low, high = 0.0, 1.0
        kept = search.at(np.zeros_like(best.numbers))
        for _ in range(6):
            middle = (low + high) / 2
            point = search.at(middle * best.numbers)
            if self.size(original, point.found) <= budget:
                low, kept = middle, point
            else:
                high = middle
        return kept, False

    def _plan(
        self,
        family: Family,
        best: Point,
        reached: dict[str, float],
        connectome: Connectome,
        participant_id: str | None,
    ) -> Plan:
        parcellation = parcellation_of(self.bundle)
        aligned = connectome.aligned(parcellation.labels, parcellation.name)
        return Plan(
            bundle=self.bundle.name,
            bundle_digest=self.bundle.digest,
            parcellation=parcellation.name,
            goals=self.goals,
            holds=self.holds,
            method="gradient",
            change=family.change(best.numbers, best.found),
            participant_id=participant_id,
            connectome_digest=aligned.digest(),
            reached=reached,
        )
