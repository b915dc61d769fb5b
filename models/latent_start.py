"""Where the population fit begins: what a person's trials say in a handful of plain statistics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dtb_runtime.tasks import TASKS

from .cohorts import Participant
from .z_scores import z_scores

MIN_TRIALS = 5
"""Fewer right trials give no mean and spread worth starting from."""
UNTOLD_SD = 0.1
"""SD of the starting values of latents for which the statistics do not reach."""


def trial_statistics(participants: Sequence[Participant]) -> NDArray[np.float64]:
    """Return z-scored statistics of each person's trials, shape (people, statistics).

    Per task: mean and SD of the log response time of right trials, and its difference between the
    trial types. What a person's trials do not tell is 0, the cohort's mean.
    """
    rows = [
        [value for task in TASKS for value in _task_statistics(person, task)]
        for person in participants
    ]
    scores, _ = z_scores(np.array(rows))
    return scores


def latent_start(participants: Sequence[Participant], n_latents: int, seed: int) -> Tensor:
    """Return starting posterior means, shape (people, n_latents): components of the statistics.

    A start in which people differ as they do saves the fit from finding out by chance which way
    the first latent should point.
    """
    statistics = trial_statistics(participants)
    left, singular, _ = np.linalg.svd(statistics, full_matrices=False)
    rng = np.random.default_rng(seed)
    start = UNTOLD_SD * rng.standard_normal((len(statistics), n_latents))
    told = min(n_latents, int((singular > 1e-9).sum()))
    start[:, :told] = left[:, :told] * np.sqrt(len(statistics))
    return torch.from_numpy(start).float()


def _task_statistics(person: Participant, task: str) -> tuple[float, float, float]:
    times: list[NDArray[np.float64]] = []
    is_first_type: list[NDArray[np.bool_]] = []
    for run in person.runs:
        if run.task == task:
            right = run.responses.usable & run.responses.correct
            right = right & ~np.isnan(run.responses.response_time_s)
            times.append(np.log(run.responses.response_time_s[right]))
            groups = np.array(run.events.trial_group)[right]
            is_first_type.append(groups == TASKS[task].contrast[0])
    if not times or sum(map(len, times)) < MIN_TRIALS:
        return np.nan, np.nan, np.nan
    log_s, first = np.concatenate(times), np.concatenate(is_first_type)
    enough = min(int(first.sum()), int((~first).sum())) >= MIN_TRIALS
    effect = float(log_s[first].mean() - log_s[~first].mean()) if enough else np.nan
    return float(log_s.mean()), float(log_s.std()), effect
