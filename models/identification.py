"""Whether the map predicted from a person's own connectome is closer to that person than others'.

Everybody's prediction is compared with everybody's measured map. Chance is known: 1/2 for the own
prediction against one other, 1/n for being the closest of all. Its p comes from giving predictions
to people at random, which is what would happen if predictions said nothing about individuals.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtb_runtime.errors import DataError

EXACT_UP_TO = 10
"""With so many people or fewer, all n! ways to give predictions to people are counted."""
N_PERMUTATIONS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """How often people are told apart by their predicted maps."""

    similarity: NDArray[np.float64]
    """Correlation over regions of each person's measured map (rows) with each person's predicted
    map (columns), shape (n_people, n_people), read-only."""
    pairwise_rate: float
    """Share of pairs (person, other) where the own prediction is closer to the person's measured
    map than the other's is; a tie counts half. Chance is 1/2."""
    pairwise_p: float
    """Chance of such a rate, or a higher one, when predictions are given to people at random."""
    top_rate: float
    """Share of people to whose measured map their own prediction is the closest of all; k equally
    close ones count 1/k. Chance is 1/n_people."""
    top_p: float
    """As `pairwise_p`, of `top_rate`."""
    is_exact: bool
    """Whether all permutations were counted, or `N_PERMUTATIONS` random ones."""

    @property
    def n_people(self) -> int:
        """Number of people told apart."""
        return len(self.similarity)


def identify(
    predicted: ArrayLike, measured: ArrayLike, *, seed: int = 0, from_group: bool = False
) -> Identification:
    """Tell people apart by their predicted maps.

    Parameters
    ----------
    predicted : array_like, shape (n_people, n_regions) or (n_people, n_people, n_regions)
        Each person's predicted map. With three axes, row i has everybody's maps as the predictor
        that judges person i gives them. It is needed where that predictor was made without person
        i: the others' own predictors know person i, so their maps would come closer to i than the
        honest one, and chance would be below 1/2.
    measured : array_like, shape (n_people, n_regions)
        The same people in the same order.
    seed : int
        Decides random permutations.
    from_group : bool
        Compare how people depart from the mean map of all instead of the maps themselves: what
        everybody has in common then helps nobody.

    Raises
    ------
    DataError
        If the two are not tables of the same shape with at least two people, or a map is flat or
        not finite.
    """
    ours, theirs = np.asarray(predicted, np.float64), np.asarray(measured, np.float64)
    n = len(theirs)
    if theirs.ndim != 2 or n < 2 or ours.shape not in (theirs.shape, (n, *theirs.shape)):
        raise DataError(
            "Telling people apart needs a predicted and a measured map of the same regions for "
            f"each of at least two people, found shapes {ours.shape} and {theirs.shape}."
        )
    standard = _standardized(theirs, "measured", from_group)
    if ours.ndim == 2:
        similarity = standard @ _standardized(ours, "predicted", from_group).T
    else:
        pairs = zip(standard, ours, strict=True)
        similarity = np.stack(
            [_standardized(maps, "predicted", from_group) @ own for own, maps in pairs]
        )
    similarity.setflags(write=False)
    wins, tops = _scores(similarity)
    is_exact = n <= EXACT_UP_TO
    (pairwise_rate, pairwise_p), (top_rate, top_p) = (
        (float(np.trace(score)) / len(score), _p_of_trace(score, seed, is_exact))
        for score in (wins, tops)
    )
    return Identification(similarity, pairwise_rate, pairwise_p, top_rate, top_p, is_exact)


def is_same_for_everybody(predicted: ArrayLike) -> bool:
    """Whether everybody has the same predicted map, which tells nobody apart.

    Parameters
    ----------
    predicted : array_like, shape (n_people, n_regions) or (n_people, n_people, n_regions)
        As in `identify`.
    """
    return bool(np.ptp(np.asarray(predicted, np.float64), axis=-2).max() == 0)


def _standardized(maps: NDArray[np.float64], which: str, from_group: bool) -> NDArray[np.float64]:
    """Return each map with mean 0 and length 1, so that products are correlations."""
    bad = ~np.isfinite(maps).all(axis=1)
    if not bad.any():
        departure = maps - maps.mean(axis=0) if from_group else maps
        centered = departure - departure.mean(axis=1, keepdims=True)
        size = np.linalg.norm(centered, axis=1, keepdims=True)
        bad = size[:, 0] <= 1e-12 * np.abs(maps).max(axis=1)
    if bad.any():
        flat = "flat, the same as everybody's" if from_group else "flat"
        raise DataError(
            f"The {which} map of person {np.argmax(bad)} (counted from 0) is {flat} or not finite, "
            "so it is no closer to one than to another. Leave the person out."
        )
    return np.asarray(centered / size)


def _scores(similarity: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each person (row) adds to the two rates when given each prediction (column)."""
    n = len(similarity)
    own, other = similarity[:, :, None], similarity[:, None, :]
    # Equal predictions come out equal but for rounding.
    tied = np.abs(own - other) <= 1e-12
    beaten = (own > other) & ~tied
    wins = (beaten.sum(axis=2) + (tied.sum(axis=2) - 1) / 2) / (n - 1)
    is_top = ~np.any(~tied & (own < other), axis=2)
    return wins, is_top / is_top.sum(axis=1, keepdims=True)


def _p_of_trace(score: NDArray[np.float64], seed: int, is_exact: bool) -> float:
    n = len(score)
    observed = float(np.trace(score)) - 1e-9
    if is_exact:
        totals = _totals(score)
        at_least = sum(count for total, count in totals.items() if total >= observed)
        return at_least / sum(totals.values())
    rng = np.random.default_rng(seed)
    rows = np.arange(n)
    drawn = sum(score[rows, rng.permutation(n)].sum() >= observed for _ in range(N_PERMUTATIONS))
    return float(1 + drawn) / (1 + N_PERMUTATIONS)


def _totals(score: NDArray[np.float64]) -> dict[float, int]:
    """Count the permutations by their total score.

    Row by row over the sets of columns that are taken, so that 10! permutations are 2^10 sets.
    """
    n = len(score)
    rounded = np.round(score, 9).tolist()
    by_set: dict[int, dict[float, int]] = {0: {0.0: 1}}
    for row in rounded:
        following: dict[int, dict[float, int]] = defaultdict(lambda: defaultdict(int))
        for taken, totals in by_set.items():
            for column in range(n):
                if not taken >> column & 1:
                    into = following[taken | 1 << column]
                    for total, count in totals.items():
                        into[round(total + row[column], 8)] += count
        by_set = following
    return by_set[(1 << n) - 1]
