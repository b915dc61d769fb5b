"""A whole cohort scored into a folder: locked, resumed, and finished with the same bytes.

In the folder: while it runs, `score_journal`; at the end ``cohort.tsv``, ``cohort.json`` (what the
columns are), ``cohort.parquet`` where pyarrow is installed, and ``run.json``. Whatever happens in
between, the same command goes on, and the tables are those of a run that nothing happened to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from .cohort_listing import CohortListing
from .cohort_table import PARTIAL_PREFIX, CohortTable, replaced_file
from .errors import CohortError, OutputError
from .folder_lock import locked_folder
from .inference import import_onnxruntime
from .json_object import JsonObject
from .score_columns import column_descriptions
from .score_journal import JOURNAL_FILE, Journal
from .score_workers import WorkerPlan, Workers
from .scored_person import ScoredPerson
from .scoring import CohortScorer
from .summary import package_version

if TYPE_CHECKING:
    from .bundle import Bundle

RUN_FILE = "run.json"
FORMAT_VERSION = 1
OnScored = Callable[[int, int, ScoredPerson | None], None]
"""Told how many are done, how many of them failed, and who was the last; None at the beginning."""


@dataclass(frozen=True, slots=True)
class CohortRun:
    """How a run ended."""

    n_people: int
    n_failed: int
    n_before: int
    """People whom an earlier run had scored already."""
    seconds: float
    """Of this run."""
    files: tuple[Path, ...]
    """What is in the folder."""
    first_error: str
    """Of the first person who failed; empty where nobody did."""
    left_out: tuple[str, ...] = ()
    """Files that were not written, and why."""


class StoppedAtFailure(CohortError):
    """Somebody could not be scored, and the run was to stop there."""


def score_cohort(
    bundle: Bundle,
    listing: CohortListing,
    out: Path,
    plan: WorkerPlan,
    *,
    jobs: int = 1,
    fail_fast: bool = False,
    force: bool = False,
    on_scored: OnScored | None = None,
) -> CohortRun:
    """Score a cohort into a folder, going on with what an earlier run left there.

    Parameters
    ----------
    bundle : Bundle
        The same that the plan names.
    listing : CohortListing
    out : pathlib.Path
        The folder, made if it is not there.
    plan : WorkerPlan
    jobs : int
        Processes. They change no number and no order.
    fail_fast : bool
        Stop at the first person who cannot be scored.
    force : bool
        Begin anew, whatever is there.
    on_scored : callable, optional

    Raises
    ------
    OutputError
        Another process is at work there, the folder holds something else, or cannot be written.
    StoppedAtFailure
        `fail_fast`, and somebody failed.
    CohortError
        The cohort's table has a column that scoring writes itself.
    """
    start_s = time.monotonic()
    scorer = CohortScorer(bundle, plan.settings)
    table = CohortTable(listing.has_sessions, listing.own_columns, scorer.columns())
    if table.clash is not None:
        raise CohortError(
            f"{listing.source} has a column {table.clash!r}, which scoring writes itself. Rename "
            "or leave out this column."
        )
    about = _about(bundle, listing, plan)
    with locked_folder(out):
        _tidy(out, force=force)
        ended = _ended(out, about)
        if ended is not None:
            return ended
        with Journal(out, about) as journal:
            n_before = journal.n_done
            n_failed = sum(not person.is_ok for person in journal.people())
            if on_scored is not None:
                on_scored(n_before, n_failed, None)
            left = islice(listing.entries, n_before, None)
            with Workers(plan, jobs) as workers, contextlib.closing(workers.score(left)) as scored:
                for person in scored:
                    journal.add(person)
                    n_failed += not person.is_ok
                    if on_scored is not None:
                        on_scored(journal.n_done, n_failed, person)
                    if fail_fast and not person.is_ok:
                        raise StoppedAtFailure(
                            f"{_label(person)} cannot be scored: {person.error} The "
                            f"{journal.n_done} people until here are kept; without --fail-fast the "
                            "run goes on."
                        )
            journal.sync()
            files, left_out = _write_tables(out, table, listing, journal, bundle)
            first = next((p for p in journal.people() if not p.is_ok), None)
        run = CohortRun(
            n_people=len(listing.entries),
            n_failed=n_failed,
            n_before=n_before,
            seconds=time.monotonic() - start_s,
            files=(*files, out / RUN_FILE),
            first_error="" if first is None else f"{_label(first)}: {first.error}",
            left_out=left_out,
        )
        _write_run(out, about, run, jobs)
        (out / JOURNAL_FILE).unlink()
    return run


def _label(person: ScoredPerson) -> str:
    return "_".join(filter(None, person.key))


def _about(bundle: Bundle, listing: CohortListing, plan: WorkerPlan) -> dict[str, Any]:
    """What is scored and how: two runs of the same give the same tables."""
    people = hashlib.sha256()
    for entry in listing.entries:
        cells = [*entry.key, str(entry.path), entry.problem, sorted(entry.own.items())]
        people.update(json.dumps(cells).encode() + b"\n")
    return {
        "version": FORMAT_VERSION,
        "bundle": bundle.name,
        "bundle_digest": bundle.digest,
        "settings": plan.settings.to_json(),
        "n_people": len(listing.entries),
        "people_digest": people.hexdigest(),
    }


def _tidy(out: Path, *, force: bool) -> None:
    """Remove what a killed run left half-written; with force, everything of another run."""
    try:
        for path in out.glob(f"{PARTIAL_PREFIX}*"):
            path.unlink()
        if force:
            for name in (JOURNAL_FILE, RUN_FILE):
                (out / name).unlink(missing_ok=True)
    except OSError as cause:
        raise OutputError(
            f"{cause.filename} cannot be removed: {cause.strerror or cause}. Remove it, or choose "
            "another folder."
        ) from cause


def _ended(out: Path, about: Mapping[str, Any]) -> CohortRun | None:
    """How the run that has ended here went; None where none has."""
    path = out / RUN_FILE
    if not path.exists() or (out / JOURNAL_FILE).exists():
        return None
    document = JsonObject.parse(path.read_bytes(), str(path), CohortError)
    if document.take("scored") != about:
        raise OutputError(
            f"{out} holds the scores of another cohort, bundle or other options; nothing was "
            "written. Choose another folder, or pass --force (force=True) to replace them."
        )
    result = document.child("result")
    names = result.texts("files")
    return CohortRun(
        n_people=result.integer("n_people", minimum=0),
        n_failed=result.integer("n_failed", minimum=0),
        n_before=result.integer("n_people_all", minimum=0),
        seconds=0.0,
        files=tuple(out / name for name in names),
        first_error=result.optional_text("first_error") or "",
        left_out=result.texts("left_out"),
    )


def _write_tables(
    out: Path, table: CohortTable, listing: CohortListing, journal: Journal, bundle: Bundle
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    def rows() -> Iterator[Mapping[str, str | float | None]]:
        for entry, person in zip(listing.entries, journal.people(), strict=True):
            yield table.row(entry, person)

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


def _write_run(out: Path, about: Mapping[str, Any], run: CohortRun, jobs: int) -> None:
    document = {
        "scored": about,
        "result": {
            "n_people": run.n_people,
            "n_failed": run.n_failed,
            "n_people_all": run.n_people,
            "first_error": run.first_error or None,
            "files": [path.name for path in run.files],
            "left_out": list(run.left_out),
        },
        "last_process": {
            "jobs": jobs,
            "n_people": run.n_people - run.n_before,
            "seconds": round(run.seconds, 3),
            "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
        "versions": {
            "dtb_runtime": package_version(),
            "onnxruntime": str(import_onnxruntime().__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    with replaced_file(out / RUN_FILE) as file:
        file.write((json.dumps(document, indent=2) + "\n").encode())
