"""Broyden's method on the multipliers of gradients: which make indicators what they shall be.

Indicators are in SDs of the cohort throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.plan import GOAL_TOLERANCE, HOLD_TOLERANCE
from dtb_runtime.possible_connectomes import nearest_possible

from .change_families import Family

Floats = NDArray[np.float64]

_EVALUATIONS = 7  # of the indicators, with one set of gradients
_MOST_GROWTH = 30.0  # of the multipliers, beyond what the linearization asks for


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One change that was tried; everything in SDs of the cohort."""

    numbers: Floats
    found: Floats
    """The possible connectome in its place."""
    moved: Floats
    """By how much the indicators have changed, shape (k,)."""
    off: Floats
    """What they lack, in tolerances."""

    @property
    def miss(self) -> float:
        """The largest of these."""
        return float(np.abs(self.off).max())

    @property
    def is_good(self) -> bool:
        """Whether all is within its tolerance."""
        return self.miss <= 1.0


class MultiplierSearch:
    """Tries multipliers of gradients."""

    def __init__(
        self,
        values: Callable[[Floats], Floats],
        family: Family,
        original: Floats,
        before: Floats,
        wanted: Floats,
    ) -> None:
        self._values, self._family, self._original = values, family, original
        self._before, self._wanted = before, wanted
        is_goal = wanted != 0.0
        self._tolerance = np.where(is_goal, GOAL_TOLERANCE * np.abs(wanted), HOLD_TOLERANCE)
        self.n_evaluations = 0

    @property
    def miss_of_nothing(self) -> float:
        """What no change at all lacks, in tolerances."""
        return float(np.abs(self._wanted / self._tolerance).max())

    def at(self, numbers: Floats) -> Point:
        """Try these numbers of the family."""
        self.n_evaluations += 1
        wanted = self._family.wanted(numbers)
        found = nearest_possible(wanted, self._original, self._family.allowed).correlations
        moved = self._values(found) - self._before
        # A twin that never answers any more is as far off as can be.
        off = np.nan_to_num((self._wanted - moved) / self._tolerance, nan=1e9)
        return Point(numbers, found, moved, off)

    def follow(self, jacobian: Floats, multipliers: Floats) -> Point:
        """Look along a set of gradients, by Broyden's method; returns the best point tried."""
        slope = jacobian @ jacobian.T
        limit = _MOST_GROWTH * max(float(np.linalg.norm(multipliers)), 1e-12)
        point = best = self.at(jacobian.T @ multipliers)
        for _ in range(_EVALUATIONS - 1):
            if best.is_good or not np.isfinite(point.moved).all():
                break
            step = solved(slope, self._wanted - point.moved)
            length = float(np.linalg.norm(multipliers + step))
            if length > limit:
                step = (multipliers + step) * (limit / length) - multipliers
            tried = self.at(jacobian.T @ (multipliers + step))
            gained = tried.moved - point.moved
            squared = float(step @ step)
            if squared == 0.0 or not np.isfinite(gained).all():
                break
            slope = slope + np.outer(gained - slope @ step, step) / squared
            multipliers, point = multipliers + step, tried
            best = min(best, point, key=lambda each: each.miss)
        return best


def solve(jacobian: Floats, right: Floats) -> Floats:
    return solved(jacobian @ jacobian.T, right)


def solved(matrix: Floats, right: Floats) -> Floats:
    """Least squares: gradients may be parallel, or nothing may be left to change."""
    return np.asarray(np.linalg.lstsq(matrix, right, rcond=1e-10)[0], np.float64)


def least_norm(jacobian: Floats, right: Floats) -> Floats:
    numbers: Floats = jacobian.T @ solve(jacobian, right)
    return numbers
