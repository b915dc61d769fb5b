"""What a person does beside the networks: trials let pass, and answers that are any option.

Networks know people who mostly attend and seldom err. What is beyond them is counted for each task,
once the latent is found, and is part of forecasts of this task.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .trial_likelihood import SLIPS, RunEvidence, chance_of_no_lapse

TRIALS_BEFORE = 20
"""Trials of a task, none of them a lapse or slip, that a person is thought to have done before the
first one was seen: one or two must not make somebody who often lapses."""
_ROUNDS = 500  # of expectation and maximization, if they do not settle before
_SETTLED = 1e-7


def lapse_rates(
    runs: Sequence[RunEvidence], logits: Sequence[NDArray[np.float64]]
) -> dict[str, float]:
    """Share of each task's trials that are lapses, beyond the misses that the hazards tell of.

    Of each missed trial the chance that it was a lapse counts, which is near 1 where the hazards
    left hardly a chance to miss it. In a run without any answer all are lapses.

    Parameters
    ----------
    runs : sequence of RunEvidence
    logits : sequence of numpy.ndarray, shape (n_observed_steps, n_options)
        One array a run, of one latent.

    Returns
    -------
    dict of str to float
        By task, in [0, 1).
    """
    lapses, n_trials = dict[str, float](), dict[str, int]()
    for run, own in zip(runs, logits, strict=True):
        n_trials[run.task] = n_trials.get(run.task, 0) + run.n_answered + len(run.missed)
        of_run = (
            sum(1.0 - chance_of_no_lapse(own[steps]) for steps in run.missed)
            if run.n_answered
            else float(len(run.missed))
        )
        lapses[run.task] = lapses.get(run.task, 0.0) + of_run
    return {task: lapses[task] / (n + TRIALS_BEFORE) for task, n in n_trials.items()}


def slip_rates(
    runs: Sequence[RunEvidence], logits: Sequence[NDArray[np.float64]]
) -> dict[str, float]:
    """Share of each task's answers that are slips: any option, whatever was shown.

    Answers are a mixture of what the network does and of pressing anything; the weight of the
    second is found by expectation and maximization.

    Parameters
    ----------
    runs : sequence of RunEvidence
    logits : sequence of numpy.ndarray, shape (n_observed_steps, n_options)
        One array a run, of one latent.

    Returns
    -------
    dict of str to float
        By task, in [0, 1); the likeliest after `TRIALS_BEFORE` answers without a slip.
    """
    by_task: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
    for run, own in zip(runs, logits, strict=True):
        presses = run.pressed.any(axis=1)
        candidates, chosen = own[presses], run.pressed[presses]
        # Given a press, an option's chance is in proportion to its odds.
        of_all = np.logaddexp.reduce(candidates, axis=1)
        of_chosen = np.logaddexp.reduce(np.where(chosen, candidates, -np.inf), axis=1)
        chances = np.exp(of_chosen - of_all), chosen.mean(axis=1)
        by_task.setdefault(run.task, []).append(chances)
    rates = {}
    for task, several in by_task.items():
        meant, slipped = (np.concatenate(parts) for parts in zip(*several, strict=True))
        rates[task] = _weight_of_second(meant, slipped)
    return rates


def _weight_of_second(meant: NDArray[np.float64], slipped: NDArray[np.float64]) -> float:
    """Weight of the second of two explanations of each answer, given the chances of both."""
    weight, n = SLIPS, len(meant) + TRIALS_BEFORE
    for _ in range(_ROUNDS):
        by_slip = weight * slipped
        before, weight = weight, float((by_slip / ((1.0 - weight) * meant + by_slip)).sum() / n)
        if abs(weight - before) < _SETTLED:
            break
    return weight
