"""What a person's own trials say about the latent, with the connectome's prediction as prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .latent import LatentDistribution
from .trials_seen import ObservedRun

if TYPE_CHECKING:
    from .bundle import Bundle


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The latent given a person's trials, and how it was found."""

    posterior: LatentDistribution
    """The latent given the trials; the prior where there was none."""
    n_trials: int
    """Trials that it was learned from."""
    n_answered: int
    """Those of them that have an answer."""
    log_likelihood: float
    """Log probability of these trials at the likeliest latent, in nats."""
    prior_log_likelihood: float
    """The same at the prior's mean."""
    steps: int
    """Gauss-Newton steps."""
    converged: bool
    """Whether the last step was too small to matter."""
    effective_draws: float
    """How many independent draws of the posterior its mean and covariance rest on."""


def calibrate_latent(
    bundle: Bundle, prior: LatentDistribution, runs: Sequence[ObservedRun], *, seed: int = 0
) -> Calibration:
    """Find the latent's distribution given observed trials."""
    raise NotImplementedError
