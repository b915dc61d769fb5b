"""How well a group's map is forecast, with an interval from drawing the people again.

A one-sample t over people is made of three sums over them in every region, so drawing people again
is one product of matrices (`bootstrap`). Intervals lie around the figure itself (`around_value`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bootstrap import Figure, bootstrap
from .map_statistics import map_r

Floats = NDArray[np.float64]

_N_SUMS = 3  # how many people, their sum, their sum of squares
_LEAST_SPREAD = 1e-6  # SD in terms of the mean, below which it is rounding


@dataclass(frozen=True, slots=True, eq=False)
class PairedMaps:
    """One task's maps of some people, forecast and measured."""

    participant_ids: Sequence[str]
    forecast: Floats
    """Shape (n_people, n_regions); NaN leaves a person out of a region."""
    measured: Floats
    """The same shape."""


def group_t_figure(tasks: Sequence[PairedMaps]) -> Figure:
    """Return r over task and region of the one-sample t over people, forecast and measured.

    Parameters
    ----------
    tasks : sequence of PairedMaps
        At least one; people need not have all of them.
    """
    return bootstrap(_sums(tasks), lambda sums: _map_r(_t(sums)), around_value=True)


def group_mean_figure(task: PairedMaps) -> Figure:
    """Return r over regions of the mean over people, forecast and measured."""
    return bootstrap(_sums([task]), lambda sums: _map_r(_mean(sums)), around_value=True)


def _sums(tasks: Sequence[PairedMaps]) -> Floats:
    """What is summed over people, shape (n_people, 3 sums x 2 sides x regions of all tasks)."""
    everybody = list(dict.fromkeys(one for task in tasks for one in task.participant_ids))
    row = {one: i for i, one in enumerate(everybody)}
    blocks = []
    for task in tasks:
        table = np.full((2, len(everybody), task.measured.shape[1]), np.nan)
        rows = [row[one] for one in task.participant_ids]
        table[0, rows], table[1, rows] = task.forecast, task.measured
        blocks.append(table)
    maps = np.concatenate(blocks, axis=2).transpose(1, 0, 2)  # people, sides, regions
    known = np.isfinite(maps)
    maps = np.where(known, maps, 0.0)
    sums = np.stack([known.astype(np.float64), maps, np.square(maps)], axis=1)
    return np.asarray(sums.reshape(len(everybody), -1))


def _split(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Return number, mean and mean square, each of shape (..., 2, regions)."""
    parts = sums.reshape(*sums.shape[:-1], _N_SUMS, 2, -1)
    n, total, squares = (parts[..., i, :, :] for i in range(_N_SUMS))
    with np.errstate(invalid="ignore", divide="ignore"):
        return n, total / n, squares / n


def _mean(sums: Floats) -> Floats:
    return _split(sums)[1]


def _t(sums: Floats) -> Floats:
    n, mean, square = _split(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (square - mean**2) * n / (n - 1)
        t = mean / np.sqrt(variance / n)
        differs = (n > 1) & (np.sqrt(np.maximum(variance, 0)) > _LEAST_SPREAD * np.abs(mean))
    return np.where(differs, t, np.nan)


def _map_r(sides: Floats) -> Floats:
    return map_r(sides[..., 0, :], sides[..., 1, :])
