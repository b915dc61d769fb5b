"""The Glover hemodynamic response and its time derivative, sampled on a fine grid.

The same curves, to rounding, as ``nilearn.glm.first_level.glover_hrf`` and
``glover_time_derivative``, in numpy alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTH_S = 32.0
"""How long the sampled response lasts, in seconds."""

# Shape of the difference of two gamma densities (Glover 1999, as nilearn has it): peak and
# undershoot in seconds, dispersion of both, weight of the undershoot.
_PEAK_S = 6.0
_UNDERSHOOT_S = 12.0
_DISPERSION = 0.9
_UNDERSHOOT_RATIO = 0.48

_DERIVATIVE_SHIFT_S = 0.1


def glover_hrf(step_s: float, delay_s: float = 0.0) -> NDArray[np.float64]:
    """Sample the Glover hemodynamic response.

    Parameters
    ----------
    step_s : float
        Distance of two samples in seconds.
    delay_s : float
        Shift the response to later by this many seconds.

    Returns
    -------
    numpy.ndarray, shape (round(32 / step_s),)
        The response, scaled to sum to 1.
    """
    time_s = np.linspace(0.0, LENGTH_S, round(LENGTH_S / step_s)) - delay_s
    # nilearn starts both densities one sample late; kept, since agreement is the point here.
    elapsed = (time_s - step_s) / _DISPERSION
    response = _gamma_density(elapsed, _PEAK_S / _DISPERSION)
    response -= _UNDERSHOOT_RATIO * _gamma_density(elapsed, _UNDERSHOOT_S / _DISPERSION)
    normalized: NDArray[np.float64] = response / response.sum()
    return normalized


def glover_derivative(step_s: float) -> NDArray[np.float64]:
    """Sample the time derivative of the Glover response, as a difference over 0.1 s.

    Parameters
    ----------
    step_s : float
        Distance of two samples in seconds.

    Returns
    -------
    numpy.ndarray, shape (round(32 / step_s),)
        Change of the response per second when it comes earlier.
    """
    return (glover_hrf(step_s) - glover_hrf(step_s, _DERIVATIVE_SHIFT_S)) / _DERIVATIVE_SHIFT_S


def _gamma_density(x: NDArray[np.float64], shape: float) -> NDArray[np.float64]:
    """Gamma density of unit scale, up to the common factor that `glover_hrf` divides out."""
    positive = np.maximum(x, 0.0)
    return positive ** (shape - 1.0) * np.exp(-positive) / math.gamma(shape)
