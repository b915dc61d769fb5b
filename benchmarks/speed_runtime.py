"""The runtime at work, as a program that embeds it would use it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from speed_inputs import TaskRun

from dtb_runtime.bundle import Bundle
from dtb_runtime.forecast import Forecast
from dtb_runtime.twin import Twin


def one_person(
    bundle: Bundle, correlations: NDArray[np.float32], runs: Sequence[TaskRun], *, threads: int
) -> list[Forecast]:
    """Forecast every run of one person, from the connectome on.

    Parameters
    ----------
    bundle : Bundle
    correlations : ndarray, shape (n_regions, n_regions)
        Pearson's r, symmetric, diagonal 1, in the bundle's order of regions.
    runs : sequence of TaskRun
    threads : int
        1 asks for all tasks at once, as `dtb-run predict` does; more take one each.
    """
    twin = bundle.personalize(correlations)
    if threads == 1:
        return _forecasts(twin, runs)
    with ThreadPoolExecutor(threads) as pool:
        several = pool.map(lambda run: _forecasts(twin, [run]), runs)
        return [forecast for forecasts in several for forecast in forecasts]


def cohort(
    bundle: Bundle, correlations: NDArray[np.float32], runs: Sequence[TaskRun], *, threads: int
) -> list[Forecast]:
    """Forecast every run of many people, from their connectomes on.

    Parameters
    ----------
    bundle : Bundle
    correlations : ndarray, shape (people, n_regions, n_regions)
        Pearson's r, as for `one_person`.
    runs : sequence of TaskRun
    threads : int
        Each takes an equal share of the people through the hypernetwork, all of them in one call,
        and then one person after the other.

    Returns
    -------
    list of Forecast
        Person after person, run after run.
    """
    parts = np.array_split(correlations, min(threads, len(correlations)))
    with ThreadPoolExecutor(threads) as pool:
        several = pool.map(lambda part: bundle.personalize_several(list(part)), parts)
        twins = [twin for part in several for twin in part]
        people = pool.map(lambda twin: _forecasts(twin, runs), twins)
        return [forecast for forecasts in people for forecast in forecasts]


def _forecasts(twin: Twin, runs: Sequence[TaskRun]) -> list[Forecast]:
    # One draw is the mean of what is known of the person: the others average over more.
    return twin.forecast_tasks({run.task: run.events for run in runs}, draws=1)
