"""An in-silico trial: a cohort put through the arms of an intervention, into a folder.

In the folder: from the beginning the journal and the common plan; at the end ``trial.tsv`` (a row
for everybody), ``trial_columns.json``, ``trial.json`` (effects, responders, arms beside one
another), ``baseline.tsv``, ``trial.svg`` and ``run.json``. A killed run goes on, and whoever cannot
be forecast costs one row, as in scoring.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .arm_effects import RESPONDER_SHARE
from .arm_scoring import TrialScorer
from .arm_settings import TrialSettings, plan_digest
from .arm_tables import COMMON_FILE, TRIAL_FILES, TrialHelpers, TrialTables
from .cohort_connectomes import CohortConnectomes
from .cohort_listing import CohortListing
from .cohort_table import replaced_file
from .cohort_work import OnScored, check_apart, make_way, work_through
from .connectome import Connectome
from .errors import CohortError, ConnectomeError, PlanError, UsageError
from .folder_lock import locked_folder
from .gradients import plan_finder
from .plan import parcellation_of, plan_of_text
from .possible_connectomes import check_original
from .run_file import RUN_FILE, CohortRun, about_scoring
from .score_journal import JOURNAL_FILE
from .score_workers import WorkerPlan

if TYPE_CHECKING:
    from .bundle import Bundle


def run_trial(
    bundle: Bundle,
    listing: CohortListing,
    out: str | Path,
    settings: TrialSettings,
    *,
    helpers: TrialHelpers | None = None,
    responder_share: float = RESPONDER_SHARE,
    jobs: int = 1,
    fail_fast: bool = False,
    force: bool = False,
    on_scored: OnScored | None = None,
) -> CohortRun:
    """Put a cohort through a trial, going on with what an earlier run left there.

    Parameters
    ----------
    bundle : Bundle
        Workers read it again from its folder, which stays until the end.
    listing : CohortListing
        From `list_cohort`.
    out : str or pathlib.Path
        The folder, made if it is not there.
    settings : TrialSettings
        With a common arm and no common plan, this is found for the cohort's mean connectome when
        the trial begins, and stays as it is.
    helpers : TrialHelpers, optional
    responder_share : float
        Who moves by this share of every goal responds; another one is no reason to forecast anybody
        again.
    jobs : int
        Processes. They change no number and no order.
    fail_fast : bool
        Stop at the first person who cannot be forecast.
    force : bool
        Begin anew, whatever is there.
    on_scored : callable, optional

    Raises
    ------
    UsageError
        Settings out of their range, or of something that the bundle cannot give; less than one
        process; the folder is the cohort's own, or a result would replace its table.
    PlanError
        The common plan is of another bundle, or the one in the folder was changed.
    MissingDependencyError
        A new plan is asked for, and PyTorch is not installed; or a common one, and a package that
        reads somebody's file is not.
    OutputError
        Another process is at work there, the folder holds something else, or cannot be written.
    FirstFailureError
        `fail_fast`, and somebody failed.
    CohortError
        Somebody is there with several sessions, the cohort's table has a column that a trial writes
        itself, or a common plan is to be found and nobody's connectome can be read.
    """
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, found {jobs}.")
    settings.check()
    out = Path(out)
    _check_people(listing)
    helpers = helpers or TrialHelpers()
    tables = TrialTables(bundle, listing, settings, helpers, responder_share)
    clash = tables.table.clash
    if clash is not None:
        raise CohortError(
            f"{listing.source} has a column {clash!r}, which a trial writes itself. Rename or "
            "leave out this column."
        )
    check_apart(out, listing, (*TRIAL_FILES, COMMON_FILE), settings.own_files)
    with locked_folder(out):
        if "common" in settings.arms:
            settings = _with_common_plan(bundle, listing, out, settings, force=force)
        # What would fail with everybody is said at once, before anything is removed.
        TrialScorer(bundle, settings)
        is_new = _digest_begun_with(out) is None
        made: tuple[str, ...] = TRIAL_FILES
        if (force and not is_new) or ("common" in settings.arms and (force or is_new)):
            made = (*TRIAL_FILES, COMMON_FILE)
        make_way(out, made, settings.own_files, force=force)

        def keep_plan() -> None:
            path = out / COMMON_FILE
            if settings.common is None or (path.exists() and path.read_bytes() == settings.common):
                return
            with replaced_file(path) as file:
                file.write(settings.common)

        return work_through(
            out,
            listing,
            WorkerPlan.of(bundle, settings),
            about_scoring(bundle, listing, settings),
            TrialTables(bundle, listing, settings, helpers, responder_share),
            jobs=jobs,
            fail_fast=fail_fast,
            own_files=settings.own_files,
            on_begun=keep_plan,
            on_scored=on_scored,
        )


def _check_people(listing: CohortListing) -> None:
    """Effects and intervals are over people, so nobody may be there twice."""
    seen: set[str] = set()
    for entry in listing.entries:
        if entry.participant_id in seen:
            raise CohortError(
                f"{entry.participant_id} is in {listing.source} with several sessions. A trial "
                "counts people: give a table with one session of everybody."
            )
        seen.add(entry.participant_id)


def common_plan(bundle: Bundle, listing: CohortListing, settings: TrialSettings) -> bytes:
    """Find the plan for a cohort's mean connectome; returns the content of ``plan.json``.

    The mean of correlation matrices is one. Whoever cannot be read, or has a connectome that is not
    positive semi-definite, is left out of it, and is a row that says so. A package that is missing
    leaves nobody out: the plan stays, and would be another one here than where it is installed.

    Raises
    ------
    CohortError
        Nobody's connectome can be read.
    MissingDependencyError
        PyTorch is not installed, or a package that reads somebody's file.
    UsageError
        The bundle cannot give an indicator.
    """
    finder = plan_finder(bundle, settings.goals, settings.holds)
    mean = mean_connectome(bundle, listing, settings)
    found = finder.find(mean, settings.limits)
    return found.plan.to_bytes(bundle)


def mean_connectome(bundle: Bundle, listing: CohortListing, settings: TrialSettings) -> Connectome:
    """The mean of everybody's correlations.

    Raises
    ------
    CohortError
        Nobody's connectome can be read.
    MissingDependencyError
        A package that reads somebody's file is not installed.
    """
    parcellation, connectomes = parcellation_of(bundle), CohortConnectomes(bundle, settings.reading)
    total: NDArray[np.float64] | None = None
    n_read, first_error = 0, ""
    for entry in listing.entries:
        try:
            own = bundle.aligned(connectomes.read(entry))
            correlations = own.correlations.astype(np.float64)
            check_original(correlations, own.source)
        except (ConnectomeError, UsageError) as error:
            first_error = first_error or entry.told(str(error))
            continue
        total = correlations if total is None else total + correlations
        n_read += 1
    if total is None:
        raise CohortError(
            f"No connectome of {listing.source} can be read, so there is no common plan. The "
            f"first: {first_error}"
        )
    return Connectome.from_matrix(
        total / n_read, labels=parcellation.labels, source=f"the mean of {listing.source}"
    )


def _with_common_plan(
    bundle: Bundle, listing: CohortListing, out: Path, settings: TrialSettings, *, force: bool
) -> TrialSettings:
    """The settings with the common plan: that of the trial in the folder, the given, or a new one.

    A trial is of one common plan: its journal has the digest.
    """
    path = out / COMMON_FILE
    begun_with = None if force else _digest_begun_with(out)
    if begun_with is not None and settings.common is None and path.exists():
        try:
            there = path.read_bytes()
        except OSError as cause:
            raise PlanError(f"{path} cannot be read: {cause.strerror or cause}.") from cause
        if plan_digest(there) != begun_with:
            raise PlanError(
                f"{path} has changed since the trial began. Put the plan back, choose another "
                "folder, or pass --force (force=True) to begin anew."
            )
        plan_of_text(there, str(path), bundle)
        return replace(settings, common=there)
    content = settings.common or common_plan(bundle, listing, settings)
    if begun_with is not None and settings.common is None and plan_digest(content) != begun_with:
        raise PlanError(
            f"The common plan of the trial in {out} is gone ({COMMON_FILE}), or was that of other "
            "settings, and another one would be found now. Put it back, choose another folder, or "
            "pass --force (force=True) to begin anew."
        )
    return replace(settings, common=content)


def _digest_begun_with(out: Path) -> str | None:
    """Of the common plan that the trial in a folder has; None where none has begun."""
    for name in (JOURNAL_FILE, RUN_FILE):
        try:
            with (out / name).open("rb") as file:
                found = json.loads(file.readline() if name == JOURNAL_FILE else file.read())
            about = found if name == JOURNAL_FILE else found["scored"]
            digest = about["settings"]["common"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not there, or of something else, which is said when it is opened
        return digest if isinstance(digest, str) else None
    return None
