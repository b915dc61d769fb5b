"""What a plan may change: single edges, whole regions or pairs of networks, as free numbers.

A family turns its numbers into a wanted connectome, and the derivatives of indicators by edges into
derivatives by its numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.connectome_change import ConnectomeChange, membership
from dtb_runtime.edges import fisher_z
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.possible_connectomes import EdgeRange

Floats = NDArray[np.float64]

MOST_LOG_GAIN = float(np.log(4.0))
"""No region's coupling is scaled by more than 4, or by less than a quarter."""
MOST_SHIFT = 1.0
"""No pair of networks is shifted by more Fisher z."""


class Family(Protocol):
    """The changes that are looked among."""

    @property
    def allowed(self) -> EdgeRange:
        """Where edges may lie after any of them."""
        ...

    def wanted(self, numbers: Floats) -> Floats:
        """The connectome that these numbers ask for, shape (n_regions, n_regions)."""
        ...

    def derivative(self, at: Floats, by_edges: Floats) -> Floats:
        """Derivatives by the numbers, shape (k, n), from those by the correlation of each edge.

        Parameters
        ----------
        at : numpy.ndarray, shape (n_regions, n_regions)
            The connectome where they were taken.
        by_edges : numpy.ndarray, shape (k, n_edges)
        """
        ...

    def numbers_of(self, numbers: Floats, found: Floats) -> Floats:
        """The numbers that a possible connectome found in their place stands for."""
        ...

    def change(self, numbers: Floats, found: Floats) -> ConnectomeChange:
        """The same as a change that can be written down."""
        ...

    def largest(self, numbers: Floats, n: int) -> Family:
        """The family of the `n` largest of these numbers alone."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class EdgeFamily:
    """Correlations of single edges; of all, unless some are chosen."""

    original: Floats
    allowed: EdgeRange
    chosen: NDArray[np.int64] | None = None
    """Positions of edges in the upper triangle."""

    def wanted(self, numbers: Floats) -> Floats:
        """See `Family`."""
        change = np.zeros_like(self.original)
        rows, columns = self._places()
        change[rows, columns] = numbers
        result: Floats = self.original + change + change.T
        return result

    def derivative(self, at: Floats, by_edges: Floats) -> Floats:
        """See `Family`."""
        return by_edges if self.chosen is None else by_edges[:, self.chosen]

    def numbers_of(self, numbers: Floats, found: Floats) -> Floats:
        """See `Family`."""
        rows, columns = self._places()
        moved: Floats = (found - self.original)[rows, columns]
        return moved

    def change(self, numbers: Floats, found: Floats) -> ConnectomeChange:
        """See `Family`."""
        rows, columns = self._places()
        shift = fisher_z(found[rows, columns]) - fisher_z(self.original[rows, columns])
        return ConnectomeChange("edges", np.stack([rows, columns], axis=1).astype(np.int64), shift)

    def largest(self, numbers: Floats, n: int) -> EdgeFamily:
        """See `Family`."""
        chosen = _largest(numbers, n)
        rows, columns = (axis[chosen] for axis in self._places())
        support = np.zeros(self.original.shape, np.bool_)
        support[rows, columns] = support[columns, rows] = True
        return EdgeFamily(self.original, self.allowed.only(support, self.original), chosen)

    def _places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        rows, columns = np.triu_indices(len(self.original), 1)
        return (rows, columns) if self.chosen is None else (rows[self.chosen], columns[self.chosen])


@dataclass(frozen=True, slots=True, eq=False)
class _NamedFamily(ABC):
    """Numbers that are written down as they are: one for each region, or pair of networks."""

    original: Floats
    allowed: EdgeRange
    parcellation: Parcellation

    @abstractmethod
    def change(self, numbers: Floats, found: Floats) -> ConnectomeChange:
        """See `Family`."""

    def wanted(self, numbers: Floats) -> Floats:
        """See `Family`."""
        return self.change(numbers, self.original).apply(self.original, self.parcellation)

    def numbers_of(self, numbers: Floats, found: Floats) -> Floats:
        """See `Family`."""
        return numbers


@dataclass(frozen=True, slots=True, eq=False)
class RegionFamily(_NamedFamily):
    """Logarithms of the gains of regions; see `ConnectomeChange`."""

    regions: NDArray[np.int64]

    def derivative(self, at: Floats, by_edges: Floats) -> Floats:
        """See `Family`."""
        found = np.stack([(_square(row, len(at)) * at).sum(axis=1) for row in by_edges])
        chosen: Floats = found[:, self.regions]
        return chosen

    def change(self, numbers: Floats, found: Floats) -> ConnectomeChange:
        """See `Family`."""
        gains = np.clip(numbers, -MOST_LOG_GAIN, MOST_LOG_GAIN)
        return ConnectomeChange("regions", self.regions[:, None].copy(), gains)

    def largest(self, numbers: Floats, n: int) -> RegionFamily:
        """See `Family`."""
        chosen = self.regions[_largest(numbers, n)]
        return RegionFamily(self.original, self.allowed, self.parcellation, chosen)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkFamily(_NamedFamily):
    """Shifts of Fisher z, one for each pair of networks."""

    pairs: NDArray[np.int64]

    def derivative(self, at: Floats, by_edges: Floats) -> Floats:
        """See `Family`."""
        member = membership(self.parcellation)
        rows, columns = np.triu_indices(len(at), 1)
        by_z = by_edges * (1.0 - np.square(at[rows, columns]))
        low, high = (
            np.minimum(member[rows], member[columns]),
            np.maximum(member[rows], member[columns]),
        )
        width = int(member.max()) + 1
        sums = np.stack([np.bincount(low * width + high, row, width * width) for row in by_z])
        pairs = np.sort(self.pairs, axis=1)
        return np.asarray(sums[:, pairs[:, 0] * width + pairs[:, 1]], np.float64)

    def change(self, numbers: Floats, found: Floats) -> ConnectomeChange:
        """See `Family`."""
        shifts = np.clip(numbers, -MOST_SHIFT, MOST_SHIFT)
        return ConnectomeChange("networks", self.pairs.copy(), shifts)

    def largest(self, numbers: Floats, n: int) -> NetworkFamily:
        """See `Family`."""
        chosen = self.pairs[_largest(numbers, n)]
        return NetworkFamily(self.original, self.allowed, self.parcellation, chosen)


def _largest(numbers: Floats, n: int) -> NDArray[np.intp]:
    """Positions of the `n` largest numbers of either sign, in order."""
    return np.sort(np.argsort(-np.abs(numbers), kind="stable")[:n])


def _square(edges: Floats, n_regions: int) -> Floats:
    matrix = np.zeros((n_regions, n_regions))
    rows, columns = np.triu_indices(n_regions, 1)
    matrix[rows, columns] = matrix[columns, rows] = edges
    return matrix
