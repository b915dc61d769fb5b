"""What age and sex explain of a cohort's indicators, as arrays of a bundle's ``norms.npz``.

`dtb_runtime.demographics` says what the arrays mean and reads a person's percentile from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.demographics import demographic_terms
from dtb_runtime.errors import CohortError
from dtb_runtime.norms import N_QUANTILES

MIN_PEOPLE = 40
"""Fewer than ten people for each of the four coefficients give no norms: they would say more
about these people than about their age and sex."""
MIN_OF_EACH_SEX = 10
"""With fewer of one sex, what is said of it would rest on a handful of people."""

_IS_MALE = {"m": True, "male": True, "f": False, "female": False}


def demographic_norms(
    indicators: Mapping[str, NDArray[np.floating]],
    ages: Sequence[float] | NDArray[np.floating],
    sexes: Sequence[str],
) -> dict[str, NDArray[Any]]:
    """Return the demographic arrays of ``norms.npz``.

    Ordinary least squares of each indicator on age, age squared (in years from the mean age) and
    sex, and the percentiles of what they leave over.

    Parameters
    ----------
    indicators : mapping of str to ndarray, shape (people,)
        Values by indicator name, the people in one order.
    ages : sequence of float, shape (people,)
        Years; NaN where unknown.
    sexes : sequence of str, shape (people,)
        ``M``, ``male``, ``F`` or ``female``, in upper or lower case; anything else counts as
        unknown.

    Returns
    -------
    dict
        ``demographic_names`` (n,), ``demographic_coefficients`` (n, 4),
        ``demographic_quantiles`` (n, 101), ``demographic_ages`` (3,): center, lowest, highest.
        People of unknown age or sex are left out, and so is an indicator that is not finite for
        all others. Empty where too few people or too few of one sex are left, or no indicator.

    Raises
    ------
    CohortError
        Ages, sexes and indicators are of different numbers of people.
    """
    age = np.asarray(ages, dtype=np.float64)
    coded = [_IS_MALE.get(sex.strip().lower()) for sex in sexes]
    lengths = {len(age), len(coded), *(len(values) for values in indicators.values())}
    if len(lengths) > 1:
        raise CohortError(
            "Indicators, ages and sexes must be of the same people, found "
            f"{', '.join(str(length) for length in sorted(lengths))} of them."
        )
    known = np.isfinite(age) & np.array([code is not None for code in coded], dtype=np.bool_)
    is_male = np.array([code is True for code in coded], dtype=np.bool_)[known]
    age = age[known]
    values = {
        name: np.asarray(column, dtype=np.float64)[known] for name, column in indicators.items()
    }
    values = {name: column for name, column in values.items() if np.isfinite(column).all()}
    n_of_one_sex = min(int(is_male.sum()), int((~is_male).sum()))
    if len(age) < MIN_PEOPLE or n_of_one_sex < MIN_OF_EACH_SEX or not values:
        return {}
    center = age.mean()
    terms = demographic_terms(age - center, is_male)
    targets = np.stack(list(values.values()), axis=1)  # (people, indicators)
    coefficients, _, _, _ = np.linalg.lstsq(terms, targets, rcond=None)
    levels = np.linspace(0.0, 1.0, N_QUANTILES)
    rest = targets - terms @ coefficients
    return {
        "demographic_names": np.array(list(values), dtype=np.str_),
        "demographic_coefficients": coefficients.T,
        "demographic_quantiles": np.quantile(rest, levels, axis=0).T,
        "demographic_ages": np.array([center, age.min(), age.max()]),
    }
