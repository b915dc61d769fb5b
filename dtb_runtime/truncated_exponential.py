"""Where inside a time step a press falls: an exponential law, cut off at the step's end.

Places are counted in steps: 0 is a step's beginning, 1 its end. A hazard is accumulated over the
step, in [0, inf]. At 0 every place is as likely as any other; at infinity the press falls on the
step's beginning.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mean_position(hazard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean place, in [0, 0.5], of a press inside a step of this hazard and length 1."""
    # 1/h - 1/(exp(h) - 1) cancels near 0. At the switch the series is good to 3e-15 and the
    # formula loses two digits.
    small = hazard < 0.01
    h = np.where(small, 1.0, hazard)
    with np.errstate(over="ignore"):
        exact = 1.0 / h - 1.0 / np.expm1(h)
    s = np.where(small, hazard, 0.0)
    return np.where(small, 0.5 - s / 12.0 + s**3 / 720.0, exact)


def position_of(share: NDArray[np.float64], hazard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place in [0, 1] inside a step before which this share of the step's presses falls."""
    bent = (hazard > 0.0) & np.isfinite(hazard)
    h = np.where(bent, hazard, 1.0)
    position = -np.log1p(np.where(bent, share, 0.0) * np.expm1(-h)) / h
    return np.where(bent, np.minimum(position, 1.0), np.where(hazard > 0.0, 0.0, share))


def share_before(position: NDArray[np.float64], hazard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a step's presses before this place in [0, 1]; the inverse of `position_of`."""
    bent = (hazard > 0.0) & np.isfinite(hazard)
    h = np.where(bent, hazard, 1.0)
    return np.where(bent, np.expm1(-h * position) / np.expm1(-h), position)


def log_density_at(
    position: NDArray[np.float64], hazard: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log density, at this place in [0, 1], of a press inside a step of length 1."""
    bent = (hazard > 0.0) & np.isfinite(hazard)
    h = np.where(bent, hazard, 1.0)
    return np.where(bent, np.log(h) - h * position - np.log(-np.expm1(-h)), 0.0)
