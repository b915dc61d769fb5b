"""One person of a BIDS data set after another: read, forecast, written where BIDS wants it.

A worker leaves everything of a person on disk itself, the record last: whoever is killed has done
what there are records of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .bids_log import NO_MEMORY, PersonLog, person_log, write_crash
from .bids_outputs import stage_outputs
from .bids_places import PersonPlaces
from .bids_record import Record, entry_digest, record_of
from .cohort_connectomes import CohortConnectomes
from .cohort_entry import CohortEntry
from .cohort_listing import CohortListing
from .draws import check_draws
from .errors import OutputError
from .forecast import DRAWS
from .harmonization_file import HarmonizationFile
from .indicators import combine_indicators
from .inference import import_onnxruntime
from .reading import Reading
from .reading_digest import settings_of
from .score_rows import demographics_of, failed_row, good_row
from .scored_person import ScoredPerson, Stamp, stamp_of
from .summary import package_version

if TYPE_CHECKING:
    from .bundle import Bundle

BUSY = "Another process is at work on this person. Wait until it ends."
HARMONIZATION = "harmonization"
"""What settings call the digest of the file of site effects."""
NO_RECORD = "The participant level has not been run for this person yet."


@dataclass(frozen=True, slots=True)
class BidsSettings:
    """What is done with everybody, as it goes to every worker."""

    out: str
    """Folder of the results, absolute."""
    source: str
    """Folder of the data set, absolute."""
    draws: int
    """Draws of the latent to average over."""
    reading: Reading = field(default_factory=Reading)
    harmonization: HarmonizationFile | None = None
    """What sites do to connectomes, which is taken off before twins are made; None leaves it."""
    ids_hashed_with: str | None = None
    """What tells the key of hashed ids from another one; `run_participants` sets it."""
    force: bool = False
    """Also whoever is done; `run_participants` sets it."""

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        out: Path,
        source: Path,
        *,
        draws: int | None = None,
        reading: Reading | None = None,
        harmonization: HarmonizationFile | None = None,
    ) -> BidsSettings:
        """Settings with the draws that `predict` takes, unless others are given.

        Raises
        ------
        UsageError
            Less than one draw, or several with a bundle that has no distribution of latents.
        """
        if draws is None:
            draws = 1 if bundle.norms.prior is None else DRAWS
        check_draws(draws, bundle)
        paths = str(out.absolute()), str(source.absolute())
        return cls(*paths, draws, reading or Reading(), harmonization)

    def to_json(self) -> dict[str, Any]:
        """Whatever changes a result, as JSON values; of files of regions and sites their digests.

        What is not harmonized says nothing of it, as results did before there was such a setting.
        """
        sites = self.harmonization
        harmonized = {} if sites is None else {HARMONIZATION: sites.digest}
        return {"draws": self.draws, "reading": settings_of(self.reading), **harmonized}

    def about(self, bundle: Bundle) -> dict[str, Any]:
        """What a record must be about to be this run's."""
        return {
            "bundle": bundle.name,
            "bundle_digest": bundle.digest,
            "settings": self.to_json(),
            "ids_hashed_with": self.ids_hashed_with,
        }

    def scorer(self, bundle: Bundle) -> BidsScorer:
        """See `WorkSettings`."""
        return BidsScorer(bundle, self)

    def at_once(self, bundle: Bundle) -> int:
        """See `WorkSettings`; one, so that a crash is one person's."""
        return 1


