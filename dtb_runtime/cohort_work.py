"""Going through a cohort person by person, so that whatever happens the same command goes on.

Scoring and trials share this: a locked folder with a journal of everybody's rows, workers that do
the people who are left, and at the end files made of all rows and ``run.json``.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .cohort_listing import CohortListing
from .cohort_table import PARTIAL_PREFIX
from .errors import CohortError, OutputError, UsageError
from .hidden_names import nameless
from .own_files import OwnFiles
from .run_file import RUN_FILE, CohortRun, ended_run, write_run
from .score_journal import JOURNAL_FILE, Journal
from .score_workers import WorkerPlan, Workers
from .scored_person import ScoredPerson

if TYPE_CHECKING:
    from .score_cluster import ClusterWorkers

OnScored = Callable[[int, int, ScoredPerson | None], None]
"""Told how many are done, how many of them failed, and who was the last; None at the beginning."""


class FirstFailureError(CohortError):
    """Somebody could not be scored, and the run was to stop there."""


class Products(Protocol):
    """Files that are made of everybody's rows."""

    @property
    def names(self) -> Sequence[str]:
        """All that there may be."""
        ...

    @property
    def can_write_all(self) -> bool:
        """Whether the packages are there that all of them need."""
        ...

    @property
    def made_with(self) -> Mapping[str, Any]:
        """What changes the files and no row, as JSON values."""
        ...

    def write(self, out: Path, journal: Journal) -> tuple[tuple[Path, ...], tuple[str, ...]]:
        """Write them; returns which, and what was left out and why."""
        ...


def check_apart(
    out: Path, listing: CohortListing, names: Sequence[str], own_files: OwnFiles | None
) -> None:
    """See that results neither lie among the connectomes nor take the place of the table.

    Raises
    ------
    UsageError
        They would; or connectomes lie where everybody's own files go, which may be removed.
    """
    written = (JOURNAL_FILE, RUN_FILE, *names)
    source = listing.path.resolve()
    if source in (out.resolve(), *((out / name).resolve() for name in written)):
        raise UsageError(
            f"{listing.source} is the cohort itself, and the results would be written there. "
            "Give another folder for them."
        )
    inside = out.resolve().relative_to(source) if out.resolve().is_relative_to(source) else None
    if inside is not None and inside.parts[0].startswith("sub-"):
        raise UsageError(
            f"{out} lies in the folder {inside.parts[0]} of the cohort, where results would be "
            "taken for connectomes. Give another folder for them."
        )
    if own_files is not None:
        files = (entry.path for entry in listing.entries if entry.path is not None)
        file = own_files.holds_any(files)
        if file is not None or own_files.root.resolve().is_relative_to(source):
            raise UsageError(
                f"Connectomes of {listing.source} lie where everybody's own files would go "
                f"({own_files.root}). Give another folder for the results, or leave out --files."
            )


def make_way(out: Path, names: Sequence[str], own_files: OwnFiles | None, *, force: bool) -> None:
    """Remove what a killed run left half-written; with force, all of another run.

    Without force, files that no run of ours has left here are somebody's own.

    Parameters
    ----------
    out : pathlib.Path
    names : sequence of str
        Of the files that a run leaves, beside journal and ``run.json``.
    own_files : OwnFiles, optional
        Everybody's own.
    force : bool

    Raises
    ------
    OutputError
        A file is in the way, or cannot be removed.
    """
    names = (*names, RUN_FILE)
    remove(*(out / f"{PARTIAL_PREFIX}{name}" for name in names))
    is_ours = (out / JOURNAL_FILE).exists() or (out / RUN_FILE).exists()
    if force:
        remove(*(out / name for name in (JOURNAL_FILE, *names)))
        if is_ours and own_files is not None:
            shutil.rmtree(own_files.root, ignore_errors=True)
    elif not is_ours:
        if own_files is not None and own_files.root.exists():
            names = (*names[:-1], own_files.root.name, RUN_FILE)
        for name in names[:-1]:
            if (out / name).exists():
                raise OutputError(
                    f"{out / name} exists already, and is of no run that could go on; nothing was "
                    "written. Pass --force (force=True) to replace it, or choose another folder."
                )


