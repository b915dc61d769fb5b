"""`dtb-run bids`: a BIDS App, from derivatives with connectomes to derivatives with forecasts."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dtb_runtime.processors import n_usable
from dtb_runtime.reading import Reading

from . import terminal
from .cohort_text import rows_of
from .hash_options import HashIdsOption, HashKeyOption, listing_to_use
from .options import DEFAULT_BUNDLE, BundleOption, Device, DeviceOption, ForceOption, JsonOption
from .reading_options import with_reading

if TYPE_CHECKING:
    from dtb_runtime.bids_cohort import BidsCohort
    from dtb_runtime.bids_group import GroupRun
    from dtb_runtime.bundle import Bundle

EXAMPLES = """\b
Examples:
  dtb-run bids derivatives/xcp_d derivatives/twins participant --nprocs 4
  dtb-run bids derivatives/xcp_d derivatives/twins participant --participant-label 01 02
  dtb-run bids derivatives/xcp_d derivatives/twins group
"""
_SEVERAL = ("--participant-label", "--participant_label", "--session-label")


class Level(StrEnum):
    """Levels of a BIDS App."""

    PARTICIPANT = "participant"
    GROUP = "group"


class BidsCommand(TyperCommand):
    """Takes several labels after one option, as BIDS Apps do."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write ``--participant-label 01 02`` as two options."""
        given: list[str] = []
        option, has_value = "", False
        for word in args:
            if word.startswith("-"):
                name, is_filled, _ = word.partition("=")  # as --participant-label=01
                option, has_value = name if name in _SEVERAL else "", bool(is_filled)
                given.append(word)
            else:
                given += [option, word] if option and has_value else [word]
                has_value = True
        return super().parse_args(ctx, given)


@with_reading
def bids(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="BIDS_DERIVATIVES",
            show_default=False,
            help="Folder of a derivatives data set with connectomes, as giga_connectome and XCP-D "
            "write them; with --timeseries or --atlas with series or scans.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", show_default=False, help="Folder for the new data set."),
    ],
    level: Annotated[
        Level,
        typer.Argument(
            metavar="participant|group",
            show_default=False,
            help="participant forecasts everybody, group makes one table of them.",
        ),
    ],
    bundle: BundleOption = DEFAULT_BUNDLE,
    participant_label: Annotated[
        list[str] | None,
        typer.Option(
            "--participant-label",
            "--participant_label",
            metavar="LABEL...",
            show_default=False,
            help="Only these people, with or without sub-.",
        ),
    ] = None,
    session_label: Annotated[
        list[str] | None,
        typer.Option(
            "--session-label",
            metavar="LABEL...",
            show_default=False,
            help="Only these sessions, with or without ses-.",
        ),
    ] = None,
    bids_filter_file: Annotated[
        Path | None,
        typer.Option(
            "--bids-filter-file",
            metavar="JSON",
            show_default=False,
            help="Which files are meant, as fMRIPrep takes it; keys connectome, timeseries, bold.",
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            min=1,
            show_default=False,
            help="Draws of what is not known of a person to average over (default: as predict).",
        ),
    ] = None,
    nprocs: Annotated[
        int | None,
        typer.Option(
            "--nprocs",
            min=1,
            show_default=False,
            help="Processes (default: one a processor; on a GPU one).",
        ),
    ] = None,
    mem_mb: Annotated[
        int | None,
        typer.Option(
            "--mem-mb",
            min=1,
            show_default=False,
            help="Memory for all processes, in MB; fewer of them run where it is short.",
        ),
    ] = None,
    stop_on_first_crash: Annotated[
        bool,
        typer.Option("--stop-on-first-crash", help="Stop at the first person who fails."),
    ] = False,
    harmonize: Annotated[
        Path | None,
        typer.Option(
            "--harmonize",
            metavar="SITES",
            show_default=False,
            help="Take what sites and scanners do to connectomes off everybody first: a file of "
            "dtb-run harmonize; the site stands in participants.tsv.",
        ),
    ] = None,
    hash_ids: HashIdsOption = False,
    hash_key: HashKeyOption = None,
    force: ForceOption = False,
    device: DeviceOption = Device.AUTO,
    json: JsonOption = False,
    *,
    reading: Reading,
) -> None:
    """Forecast a BIDS derivatives data set into another one.

    participant: finds everybody's connectome and writes trials, BOLD, contrasts and a summary of
    each, a log, and a crash file of whoever fails (exit code 1). Started again, also on several
    machines for different people, it passes over who is done. group: one table of everybody and a
    summary.
    """
    from dtb_runtime.bids_cohort import BidsSelection, list_bids
    from dtb_runtime.bids_group import run_group
    from dtb_runtime.bids_query import BidsFilters, wanted_by
    from dtb_runtime.bundle_loading import load_bundle
    from dtb_runtime.harmonization_file import HarmonizationFile

    filters = BidsFilters() if bids_filter_file is None else BidsFilters.read(bids_filter_file)
    loaded = load_bundle(bundle, device=device.value)
    parcellation = loaded.manifest.parcellation
    site_effects = None if harmonize is None else HarmonizationFile.of(harmonize)
    sites = None if site_effects is None else site_effects.read()
    selection = BidsSelection(
        wanted=wanted_by(reading),
        filters=filters,
        participant_labels=tuple(participant_label or ()),
        session_labels=tuple(session_label or ()),
        parcellation=None if parcellation is None else parcellation.name,
        atlas=reading.atlas,
        columns=() if sites is None else sites.columns,
    )
    listed = list_bids(source, selection, needs_files=level is Level.PARTICIPANT)
    if sites is not None:
        sites.check_columns(listed.columns, f"The table of participants of {listed.listing.source}")
    cohort = _hidden(listed, out, hash_ids=hash_ids, hash_key=hash_key)
    if level is Level.GROUP:
        run_of_all = run_group(loaded, cohort, out, selection, harmonization=site_effects)
        _print_group(loaded, run_of_all, out, json=json)
        return
    from dtb_runtime.bids_run import processes_within, run_participants
    from dtb_runtime.bids_scoring import BidsSettings
    from dtb_runtime.inference import CUDA

    jobs = processes_within(nprocs or (1 if loaded.provider == CUDA else n_usable()), mem_mb)
    settings = BidsSettings.of(
        loaded, out, source, draws=draws, reading=reading, harmonization=site_effects
    )
    with terminal.progress("Forecasting", len(cohort.listing.entries)) as progress:
        run = run_participants(
            loaded,
            cohort,
            out,
            settings,
            nprocs=jobs,
            stop_on_first_crash=stop_on_first_crash,
            force=force,
            on_done=lambda done, failed: progress.advance(done, f"{failed} failed" * bool(failed)),
        )
    result: dict[str, Any] = {
        "level": level.value,
        "bundle": loaded.name,
        "provider": loaded.provider,
        "harmonized_with": None if site_effects is None else site_effects.digest,
        "people": run.n_people,
        "rows": run.n_rows,
        "ok": run.n_rows - run.n_failed - run.n_busy,
        "failed": run.n_failed,
        "done_before": run.n_before,
        "busy": run.n_busy,
        "seconds": round(run.seconds, 3),
        "out": str(out),
        "crash_files": str(run.crash_folder) if run.n_failed else None,
        "notes": list(cohort.notes),
        "warnings": list(loaded.warnings),
    }
    if json:
        terminal.print_json(result)
    else:
        _print(result)
    if run.n_failed:
        raise typer.Exit(1)


