"""One row for each person: many connectomes scored with one bundle.

The fast path runs the networks of several people in one call, at the mean of what is known of each
latent. A person's numbers do not depend on who else is in the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .cohort_entry import CohortEntry, entries_of
from .connectome import Connectome, read_connectome
from .demographics import Sex
from .draws import Outputs, indicator_intervals, read_draw
from .errors import DtbError, UsageError
from .indicators import Indicators, combine_indicators
from .inference import PEOPLE_PER_CALL
from .outputs import write_forecasts
from .prepared_run import prepare_run
from .scored_person import ScoredPerson, Stamp, file_stamp
from .summary import rounded
from .tables import is_missing, one_line, to_number
from .tasks import get_task
from .twin import Twin

if TYPE_CHECKING:
    from .bundle import Bundle

Intervals: TypeAlias = Mapping[str, tuple[float, float]]

STRANGENESS = (
    "strangeness_distance",
    "strangeness_distance_percentile",
    "similarity_to_cohort",
    "similarity_percentile",
)
"""Columns that say how unusual the connectome is; see `Strangeness`."""
_SEXES: Mapping[str, Sex] = {"f": "female", "female": "female", "m": "male", "male": "male"}
_OLDEST = 130.0  # years


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """What changes the numbers of a row."""

    draws: int = 1
    """Draws of the latent to average over. 1 is the mean of what is known, the quickest; `predict`
    averages over 32 and knows intervals."""
    fisher_z: bool = False
    """The files hold Fisher z instead of correlations."""
    timeseries: bool = False
    """The files hold time series."""
    files: str | None = None
    """Folder for each person's own files, as `predict` writes them; None writes none."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; of the folder only whether there is one."""
        return asdict(self) | {"files": self.files is not None}


