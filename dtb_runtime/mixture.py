"""One distribution out of several: what is expected of a person who is not known exactly.

Each draw of a person's latent gives response-time distributions of its own. What is expected of
the person is their mixture: it is as wide as the trials' own noise and what is not known of the
person together. The person of mean latent is narrower, and as a rule faster.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import UsageError
from .trial_distributions import TrialDistributions

_SHAPE_FIELDS = ("step_start_s", "step_length_s")


def mix(
    distributions: Sequence[TrialDistributions], weights: ArrayLike | None = None
) -> TrialDistributions:
    """Mix the response-time distributions of one run.

    Chances are averaged: of each option, of no response, of a press in each step. Between steps
    the mixture is therefore exact, and so are its means. Inside a step, a mixture of constant rates
    is not constant; it gets the rate that leaves as many without a press at the step's end.

    Parameters
    ----------
    distributions : sequence of TrialDistributions
        All of the same run, at least one.
    weights : array-like, shape (n,), optional
        How much each counts, 0 or more; equal by default.

    Returns
    -------
    TrialDistributions
        ``step_peak`` is the mean of theirs.

    Raises
    ------
    UsageError
        There is none, they are of different runs, or the weights are not such numbers.
    """
    shares = _shares(weights, len(distributions))
    parts = [(share, each) for share, each in zip(shares, distributions, strict=True) if share > 0]
    first = parts[0][1]
    for _, each in parts:
        _check_same_run(first, each)
    option_probability = sum(share * each.option_probability for share, each in parts)
    moment_s = np.zeros(first.n_trials)
    p_response = np.zeros(first.n_trials)
    for share, each in parts:
        responds = share * each.option_probability.sum(axis=1)
        p_response += responds
        moment_s += np.where(responds > 0.0, responds * each.response_time_s, 0.0)
    response_time_s = np.full(first.n_trials, np.nan)
    np.divide(moment_s, p_response, out=response_time_s, where=p_response > 0.0)
    return TrialDistributions(
        option_probability=_read_only(option_probability),
        p_no_response=_read_only(sum(share * each.p_no_response for share, each in parts)),
        response_time_s=_read_only(response_time_s),
        step_mass=_read_only(sum(share * each.step_mass for share, each in parts)),
        step_start_s=first.step_start_s,
        step_length_s=first.step_length_s,
        step_hazard=_hazard(parts),
        step_peak=_read_only(sum(share * each.step_peak for share, each in parts)),
        dt_s=first.dt_s,
    )


def _hazard(parts: Sequence[tuple[float, TrialDistributions]]) -> NDArray[np.float64]:
    """Hazard of each step: how the log of the mixture's survival falls over it.

    Where no part has a hazard, as under the density reading, the mixture has none either.
    """
    until = [each.step_hazard.cumsum(axis=1) for _, each in parts]
    shares = [share for share, _ in parts]
    after = _log_survival(shares, until)
    before = np.zeros_like(after)
    before[:, 1:] = after[:, :-1]
    # Nobody is left before the step: what its hazard is does not matter, and inf - inf is NaN.
    left = before > -np.inf
    hazard = np.where(left, before, 0.0) - np.where(left, after, 0.0)
    return _read_only(np.maximum(hazard, 0.0))  # rounding


def _log_survival(
    shares: Sequence[float], until: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Log of ``sum(share * exp(-hazard))``, exact where every term underflows."""
    least = np.minimum.reduce(until)
    shift = np.where(np.isfinite(least), least, 0.0)
    total = sum(share * np.exp(shift - own) for share, own in zip(shares, until, strict=True))
    with np.errstate(divide="ignore"):
        log_survival: NDArray[np.float64] = np.log(total) - shift
    return log_survival


def _shares(weights: ArrayLike | None, n: int) -> list[float]:
    """Weights that sum to 1."""
    if n == 0:
        raise UsageError("There are no distributions to mix; give at least one.")
    given = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (n,):
        raise UsageError(f"There are {n} distributions but weights of shape {given.shape}.")
    total = float(given.sum())
    if not ((given >= 0.0).all() and 0.0 < total < np.inf):  # false for NaN
        raise UsageError(
            f"Weights must be 0 or more, finite and not all 0, found {given.tolist()}."
        )
    return [float(share) for share in given / total]


def _check_same_run(first: TrialDistributions, other: TrialDistributions) -> None:
    if (
        other.dt_s != first.dt_s
        or other.step_mass.shape != first.step_mass.shape
        or any(
            not np.array_equal(getattr(other, name), getattr(first, name)) for name in _SHAPE_FIELDS
        )
    ):
        raise UsageError(
            "Distributions of different runs cannot be mixed: their trials or response windows "
            "differ. Read all of them with the same events."
        )


def _read_only(array: NDArray[np.float64] | int) -> NDArray[np.float64]:
    own = np.asarray(array, dtype=np.float64)
    own.setflags(write=False)
    return own
