"""How strongly each person's brain answers, in a handful of numbers measured from BOLD.

The first numbers are scales on the group's own maps (how much of the group's answer to trials, and
of its contrast, does this person show): a map known from everybody finds a person's scale in noise
that a map of the person's own would drown in. The rest are the leading components of what the
scales leave over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.tasks import get_task

from .bold_targets import trial_type_effects
from .cohorts import Participant
from .tensors import TrainingData
from .z_scores import z_scores

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ResponseScores:
    """Scores of everybody, z-scored over people."""

    values: Floats
    """(people, scores); 0 where a person has no BOLD that could tell"""
    is_measured: NDArray[np.bool_]
    """(people, scores)"""


def response_scores(
    participants: Sequence[Participant], data: TrainingData, n_scores: int
) -> ResponseScores:
    """Measure every person's response scores.

    Parameters
    ----------
    participants : sequence of Participant
    data : TrainingData
        Made from them, with measured BOLD at TR.
    n_scores : int
        Two per task (mean response, contrast) as far as they go, then components.
    """
    tasks = tuple(dict.fromkeys(block.task for block in data.blocks))
    maps = [_maps(participants, data, task) for task in tasks]  # (people, 2, regions) each
    values = np.full((len(participants), n_scores), np.nan)
    left_over = []
    column = 0
    for of_task in maps:
        for kind in range(2):
            own = of_task[:, kind]
            known = np.isfinite(own).all(1)
            if not known.any():
                continue
            group = own[known].mean(0)
            scale = own @ group / max(float(group @ group), 1e-12)
            if column < n_scores:
                values[:, column] = scale
                column += 1
            rest = own - scale[:, None] * group
            size = float(np.sqrt(np.nanmean(np.square(rest))))
            left_over.append(rest / size if size > 0 else rest)
    if left_over and column < n_scores:
        values[:, column:] = _components(np.concatenate(left_over, 1), n_scores - column)
    return ResponseScores(*z_scores(values))


def _maps(participants: Sequence[Participant], data: TrainingData, task: str) -> Floats:
    """Return each person's mean response and contrast, shape (people, 2, regions).

    Averaged over the person's runs of the task; NaN where there is none with both trial types.
    """
    positive, negative = get_task(task).contrast
    n_regions = data.blocks[0].bold.shape[2]
    total = np.zeros((len(participants), 2, n_regions))
    n_runs = np.zeros(len(participants))
    for block in data.blocks:
        if block.task != task:
            continue
        for row, person in enumerate(block.people):
            bold = block.bold[row][block.bold_counted[row]].numpy()
            events = participants[person].run(block.run).events
            effects = trial_type_effects(bold, events)
            if positive not in effects or negative not in effects:
                continue
            a, b = effects[positive], effects[negative]
            total[person] += np.stack([(a + b) / 2, a - b])
            n_runs[person] += 1
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(n_runs > 0, n_runs, np.nan)[:, None, None])


def _components(values: Floats, n_components: int) -> Floats:
    """Return scores on the leading principal components; NaN for people with gaps."""
    scores = np.full((len(values), n_components), np.nan)
    known = np.isfinite(values).all(1)
    if known.sum() < 2:
        return scores
    centered = values[known] - values[known].mean(0)
    left, singular, axes = np.linalg.svd(centered, full_matrices=False)
    n = min(n_components, len(singular))
    # The sign of a component is arbitrary; a fixed one makes reruns comparable.
    signs = np.where(axes[:n].sum(1) < 0, -1.0, 1.0)
    scores[np.flatnonzero(known)[:, None], np.arange(n)] = left[:, :n] * singular[:n] * signs
    return scores
