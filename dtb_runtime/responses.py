"""From the main network's action outputs to a response-time distribution for every trial.

The main network gives one number in [0, 1] per option and time step. A bundle's manifest says how
to read them: ``hazard`` (the chance to press in this step, given no press so far in the trial;
`read_hazards`) or ``density`` (the chance to press in this step, full stop; `read_densities`).
Both readings end in the same `TrialDistributions`, so nothing after this module knows which it was.

Steps are 80 ms and response times are wanted finer. So each step is cut to the part of it that
lies in the trial's window (`response_windows`), times count from the true onset, and inside a step
a hazard becomes a constant rate and a density a constant density.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .response_windows import ResponseWindows
from .trial_distributions import TrialDistributions
from .truncated_exponential import mean_position

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .events import Events


def read_hazards(
    actions: NDArray[np.floating], events: Events, n_options: int, dt_s: float
) -> TrialDistributions:
    """Read action outputs as discrete-time hazards.

    In a step the chance of any press, given none so far, is ``p = 1 - prod(1 - p_o)`` over the
    options; it is split among them in proportion to their odds ``p_o / (1 - p_o)``, which is the
    chance that only this one was pressed. Inside the step the press has the constant rate
    ``-log(1 - p) / dt_s``, so a step of which only a fraction f lies in the window keeps
    ``1 - (1 - p) ** f``.

    Parameters
    ----------
    actions : numpy.ndarray, shape (n_steps, n_actions)
        The main network's action outputs after the sigmoid, in [0, 1].
    events : Events
        The run's trials with their response windows.
    n_options : int
        The first `n_options` columns of `actions` are the task's options.
    dt_s : float
        Time step in seconds.

    Returns
    -------
    TrialDistributions
        ``option_probability.sum(axis=1) + p_no_response`` is 1 to 1e-12. An output of exactly 1
        is a press at the beginning of its step; options that share it share the press evenly.

    Raises
    ------
    DataError
        If `actions` is not such an array, or is shorter than the last response window.

    Examples
    --------
    Three whole steps of hazard 0.5 leave ``0.5 ** 3`` of the trials without a response.
    """
    windows = ResponseWindows.cut(actions, events, n_options, dt_s)
    p = windows.outputs
    with np.errstate(divide="ignore"):
        rates = -np.log1p(-p)
        odds = p / (1.0 - p)
    fraction = windows.fraction
    # 0 * inf: a certain press in a part of length 0 does not happen.
    hazard = np.where(fraction > 0.0, rates.sum(axis=2), 0.0) * fraction
    elapsed = np.zeros_like(hazard)
    elapsed[:, 1:] = hazard[:, :-1].cumsum(axis=1)
    mass = np.exp(-elapsed) * -np.expm1(-hazard)

    certain = p == 1.0
    weight = np.where(certain.any(axis=2, keepdims=True), certain, odds)
    total = weight.sum(axis=2, keepdims=True)
    split = np.zeros_like(weight)
    np.divide(weight, total, out=split, where=total > 0.0)
    p_no_response = np.exp(-(elapsed[:, -1] + hazard[:, -1]))
    return _distributions(windows, mass[:, :, None] * split, hazard, p_no_response)


def read_densities(
    actions: NDArray[np.floating], events: Events, n_options: int, dt_s: float
) -> TrialDistributions:
    """Read action outputs as densities: the chance that the press falls into this step.

    This is what outputs mean after the paper's unmasked loss. A step of which only a fraction
    lies in the window keeps that fraction. Where a trial's outputs sum to more than 1 they are
    divided by their sum; what they lack to 1 is the chance of no response.

    Parameters
    ----------
    actions : numpy.ndarray, shape (n_steps, n_actions)
        The main network's action outputs after the sigmoid, in [0, 1].
    events : Events
        The run's trials with their response windows.
    n_options : int
        The first `n_options` columns of `actions` are the task's options.
    dt_s : float
        Time step in seconds.

    Returns
    -------
    TrialDistributions
        ``option_probability.sum(axis=1) + p_no_response`` is 1 to 1e-12.

    Raises
    ------
    DataError
        If `actions` is not such an array, or is shorter than the last response window.
    """
    windows = ResponseWindows.cut(actions, events, n_options, dt_s)
    mass = windows.outputs * windows.fraction[:, :, None]
    mass /= np.maximum(mass.sum(axis=(1, 2)), 1.0)[:, None, None]
    p_no_response = np.maximum(1.0 - mass.sum(axis=(1, 2)), 0.0)
    return _distributions(windows, mass, np.zeros_like(windows.fraction), p_no_response)


def _distributions(
    windows: ResponseWindows,
    step_mass: NDArray[np.float64],
    step_hazard: NDArray[np.float64],
    p_no_response: NDArray[np.float64],
) -> TrialDistributions:
    length_s = windows.fraction * windows.dt_s
    mass = step_mass.sum(axis=2)
    p_response = mass.sum(axis=1)
    moment_s = (mass * (windows.start_s + mean_position(step_hazard) * length_s)).sum(axis=1)
    response_time_s = np.full_like(p_response, np.nan)
    np.divide(moment_s, p_response, out=response_time_s, where=p_response > 0.0)
    return TrialDistributions(
        option_probability=_read_only(step_mass.sum(axis=1)),
        p_no_response=_read_only(p_no_response),
        response_time_s=_read_only(response_time_s),
        step_mass=_read_only(step_mass),
        step_start_s=_read_only(windows.start_s),
        step_length_s=_read_only(length_s),
        step_hazard=_read_only(step_hazard),
        step_peak=_read_only(windows.outputs.max(axis=2)),
        dt_s=windows.dt_s,
    )


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    array.flags.writeable = False
    return array
