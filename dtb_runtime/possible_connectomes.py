"""Which connectomes are possible, and the nearest of them to one that is wanted.

A changed connectome must still be one: symmetric, diagonal 1, |r| <= 1, positive semi-definite
(some resting series must have these correlations), and every edge within what people show. These
sets are convex, so the nearest possible matrix is unique; alternating projections find it (Higham
2002, IMA J. Numer. Anal. 22:329, for the nearest correlation matrix).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .edges import edges_from_correlations
from .errors import BundleError, ConnectomeError
from .norms import Norms

Floats = NDArray[np.float64]

RANGE_SD = 3.0
"""Edges stay within so many SDs of the cohort's mean, in Fisher z, or are no further out than they
were."""
SMALLEST_EIGENVALUE = -1e-6
"""A connectome whose smallest eigenvalue is below this is not positive semi-definite: rounding to
float32 makes it at most a tenth of this."""
_ROUNDS = 20  # of projections
_SMALLEST_SD = 1e-3  # Fisher z, of an edge that hardly differs between people
_SHRINKAGE = 0.02  # towards no correlations, of a connectome with eigenvalues of 0
_NEARLY = 0.998  # of the way to where projections are: near enough to end them
_ROOM = 5e-7  # below 0, of the smallest eigenvalue: a short series has some that are 0 but for
# rounding, and rounding the result to float32 must not pass `SMALLEST_EIGENVALUE`


@dataclass(frozen=True, slots=True, eq=False)
class EdgeRange:
    """Between which correlations each edge of one person may lie. Arrays are read-only."""

    lowest: Floats
    """Shape (n_regions, n_regions), diagonal 1."""
    highest: Floats

    @classmethod
    def around(cls, correlations: Floats, norms: Norms, bundle: str) -> EdgeRange:
        """The range that people show, widened to where this person is already.

        Parameters
        ----------
        correlations : numpy.ndarray, shape (n_regions, n_regions)
            The person's own.
        norms : Norms
        bundle : str
            Its name, for messages.

        Raises
        ------
        BundleError
            The bundle does not say how far edges differ between people.
        """
        edges = norms.edges
        if edges is None or edges.sd is None:
            raise BundleError(
                f"Bundle {bundle!r} does not say how far edges differ between people, so nobody "
                "knows which changes are possible. Export it again with this version of "
                "dtb-runtime."
            )
        n = len(correlations)
        rows, columns = np.triu_indices(n, 1)
        mean, sd = edges.mean.astype(np.float64), edges.sd.astype(np.float64)
        bounds = []
        for side, widen in ((-1.0, np.minimum), (1.0, np.maximum)):
            bound = np.ones((n, n))
            bound[rows, columns] = widen(
                np.tanh(mean + side * RANGE_SD * sd), correlations[rows, columns]
            )
            bound[columns, rows] = bound[rows, columns]
            bound.setflags(write=False)
            bounds.append(bound)
        return cls(*bounds)

    def only(self, support: NDArray[np.bool_], correlations: Floats) -> EdgeRange:
        """The same where only some edges may change at all; shape (n_regions, n_regions)."""
        return EdgeRange(
            np.where(support, self.lowest, correlations),
            np.where(support, self.highest, correlations),
        )

    def clip(self, correlations: Floats) -> Floats:
        """Every edge moved to the nearest place in its range, the diagonal to 1."""
        return np.clip(correlations, self.lowest, self.highest)


@dataclass(frozen=True, slots=True, eq=False)
class Possible:
    """A connectome that is possible, in place of one that was wanted."""

    correlations: Floats
    share: float
    """How much of the way to where projections ended was possible, in [0, 1]."""


def change_size_sd(norms: Norms, original: Floats, changed: Floats) -> float:
    """How large a change is: root mean square over edges of Fisher z, in SDs between people.

    NaN where the norms do not say how far edges differ.
    """
    if norms.edges is None or norms.edges.sd is None:
        return float("nan")
    moved = edges_from_correlations(changed).astype(np.float64)
    moved -= edges_from_correlations(original)
    return float(np.sqrt(np.mean(np.square(moved / np.maximum(norms.edges.sd, _SMALLEST_SD)))))


def check_original(correlations: Floats, source: str) -> float:
    """Return a connectome's smallest eigenvalue.

    Raises
    ------
    ConnectomeError
        It is not positive semi-definite, so that there is nothing possible around it.
    """
    smallest = float(np.linalg.eigvalsh(correlations)[0])
    if smallest < SMALLEST_EIGENVALUE:
        raise ConnectomeError(
            f"{source} is not positive semi-definite (its smallest eigenvalue is {smallest:.2g}): "
            "no resting series has these correlations, and no change of it would be possible. "
            "Give the correlations of one series with all digits, or the series (--timeseries)."
        )
    return smallest


def nearest_possible(wanted: Floats, original: Floats, allowed: EdgeRange) -> Possible:
    """The possible connectome nearest to one that is wanted.

    Parameters
    ----------
    wanted : numpy.ndarray, shape (n_regions, n_regions)
        Symmetric; anything else may be wrong with it.
    original : numpy.ndarray, shape (n_regions, n_regions)
        The person's own, which is possible.
    allowed : EdgeRange
        Around the original.

    Returns
    -------
    Possible
        In the end the way from a possible connectome is cut short where positive
        semi-definiteness would be left; everything on it is possible, since possible connectomes
        are a convex set. It begins at the original; where that is singular, as of a series
        shorter than the number of regions, at the original with all edges weaker by 2 %.
    """
    wanted = (wanted + wanted.T) / 2
    found = allowed.clip(wanted)
    if is_possible(found):
        return Possible(found, 1.0)
    # Dykstra's projections are steps up the gradient of the dual; with momentum (and a new start
    # where it points down) they need a third of the rounds (Beck and Teboulle 2014).
    inside = _inside(original, allowed)
    multiplier = ahead = np.zeros_like(found)
    momentum = 1.0
    current = found
    for _ in range(_ROUNDS):
        moved = ahead + _positive_part(wanted - ahead)
        current = allowed.clip(moved)
        nearly = inside + _NEARLY * (current - inside)
        if is_possible(nearly):
            return Possible(nearly, _NEARLY)
        following = moved - current
        step = following - multiplier
        if float(np.sum((ahead - following) * step)) > 0.0:
            momentum = 1.0
        next_momentum = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        ahead = following + (momentum - 1.0) / next_momentum * step
        multiplier, momentum = following, next_momentum
    return _cut_short(current, inside)


def _inside(original: Floats, allowed: EdgeRange) -> Floats:
    """A possible connectome that is not at the very edge of the cone, at or near the original."""
    if is_possible(original - _SHRINKAGE * np.eye(len(original))):
        return original
    weaker = allowed.clip((1.0 - _SHRINKAGE) * original + _SHRINKAGE * np.eye(len(original)))
    return weaker if is_possible(weaker - _SHRINKAGE / 4 * np.eye(len(original))) else original


def is_possible(correlations: Floats) -> bool:
    """Whether a matrix is positive semi-definite, as far as its Cholesky factor tells."""
    room = np.full(len(correlations), _ROOM)
    try:
        np.linalg.cholesky(correlations + np.diag(room))
    except np.linalg.LinAlgError:
        return False
    return True


def _positive_part(symmetric: Floats) -> Floats:
    """The nearest positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(symmetric)
    negative = values < 0
    if not negative.any():
        return symmetric
    below = vectors[:, negative]
    positive = symmetric - (below * values[negative]) @ below.T
    result: Floats = (positive + positive.T) / 2  # rounding is not symmetric
    return result


def _cut_short(wanted: Floats, start: Floats) -> Possible:
    """Go from a possible connectome towards what is wanted for as long as that is possible."""
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        if is_possible(start + middle * (wanted - start)):
            low = middle
        else:
            high = middle
    return Possible(start + low * (wanted - start), low)
