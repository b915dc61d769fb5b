"""`dtb-run score`: a whole cohort, one row a person."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from dtb_runtime.processors import n_usable
from dtb_runtime.reading import Reading

from . import terminal
from .cohort_text import people, print_ending
from .hash_options import HashIdsOption, HashKeyOption, listing_to_use
from .options import (
    BundleOption,
    Device,
    DeviceOption,
    ForceOption,
    JsonOption,
)
from .reading_options import with_reading

EXAMPLES = """\b
Examples:
  dtb-run score connectomes --out scores
  dtb-run score cohort.tsv --bundle glasser360 --out scores --jobs 8
"""


@with_reading
def score(
    cohort: Annotated[
        Path,
        typer.Argument(
            metavar="COHORT",
            show_default=False,
            help="A folder of connectomes, a BIDS derivatives tree, or a table (.tsv, .csv) with "
            "participant_id and path, optionally session, age, sex and columns of your own.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", show_default=False, help="Folder for the results."),
    ],
    bundle: BundleOption = "tcp434",
    draws: Annotated[
        int,
        typer.Option(
            "--draws",
            min=1,
            help="Draws of what is not known of a person to average over. 1 is quickest; 32 gives "
            "predict's numbers and intervals, and takes longer nearly in proportion.",
        ),
    ] = 1,
    files: Annotated[
        bool,
        typer.Option("--files", help="Also write each person's own files, as predict does."),
    ] = False,
    harmonize: Annotated[
        Path | None,
        typer.Option(
            "--harmonize",
            metavar="SITES",
            show_default=False,
            help="Take what sites and scanners do to connectomes off everybody first: a file of "
            "dtb-run harmonize.",
        ),
    ] = None,
    hash_ids: HashIdsOption = False,
    hash_key: HashKeyOption = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            min=1,
            show_default=False,
            help="Processes (default: one a processor; on a GPU one).",
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            show_default=False,
            help="Score on the workers of this Dask scheduler (docs/cluster.md).",
        ),
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first person who cannot be scored.")
    ] = False,
    force: ForceOption = False,
    device: DeviceOption = Device.AUTO,
    json: JsonOption = False,
    *,
    reading: Reading,
) -> None:
    """Score a whole cohort: one row a person.

    Writes cohort.tsv (indicators, percentiles, how unusual each connectome is), cohort.parquet,
    what the columns are (cohort.json) and run.json. Whoever cannot be scored gets a row that says
    why, and the exit code is then 1. Killed at any moment and started again, it goes on where it
    was and ends with the same tables.
    """
    from dtb_runtime.bundle_loading import load_bundle
    from dtb_runtime.cohort_listing import list_cohort
    from dtb_runtime.cohort_run import score_cohort
    from dtb_runtime.errors import UsageError
    from dtb_runtime.harmonization_file import HarmonizationFile
    from dtb_runtime.inference import CUDA
    from dtb_runtime.scoring import ScoreSettings

    loaded = load_bundle(bundle, device=device.value)
    parcellation = loaded.manifest.parcellation
    site_effects = None if harmonize is None else HarmonizationFile.of(harmonize)
    sites = None if site_effects is None else site_effects.read()
    listing = list_cohort(
        cohort,
        parcellation=None if parcellation is None else parcellation.name,
        timeseries=reading.timeseries,
        columns=() if sites is None else sites.columns,
    )
    if sites is not None:
        sites.check_columns(listing.own_columns, listing.source)
    listing = listing_to_use(listing, out, hash_ids=hash_ids, hash_key=hash_key)
    settings = ScoreSettings(
        draws=draws,
        reading=reading,
        harmonization=site_effects,
        files=str((out / "people").absolute()) if files else None,
    )
    if cluster is not None and jobs is not None:
        raise UsageError(
            "--jobs is of processes here, and --cluster scores on a cluster's. Give one."
        )
    n_people = len(listing.entries)
    with terminal.progress("Scoring", n_people) as progress:
        speed = _Speed(n_people)
        run = score_cohort(
            loaded,
            listing,
            out,
            settings,
            jobs=min(jobs or (1 if loaded.provider == CUDA else n_usable()), n_people),
            cluster=cluster,
            fail_fast=fail_fast,
            force=force,
            on_scored=lambda done, failed, _: progress.advance(done, speed.text(done, failed)),
        )
    result: dict[str, Any] = {
        "bundle": loaded.name,
        "provider": loaded.provider,
        "harmonized_with": None if site_effects is None else site_effects.digest,
        "people": run.n_people,
        "ok": run.n_people - run.n_failed,
        "failed": run.n_failed,
        "scored_before": run.n_before,
        "seconds": round(run.seconds, 3),
        "first_error": run.first_error or None,
        "files": [str(path) for path in run.files],
        "left_out": [*filter(None, [listing.left_out]), *run.left_out],
        "was_ended": run.was_ended,
        "warnings": [*loaded.warnings, *listing.notes],
    }
    if json:
        terminal.print_json(result)
    else:
        _print(result, out)
    if run.n_failed:
        raise typer.Exit(1)


def _print(result: dict[str, Any], out: Path) -> None:
    before = f" ({result['scored_before']} of them before)" if result["scored_before"] else ""
    where = result["provider"].removesuffix("ExecutionProvider")
    terminal.print_lines(
        f"Scored {people(result['people'])} with {result['bundle']} on {where}{before}: "
        f"{result['ok']} ok, {result['failed']} failed."
    )
    print_ending(result, out, n_failed=result["failed"], table="cohort.tsv", done="was scored")


class _Speed:
    """People a second, and how long the rest will take at that rate."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._begin: tuple[float, int] | None = None

    def text(self, done: int, failed: int) -> str:
        """What the progress says."""
        now_s = time.monotonic()
        problems = f", {failed} failed" if failed else ""
        if self._begin is None:
            self._begin = (now_s, done)
            return f"{done} done before{problems}" if done else ""
        begin_s, before = self._begin
        rate = (done - before) / max(now_s - begin_s, 1e-9)
        left_s = (self._total - done) / rate if rate else 0.0
        minutes, seconds = divmod(round(left_s), 60)
        return f"{rate:.0f} people/s, {minutes}:{seconds:02d} left{problems}"
