"""Shares and spreads as the page of interventions writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Figures = Mapping[str, Any]
"""What one section found: JSON values."""


def percent(share: float) -> str:
    """Return a share in percent, with a digit where it is not whole."""
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def quantiles(values: ArrayLike, at: Sequence[float], digits: int = 2) -> str:
    """Return quantiles of numbers, one after the other."""
    return ", ".join(f"{value:.{digits}f}" for value in np.quantile(np.asarray(values), at))


def middle(values: ArrayLike, digits: int = 2) -> str:
    """Return the median with quartiles."""
    low, median, high = np.quantile(np.asarray(values), (0.25, 0.5, 0.75))
    return f"{median:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def spread(values: ArrayLike, digits: int = 2) -> str:
    """Return the median with the 5th and 95th percentile."""
    low, median, high = np.quantile(np.asarray(values), (0.05, 0.5, 0.95))
    return f"{median:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
