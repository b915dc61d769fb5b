"""One row for each person: many connectomes scored with one bundle.

The fast path runs the networks of several people in one call, at the mean of what is known of each
latent. A person's numbers do not depend on who else is in the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .cohort_connectomes import CohortConnectomes
from .cohort_entry import CohortEntry, entries_of
from .connectome import Connectome
from .connectome_facts import FACTS
from .draws import check_draws, read_draw
from .errors import MissingDependencyError, OutputError
from .harmonization_file import HarmonizationFile
from .indicator_forecasts import all_indicators, run_people
from .indicators import Indicators, combine_indicators
from .inference import PEOPLE_PER_CALL
from .outputs import write_forecasts
from .own_files import OwnFiles
from .prepared_run import prepare_run
from .reading import Reading
from .reading_digest import settings_of
from .score_rows import STRANGENESS, failed_row, good_row
from .scored_person import ScoredPerson, stamp_of
from .tasks import get_task
from .twin import Twin

if TYPE_CHECKING:
    from .bundle import Bundle


Forecasted: TypeAlias = tuple[Indicators, list[Indicators]]
"""A person's indicators, and those of each draw of what is not known of them."""
_ENDS_THE_RUN = (OutputError, MissingDependencyError)
"""Errors that are of no one person: whoever is scored next would meet them too."""


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """What changes the numbers of a row."""

    draws: int = 1
    """Draws of the latent to average over. 1 is the mean of what is known, the quickest; `predict`
    averages over 32 and knows intervals."""
    reading: Reading = field(default_factory=Reading)
    """How the files are read."""
    harmonization: HarmonizationFile | None = None
    """What sites do to connectomes, which is taken off before twins are made; None leaves it."""
    files: str | None = None
    """Folder for each person's own files, as `predict` writes them; None writes none."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; of the folder only whether there is one, of site effects and
        files of regions the digests of what they hold.
        """
        return {
            "draws": self.draws,
            "reading": settings_of(self.reading),
            "harmonization": None if self.harmonization is None else self.harmonization.digest,
            "files": self.files is not None,
        }

    @property
    def own_files(self) -> OwnFiles | None:
        """Where everybody's own files go; None without `files`."""
        return None if self.files is None else OwnFiles(Path(self.files))

    def scorer(self, bundle: Bundle) -> CohortScorer:
        """See `WorkSettings`."""
        return CohortScorer(bundle, self)

    def at_once(self, bundle: Bundle) -> int:
        """See `WorkSettings`."""
        return people_at_once(bundle)