def work_through(
    out: Path,
    listing: CohortListing,
    plan: WorkerPlan,
    about: Mapping[str, Any],
    products: Products,
    *,
    jobs: int,
    cluster: str | None = None,
    fail_fast: bool = False,
    own_files: OwnFiles | None = None,
    on_begun: Callable[[], None] | None = None,
    on_scored: OnScored | None = None,
) -> CohortRun:
    """Do whoever is not done yet, then write what is made of all; `out` is locked by the caller.

    Parameters
    ----------
    out : pathlib.Path
    listing : CohortListing
    plan : WorkerPlan
    about : mapping
        What is done: another run's journal is refused.
    products : Products
    jobs : int
        Processes. They change no number and no order.
    cluster : str, optional
        Address of a Dask scheduler, whose workers do the work instead.
    fail_fast : bool
    own_files : OwnFiles, optional
        Where everybody's own files go.
    on_begun : callable, optional
        Called once it is known that the folder is this run's, and that there is work left.
    on_scored : callable, optional

    Raises
    ------
    OutputError
        The folder holds something else, or cannot be written.
    FirstFailureError
        `fail_fast`, and somebody failed.
    UsageError, MissingDependencyError, BundleError
        As workers raise them.
    """
    start_s = time.monotonic()
    about = dict(about)
    ended = ended_run(out, about)
    with Journal(out, about, listing.entries) as journal:
        journal.forget_changed(own_files)
        left = journal.rows_left()
        if fail_fast:
            _stop_at(journal.first_failed(), listing, journal.n_done)
        can_write_all = products.can_write_all
        is_whole = ended is not None and ended.is_whole(
            listing.digest(), products.made_with, can_write_all=can_write_all
        )
        if ended is not None and is_whole and not left:
            return ended.run
        remove(out / RUN_FILE, *(out / name for name in products.names))  # they are no longer so
        if on_begun is not None:
            on_begun()
        n_before = journal.n_done
        if on_scored is not None:
            on_scored(n_before, journal.n_failed, None)
        entries = (listing.entries[row] for row in left)
        with (
            _workers(plan, jobs, cluster) as workers,
            contextlib.closing(workers.score(entries)) as scored,
        ):
            for row, person in zip(left, scored, strict=True):
                journal.add(row, person)
                if on_scored is not None:
                    on_scored(journal.n_done, journal.n_failed, person)
                if fail_fast and not person.is_ok:
                    _stop_at(person, listing, journal.n_done)
        journal.sync()
        files, left_out = products.write(out, journal)
        first = journal.first_failed()
        run = CohortRun(
            n_people=len(listing.entries),
            n_failed=journal.n_failed,
            n_before=n_before,
            seconds=time.monotonic() - start_s,
            files=(*files, out / RUN_FILE),
            first_error="" if first is None else _reason(first, listing),
            left_out=left_out,
        )
    made_with = products.made_with
    write_run(out, about, run, listing.digest(), made_with, jobs=None if cluster else jobs)
    return run


def remove(*paths: Path) -> None:
    """Remove files that may be there; raises `OutputError` if one cannot be."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as cause:
            raise OutputError(
                f"{path} cannot be removed: {cause.strerror or cause}. Remove it, or choose "
                "another folder."
            ) from cause


def _stop_at(failed: ScoredPerson | None, listing: CohortListing, n_done: int) -> None:
    if failed is not None:
        keys = [entry.key for entry in listing.entries]
        raise FirstFailureError(
            f"Person {keys.index(failed.key) + 1} of {len(keys)}, in the order of their ids, "
            f"failed: {_reason(failed, listing)} The {n_done} rows until here are kept; without "
            "--fail-fast the run goes on."
        )


def _reason(failed: ScoredPerson, listing: CohortListing) -> str:
    """Why somebody failed, without saying who: messages end in logs, which are for everybody."""
    entry = next((entry for entry in listing.entries if entry.key == failed.key), None)
    return failed.error if entry is None else nameless(failed.error, entry)


def _workers(plan: WorkerPlan, jobs: int, cluster: str | None) -> Workers | ClusterWorkers:
    if cluster is None:
        return Workers(plan, jobs)
    from .score_cluster import ClusterWorkers  # late: most runs have no cluster

    return ClusterWorkers(plan, cluster)
