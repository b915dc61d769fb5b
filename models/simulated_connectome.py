"""Simulated resting brains: a group connectome, a person's departure from it, and their scans.

Everything is kept as loadings of regions on a few dozen hidden signals plus one shared signal per
homotopic pair plus noise of its own per region. Any such loadings are a valid correlation matrix,
so nothing is ever decomposed or repaired per person, and a scan is a product of thin matrices.

The levels were set by the ten people of the HCP example (360 regions, 1195 volumes, global signal
removed): edges 0.12 SD around a mean of 0, 0.16 within networks, 0.32 between homotopic regions;
people's true edges differ by 0.07 SD, two halves of one scan correlate 0.79, of two people 0.57.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import UsageError
from dtb_runtime.parcellation import Parcellation

from .network_families import network_positions
from .region_pairs import homotopic_pairs

Floats = NDArray[np.float32]

N_SIGNALS = 80
"""Hidden signals; the 80 largest components carry most of what real regions share."""
N_SIGNATURE = 30
"""Leading signals whose mixing differs from person to person beyond the factors."""
COMMUNALITY = 0.46
"""Mean share of a region's variance that the hidden signals explain."""
PAIR_VARIANCE = 0.07
"""Share of variance that a region has in common with its mirror image alone."""
FACTOR_EDGE_SD = 0.033
"""SD over people of an edge (r) that all factors together make."""
SIGNATURE_EDGE_SD = 0.051
"""SD over people of an edge (r) that is one person's own."""
MAX_SHARED_VARIANCE = 0.95
REST_AUTOCORRELATION = 0.68
"""Lag-1 autocorrelation at TR 0.8 s. A frame then counts for 0.4 independent ones, which is what
two halves of real scans agree like; the lag-1 value itself is lower in real data, which in
exchange keep correlating for longer than a first-order process does."""


@dataclass(frozen=True, slots=True)
class PersonBrain:
    """One person's true connectome, as loadings."""

    loadings: Floats
    """(n_regions, n_signals)"""
    pair_loading: Floats
    """(n_regions,) loading on the signal shared with the mirror region; 0 without one."""
    pair: NDArray[np.int64]
    """(n_regions,) position of that signal."""
    own_sd: Floats
    """(n_regions,) SD of the region's own noise."""

    def correlations(self) -> Floats:
        """Return the true correlation matrix, shape (n_regions, n_regions)."""
        matrix = self.loadings @ self.loadings.T
        same = (self.pair[:, None] == self.pair[None]) & (self.pair >= 0)[:, None]
        matrix += same * np.outer(self.pair_loading, self.pair_loading)
        np.fill_diagonal(matrix, 1.0)
        return np.asarray(matrix, np.float32)

    def series(
        self, n_frames: int, rng: np.random.Generator, autocorrelation: float = REST_AUTOCORRELATION
    ) -> Floats:
        """Return a scan of unit variance, shape (n_frames, n_regions).

        First-order autoregressive in time, with the person's true correlations between regions.
        """
        n_regions, n_signals = self.loadings.shape
        n_pairs = int(self.pair.max(initial=-1)) + 1
        white = rng.standard_normal((n_frames, n_signals), np.float32) @ self.loadings.T
        own = rng.standard_normal((n_frames, n_regions), np.float32)
        own *= self.own_sd
        white += own
        if n_pairs:
            shared = rng.standard_normal((n_frames, n_pairs), np.float32)
            white += shared[:, np.maximum(self.pair, 0)] * self.pair_loading
        return autoregressive(white, autocorrelation)


def autoregressive(white: Floats, coefficient: float) -> Floats:
    """Filter white series (time, ...) in place into a stationary first-order process."""
    rho = np.float32(coefficient)
    white[1:] *= np.sqrt(1 - rho * rho)
    for t in range(1, len(white)):
        white[t] += rho * white[t - 1]
    return white


