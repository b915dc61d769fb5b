"""Values of people as z-scores, where not everybody has every value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def z_scores(values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return how far each value lies from the mean of the people who have it, in their SDs.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_people, n_values)
        NaN where a person has none.

    Returns
    -------
    scores : numpy.ndarray, shape (n_people, n_values)
        0, the mean, where a person has no value; and in a column whose people do not differ.
    is_told : numpy.ndarray, shape (n_people, n_values)
        Where a score says something: the person has a value, and people differ in it.
    """
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0).sum(axis=0) / count
    away = np.where(known, values - mean, 0)
    sd = np.sqrt(np.square(away).sum(axis=0) / count)
    return np.asarray(away / np.where(sd > 0, sd, 1)), known & (sd > 0)
