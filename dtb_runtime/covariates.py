"""What a cohort's table says of a person, as numbers: age, sex and other columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from .demographics import OLDEST, Sex
from .errors import CohortError, UsageError
from .tables import is_missing, one_line, to_number

CovariateKind = Literal["number", "sex"]
NONE = "none"
"""What is given in place of names where there are no covariates."""
SEXES: Mapping[str, Sex] = MappingProxyType(
    {"f": "female", "female": "female", "m": "male", "male": "male"}
)
"""How the cells of a table say sex, in lower case."""
_SEX_VALUES: Mapping[Sex, float] = MappingProxyType({"female": 0.0, "male": 1.0})


@dataclass(frozen=True, slots=True)
class Covariate:
    """One column whose effect is known, and the people that it is known from."""

    name: str
    """Of the column, in lower case."""
    kind: CovariateKind
    """``sex`` is written as words (female 0, male 1)."""
    lowest: float
    """Of the reference people, in the column's unit."""
    highest: float
    center: float
    """Mean of the reference people."""
    scale: float
    """SD of the reference people, above 0."""

    def standardized(self, value: float) -> float:
        """A value in SDs of the reference people, from their mean.

        Rounded to float32, as the library takes covariates that the effects were fitted with.
        """
        return float(np.float32((value - self.center) / self.scale))

    def doubt(self, value: float) -> str | None:
        """Say that a value is outside the reference people's; None where it is not."""
        if self.lowest <= value <= self.highest:
            return None
        return (
            f"{self.name} {value:g} is outside the reference people's {self.lowest:g} to "
            f"{self.highest:g}; its effect was continued in a straight line."
        )


def covariate_kind(name: str) -> CovariateKind:
    """How the cells of a column are written, by its name."""
    return "sex" if name.lower() == "sex" else "number"


def covariate_names(text: str) -> tuple[str, ...]:
    """The names in a list such as ``age,sex``, in lower case; none for ``none``.

    Raises
    ------
    UsageError
        A name is empty, or stands twice.
    """
    if text.strip().lower() == NONE:
        return ()
    names = tuple(name.strip().lower() for name in text.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise UsageError(
            f"Covariates must be different names of columns with commas between them, or {NONE}, "
            f"found {one_line(text)!r}."
        )
    return names


def cell_of(own: Mapping[str, str], name: str) -> str | None:
    """The cell of a column, whose name is found in any case; None where it is empty or missing."""
    cell = own.get(name)
    if cell is None:
        cell = next((cell for column, cell in own.items() if column.lower() == name.lower()), "")
    return None if is_missing(cell) else cell


def covariate_value(own: Mapping[str, str], name: str) -> float:
    """A person's value of a covariate.

    Parameters
    ----------
    own : mapping of str to str
        `CohortEntry.own`.
    name : str

    Raises
    ------
    CohortError
        There is none, or it is no number (``age``: no years from 0 to 130; ``sex``: neither female
        nor male).
    """
    cell = cell_of(own, name)
    if cell is None:
        raise CohortError(
            f"{name} is not known. Fill in the column {name!r} of the cohort's table."
        )
    if covariate_kind(name) == "sex":
        sex = SEXES.get(cell.lower())
        if sex is None:
            raise CohortError(
                f"{name} is {one_line(cell)!r}, expected female or male (or F, M), which are the "
                "ones that a site's effect is fitted beside. Correct it, or fit without sex."
            )
        return _SEX_VALUES[sex]
    try:
        number = to_number(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise CohortError(
            f"{name} is {one_line(cell)!r}, expected a number. Correct it in the cohort's table."
        )
    if name.lower() == "age" and not 0.0 <= number <= OLDEST:
        raise CohortError(
            f"{name} is {one_line(cell)!r}, expected years from 0 to {OLDEST:g}. Correct it in the "
            "cohort's table, or leave it empty."
        )
    return number
