"""What a person does beside the networks: trials let pass, and answers that are any option.

Networks know people who mostly attend and seldom err. What is beyond them is a share of each task's
trials and answers: it is found together with the latent, and is part of forecasts of this task.
Somebody who lets every third trial pass is not therefore slow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .trial_likelihood import LAPSES, SLIPS, RunEvidence, log_survival

TRIALS_BEFORE = 20
"""Trials of a task, none of them a lapse or slip, that a person is thought to have done before the
first one was seen: one or two must not make somebody who often lapses."""
_ROUNDS = 500  # of expectation and maximization, if they do not settle before
_SETTLED = 1e-7
_NEVER = 1e-4  # rates below it are none: there is nothing to be unsure of
_FINE = 4096  # random numbers that the quantiles of a distribution of rates are taken from


MANY_MISSES = 0.15
"""Share of trials up to which misses are as the networks know them, and tell of speed."""


def rates_of_many_misses(runs: Sequence[RunEvidence]) -> dict[str, float]:
    """Share of lapses in tasks with many misses, if none of these has another reason.

    Parameters
    ----------
    runs : sequence of RunEvidence

    Returns
    -------
    dict of str to float
        By task, of those with more misses than `MANY_MISSES`.
    """
    missed = dict[str, int]()
    for run in runs:
        missed[run.task] = missed.get(run.task, 0) + len(run.missed)
    shares = {task: missed[task] / (n + TRIALS_BEFORE) for task, n in _trials_of(runs).items()}
    return {task: share for task, share in shares.items() if share > MANY_MISSES}


def lapse_rates(
    runs: Sequence[RunEvidence], logits: Sequence[NDArray[np.float64]]
) -> dict[str, float]:
    """Share of each task's trials that are lapses, beyond the misses that the hazards tell of.

    Each missed trial was a lapse, or the hazards let it pass; the share of the first is found by
    expectation and maximization. In a run without any answer all are lapses.

    Parameters
    ----------
    runs : sequence of RunEvidence
    logits : sequence of numpy.ndarray, shape (n_observed_steps, n_options)
        One array a run, of one latent.

    Returns
    -------
    dict of str to float
        By task, in [0, 1); the likeliest after `TRIALS_BEFORE` trials without a lapse.
    """
    survived: dict[str, list[float]] = {}
    for run, own in zip(runs, logits, strict=True):
        # A run that was slept through says nothing of the hazards.
        of_run = [
            np.exp(log_survival(own[steps])) if run.n_answered else 0.0 for steps in run.missed
        ]
        survived.setdefault(run.task, []).extend(of_run)
    rates = {}
    for task, n_trials in _trials_of(runs).items():
        passed = np.array(survived[task])
        rates[task] = _weight(np.ones(len(passed)), passed, n_trials + TRIALS_BEFORE, LAPSES)
    return rates


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
        rates[task] = _weight(slipped, meant, len(meant) + TRIALS_BEFORE, SLIPS)
    return rates


def rate_draws(rate: float, n_trials: int, n: int, *, seed: int) -> NDArray[np.float64]:
    """Rates that stand for what is known of one of a person's rates.

    A share of trials is known as far as there were trials, those of `TRIALS_BEFORE` among them: a
    beta distribution with the rate as its mean.

    Parameters
    ----------
    rate : float
        The likeliest, in [0, 1).
    n_trials : int
        Trials, or answers, that it was found from.
    n : int
        How many draws. One is the rate itself.
    seed : int
        Of their order.

    Returns
    -------
    numpy.ndarray, shape (n,)
        The middles of n equally likely parts of the distribution, in random order.
    """
    if n == 1 or rate < _NEVER:
        return np.full(n, rate)
    weight = n_trials + TRIALS_BEFORE
    stream = np.random.default_rng(seed)
    fine = stream.beta(rate * weight, (1.0 - rate) * weight, _FINE)
    middles = np.quantile(fine, (np.arange(n) + 0.5) / n)
    return np.asarray(stream.permutation(middles))


def _trials_of(runs: Sequence[RunEvidence]) -> dict[str, int]:
    n_trials = dict[str, int]()
    for run in runs:
        n_trials[run.task] = n_trials.get(run.task, 0) + run.n_answered + len(run.missed)
    return n_trials


def _weight(first: NDArray[np.float64], second: NDArray[np.float64], n: int, start: float) -> float:
    """Weight of the first of two explanations of each observation, given the chances under both.

    Of `n` observations those that are not given are the second's for sure.
    """
    weight = start
    for _ in range(_ROUNDS):
        by_first = weight * first
        before, weight = weight, float((by_first / (by_first + (1.0 - weight) * second)).sum() / n)
        if abs(weight - before) < _SETTLED:
            break
    return weight
