"""Figures with an interval: the people are drawn again and again, with replacement.

People, not trials, are what a study samples, so whole people are drawn. Everything a figure needs
of a person is a row of sums (`metric_sums`); a draw then is a weighted sum over people, and all
draws together are one product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import UsageError

N_RESAMPLES = 2000
"""Draws of the people; the ends of an interval then move by about a tenth of its half-width."""
LEVEL = 0.95
SEED = 0
_LARGEST_R = 1.0 - 1e-9

Sums = NDArray[np.float64]
Statistic = Callable[[Sums], NDArray[np.float64]]
"""From sums over people, shape (..., n_sums), to a figure, shape (...)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number over people and how far it may be off."""

    value: float
    """The figure for the people there are."""
    low: float
    """Lower end of its 95 % bootstrap interval over people; NaN where there is only one."""
    high: float
    """Upper end."""
    n: int
    """People it is computed from."""

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}], n={self.n}"

    def to_json(self) -> dict[str, float | int | None]:
        """Return JSON values; null where a number is not there."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {name: x if np.isfinite(x) else None for name, x in ends.items()} | {"n": self.n}


def bootstrap(
    sums: Sums,
    statistic: Statistic,
    *,
    around_value: bool = False,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> Figure:
    """Return a figure with its percentile interval.

    Parameters
    ----------
    sums : numpy.ndarray, shape (n_people, n_sums)
        What the figure needs of each person; sums over people must be enough to compute it.
    statistic : callable
        From such sums over people, shape (..., n_sums), to the figure, shape (...).
    around_value : bool
        The figure is an r of mean maps. Some people drawn twice make any mean noisier, so that r
        of draws lies lower than r itself, and beside it the whole interval. It is moved, as
        Fisher z, until its median is the figure.
    n_resamples : int
    seed : int
        The same people (rows, by number) with the same seed are drawn the same way, so figures of
        two methods on the same people can be compared draw by draw.

    Raises
    ------
    UsageError
        If there is nobody.

    Examples
    --------
    >>> bootstrap(np.array([[1, 2.0], [1, 4.0], [1, 6.0]]), lambda s: s[..., 1] / s[..., 0]).value
    4.0
    """
    n_people = len(sums)
    if n_people == 0:
        raise UsageError("A figure needs at least one person, found none.")
    drawn = statistic(_draws(n_people, n_resamples, seed) @ sums)
    known = drawn[np.isfinite(drawn)]  # a draw of one person many times over has no correlation
    value = float(statistic(sums.sum(axis=0)))
    low, high = np.nan, np.nan
    if n_people > 1 and len(known):
        if around_value and np.isfinite(value):
            z = np.arctanh(np.clip(known, -_LARGEST_R, _LARGEST_R))
            moved = np.arctanh(np.clip(value, -_LARGEST_R, _LARGEST_R)) - np.median(z)
            known = np.tanh(z + moved)
        low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return Figure(value, low, high, n_people)


def bootstrap_difference(
    sums: Sums,
    other: Sums,
    statistic: Statistic,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> Figure:
    """Return how much higher a figure is than another method's on the same people.

    Both are computed from the same draws, so that what makes a draw easy or hard for both cancels.

    Parameters
    ----------
    sums, other : numpy.ndarray, shape (n_people, n_sums)
        The same people in the same order.
    statistic : callable
        As for `bootstrap`.
    n_resamples, seed : int

    Raises
    ------
    UsageError
        If there is nobody, or the two differ in shape.
    """
    if sums.shape != other.shape:
        raise UsageError(
            f"Two methods are compared on the same people, but one has sums of shape {sums.shape} "
            f"and the other of {other.shape}. Select the people that both have."
        )
    both = np.concatenate([sums, other], axis=1)
    n_sums = sums.shape[1]

    def difference(total: Sums) -> NDArray[np.float64]:
        return statistic(total[..., :n_sums]) - statistic(total[..., n_sums:])

    return bootstrap(both, difference, n_resamples=n_resamples, seed=seed)


@lru_cache(maxsize=8)
def _draws(n_people: int, n_resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each person is drawn, shape (n_resamples, n_people); rows sum to n_people."""
    share = np.full(n_people, 1 / n_people)
    counts = np.random.default_rng(seed).multinomial(n_people, share, size=n_resamples)
    return counts.astype(np.float64)
