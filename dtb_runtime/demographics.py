"""What age and sex say about an indicator: where a person stands among people like them.

An indicator's expectation is linear in age, age squared and sex; the percentile is that of the
rest. So a person of 60 is not called slow for being slower than a cohort of students.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError

Sex = Literal["female", "male"]
"""What the norms know; of anybody else the percentile is that of the whole cohort."""

COHORT: Final = "the twins of the training cohort"
"""What a percentile is compared with unless age and sex are given and known."""
OLDEST: Final = 130.0
"""Most years that are taken for an age."""
SAME_AGE_AND_SEX: Final = "the twins of people of the same age and sex in the training cohort"


@dataclass(frozen=True, slots=True)
class Percentile:
    """Where one value of an indicator stands, and among whom."""

    percent: float
    """Percent of those compared with that have a lower value, in [0, 100]."""
    compared_to: str
    """Who they are: the training cohort, or those of the same age and sex; with the reason where
    age and sex were given and could not be used."""

    @property
    def is_adjusted(self) -> bool:
        """Whether age and sex are taken into account."""
        return self.compared_to == SAME_AGE_AND_SEX


@dataclass(frozen=True, slots=True, eq=False)
class Demographics:
    """How the cohort's indicators depend on age and sex. Arrays are read-only."""

    coefficients: Mapping[str, NDArray[np.float64]]
    """Indicator name to intercept, slope of age, slope of squared age (both in years from
    `age_center`) and what is added for a man. Shape (4,)."""
    residual_quantiles: Mapping[str, NDArray[np.float64]]
    """Indicator name to the percentiles 0 to 100 of what age and sex leave over. Shape (101,)."""
    age_center: float
    """Years."""
    age_range: tuple[float, float]
    """Youngest and oldest of the cohort, in years."""

    def expected(self, name: str, age: float, sex: Sex) -> float:
        """Mean of an indicator among people of this age and sex.

        Parameters
        ----------
        name : str
            One of the keys of `coefficients`.
        age : float
            Years, inside `age_range`.
        sex : {"female", "male"}
        """
        return float(
            demographic_terms(age - self.age_center, sex == "male") @ self.coefficients[name]
        )

    def percent(self, name: str, value: float, age: float, sex: Sex) -> float:
        """Percent of people of this age and sex with a lower value, in [0, 100]."""
        rest = value - self.expected(name, age, sex)
        return percent_between(rest, self.residual_quantiles[name])

    def why_not(self, age: float) -> str | None:
        """Say why people of this age cannot be compared; None if they can."""
        lowest, highest = self.age_range
        if lowest <= age <= highest:
            return None
        return f"age {age:g} is outside its {lowest:g} to {highest:g} years"


def demographic_terms(
    years: NDArray[np.float64] | float, is_male: NDArray[np.bool_] | bool
) -> NDArray[np.float64]:
    """Columns that an indicator is linear in: 1, years, squared years, is male.

    Parameters
    ----------
    years : float or numpy.ndarray, shape (people,)
        Age in years from the cohort's center.
    is_male : bool or numpy.ndarray, shape (people,)

    Returns
    -------
    numpy.ndarray, shape (4,) or (people, 4)
    """
    x = np.asarray(years, dtype=np.float64)
    return np.stack([np.ones_like(x), x, x * x, np.asarray(is_male, dtype=np.float64)], axis=-1)


def percent_between(value: float, quantiles: NDArray[np.float64]) -> float:
    """Percent, in [0, 100], at which `value` lies among evenly spaced ascending quantiles."""
    return float(np.interp(value, quantiles, np.linspace(0.0, 100.0, len(quantiles))))


def check_person(age: float | None, sex: str | None) -> None:
    """Refuse what is no age in years or no sex that the norms know; None passes.

    Raises
    ------
    UsageError
        An age that is not a number from 0 to 130, or another sex than ``female`` and ``male``.
    """
    if age is not None and not 0.0 <= age <= OLDEST:
        raise UsageError(f"An age must be a number of years from 0 to {OLDEST:g}, found {age}.")
    if sex is not None and sex not in get_args(Sex):
        raise UsageError(
            f"The norms know the sexes {' and '.join(get_args(Sex))}, found {sex!r}. Leave it out "
            "to compare with the whole cohort."
        )