def _hidden(cohort: BidsCohort, out: Path, *, hash_ids: bool, hash_key: Path | None) -> BidsCohort:
    """The cohort with hashed ids, where this is asked for."""
    listing = listing_to_use(cohort.listing, out, hash_ids=hash_ids, hash_key=hash_key)
    if not hash_ids or hash_key is None:
        return cohort
    from dtb_runtime.hashed_ids import hashed_id, read_key

    key, people = read_key(hash_key, apart_from=out), cohort.participants
    renamed = None if people is None else people.renamed(lambda who: hashed_id(who, key))
    return replace(cohort, listing=listing, participants=renamed)


def _print(result: dict[str, Any]) -> None:
    before = f" ({result['done_before']} of them before)" if result["done_before"] else ""
    busy = f", {result['busy']} left to another process" if result["busy"] else ""
    where = result["provider"].removesuffix("ExecutionProvider")
    terminal.print_lines(
        f"Forecast {rows_of(result['rows'], result['people'])} with {result['bundle']} on "
        f"{where}{before}: "
        f"{result['ok']} ok, {result['failed']} failed{busy}."
    )
    if busy:
        terminal.message("How those end shows when the other process has: call this again then.")
    if result["crash_files"] is not None:
        terminal.message(f"Why stands in a crash file for each of them in {result['crash_files']}.")
    for note in result["notes"]:
        terminal.message(note)
    for warning in result["warnings"]:
        terminal.message(f"Warning: {warning}")
    terminal.message(f"Wrote a BIDS derivatives data set to {result['out']}.")


def _print_group(loaded: Bundle, run: GroupRun, out: Path, *, json: bool) -> None:
    result: dict[str, Any] = {
        "level": Level.GROUP.value,
        "bundle": loaded.name,
        "people": run.n_people,
        "rows": run.n_rows,
        "ok": run.n_ok,
        "without_result": run.n_rows - run.n_ok,
        "changed_since": run.n_changed,
        "files": [str(path) for path in run.files],
        "warnings": list(loaded.warnings),
    }
    if json:
        terminal.print_json(result)
        return
    terminal.print_lines(
        f"A table of {rows_of(run.n_rows, run.n_people)}: {run.n_ok} with a result of "
        f"{loaded.name}, {run.n_rows - run.n_ok} without."
    )
    if run.n_changed:
        terminal.message(
            f"What the data set holds has changed since the forecast, or is gone, for "
            f"{run.n_changed} of these; notes in the table say so. Run the participant level again."
        )
    for warning in result["warnings"]:
        terminal.message(f"Warning: {warning}")
    names = ", ".join(path.name for path in run.files)
    terminal.message(f"Wrote {names} to {out}.")
