"""The participant level of the BIDS App: everybody of a data set forecast into another one.

It may run on many machines at the same time, with other people each. Whoever is done is passed over
by whoever starts again; one person's failure costs a crash file.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .bids_cohort import BidsCohort
from .bids_dataset import check_ids, check_is_ours, write_dataset, write_ids
from .bids_participants import write_participants
from .bids_places import LOG_FOLDER, PersonPlaces
from .bids_record import record_of
from .bids_scoring import BUSY, BidsScorer, BidsSettings
from .bids_texts import libraries_used, write_citation
from .cohort_entry import CohortEntry
from .cohort_listing import CohortListing
from .errors import CohortError, OutputError, UsageError
from .score_workers import WorkerPlan, Workers
from .scored_person import ScoredPerson

if TYPE_CHECKING:
    from .bundle import Bundle

PROCESS_MB = 300
"""Memory that one process is taken to need, in megabytes; docs/bids.md says how it was measured."""

OnDone = Callable[[int, int], None]
"""Told how many are done with and how many of them failed; never who."""


class FirstCrashError(CohortError):
    """Somebody could not be forecast, and the run was to stop there."""


@dataclass(frozen=True, slots=True)
class ParticipantRun:
    """How the participant level ended."""

    n_people: int
    """Who was asked for."""
    n_rows: int
    """The same, each session of a person for itself."""
    n_failed: int
    """Without those of `n_busy`."""
    n_before: int
    """Those whom an earlier call has done already."""
    n_busy: int
    """Those who were left to another process, which is at work on them."""
    seconds: float
    crash_folder: Path
    """Where there is a file for everybody who failed."""


def processes_within(nprocs: int, mem_mb: int | None, *, process_mb: int = PROCESS_MB) -> int:
    """How many processes may run at once.

    Parameters
    ----------
    nprocs : int
        At most so many.
    mem_mb : int, optional
        Memory for all of them, in megabytes.
    process_mb : int
        Memory that one needs.

    Raises
    ------
    UsageError
        Less than one process, or memory for less than one beside the one that leads them.
    """
    if nprocs < 1:
        raise UsageError(f"nprocs must be at least 1, found {nprocs}.")
    if mem_mb is None:
        return nprocs
    fitting = mem_mb // process_mb - 1  # one leads the others
    if fitting < 1:
        raise UsageError(
            f"{mem_mb} MB are too little: one process needs {process_mb} MB, and so does the one "
            f"that leads them. Give --mem-mb {2 * process_mb} or more."
        )
    return min(nprocs, fitting)


def check_apart(out: Path, source: Path) -> None:
    """See that results do not lie among the files they are made from.

    Raises
    ------
    UsageError
    """
    ours, theirs = out.resolve(), source.resolve()
    inside = ours.relative_to(theirs).parts if ours.is_relative_to(theirs) else None
    if inside is not None and (not inside or inside[0].startswith("sub-")):
        raise UsageError(
            f"{out} lies in the data set that is read, where results would be taken for its own. "
            "Give another folder for them."
        )
    if theirs.is_relative_to(ours):
        raise UsageError(
            f"The data set that is read lies in {out}, where the results would go. Give another "
            "folder for them."
        )


def check_no_links(out: Path, listing: CohortListing) -> None:
    """See that nobody's folder in the results leads out of them.

    Raises
    ------
    OutputError
        One is a link: results would replace ``beh/`` and ``func/`` of another place.
    """
    folders = {
        out.joinpath(*parts[:depth])
        for parts in (PersonPlaces.of(out, entry).parts for entry in listing.entries)
        for depth in range(1, len(parts) + 1)
    }
    n_links = sum(folder.is_symlink() for folder in folders)
    if n_links:
        are, them = ("is a link", "it") if n_links == 1 else ("are links", "them")
        raise OutputError(
            f"Of the folders of people in {out}, {n_links} {are}, where results would replace beh/ "
            f"and func/ of another place. Remove {them}, or give another folder for the results."
        )


def run_participants(
    bundle: Bundle,
    cohort: BidsCohort,
    out: str | Path,
    settings: BidsSettings,
    *,
    nprocs: int = 1,
    stop_on_first_crash: bool = False,
    force: bool = False,
    on_done: OnDone | None = None,
) -> ParticipantRun:
    """Forecast whoever is meant and not done yet.

    Parameters
    ----------
    bundle : Bundle
        Processes read it again from its folder, which stays until the end.
    cohort : BidsCohort
        From `list_bids`.
    out : str or pathlib.Path
        Folder of the results, made if it is not there.
    settings : BidsSettings
        Of the same folders.
    nprocs : int
        Processes; see `processes_within`.
    stop_on_first_crash : bool
    force : bool
        Also whoever is done.
    on_done : callable, optional

    Raises
    ------
    UsageError
        The results would lie among the files they are made from.
    BundleError, MissingDependencyError
        The bundle has changed since it was loaded; a package is missing that reads the files.
    OutputError
        The folder of the results is somebody else's, was begun with other participant ids, holds
        links in place of people's folders, or cannot be written.
    FirstCrashError
        `stop_on_first_crash`, and somebody failed.
    """
    start_s = time.monotonic()
    out, listing = Path(out).absolute(), cohort.listing
    check_apart(out, listing.path)
    check_is_ours(out)
    check_ids(out, listing.hashed_with)
    check_no_links(out, listing)
    write_dataset(out, listing.path, bundle, is_hashed=listing.hashed_with is not None)
    write_ids(out, listing.hashed_with)
    settings = replace(settings, ids_hashed_with=listing.hashed_with, force=force)
    scorer = BidsScorer(bundle, settings)
    done = {} if force else _done(listing, out, scorer)
    left = [entry for entry in listing.entries if entry.key not in done]
    n_done, n_failed, n_busy = len(done), sum(not person.is_ok for person in done.values()), 0
    if on_done is not None:
        on_done(n_done, n_failed)
    try:
        _stop(n_failed, stop_on_first_crash, out)
        plan = WorkerPlan.of(bundle, settings)
        with (
            Workers(plan, min(nprocs, len(left)) or 1) as workers,
            contextlib.closing(workers.score(left)) as scored,
        ):
            for entry, person in zip(left, scored, strict=True):
                is_busy = person.error == BUSY
                if not person.is_ok and not is_busy:
                    _leave(entry, person, out, scorer)
                n_done, n_busy = n_done + 1, n_busy + is_busy
                n_failed += not (person.is_ok or is_busy)
                if on_done is not None:
                    on_done(n_done, n_failed)
                _stop(n_failed, stop_on_first_crash, out)
    finally:
        write_participants(out, cohort.participants)
        names = [entry.path for entry in listing.entries]
        write_citation(out, bundle, libraries_used(settings.reading.to_json(), names))
    return ParticipantRun(
        n_people=len({entry.participant_id for entry in listing.entries}),
        n_rows=len(listing.entries),
        n_failed=n_failed,
        n_before=len(done),
        n_busy=n_busy,
        seconds=time.monotonic() - start_s,
        crash_folder=out / LOG_FOLDER,
    )


def _done(
    listing: CohortListing, out: Path, scorer: BidsScorer
) -> dict[tuple[str, str], ScoredPerson]:
    """Whom an earlier call has done, with the same file, bundle and settings."""
    done = {}
    for entry in listing.entries:
        record = record_of(PersonPlaces.of(out, entry))
        if record is not None and record.is_current(out, entry, listing.place(entry), scorer.about):
            done[entry.key] = record.person
    return done


def _leave(entry: CohortEntry, person: ScoredPerson, out: Path, scorer: BidsScorer) -> None:
    """Write a failure down unless its worker has: then the record is of the same."""
    record = record_of(PersonPlaces.of(out, entry))
    if record is None or record.person != person:
        scorer.leave_failure(entry, person)


def _stop(n_failed: int, stop_on_first_crash: bool, out: Path) -> None:
    if stop_on_first_crash and n_failed:
        raise FirstCrashError(
            f"Somebody could not be forecast; why stands in a crash file in {out / LOG_FOLDER}. "
            "Whoever is done is kept; without --stop-on-first-crash the run goes on."
        )
