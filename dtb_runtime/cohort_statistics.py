"""Means and shares over people, with 90 % intervals: how much hangs on who is in the cohort."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .summary import rounded

Floats = NDArray[np.float64]

RESAMPLES = 2000
"""Of people, for intervals of means."""
FEWEST = 10
"""People; of fewer there is no interval."""
_INTERVAL = (5.0, 95.0)  # percent: 90 %, as everywhere in this package
_Z90 = 1.6448536269514722  # of a normal distribution, two-sided 90 %


def mean_with_interval(values: Floats) -> dict[str, Any]:
    """Mean over people who have a value, as `with_interval` gives it."""
    return with_interval(average, values)


def with_interval(statistic: Callable[..., float], *arrays: Floats) -> dict[str, Any]:
    """A statistic of people, and its 90 % percentile bootstrap interval (Efron 1979).

    Parameters
    ----------
    statistic : callable
        Of the arrays.
    *arrays : numpy.ndarray, shape (people,)
        NaN for whoever lacks a value. People are drawn with all of their values.

    Returns
    -------
    dict
        ``mean`` (the statistic), ``low``, ``high``; None where there is none, and no interval of
        fewer than `FEWEST` people.
    """
    of_all = statistic(*arrays)
    n_known = int(np.all(np.isfinite(np.stack(arrays)), axis=0).sum())
    if n_known < FEWEST or not np.isfinite(of_all):
        return {"mean": json_number(of_all), "low": None, "high": None}
    rng, n_people = np.random.default_rng(0), len(arrays[0])
    drawn = []
    for _ in range(RESAMPLES):
        people = rng.integers(n_people, size=n_people)
        drawn.append(statistic(*(array[people] for array in arrays)))
    low, high = np.nanpercentile(drawn, _INTERVAL)
    return {
        "mean": json_number(of_all),
        "low": json_number(float(low)),
        "high": json_number(float(high)),
    }


def share_with_interval(responds: Floats) -> dict[str, Any]:
    """How many of 1 and 0 are 1, with Wilson's 90 % interval (Wilson 1927); NaN is nobody."""
    known = responds[np.isfinite(responds)]
    n = len(known)
    if not n:
        return {"n": 0, "of": 0, "share": None, "low": None, "high": None}
    share = float(known.mean())
    middle = (share + _Z90**2 / (2 * n)) / (1 + _Z90**2 / n)
    half = _Z90 / (1 + _Z90**2 / n) * np.sqrt(share * (1 - share) / n + _Z90**2 / (4 * n * n))
    return {
        "n": int(known.sum()),
        "of": n,
        "share": json_number(share),
        "low": json_number(max(0.0, float(middle - half))),
        "high": json_number(min(1.0, float(middle + half))),
    }


def sd_of(values: Floats) -> float:
    """SD over people who have a value; NaN with fewer than two."""
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def average(values: Floats) -> float:
    """Mean over people who have a value; NaN without any."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def json_number(value: float) -> float | None:
    """JSON has no NaN."""
    return rounded(value) if np.isfinite(value) else None
