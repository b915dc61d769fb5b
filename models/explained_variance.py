"""Linear regressions from people to other people, and how much they explain."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtb_runtime.errors import DataError, UsageError

Floats = NDArray[np.float64]


def regress(
    predictors_train: ArrayLike, values_train: ArrayLike, predictors_new: ArrayLike
) -> Floats:
    """Fit values by least squares on predictors and a constant, and apply it to new people.

    Parameters
    ----------
    predictors_train, predictors_new : array_like, shape (n_people, n_predictors)
    values_train : array_like, shape (n_people,)
        People with NaN are left out.

    Raises
    ------
    DataError
        If no more people are left than there are coefficients.
    """
    x, values = np.asarray(predictors_train, np.float64), np.asarray(values_train, np.float64)
    new = np.asarray(predictors_new, np.float64)
    known = np.isfinite(values)
    if known.sum() <= x.shape[1] + 1:
        raise DataError(
            f"A regression on {x.shape[1]} predictors and a constant needs more than "
            f"{x.shape[1] + 1} people with values, found {int(known.sum())}."
        )
    mean = x[known].mean(axis=0)
    center = values[known].mean()
    slopes = np.linalg.lstsq(x[known] - mean, values[known] - center, rcond=None)[0]
    return np.asarray(center + (new - mean) @ slopes)


def correlation(predicted: Floats, observed: Floats) -> float:
    """Correlation over the people of whom both are known; NaN where one is constant."""
    both = np.isfinite(predicted) & np.isfinite(observed)
    x, y = predicted[both], observed[both]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def explained_by(
    latents: ArrayLike, values: Mapping[str, ArrayLike], *, n_folds: int = 10, seed: int = 0
) -> dict[str, float]:
    """Return how much of each value a linear regression on the latents explains.

    Cross-validated, so latents that explain nothing give 0 or a little less, however many they are.

    Parameters
    ----------
    latents : array_like, shape (n_people, n_latents)
    values : mapping of str to array_like, shape (n_people,)
        Planted traits, factors, scales; a person with NaN is left out of that value.
    n_folds : int
    seed : int
        Decides who is in which fold.

    Returns
    -------
    dict of str to float
        R2 of each value: 1 minus squared errors over squared departures from the mean; NaN for one
        that is constant.

    Raises
    ------
    UsageError
        If there are fewer than two folds or fewer people than folds.
    DataError
        If a value is of other people, or of too few for a regression.
    """
    z = np.asarray(latents, np.float64)
    if not 2 <= n_folds <= len(z):
        raise UsageError(
            f"Cross-validation needs 2 to {len(z)} folds for {len(z)} people, found {n_folds}."
        )
    order = np.random.default_rng(seed).permutation(len(z))
    table = {}
    for name, given in values.items():
        column = np.asarray(given, np.float64)
        if column.shape != (len(z),):
            raise DataError(
                f"{name} must have one value for each of the {len(z)} people with latents, found "
                f"shape {column.shape}."
            )
        expected = np.full(len(z), np.nan)
        for part in np.array_split(order, n_folds):
            rest = np.setdiff1d(order, part)
            expected[part] = regress(z[rest], column[rest], z[part])
        known = np.isfinite(column)
        total = np.square(column[known] - column[known].mean()).sum()
        errors = np.square(column[known] - expected[known]).sum()
        table[name] = float(1 - errors / total) if total > 0 else float("nan")
    return table