class BidsScorer:
    """Forecasts people and writes what BIDS has a place for, with one bundle.

    Parameters
    ----------
    bundle : Bundle
    settings : BidsSettings

    Raises
    ------
    UsageError
        Site effects with a bundle that does not take connectomes.
    CohortError
        The file of site effects is damaged, has changed, or is of other regions.
    """

    def __init__(self, bundle: Bundle, settings: BidsSettings) -> None:
        self.bundle = bundle
        self.settings = settings
        self._out = Path(settings.out)
        self._source = CohortListing(Path(settings.source), settings.source, ())
        self.about = settings.about(bundle)
        self._connectomes = CohortConnectomes(bundle, settings.reading, settings.harmonization)
        self._made_with = {
            "provider": bundle.provider,
            "dtb_runtime": package_version(),
            "onnxruntime": str(import_onnxruntime().__version__),
            "numpy": np.__version__,
        }

    def score(self, entries: Sequence[CohortEntry]) -> list[ScoredPerson]:
        """Forecast people; whoever cannot be gets a crash file and a row that says why.

        Raises
        ------
        OutputError
            What the settings ask for cannot be done for anybody. Messages name nobody.
        """
        return [self._one(entry) for entry in entries]

    def leave_failure(self, entry: CohortEntry, person: ScoredPerson) -> None:
        """Write down a failure that no worker could: its process is gone.

        Nothing is written where another process is at work on the person, or is done with them.
        """
        places = PersonPlaces.of(self._out, entry)
        with self._nameless(), places.locked() as is_ours:
            if not is_ours or self._done(places, entry) is not None:
                return
            places.clear()
            with person_log(places.log) as log:
                log.say(f"Failed: {person.error}")
            write_crash(places.crash, person.error)
            self._record(entry, person, ()).write(places)

    def _done(self, places: PersonPlaces, entry: CohortEntry) -> ScoredPerson | None:
        """What another call has left of a person since this one began; None to do it here."""
        record = None if self.settings.force else record_of(places)
        place = self._source.place(entry)
        if record is None or not record.is_current(self._out, entry, place, self.about):
            return None
        return record.person

    def _one(self, entry: CohortEntry) -> ScoredPerson:
        places = PersonPlaces.of(self._out, entry)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._nameless())
            if not stack.enter_context(places.locked()):
                return ScoredPerson.failed(entry, BUSY)
            done = self._done(places, entry)
            if done is not None:
                return done
            places.clear()
            log = stack.enter_context(person_log(places.log))
            stamp = stamp_of(entry)
            files: tuple[str, ...] = ()
            try:
                person, files = self._forecast(entry, places, log, stamp)
            except OutputError:
                raise
            except Exception as error:  # one bad person costs one crash file, whatever it is
                person = self._failed(entry, error, places, log, stamp)
            self._record(entry, person, files).write(places)
            return person

    def _forecast(
        self, entry: CohortEntry, places: PersonPlaces, log: PersonLog, stamp: Stamp | None
    ) -> tuple[ScoredPerson, tuple[str, ...]]:
        place = self._source.place(entry)
        if entry.problem is None and entry.path is not None:
            log.say(f"Reads {place or 'the file'}.")
        connectome = self._connectomes.read(entry)
        log.say(f"It holds {connectome.taken_for}, {connectome.n_regions} regions.")
        twin = self.bundle.personalize(connectome, participant_id=entry.participant_id)
        log.say(
            f"Twin made with the bundle {self.bundle.name} ({self.bundle.digest[:12]}) on "
            f"{self.bundle.provider}.",
            *twin.notes,
        )
        forecasts = twin.forecast_tasks(draws=self.settings.draws)
        report = combine_indicators(forecast.indicator_report for forecast in forecasts)
        draws = zip(*(forecast.draw_indicators for forecast in forecasts), strict=True)
        persons = [combine_indicators(draw) for draw in draws]
        row = good_row(entry, twin, report, persons, stamp=stamp)
        age, sex, _ = demographics_of(entry.own)
        with places.staged() as staged:
            files = stage_outputs(
                staged, places, entry, twin, forecasts, place=place, age=age, sex=sex
            )
            places.publish(staged)
        strange = [] if twin.strangeness is None else [twin.strangeness.sentence]
        more = dict.fromkeys((*row.notes, *strange))
        log.say(*(sentence for sentence in more if sentence not in twin.notes))
        log.say(f"Wrote {len(files)} files, {self.settings.draws} draws of the latent.")
        return row, files

    def _failed(
        self,
        entry: CohortEntry,
        error: Exception,
        places: PersonPlaces,
        log: PersonLog,
        stamp: Stamp | None,
    ) -> ScoredPerson:
        person = failed_row(entry, error, stamp)
        if isinstance(error, MemoryError):
            person = replace(person, error=NO_MEMORY)
        log.say(f"Failed: {person.error}")
        write_crash(places.crash, error, entry.told)
        return person

    def _record(self, entry: CohortEntry, person: ScoredPerson, files: tuple[str, ...]) -> Record:
        place = self._source.place(entry)
        return Record(
            about=self.about,
            entry=entry_digest(entry, place),
            place=place,
            person=person,
            own=entry.own,
            files=files,
            made_with=self._made_with,
        )

    @contextlib.contextmanager
    def _nameless(self) -> Iterator[None]:
        """Raise failures to write without the paths, which say who somebody is."""
        try:
            yield
        except (OutputError, OSError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            why = cause.strerror if isinstance(cause, OSError) else None
            raise OutputError(
                f"{self._out} cannot be written: {why or 'see the log files there'}. Whoever is "
                "done is kept: make room there and start again to go on."
            ) from error
