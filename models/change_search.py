"""The smallest change of a connectome that moves given values to where they shall go.

With the gradients G_k of the values (by correlation), the possible connectome nearest to the
original on which the linearized values are as wanted is the projection of
``original + sum_k m_k G_k`` onto the possible ones, for some multipliers m (the optimality
condition of a projection onto a convex set cut by hyperplanes). So only m is looked for: by
Broyden's method, with the values themselves instead of their linearization; then once more with
the gradients where that ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_change import network_pairs
from dtb_runtime.gradients import ChangeLimits
from dtb_runtime.plan import parcellation_of
from dtb_runtime.possible_connectomes import EdgeRange, change_size_sd, check_original

from .change_families import EdgeFamily, Family, NetworkFamily, RegionFamily
from .multiplier_search import MultiplierSearch, Point, least_norm, solve

Floats = NDArray[np.float64]

_BISECTIONS = 14  # of a change that is beyond the budget
_NEARLY = 0.95  # of the budget is near enough
_LESS = (0.5, 0.25, 0.1)


class Objective(Protocol):
    """What shall move: values of a connectome, each in SDs of the cohort."""

    def values(self, correlations: Floats) -> Floats:
        """The values, shape (k,)."""
        ...

    def derivatives(self, correlations: Floats) -> Floats:
        """What each gains per unit of correlation of each edge, shape (k, n_edges)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Where one person is."""

    original: Floats
    """The connectome, shape (n_regions, n_regions)."""
    allowed: EdgeRange
    before: Floats
    """Values, shape (k,)."""
    by_edges: Floats
    """Their derivatives by correlation, shape (k, n_edges)."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The change that comes nearest to what is wanted."""

    point: Point
    family: Family
    search: MultiplierSearch


class ChangeSearch:
    """Looks for changes of connectomes with one bundle.

    Parameters
    ----------
    bundle : Bundle
    objective : Objective
    """

    def __init__(self, bundle: Bundle, objective: Objective) -> None:
        self.bundle = bundle
        self._objective = objective

    def start(self, connectome: Connectome, limits: ChangeLimits) -> Start:
        """Look at where a person is.

        Parameters
        ----------
        connectome : Connectome
        limits : ChangeLimits

        Raises
        ------
        UsageError
            The limits contradict one another.
        ConnectomeError
            Of another parcellation, or not positive semi-definite.
        BundleError
            The bundle does not know which changes are possible.
        """
        limits.check()
        aligned = self.bundle.aligned(connectome)
        original = aligned.correlations.astype(np.float64)
        check_original(original, connectome.source)
        allowed = EdgeRange.around(original, self.bundle.norms, self.bundle.name)
        values = self._objective.values(original)
        return Start(original, allowed, values, self._objective.derivatives(original))

    def best(self, start: Start, limits: ChangeLimits, wanted: Floats) -> Found:
        """Find the smallest change after which the first values have moved as wanted.

        Parameters
        ----------
        start : Start
        limits : ChangeLimits
        wanted : numpy.ndarray, shape (n,)
            Of the first n values; 0 for one that shall not move.

        Returns
        -------
        Found
            Where that cannot be, the change that comes nearest; the budget is not looked at.
        """
        found = self._nearest(start, limits, wanted)
        # The linearization may lead away from what is wanted: less of it, or nothing, is nearer.
        numbers = found.point.numbers
        for share in (*_LESS, 0.0):
            if found.point.miss <= found.search.miss_of_nothing:
                break
            point = found.search.at(share * numbers)
            found = min(found, Found(point, found.family, found.search), key=_miss)
        return found

    def _nearest(self, start: Start, limits: ChangeLimits, wanted: Floats) -> Found:
        n = len(wanted)
        family = self._family(start, limits)
        jacobian = family.derivative(start.original, start.by_edges[:n])
        n_places = limits.edges or limits.regions
        if n_places is not None:
            family = family.largest(least_norm(jacobian, wanted), n_places)
            jacobian = family.derivative(start.original, start.by_edges[:n])

        def values(correlations: Floats) -> Floats:
            return self._objective.values(correlations)[:n]

        search = MultiplierSearch(values, family, start.original, start.before[:n], wanted)
        best = search.follow(jacobian, solve(jacobian, wanted))
        if not best.is_good:
            by_edges = self._objective.derivatives(best.found)[:n]
            jacobian = family.derivative(best.found, by_edges)
            right = wanted - best.moved + jacobian @ family.numbers_of(best.numbers, best.found)
            again = search.follow(jacobian, solve(jacobian, right))
            best = min(best, again, key=lambda point: point.miss)
        return Found(best, family, search)

    def within_budget(self, start: Start, found: Found, budget: float) -> tuple[Found, bool]:
        """As much of a change as a budget allows, and whether that is all of it."""
        size = self.size(start.original, found.point.found)
        if size <= budget:
            return found, True
        numbers = found.point.numbers
        kept = found.search.at(np.zeros_like(numbers))
        # Sizes rise with the numbers, at first in proportion and in the end hardly.
        low, high, share = 0.0, 1.0, budget / size
        for _ in range(_BISECTIONS):
            point = found.search.at(share * numbers)
            size = self.size(start.original, point.found)
            if size <= budget:
                low = share
                kept = min(kept, point, key=lambda each: each.miss)
                if size >= _NEARLY * budget:
                    break
            else:
                high = share
            share = (low + high) / 2 if low > 0.0 else high * max(budget / size, 0.01) / 2
        return Found(kept, found.family, found.search), False

    def size(self, original: Floats, changed: Floats) -> float:
        """How large a change is, in SDs of edges between people (root mean square over edges)."""
        return change_size_sd(self.bundle.norms, original, changed)

    def _family(self, start: Start, limits: ChangeLimits) -> Family:
        parcellation = parcellation_of(self.bundle)
        if limits.regions is not None:
            everywhere = np.arange(len(start.original), dtype=np.int64)
            return RegionFamily(start.original, start.allowed, parcellation, everywhere)
        if limits.networks:
            pairs = network_pairs(parcellation)
            return NetworkFamily(start.original, start.allowed, parcellation, pairs)
        return EdgeFamily(start.original, start.allowed)


def _miss(found: Found) -> float:
    return found.point.miss


def by_correlation(edges: NDArray[np.float32], by_z: Floats) -> Floats:
    """Derivatives by correlation, from those by the Fisher z of the same edges."""
    r = np.tanh(edges.astype(np.float64))
    derivatives: Floats = by_z / (1.0 - np.square(r))
    return derivatives
