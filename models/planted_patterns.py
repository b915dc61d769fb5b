"""Patterns along which simulated connectomes depart from the group's, and factors read by them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtb_runtime.edges import edges_from_correlations
from dtb_runtime.errors import DataError

from .simulated_connectome import ConnectomeModel

Floats = NDArray[np.float64]

STEP = 0.5
"""Half the distance, in SDs of a factor, over which edges are differentiated; float32 correlations
would drown a much smaller one, and edges bend little over this."""


@dataclass(frozen=True, slots=True, eq=False)
class PlantedPatterns:
    """How edges change with each factor, at the group's connectome. Arrays are read-only."""

    group_edges: Floats
    """Fisher z of the group's connectome, shape (n_edges,)."""
    patterns: Floats
    """Change of the edges per SD of each factor, shape (n_factors, n_edges)."""

    @classmethod
    def of(cls, model: ConnectomeModel) -> PlantedPatterns:
        """Differentiate a model's edges by its factors, numerically."""
        bare = replace(model, signature_sd=0.0)
        rng = np.random.default_rng(0)  # multiplied by 0

        def edges(factors: Floats) -> Floats:
            correlations = bare.person(factors, rng).correlations()
            return edges_from_correlations(correlations).astype(np.float64)

        steps = STEP * np.eye(model.n_factors)
        patterns = np.stack([(edges(step) - edges(-step)) / (2 * STEP) for step in steps])
        group = edges(np.zeros(model.n_factors))
        for array in (group, patterns):
            array.setflags(write=False)
        return cls(group, patterns)

    def factors(self, edges: ArrayLike) -> Floats:
        """Estimate people's factors from their edges by least squares on the patterns.

        Parameters
        ----------
        edges : array_like, shape (..., n_edges)
            Fisher z.

        Returns
        -------
        numpy.ndarray, shape (..., n_factors)

        Raises
        ------
        DataError
            If the edges are not those of the patterns.
        """
        table = np.asarray(edges, np.float64)
        if table.shape[-1:] != self.group_edges.shape:
            raise DataError(
                f"The patterns are of {len(self.group_edges)} edges, found edges of shape "
                f"{table.shape}. Take a cohort of the same parcellation."
            )
        departure = table - self.group_edges
        gram = self.patterns @ self.patterns.T
        return np.asarray(np.linalg.solve(gram, self.patterns @ departure.T).T)
