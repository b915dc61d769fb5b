"""A whole cohort scored into a folder: locked, resumed, and finished with the same bytes.

In the folder: from the beginning the journal; at the end ``cohort.tsv``, ``cohort.json`` (what the
columns are), ``cohort.parquet`` where pyarrow is installed, and ``run.json``. Whatever happens in
between, the same command goes on, and the tables are those of a run that nothing happened to; where
people came, went, or have another file, it scores those alone.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from .cohort_listing import CohortListing
from .cohort_table import PARTIAL_PREFIX, TABLES, CohortTable
from .errors import CohortError, OutputError, UsageError
from .folder_lock import locked_folder
from .run_file import RUN_FILE, CohortRun, about_scoring, ended_run, write_run
from .score_columns import column_descriptions
from .score_journal import JOURNAL_FILE, Journal
from .score_workers import WorkerPlan, Workers
from .scored_person import ScoredPerson
from .scoring import CohortScorer, ScoreSettings

if TYPE_CHECKING:
    from .bundle import Bundle
    from .score_cluster import ClusterWorkers

OnScored = Callable[[int, int, ScoredPerson | None], None]
"""Told how many are done, how many of them failed, and who was the last; None at the beginning."""


class FirstFailureError(CohortError):
    """Somebody could not be scored, and the run was to stop there."""


def score_cohort(
    bundle: Bundle,
    listing: CohortListing,
    out: str | Path,
    settings: ScoreSettings | None = None,
    *,
    jobs: int = 1,
    fail_fast: bool = False,
    force: bool = False,
    cluster: str | None = None,
    on_scored: OnScored | None = None,
) -> CohortRun:
    """Score a cohort into a folder, going on with what an earlier run left there.

    Parameters
    ----------
    bundle : Bundle
        Workers read it again from its folder, which stays until the end.
    listing : CohortListing
        From `list_cohort`.
    out : str or pathlib.Path
        The folder, made if it is not there.
    settings : ScoreSettings, optional
    jobs : int
        Processes. They change no number and no order.
    fail_fast : bool
        Stop at the first person who cannot be scored.
    force : bool
        Begin anew, whatever is there.
    cluster : str, optional
        Address of a Dask scheduler, whose workers score instead of processes here.
    on_scored : callable, optional

    Raises
    ------
    UsageError
        Less than one process; the folder is the cohort's own, or a result would replace its table;
        there is no such cluster, or it went away.
    MissingDependencyError
        Dask is not installed.
    OutputError
        Another process is at work there, the folder holds something else, or cannot be written.
    BundleError
        The bundle has changed since it was loaded.
    FirstFailureError
        `fail_fast`, and somebody failed.
    CohortError
        The cohort's table has a column that scoring writes itself.
    """
    start_s = time.monotonic()
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, found {jobs}.")
    out = Path(out)
    plan = WorkerPlan.of(bundle, settings or ScoreSettings())
    scorer = CohortScorer(bundle, plan.settings)
    table = CohortTable(listing.has_sessions, listing.own_columns, scorer.columns())
    if table.clash is not None:
        raise CohortError(
            f"{listing.source} has a column {table.clash!r}, which scoring writes itself. Rename "
            "or leave out this column."
        )
    _check_apart(out, listing)
    about = about_scoring(bundle, listing, plan.settings)
    own_folder = None if plan.settings.files is None else plan.settings.own_folder
    with locked_folder(out):
        _make_way(out, plan.settings, force=force)
        ended = ended_run(out, about)
        with Journal(out, about, listing.entries) as journal:
            journal.forget_changed(own_folder)
            left = journal.rows_left()
            if fail_fast:
                _stop_at(journal.first_failed(), journal.n_done)
            can_write_all = _pyarrow() is not None
            if ended and not left and ended.is_whole(listing.digest(), can_write_all=can_write_all):
                return ended.run
            _remove(out / RUN_FILE, *(out / name for name in TABLES))  # they are no longer so
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
                        _stop_at(person, journal.n_done)
            journal.sync()
            files, left_out = _write_tables(out, table, listing, journal, bundle)
            first = journal.first_failed()
            run = CohortRun(
                n_people=len(listing.entries),
                n_failed=journal.n_failed,
                n_before=n_before,
                seconds=time.monotonic() - start_s,
                files=(*files, out / RUN_FILE),
                first_error="" if first is None else f"{_label(first)}: {first.error}",
                left_out=left_out,
            )
        write_run(out, about, run, listing.digest(), jobs=None if cluster else jobs)
    return run


def _stop_at(failed: ScoredPerson | None, n_done: int) -> None:
    if failed is not None:
        raise FirstFailureError(
            f"{_label(failed)} cannot be scored: {failed.error} The {n_done} rows until here are "
            "kept; without --fail-fast the run goes on."
        )


def _check_apart(out: Path, listing: CohortListing) -> None:
    """The results must not lie among the connectomes, nor take the place of the table."""
    written = (JOURNAL_FILE, RUN_FILE, *TABLES)
    source = listing.path.resolve()
    if source in (out.resolve(), *((out / name).resolve() for name in written)):
        raise UsageError(
            f"{listing.source} is the cohort itself, and the results would be written there. "
            "Give another folder for them."
        )


def _workers(plan: WorkerPlan, jobs: int, cluster: str | None) -> Workers | ClusterWorkers:
    if cluster is None:
        return Workers(plan, jobs)
    from .score_cluster import ClusterWorkers  # late: most runs have no cluster

    return ClusterWorkers(plan, cluster)


def _label(person: ScoredPerson) -> str:
    return "_".join(filter(None, person.key))


def _make_way(out: Path, settings: ScoreSettings, *, force: bool) -> None:
    """Remove what a killed run left half-written; with force, all of another run.

    Without force, tables that no run of ours has left here are somebody's own.
    """
    names = (*TABLES, RUN_FILE)
    _remove(*(out / f"{PARTIAL_PREFIX}{name}" for name in names))
    is_ours = (out / JOURNAL_FILE).exists() or (out / RUN_FILE).exists()
    if force:
        _remove(*(out / name for name in (JOURNAL_FILE, *names)))
        if is_ours and settings.files is not None:
            shutil.rmtree(settings.files, ignore_errors=True)
    elif not is_ours:
        for name in TABLES:
            if (out / name).exists():
                raise OutputError(
                    f"{out / name} exists already, and is of no scoring that could go on; nothing "
                    "was written. Pass --force (force=True) to replace it, or choose another "
                    "folder."
                )


def _remove(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as cause:
            raise OutputError(
                f"{path} cannot be removed: {cause.strerror or cause}. Remove it, or choose "
                "another folder."
            ) from cause


def _write_tables(
    out: Path, table: CohortTable, listing: CohortListing, journal: Journal, bundle: Bundle
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    def rows() -> Iterator[Mapping[str, str | float | None]]:
        for entry, person in zip(listing.entries, journal.people(), strict=True):
            yield table.row(entry, person, listing.place(entry))

    files = [table.write_tsv(out, rows())]
    files.append(table.write_sidecar(out, column_descriptions(table, bundle)))
    pyarrow, left_out = _pyarrow(), []
    if pyarrow is None:
        left_out.append(
            "cohort.parquet: it needs pyarrow, which is not installed: "
            "pip install 'dtb-runtime[cohort]'"
        )
    else:
        files.append(table.write_parquet(out, rows(), pyarrow))
    return tuple(files), tuple(left_out)


def _pyarrow() -> ModuleType | None:
    try:
        import pyarrow
    except ImportError:
        return None
    module: ModuleType = pyarrow
    return module
