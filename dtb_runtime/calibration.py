"""What a person's own trials say about the latent, with the connectome's prediction as prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import UsageError
from .lapses_and_slips import lapse_rates, slip_rates
from .latent import LatentDistribution
from .observed_run import ObservedRun
from .posterior_search import FoundPosterior, find_posterior
from .run_joining import join_runs
from .trial_likelihood import TrialLikelihood

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
    """Log probability of these trials, but for runs without any answer, at the likeliest latent, in
    nats."""
    prior_log_likelihood: float
    """The same at the prior's mean, with the same rates of lapses."""
    steps: int
    """Gauss-Newton steps."""
    converged: bool
    """Whether the last step was too small to matter."""
    effective_draws: float
    """How many independent draws of the posterior its mean and covariance are worth."""
    lapse_rates: Mapping[str, float]
    """By task that was seen: share of trials that the person lets pass whatever the hazards say, in
    [0, 1). Missing answers tell this, and hardly anything of response times. Read-only."""
    slip_rates: Mapping[str, float]
    """By task that was seen: share of answers that are any option, whatever was shown, in [0, 1).
    Errors beyond what networks know tell this. Read-only."""
    misfits: tuple[str, ...] = ()
    """Where the twin does not describe the trials that it has seen, a sentence each."""

    def to_json(self) -> dict[str, Any]:
        """The fields but the posterior as JSON values."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "posterior"}
        return values | {
            "lapse_rates": dict(self.lapse_rates),
            "slip_rates": dict(self.slip_rates),
            "misfits": list(self.misfits),
        }


def calibrate_latent(
    bundle: Bundle, prior: LatentDistribution, runs: Sequence[ObservedRun], *, seed: int = 0
) -> Calibration:
    """Find the latent's distribution given observed trials.

    Parameters
    ----------
    bundle : Bundle
        With a latent, and actions that are read as hazards.
    prior : LatentDistribution
        The latent before any trial was seen.
    runs : sequence of ObservedRun
        Runs, or parts of runs, in any order. A trial without an answer tells that nothing was
        pressed in its window, or that it was a lapse; one that cannot be used tells nothing. A
        whole run without an answer tells of lapses alone.
    seed : int
        Of the draws that refine the posterior.

    Raises
    ------
    UsageError
        Another kind of bundle, a task it does not know, a prior of another size, the same trials
        twice, or a negative seed.
    """
    _check(bundle, prior, runs, seed)
    whole = join_runs(runs)
    # A run without any answer was slept through, or the button box was off: no speed explains it.
    answered = TrialLikelihood.of(bundle, (run for run in whole if run.n_answered))
    n_trials = sum(run.n_observed for run in runs)
    n_answered = sum(run.n_answered for run in runs)
    found = (
        find_posterior(prior, answered, seed=seed)
        if answered.runs
        else FoundPosterior.unchanged(prior, 0.0)
    )
    likelihood = TrialLikelihood.of(bundle, whole)
    at_mean = [own[0] for own in likelihood.logits(found.posterior.mean[np.newaxis])]
    return Calibration(
        posterior=found.posterior,
        n_trials=n_trials,
        n_answered=n_answered,
        log_likelihood=found.log_likelihood,
        prior_log_likelihood=found.prior_log_likelihood,
        steps=found.steps,
        converged=found.converged,
        effective_draws=found.effective_draws,
        lapse_rates=MappingProxyType(lapse_rates(likelihood.runs, at_mean)),
        slip_rates=MappingProxyType(slip_rates(likelihood.runs, at_mean)),
    )


def _check(
    bundle: Bundle, prior: LatentDistribution, runs: Sequence[ObservedRun], seed: int
) -> None:
    manifest = bundle.manifest
    if manifest.latent_size == 0 or manifest.action_reading != "hazard":
        kind = "has no latent" if manifest.latent_size == 0 else "gives densities, not hazards"
        raise UsageError(
            f"Bundle {bundle.name!r} {kind}, so it cannot learn from trials. Take a bundle of the "
            "compact preset."
        )
    if prior.size != manifest.latent_size:
        raise UsageError(
            f"Bundle {bundle.name!r} has a latent of {manifest.latent_size} numbers, but the "
            f"prior has {prior.size}. Take the prior of a twin of this bundle."
        )
    for run in runs:
        if run.task not in manifest.tasks:
            raise UsageError(
                f"{run.events.source} is a run of {run.task!r}, but bundle {bundle.name!r} was "
                f"only trained on: {', '.join(manifest.tasks) or 'no task'}. Leave this file out."
            )
    if seed < 0:
        raise UsageError(f"A seed must be 0 or more, found {seed}.")
