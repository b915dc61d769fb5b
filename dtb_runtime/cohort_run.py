"""A whole cohort scored into a folder: locked, resumed, and finished with the same bytes.

In the folder: from the beginning the journal; at the end ``cohort.tsv``, ``cohort.json`` (what the
columns are), ``cohort.parquet`` where pyarrow is installed, and ``run.json``. Whatever happens in
between, the same command goes on, and the tables are those of a run that nothing happened to; where
people came, went, or have another file, it scores those alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from .cohort_listing import CohortListing
from .cohort_table import TABLES, CohortTable
from .cohort_work import (
    FirstFailureError,
    OnScored,
    check_apart,
    make_way,
    work_through,
)
from .errors import CohortError, UsageError
from .folder_lock import locked_folder
from .run_file import CohortRun, about_scoring
from .score_columns import column_descriptions
from .score_journal import Journal
from .score_workers import WorkerPlan
from .scoring import CohortScorer, ScoreSettings

if TYPE_CHECKING:
    from .bundle import Bundle

__all__ = ["CohortRun", "FirstFailureError", "OnScored", "score_cohort"]


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
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, found {jobs}.")
    out = Path(out)
    settings = settings or ScoreSettings()
    scorer = CohortScorer(bundle, settings)
    table = CohortTable(listing.has_sessions, listing.own_columns, scorer.columns())
    if table.clash is not None:
        raise CohortError(
            f"{listing.source} has a column {table.clash!r}, which scoring writes itself. Rename "
            "or leave out this column."
        )
    check_apart(out, listing, TABLES, settings.own_files)
    with locked_folder(out):
        make_way(out, TABLES, settings.own_files, force=force)
        return work_through(
            out,
            listing,
            WorkerPlan.of(bundle, settings),
            about_scoring(bundle, listing, settings),
            _ScoreTables(table, listing, bundle),
            jobs=jobs,
            cluster=cluster,
            fail_fast=fail_fast,
            own_files=settings.own_files,
            on_scored=on_scored,
        )


class _ScoreTables:
    """The tables of a scored cohort, as products."""

    names = TABLES

    def __init__(self, table: CohortTable, listing: CohortListing, bundle: Bundle) -> None:
        self._table, self._listing, self._bundle = table, listing, bundle

    @property
    def can_write_all(self) -> bool:
        """See `Products`."""
        return _pyarrow() is not None

    @property
    def made_with(self) -> Mapping[str, object]:
        """See `Products`."""
        return {}

    def write(self, out: Path, journal: Journal) -> tuple[tuple[Path, ...], tuple[str, ...]]:
        """See `Products`."""
        table = self._table
        files = [table.write_tsv(out, self._rows(journal))]
        files.append(table.write_sidecar(out, column_descriptions(table, self._bundle)))
        pyarrow, left_out = _pyarrow(), []
        if pyarrow is None:
            left_out.append(
                "cohort.parquet: it needs pyarrow, which is not installed: "
                "pip install 'dtb-runtime[cohort]'"
            )
        else:
            files.append(table.write_parquet(out, self._rows(journal), pyarrow))
        return tuple(files), tuple(left_out)

    def _rows(self, journal: Journal) -> Iterator[Mapping[str, str | float | None]]:
        for entry, person in zip(self._listing.entries, journal.people(), strict=True):
            yield self._table.row(entry, person, self._listing.place(entry))


def _pyarrow() -> ModuleType | None:
    try:
        import pyarrow
    except ImportError:
        return None
    module: ModuleType = pyarrow
    return module