@dataclass(frozen=True, slots=True)
class ConnectomeModel:
    """The group connectome and the patterns along which people depart from it."""

    group: Floats
    """(n_regions, n_signals) loadings, signals ordered by size."""
    patterns: Floats
    """(n_factors, n_regions, n_signals) change of the loadings per unit of each factor."""
    pair_loading: Floats
    pair: NDArray[np.int64]
    signature_sd: float
    """SD of the person's own change of each loading on the leading signals."""

    @classmethod
    def random(
        cls, parcellation: Parcellation, *, n_factors: int, seed: int, factor_strength: float = 1.0
    ) -> ConnectomeModel:
        """Return a seeded model with the parcellation's network blocks and homotopic pairs.

        Parameters
        ----------
        parcellation : Parcellation
            Network names, coordinates (where known) and hemispheres shape the blocks.
        n_factors : int
        seed : int
        factor_strength : float
            Multiple of the default size of the factors' effect on edges, at least 0.

        Raises
        ------
        UsageError
            If the strength is negative.
        """
        if factor_strength < 0:
            raise UsageError(f"factor_strength must be at least 0, found {factor_strength}.")
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
        group = _group_loadings(parcellation, rng)
        pairs = homotopic_pairs(parcellation)
        n_regions = len(parcellation.labels)
        pair = np.full(n_regions, -1, np.int64)
        pair[pairs[:, 0]] = pair[pairs[:, 1]] = np.arange(len(pairs))
        pair_loading = np.where(pair >= 0, np.sqrt(PAIR_VARIANCE), 0.0).astype(np.float32)
        patterns = _factor_patterns(parcellation, group, n_factors, rng)
        patterns *= factor_strength
        leading = group[:, :N_SIGNATURE]
        # An edge's change L_r . A_s + A_r . L_s has the variance 2 |L|^2 sd^2.
        size = np.sqrt(2 * np.mean(np.sum(np.square(leading), 1)))
        return cls(group, patterns, pair_loading, pair, float(SIGNATURE_EDGE_SD / size))

    @property
    def n_factors(self) -> int:
        """Number of factors along which people depart from the group."""
        return len(self.patterns)

    def person(self, factors: NDArray[np.float64], rng: np.random.Generator) -> PersonBrain:
        """Return the true connectome of a person with these factors.

        Parameters
        ----------
        factors : numpy.ndarray, shape (n_factors,)
            Standard normal over people.
        rng : numpy.random.Generator
            Draws the person's own signature.
        """
        n_regions, n_signals = self.group.shape
        loadings = self.group + np.tensordot(factors.astype(np.float32), self.patterns, 1)
        leading = min(N_SIGNATURE, n_signals)
        loadings[:, :leading] += np.float32(self.signature_sd) * rng.standard_normal(
            (n_regions, leading), np.float32
        )
        shared = np.maximum(np.sum(np.square(loadings), 1), 1e-12)
        limit = MAX_SHARED_VARIANCE - np.square(self.pair_loading)
        loadings *= np.sqrt(np.minimum(1.0, limit / shared))[:, None].astype(np.float32)
        own = 1 - np.sum(np.square(loadings), 1) - np.square(self.pair_loading)
        return PersonBrain(loadings, self.pair_loading, self.pair, np.sqrt(own))


def _group_loadings(parcellation: Parcellation, rng: np.random.Generator) -> Floats:
    """Draw loadings from network membership, network axes and smooth maps in space."""
    networks = sorted(set(parcellation.network))
    member = np.array([networks.index(name) for name in parcellation.network])
    right = np.array([h == "R" for h in parcellation.hemisphere])
    positions = network_positions(networks)[member]
    n_regions = len(member)

    columns = [0.24 * np.eye(len(networks))[member]]  # one signal per network
    columns.append(0.15 * np.eye(2 * len(networks))[member + len(networks) * right])
    columns.append(0.25 * (positions + 0.15 * rng.standard_normal((n_regions, 2))))
    columns.append(0.60 * _smooth_maps(parcellation, rng))
    loadings = np.concatenate(columns, 1)
    loadings *= np.exp(0.15 * rng.standard_normal((n_regions, 1)))
    loadings -= loadings.mean(0)  # as global signal regression leaves it: edges average 0
    left_vectors, sizes, _ = np.linalg.svd(loadings, full_matrices=False)
    loadings = (left_vectors * sizes)[:, :N_SIGNALS]
    loadings *= np.sqrt(COMMUNALITY / np.mean(np.sum(np.square(loadings), 1)))
    limit = MAX_SHARED_VARIANCE - PAIR_VARIANCE - 0.15  # room for what is personal
    loadings *= np.sqrt(np.minimum(1, limit / np.sum(np.square(loadings), 1)))[:, None]
    return np.ascontiguousarray(loadings, np.float32)


def _smooth_maps(
    parcellation: Parcellation, rng: np.random.Generator, n_maps: int = 120, width_mm: float = 14.0
) -> NDArray[np.float64]:
    """Draw maps that are smooth in space, half of them mirrored; 0 where no coordinates are."""
    xyz = np.asarray(parcellation.coordinates, np.float64)
    known = np.all(np.isfinite(xyz), 1)
    maps = np.zeros((len(xyz), n_maps))
    if not known.any():
        return maps
    places = xyz[known]
    folded = np.abs(places) * (1, 0, 0) + places * (0, 1, 1)
    for column in range(n_maps):
        space = folded if column % 2 else places
        center = space[rng.integers(len(space))]
        distance = np.linalg.norm(space - center, axis=1)
        maps[known, column] = np.exp(-0.5 * np.square(distance / width_mm))
    size = np.sqrt(np.sum(np.square(maps[known]), 1)).mean()
    return np.asarray(maps / size)


def _factor_patterns(
    parcellation: Parcellation, group: Floats, n_factors: int, rng: np.random.Generator
) -> Floats:
    """Draw low-rank changes of the loadings that are shaped by networks, scaled in edge units."""
    networks = sorted(set(parcellation.network))
    member = np.array([networks.index(name) for name in parcellation.network])
    n_regions, n_signals = group.shape
    patterns = np.zeros((n_factors, n_regions, n_signals), np.float32)
    for k in range(n_factors):
        for _ in range(2):
            by_network = rng.standard_normal(len(networks))[member]
            where = by_network + 0.5 * rng.standard_normal(n_regions)
            direction = np.zeros(n_signals)
            leading = min(12, n_signals)
            direction[:leading] = rng.standard_normal(leading)
            patterns[k] += np.outer(where, direction / np.linalg.norm(direction))
        change = group @ patterns[k].T
        change = (change + change.T)[np.triu_indices(n_regions, 1)]
        wanted = FACTOR_EDGE_SD / np.sqrt(n_factors)
        patterns[k] *= wanted / np.sqrt(np.mean(np.square(change)))
    return patterns
