"""Times of several methods that take turns, and the ratios between them.

A machine gets slower and faster while a benchmark runs. So each round calls every method once, and
a ratio is taken within the rounds: what drifts hits both sides of it.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DIGITS = 6
"""Significant digits that are kept."""
MAX_CALLS = 1000
"""Most calls that make up one time."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some numbers, and where half of them lie."""

    median: float
    low: float
    """First quartile."""
    high: float
    """Third quartile."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return median and quartiles of at least one number."""
        low, median, high = np.quantile(np.asarray(values, np.float64), (0.25, 0.5, 0.75))
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Timing:
    """What one method took, round by round."""

    seconds: tuple[float, ...]
    """Of one unit of work, as a rule a person."""

    @property
    def spread(self) -> Spread:
        """Median and quartiles over the rounds."""
        return Spread.of(self.seconds)

    def to_json(self) -> dict[str, Any]:
        """Return every round's time, with median and quartiles."""
        found = self.spread
        summary = {"median_s": found.median, "q1_s": found.low, "q3_s": found.high}
        kept = {name: rounded(value) for name, value in summary.items()}
        return kept | {"seconds": [rounded(value) for value in self.seconds]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Timing:
        """Read what `to_json` wrote."""
        return cls(tuple(float(value) for value in values["seconds"]))


@dataclass(frozen=True, slots=True)
class Method:
    """Something to be timed."""

    work: Callable[[], object]
    units: int = 1
    """People, or whatever else a time is stated for, that one call does."""


def rounded(value: float) -> float:
    """Return a number in the digits that are kept."""
    return float(f"{value:.{DIGITS}g}")


def ratio(slow: Timing, fast: Timing) -> Spread:
    """Return how many times as long the first takes, over the rounds that both were in.

    Parameters
    ----------
    slow, fast : Timing
        Of the same run, with the same number of rounds.

    Raises
    ------
    ValueError
        If they have different numbers of rounds.
    """
    return Spread.of([a / b for a, b in zip(slow.seconds, fast.seconds, strict=True)])


def quickest(timings: Mapping[str, Timing]) -> str:
    """Return the name of the method with the lowest median."""
    return min(timings, key=lambda name: timings[name].spread.median)


def take_turns(
    methods: Mapping[str, Method], rounds: int, *, least_s: float = 0.0
) -> dict[str, Timing]:
    """Time methods in turn.

    Parameters
    ----------
    methods : mapping of str to Method
        By name. Each is called before the first round, which is not counted.
    rounds : int
        How often each is timed.
    least_s : float
        A quick method is called as often in a round as it takes to last this long.

    Returns
    -------
    dict of str to Timing
        Seconds per unit of each method.
    """
    calls = {name: _calls(method.work, least_s) for name, method in methods.items()}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    names = list(methods)
    for number in range(rounds):
        # Another one begins each round: what a method leaves in the caches is no one's luck.
        first = number % len(names)
        gc.collect()
        for name in names[first:] + names[:first]:
            taken_s = timed(methods[name].work, calls[name])
            seconds[name].append(taken_s / methods[name].units)
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def timed(work: Callable[[], object], calls: int = 1) -> float:
    """Return the seconds of one call, as the mean of several in a row, without garbage collection.

    Parameters
    ----------
    work : callable
    calls : int
        At least 1.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        start_s = time.perf_counter()
        for _ in range(calls):
            work()
        return (time.perf_counter() - start_s) / calls
    finally:
        if was_enabled:
            gc.enable()


def _calls(work: Callable[[], object], least_s: float) -> int:
    """Warm a method up and return how many calls of it last long enough."""
    taken_s = timed(work)
    if taken_s < least_s:
        taken_s = timed(work)  # the first one may have been slow because it was the first
    return min(MAX_CALLS, max(1, math.ceil(least_s / max(taken_s, 1e-9))))
