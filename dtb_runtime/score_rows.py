"""The row of one scored person: from a twin's forecasts, or from what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .cohort_entry import CohortEntry
from .connectome import R_BY_DEFAULT, R_BY_DIAGONAL
from .covariates import SEXES
from .demographics import Sex
from .draws import indicator_intervals
from .errors import ConnectomeError, DtbError
from .indicators import Indicators
from .library_failures import may_pass
from .meant_files import names_of
from .parcellation import Parcellation
from .scored_person import ScoredPerson, Stamp
from .summary import draw_values, rounded
from .tables import is_missing, one_line, to_number
from .twin import Twin

_USUAL = ("correlations r", *(f"correlations r ({why})" for why in (R_BY_DIAGONAL, R_BY_DEFAULT)))
"""What files are taken for that say nothing else; of the last kind a note of its own tells."""

STRANGENESS = (
    "strangeness_distance",
    "strangeness_distance_percentile",
    "similarity_to_cohort",
    "similarity_percentile",
)
"""Columns that say how unusual the connectome is; see `Strangeness`."""
_OLDEST = 130.0  # years


def good_row(
    entry: CohortEntry,
    twin: Twin,
    indicators: Indicators,
    persons: Sequence[Indicators] = (),
    *,
    stamp: Stamp | None = None,
) -> ScoredPerson:
    """The row of a person who was forecast.

    Parameters
    ----------
    entry : CohortEntry
        Age and sex among its own cells make percentiles those among people like this one.
    twin : Twin
    indicators : Indicators
        Over all tasks.
    persons : sequence of Indicators
        Those of each draw; none for a single one.
    stamp : Stamp, optional
        The file when it was read.
    """
    age, sex, notes = demographics_of(entry.own)
    values = dict(indicators.values)
    not_adjusted: dict[str, None] = {}
    for name in indicators.values:
        among = draw_values(name, indicators, persons)
        found = twin.bundle.norms.indicator_percentile(
            name, among, of_mean_twin=twin.is_mean and not persons, age=age, sex=sex
        )
        if found is None:
            continue
        values[f"{name}_percentile"] = round(found.percent, 1)
        if age is not None and not found.is_adjusted:
            not_adjusted[found.compared_to] = None
    notes = (*notes, *(f"Percentiles are among {whom}." for whom in not_adjusted))
    for name, (low, high) in indicator_intervals(persons).items():
        values[f"{name}_low"], values[f"{name}_high"] = low, high
    parcellation = twin.bundle.manifest.parcellation
    if parcellation is not None:
        notes = (*notes, *atlas_notes(entry, parcellation))
    strangeness = twin.strangeness
    if strangeness is not None:
        numbers = (
            strangeness.distance,
            strangeness.distance_percentile,
            strangeness.similarity_to_cohort,
            strangeness.similarity_percentile,
        )
        values |= {
            name: number
            for name, number in zip(STRANGENESS, numbers, strict=True)
            if number is not None
        }
        if strangeness.is_outside:
            notes = (*notes, strangeness.sentence)
    if twin.facts is not None:
        values |= twin.facts.numbers
        if twin.facts.taken_for not in _USUAL:
            notes = (*notes, f"Taken for {twin.facts.taken_for}.")
    kept = {name: rounded(value) for name, value in values.items()}
    return ScoredPerson.ok(entry, kept, (*twin.notes, *notes), stamp=stamp)


def atlas_notes(entry: CohortEntry, parcellation: Parcellation) -> tuple[str, ...]:
    """What is doubtful about a file whose name says another parcellation."""
    if not entry.atlases - names_of(parcellation.name):
        return ()
    return (
        f"The file's name says {' and '.join(sorted(entry.atlases))}, the regions of the "
        f"bundle are those of {parcellation.name}.",
    )


def failed_row(entry: CohortEntry, error: Exception, stamp: Stamp | None = None) -> ScoredPerson:
    """The row of somebody of whom something is wrong.

    It keeps the stamp where what the file holds is wrong; where it may be anything else (memory, a
    permission, a package, a mistake of ours), whoever starts again tries again.
    """
    is_the_file = isinstance(error, ConnectomeError) and not may_pass(error)
    return ScoredPerson.failed(entry, reason(error), stamp=stamp if is_the_file else None)


def reason(error: Exception) -> str:
    """Why somebody could not be scored, as one line."""
    if isinstance(error, DtbError):
        return one_line(str(error))
    if isinstance(error, MemoryError):
        return "There was not enough memory. Score with fewer --jobs."
    return (
        f"Unexpected {type(error).__name__}: {one_line(str(error))[:200]}. This is a mistake of "
        "dtb-runtime; please report it."
    )


def demographics_of(own: Mapping[str, str]) -> tuple[float | None, Sex | None, tuple[str, ...]]:
    """Age and sex where a table gives both, and what is wrong with them."""
    cells = {name.lower(): cell for name, cell in own.items()}
    age_cell, sex_cell = cells.get("age", ""), cells.get("sex", "")
    unknown = [name for name in ("age", "sex") if is_missing(cells.get(name, ""))]
    if len(unknown) == 2:
        return None, None, ()
    if unknown:
        return None, None, (f"Percentiles are among everybody: {unknown[0]} is not known.",)
    sex = SEXES.get(sex_cell.lower())
    try:
        age: float | None = to_number(age_cell)
    except ValueError:
        age = None
    wrong = []
    if age is None or not 0 <= age <= _OLDEST:
        wrong.append(f"age {one_line(age_cell)!r} is no number of years")
    if sex is None:
        wrong.append(f"sex {one_line(sex_cell)!r} is not female or male")
    if wrong:
        return None, None, (f"Percentiles are among everybody: {' and '.join(wrong)}.",)
    return age, sex, ()