class CohortScorer:
    """Scores people with one bundle.

    Parameters
    ----------
    bundle : Bundle
    settings : ScoreSettings

    Raises
    ------
    UsageError
        Less than one draw, or several with a bundle that has no distribution of latents.
    """

    def __init__(self, bundle: Bundle, settings: ScoreSettings) -> None:
        if settings.draws < 1:
            raise UsageError(f"draws must be at least 1, found {settings.draws}.")
        if settings.draws > 1 and bundle.norms.prior is None:
            raise UsageError(
                f"Bundle {bundle.name!r} does not say how sure it is of a latent, so there is "
                "nothing to draw. Score with one draw."
            )
        self.bundle = bundle
        self.settings = settings
        self._runs = [prepare_run(get_task(name), None) for name in bundle.manifest.tasks]

    @property
    def people_at_once(self) -> int:
        """How many people to score in one call."""
        return max(PEOPLE_PER_CALL, self.bundle.people_per_call)

    def columns(self) -> tuple[str, ...]:
        """Columns of numbers that a row can have, in their order.

        They are those of the mean person: one whom an indicator cannot be computed for lacks it.
        """
        edges = np.zeros((1, self.bundle.manifest.n_edges), np.float32)
        (twin,) = self.bundle.personalize_edges(edges)
        indicators = self._indicators([twin])[0]
        names = list(indicators.values)
        normed = [name for name in names if name in self.bundle.norms.indicator_quantiles]
        columns = [*names, *(f"{name}_percentile" for name in normed)]
        if self.settings.draws > 1:
            columns += [f"{name}_{end}" for name in names for end in ("low", "high")]
        return (*columns, *(STRANGENESS if twin.strangeness is not None else ()))

    def score(self, entries: Sequence[CohortEntry]) -> list[ScoredPerson]:
        """Score several people; whoever cannot be scored gets a row that says why.

        Parameters
        ----------
        entries : sequence of CohortEntry

        Returns
        -------
        list of ScoredPerson
            One each, in their order.
        """
        # Before they are read: a file that changes meanwhile is then known to have changed.
        stamps = [None if entry.path is None else file_stamp(entry.path) for entry in entries]
        connectomes: dict[int, Connectome] = {}
        rows: dict[int, ScoredPerson] = {}
        for i, entry in enumerate(entries):
            try:
                connectomes[i] = self._connectome(entry)
            except Exception as error:  # one bad person costs one row, whatever it is
                rows[i] = _failed(entry, error, stamps[i])
        twins: dict[int, Twin] = {}
        for i, made in zip(connectomes, self._twins(entries, connectomes), strict=True):
            if isinstance(made, Exception):
                rows[i] = _failed(entries[i], made, stamps[i])
            else:
                twins[i] = made
        several = self._several([(entries[i], twin) for i, twin in twins.items()])
        for i, found in zip(twins, several, strict=True):
            entry, twin = entries[i], twins[i]
            try:
                if isinstance(found, Exception):
                    raise found
                rows[i] = replace(self._row(entry, twin, *found), stamp=stamps[i])
            except Exception as error:
                rows[i] = _failed(entry, error, stamps[i])
        return [rows[i] for i in range(len(entries))]

    def _connectome(self, entry: CohortEntry) -> Connectome:
        if entry.problem is not None or entry.path is None:
            raise UsageError(entry.problem or "There is no file.")
        return read_connectome(
            entry.path, fisher_z=self.settings.fisher_z, timeseries=self.settings.timeseries
        )

    def _twins(
        self, entries: Sequence[CohortEntry], connectomes: Mapping[int, Connectome]
    ) -> list[Twin | Exception]:
        """The twin of each, or why there is none."""
        ids = [entries[i].participant_id for i in connectomes]
        given = list(connectomes.values())
        try:
            return [*self.bundle.personalize_several(given, participant_ids=ids)]
        except Exception:
            pass  # one of them; who, shows below
        made: list[Twin | Exception] = []
        for connectome, participant_id in zip(given, ids, strict=True):
            try:
                made.append(self.bundle.personalize(connectome, participant_id=participant_id))
            except Exception as error:
                made.append(error)
        return made

    def _several(
        self, people: Sequence[tuple[CohortEntry, Twin]]
    ) -> list[tuple[Indicators, Intervals] | Exception]:
        """Indicators and their intervals of each, or why there are none."""
        if self.settings.draws == 1 and self.settings.files is None:
            try:
                return [(found, {}) for found in self._indicators([twin for _, twin in people])]
            except DtbError:
                pass  # one of them; who, shows below
        found: list[tuple[Indicators, Intervals] | Exception] = []
        for entry, twin in people:
            try:
                found.append(self._forecast(entry, twin))
            except Exception as error:
                found.append(error)
        return found

    def _indicators(self, twins: Sequence[Twin]) -> list[Indicators]:
        """Indicators at the mean latent of each, several people in one call."""
        reports: list[list[Indicators]] = [[] for _ in twins]
        at_once = self.bundle.people_per_call
        for first in range(0, len(twins), at_once):
            some = slice(first, first + at_once)
            for run, outputs in zip(self._runs, self._outputs(twins[some]), strict=True):
                for own, actions, bold in zip(reports[some], *outputs, strict=True):
                    draw = read_draw(self.bundle, run, actions, bold, with_map=False)
                    own.append(draw.indicators)
        return [combine_indicators(own) for own in reports]

    def _outputs(self, twins: Sequence[Twin]) -> Iterator[Outputs]:
        """What the networks give for everybody, run after run."""
        inputs = [run.network_input for run in self._runs]
        if len(twins) == 1:
            for actions, bold in self.bundle.run_several(twins[0].weights, inputs):
                yield actions[np.newaxis], bold[np.newaxis]
            return
        weights = np.stack([twin.weights for twin in twins])
        for network_input in inputs:
            yield self.bundle.run_main(weights, network_input)[:2]

    def _forecast(self, entry: CohortEntry, twin: Twin) -> tuple[Indicators, Intervals]:
        """Indicators and intervals of forecasts, which are written where this is asked for."""
        draws, folder = self.settings.draws, self.settings.files
        forecasts = twin.forecast_tasks(draws=draws)
        if folder is not None:
            own = Path(folder, entry.participant_id, *filter(None, [entry.session]))
            write_forecasts(own, twin, forecasts, force=True)
        report = combine_indicators(forecast.indicator_report for forecast in forecasts)
        persons = zip(*(forecast.draw_indicators for forecast in forecasts), strict=True)
        return report, indicator_intervals([combine_indicators(person) for person in persons])

    def _row(
        self,
        entry: CohortEntry,
        twin: Twin,
        indicators: Indicators,
        intervals: Intervals,
    ) -> ScoredPerson:
        age, sex, notes = _demographics(entry.own)
        values = dict(indicators.values)
        for name, value in indicators.values.items():
            found = self.bundle.norms.indicator_percentile(name, value, age=age, sex=sex)
            if found is not None:
                values[f"{name}_percentile"] = round(found.percent, 1)
        for name, (low, high) in intervals.items():
            values[f"{name}_low"], values[f"{name}_high"] = low, high
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
        kept = {name: rounded(value) for name, value in values.items()}
        return ScoredPerson.ok(entry, kept, (*twin.notes, *notes))


def score_people(
    bundle: Bundle,
    people: Iterable[CohortEntry | str | Path],
    settings: ScoreSettings | None = None,
) -> Iterator[ScoredPerson]:
    """Score people as they come; see `Bundle.score`."""
    scorer = CohortScorer(bundle, settings or ScoreSettings())
    entries = iter(entries_of(people))  # now, not with the first result: both may refuse
    batches = iter(lambda: list(islice(entries, scorer.people_at_once)), [])
    return chain.from_iterable(map(scorer.score, batches))


def _failed(entry: CohortEntry, error: Exception, stamp: Stamp | None) -> ScoredPerson:
    """The row of somebody of whom something is wrong: where it is not the file, try it again."""
    is_the_file = isinstance(error, DtbError)
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


def _demographics(own: Mapping[str, str]) -> tuple[float | None, Sex | None, tuple[str, ...]]:
    """Age and sex where a table gives both, and what is wrong with them."""
    cells = {name.lower(): cell for name, cell in own.items()}
    age_cell, sex_cell = cells.get("age", ""), cells.get("sex", "")
    if is_missing(age_cell) or is_missing(sex_cell):
        return None, None, ()
    sex = _SEXES.get(sex_cell.lower())
    try:
        age: float | None = to_number(age_cell)
    except ValueError:
        age = None
    if age is None or not 0 <= age <= _OLDEST or sex is None:
        whole = (
            f"Percentiles are among everybody: age {one_line(age_cell)!r} and sex "
            f"{one_line(sex_cell)!r} are no years and female or male."
        )
        return None, None, (whole,)
    return age, sex, ()
