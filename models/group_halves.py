"""Halves of a group: how far the mean maps of different people agree."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtb_runtime.errors import DataError

from .map_statistics import map_r, map_table

Rows = NDArray[np.int64]

ALL_UP_TO = 10
"""With so many people or fewer, all halvings are taken: at most 252."""
N_RANDOM = 200
"""Random halvings of more people."""


def halvings(n_people: int, seed: int = 0) -> list[tuple[Rows, Rows]]:
    """Return ways to part people into halves: all of them, or many random ones.

    Parameters
    ----------
    n_people : int
        At least 2; with an odd number the second half has one more.
    seed : int
        Decides the random halvings.

    Returns
    -------
    list of tuple of numpy.ndarray, shapes (n_people // 2,) and (n_people - n_people // 2,)
        Rows of both halves. Of up to ten people every choice of a first half, so that two halves of
        the same size come in both orders; of more people 200 random ones.
    """
    size = n_people // 2
    if n_people <= ALL_UP_TO:
        halves = [np.array(half) for half in combinations(range(n_people), size)]
    else:
        rng = np.random.default_rng(seed)
        halves = [rng.permutation(n_people)[:size] for _ in range(N_RANDOM)]
    return [(half, np.setdiff1d(np.arange(n_people), half)) for half in halves]


def group_reliability(maps: ArrayLike, seed: int = 0) -> float:
    """Return how well the mean map of so many other people would agree with this one.

    The mean correlation of the mean maps of two halves, over all `halvings`, stepped up to the
    whole group (Spearman-Brown). A perfect prediction of what people have in common reaches the
    square root of this.

    Parameters
    ----------
    maps : array_like, shape (n_people, n_regions)
        Finite.
    seed : int
        Decides random halvings.

    Raises
    ------
    DataError
        If there are fewer than four people, or a value is not finite.
    """
    table = map_table(maps)
    if len(table) < 4 or not np.isfinite(table).all():
        raise DataError(
            f"Halves of a group need finite maps of at least four people, found {len(table)}."
        )
    r = halves_r(table, table, seed)
    return 2 * r / (1 + r)


def halves_r(maps: ArrayLike, measured: ArrayLike, seed: int = 0) -> float:
    """Return r of half of the people's mean map with the other half's mean measured map.

    Parameters
    ----------
    maps, measured : array_like, shape (n_people, n_regions)
        The same people in the same order, at least two; forecast for instance, and measured.
    seed : int
        Decides random halvings.

    Returns
    -------
    float
        Mean over all `halvings`; NaN if one of the mean maps is flat.

    Raises
    ------
    DataError
        If there are fewer than two people, or the two differ in people or regions.
    """
    ours, theirs = map_table(maps), map_table(measured)
    if ours.shape != theirs.shape or len(theirs) < 2:
        raise DataError(
            "Halves are compared between maps of the same regions of the same people, at least "
            f"two; found shapes {ours.shape} and {theirs.shape}."
        )
    found = [
        float(map_r(ours[half].mean(axis=0), theirs[rest].mean(axis=0)))
        for half, rest in halvings(len(theirs), seed)
    ]
    return float(np.mean(found))
