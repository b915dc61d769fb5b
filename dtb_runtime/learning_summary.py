"""What its person's trials taught a twin, as JSON values: before and after, and what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .forecast import Forecast
from .seen_trials import seen_trials
from .summary import summary
from .twin import Twin

_OF_BEFORE = ("calibration", "indicators", "indicator_intervals")


def learning_summary(
    before: Twin, after: Twin, earlier: Sequence[Forecast], *, threads: int = 1
) -> dict[str, Any]:
    """Sum up what calibration changed.

    Parameters
    ----------
    before, after : Twin
        One person's.
    earlier : sequence of Forecast
        Of `before`, at most one per task.
    threads : int
        To forecast the trials seen with.

    Returns
    -------
    dict
        ``before`` (keys ``calibration``, ``indicators`` and ``indicator_intervals`` of `summary`),
        ``learned`` (how much doubt is left and how well the trials are described; None if there
        never was a trial), ``seen`` (a list of `SeenTrials`).

    Raises
    ------
    UsageError
        A forecast is not one of `before`, there is none, or two are of one task.
    """
    first = summary(before, earlier)
    return {
        "before": {name: first[name] for name in _OF_BEFORE},
        "learned": _learned(before, after),
        "seen": [each.to_json() for each in seen_trials(after, threads=threads)],
    }


def _learned(before: Twin, after: Twin) -> dict[str, Any] | None:
    calibration, prior, posterior = after.calibration, before.posterior, after.posterior
    if calibration is None or calibration.n_trials == 0 or prior is None or posterior is None:
        return None
    # Volumes of the two distributions, as a mean over the numbers of the latent.
    log_volume = [np.log(np.diag(own.root)).sum() for own in (prior, posterior)]
    return {
        "answered": calibration.n_answered,
        "spread_left": round(float(np.exp((log_volume[1] - log_volume[0]) / prior.size)), 4),
        "log_likelihood": round(calibration.log_likelihood, 3),
        "prior_log_likelihood": round(calibration.prior_log_likelihood, 3),
        "steps": calibration.steps,
        "converged": calibration.converged,
        "effective_draws": round(calibration.effective_draws, 1),
        "lapse_rates": {task: round(rate, 4) for task, rate in calibration.lapse_rates.items()},
        "slip_rates": {task: round(rate, 4) for task, rate in calibration.slip_rates.items()},
    }