class CohortScorer:
    """Scores people with one bundle.

    Parameters
    ----------
    bundle : Bundle
    settings : ScoreSettings

    Raises
    ------
    UsageError
        Less than one draw, or several with a bundle that has no distribution of latents; site
        effects with a bundle that does not take connectomes.
    CohortError
        The file of site effects is damaged, has changed, or is of other regions.
    """

    def __init__(self, bundle: Bundle, settings: ScoreSettings) -> None:
        check_draws(settings.draws, bundle)
        self.bundle = bundle
        self.settings = settings
        self._connectomes = CohortConnectomes(bundle, settings.reading, settings.harmonization)
        self._runs = [prepare_run(get_task(name), None) for name in bundle.manifest.tasks]

    def columns(self) -> tuple[str, ...]:
        """Columns of numbers that a row can have, in their order.

        Whoever an indicator cannot be computed for lacks it.
        """
        norms, names = self.bundle.norms, all_indicators(self.bundle)
        columns = [*names, *(f"{n}_percentile" for n in names if n in norms.indicator_quantiles)]
        if self.settings.draws > 1:
            columns += [f"{name}_{end}" for name in names for end in ("low", "high")]
        has_strangeness = norms.latent is not None or norms.edges is not None
        return (*columns, *(STRANGENESS if has_strangeness else ()), *FACTS)

    def score(self, entries: Sequence[CohortEntry]) -> list[ScoredPerson]:
        """Score several people; whoever cannot be scored gets a row that says why.

        Parameters
        ----------
        entries : sequence of CohortEntry

        Returns
        -------
        list of ScoredPerson
            One each, in their order.

        Raises
        ------
        OutputError, MissingDependencyError
            What the settings ask for cannot be done for anybody. A package that only reads
            somebody's file is that person's row: others may have files of another format.
        """
        own_files = self.settings.own_files
        if own_files is not None:
            for entry in entries:  # nothing of an earlier run stays beside what comes now
                own_files.clear(entry)
        # Before they are read: a file that changes meanwhile is then known to have changed.
        stamps = [stamp_of(entry) for entry in entries]
        connectomes: dict[int, Connectome] = {}
        rows: dict[int, ScoredPerson] = {}
        for i, entry in enumerate(entries):
            try:
                connectomes[i] = self._connectomes.read(entry)
            except Exception as error:  # one bad person costs one row, whatever it is
                rows[i] = failed_row(entry, error, stamps[i])
        twins: dict[int, Twin] = {}
        for i, made in zip(connectomes, self._twins(entries, connectomes), strict=True):
            if isinstance(made, Exception):
                rows[i] = failed_row(entries[i], made, stamps[i])
            else:
                twins[i] = made
        several = self._several([(entries[i], twin) for i, twin in twins.items()])
        for i, found in zip(twins, several, strict=True):
            entry, twin = entries[i], twins[i]
            try:
                if isinstance(found, Exception):
                    raise found
                rows[i] = good_row(entry, twin, *found, stamp=stamps[i])
            except _ENDS_THE_RUN:
                raise
            except Exception as error:
                rows[i] = failed_row(entry, error, stamps[i])
        return [rows[i] for i in range(len(entries))]

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

    def _several(self, people: Sequence[tuple[CohortEntry, Twin]]) -> list[Forecasted | Exception]:
        """Indicators of each, and of their draws, or why there are none."""
        if self.settings.draws == 1 and self.settings.files is None:
            try:
                return [(found, []) for found in self._indicators([twin for _, twin in people])]
            except Exception:
                pass  # one of them; who, shows below
        found: list[Forecasted | Exception] = []
        for entry, twin in people:
            try:
                found.append(self._forecast(entry, twin))
            except Exception as error:
                found.append(error)
        return found

    def _indicators(self, twins: Sequence[Twin]) -> list[Indicators]:
        """Indicators at the mean latent of each, several people in one call."""
        reports: list[list[Indicators]] = [[] for _ in twins]
        weights = np.stack([twin.weights for twin in twins])
        for run, outputs in zip(
            self._runs, run_people(self.bundle, self._runs, weights), strict=True
        ):
            for own, actions, bold in zip(reports, *outputs, strict=True):
                draw = read_draw(self.bundle, run, actions, bold, with_map=False)
                own.append(draw.indicators)
        return [combine_indicators(own) for own in reports]

    def _forecast(self, entry: CohortEntry, twin: Twin) -> Forecasted:
        """Indicators of forecasts, which are written where this is asked for."""
        forecasts = twin.forecast_tasks(draws=self.settings.draws)
        own_files = self.settings.own_files
        if own_files is not None:
            write_forecasts(own_files.of(entry), twin, forecasts, force=True)
        report = combine_indicators(forecast.indicator_report for forecast in forecasts)
        persons = zip(*(forecast.draw_indicators for forecast in forecasts), strict=True)
        return report, [combine_indicators(person) for person in persons]


def people_at_once(bundle: Bundle) -> int:
    """How many people to score in one call."""
    return max(PEOPLE_PER_CALL, bundle.people_per_call)


def score_people(
    bundle: Bundle,
    people: Iterable[CohortEntry | str | Path],
    settings: ScoreSettings | None = None,
) -> Iterator[ScoredPerson]:
    """Score people as they come; see `Bundle.score`."""
    scorer = CohortScorer(bundle, settings or ScoreSettings())
    entries = iter(entries_of(people))  # now, not with the first result: both may refuse
    batches = iter(lambda: list(islice(entries, people_at_once(bundle))), [])
    return chain.from_iterable(map(scorer.score, batches))
