"""The response-time distribution of a simple rule: log-normal around its forecast.

A rule forecasts a mean. So that log likelihood and intervals can stand beside a twin's, it also
gets a spread: the SD of log response times, the person's own or the group's, whichever the rule
takes its mean from. Response times are positive and skewed to the right, and so is this law.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from .judged_trials import RT_QUANTILES

Values = NDArray[np.float64]


def log_normal_columns(
    mean_s: Values, log_sd: Values, response_time_s: Values
) -> dict[str, Values]:
    """Return the predicted columns of response times under a log-normal law.

    Parameters
    ----------
    mean_s : numpy.ndarray, shape (n_rows,)
        Mean response time, in seconds.
    log_sd : numpy.ndarray, shape (n_rows,)
        SD of the log response time. Where it is NaN or 0, only the mean is forecast.
    response_time_s : numpy.ndarray, shape (n_rows,)
        What was measured; NaN where nobody pressed.

    Returns
    -------
    dict of str to numpy.ndarray, shape (n_rows,)
        ``rt_s``, the quantiles, ``rt_log_density``. The law's mean is exactly `mean_s`.

    Examples
    --------
    >>> columns = log_normal_columns(np.array([0.8]), np.array([0.25]), np.array([0.7]))
    >>> round(float(columns["rt_q95"][0]), 3)
    1.17
    """
    spread = np.where(log_sd > 0, log_sd, np.nan)
    center = np.log(mean_s) - spread**2 / 2
    quantiles = {
        name: np.exp(center + NormalDist().inv_cdf(q) * spread) for name, q in RT_QUANTILES.items()
    }
    z = (np.log(response_time_s) - center) / spread
    log_density = -np.log(response_time_s * spread * np.sqrt(2 * np.pi)) - z**2 / 2
    return {"rt_s": mean_s, **quantiles, "rt_log_density": log_density}
