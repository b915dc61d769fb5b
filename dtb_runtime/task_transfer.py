"""What a person's trials tell of the same person in a task, now or another time: a part of it.

The networks have learned how people differ in all tasks together, in a few numbers. Real people
are not that much of a piece: who is slow in one task is less slow in another than these numbers
say, and nobody is quite the same a few minutes later. So there is a latent of the person in every
task, which goes with that of all trials seen only in part: nearly all of it where the trials are
of this task, less where they are of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .latent import LatentDistribution

if TYPE_CHECKING:
    from .observed_run import ObservedRun

LATER = 0.98
"""Correlation of a person's departures from what was expected, in latents, with those a few minutes
later in the same task."""
ELSEWHERE = 0.6
"""The same with those in another task. Both were chosen on real people whose later trials, or those
of the other task, were left out; see docs/decisions."""
OTHERS_FOR_ONE = 30
"""Trials of other tasks that tell as much of the person in a task as one of its own."""


def shared_part(observed: Sequence[ObservedRun], task: str) -> float:
    """Return how far what all trials tell holds in a task, as a correlation in (0, 1].

    Parameters
    ----------
    observed : sequence of ObservedRun
        What the person was seen to do; answered trials count.
    task : str
        The task to be forecast.
    """
    if not observed:
        return 1.0
    n_own = sum(run.n_answered for run in observed if run.task == task)
    n_others = sum(run.n_answered for run in observed if run.task != task)
    if not n_own:
        return ELSEWHERE
    own = n_own / (n_own + n_others / OTHERS_FOR_ONE)
    return ELSEWHERE + (LATER - ELSEWHERE) * own


def in_part(
    prior: LatentDistribution, posterior: LatentDistribution, part: float
) -> LatentDistribution:
    """Return the distribution of a latent that goes with another one in part.

    Both latents have the prior as their distribution over people, and `part` as their correlation.
    Given the one as `posterior` has it, the other is normal with this mean and covariance.

    Parameters
    ----------
    prior, posterior : LatentDistribution
        The one latent before and after the trials.
    part : float
        In [0, 1]: 1 gives the posterior, 0 the prior.
    """
    if part == 1.0:
        return posterior
    return LatentDistribution(
        prior.mean + part * (posterior.mean - prior.mean),
        part**2 * posterior.covariance + (1.0 - part**2) * prior.covariance,
    )
