"""`dtb-run demo`: everything once, with a person that ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtb_runtime.processors import n_usable

from . import terminal
from .demo_text import (
    calibration_lines,
    forecast_lines,
    intervention_lines,
    opening_lines,
    person_lines,
    report_lines,
)
from .options import ForceOption, JsonOption

if TYPE_CHECKING:
    from dtb_runtime.bundle import Bundle
    from dtb_runtime.connectome import Connectome
    from dtb_runtime.forecast import Forecast
    from dtb_runtime.twin import Twin

EXAMPLES = """\b
Examples:
  dtb-run demo
  dtb-run demo --out my_demo --json
"""
SHAMS = 5
"""Random changes to compare the plan with: few, since making one takes half a second."""
FORECAST, CALIBRATION, INTERVENTION = "forecast", "calibration", "intervention"
"""Folders of what the commands write."""
TWIN_FILE = "sub-example_twin.npz"
REPORT_FILE = "report.html"


def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder to write; made by this command.")
    ] = Path("dtb-demo"),
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Show everything once, with an example person.

    A forecast from a connectome, calibration on the person's own trials, an intervention and a
    report, in half a minute and with the lean installation. The person ships with the package and
    is simulated: nobody's data. Every step says which command does it with files of yours.
    """
    from dtb_runtime.atomic import write_files
    from dtb_runtime.bundle_loading import load_bundle
    from dtb_runtime.connectome_file import read_connectome
    from dtb_runtime.example_person import (
        BUNDLE,
        CONNECTOME_FILE,
        EVENTS_FILE,
        SIMULATED,
        person_files,
    )
    from dtb_runtime.participants import participant_id_from
    from dtb_runtime.plan import parcellation_of

    _check_new(out, force=force)
    # On the CPU, so that it shows the same numbers everywhere and waits for no GPU.
    bundle = load_bundle(BUNDLE, device="cpu")
    write_files(out, person_files(), force=force)
    file, events = out / CONNECTOME_FILE, out / EVENTS_FILE
    read = read_connectome(file)
    # So that everything made of it says so: summaries, sidecars and the report.
    connectome = replace(read, notes=(*read.notes, SIMULATED))
    twin = bundle.personalize(connectome, participant_id=participant_id_from(file))
    result: dict[str, Any] = {
        "participant_id": twin.participant_id,
        "simulated": True,
        "bundle": bundle.name,
        "parcellation": parcellation_of(bundle).name,
        "n_regions": connectome.n_regions,
        "connectome": str(file),
        "events": str(events),
        "warnings": list(twin.warnings),
    }
    say = partial(_say, json=json)
    say(opening_lines, result)
    say(person_lines, result)
    forecasts = twin.forecast_tasks(threads=n_usable())
    result["forecast"] = before = _forecast(twin, forecasts, out / FORECAST, force=force)
    say(forecast_lines, before)
    result["calibration"] = _calibration(twin, forecasts, events, out / CALIBRATION, force=force)
    say(calibration_lines, before, result["calibration"])
    result["intervention"] = _intervention(bundle, connectome, out / INTERVENTION, force=force)
    say(intervention_lines, result["intervention"], out / INTERVENTION)
    result["report"] = _report(out, force=force)
    say(report_lines, result["report"])
    if json:
        terminal.print_json(result)


def _check_new(out: Path, *, force: bool) -> None:
    """Refuse a place where something is already; raises `OutputError`."""
    from dtb_runtime.errors import OutputError
    from dtb_runtime.tables import one_line

    place = one_line(str(out))
    try:
        if not out.is_dir():
            if out.exists():
                raise OutputError(f"{place} is a file, and the demo writes a folder. Name another.")
            return
        is_empty = next(out.iterdir(), None) is None
    except OSError as cause:
        raise OutputError(
            f"{place} cannot be looked into: {cause.strerror or cause}. Name another folder."
        ) from cause
    if not is_empty and not force:
        raise OutputError(
            f"{place} is there already and is not empty; nothing was written. Add --force to "
            "replace what an earlier demo wrote into it, or name another folder with --out."
        )


def _say(lines: Callable[..., list[str]], *of: object, json: bool) -> None:
    """Print a step as soon as it is done, where not everything is printed as JSON in the end."""
    if not json:
        terminal.print_lines(*lines(*of), "")


def _forecast(
    twin: Twin, forecasts: Sequence[Forecast], folder: Path, *, force: bool, **more: Any
) -> dict[str, Any]:
    """As `dtb-run predict` does it: the summary of a twin's forecasts, whose files it writes."""
    from dtb_runtime.outputs import write_forecasts
    from dtb_runtime.summary import summary

    files = write_forecasts(folder, twin, forecasts, more=more, force=force)
    return summary(twin, forecasts, files) | more


def _calibration(
    twin: Twin, earlier: Sequence[Forecast], events: Path, folder: Path, *, force: bool
) -> dict[str, Any]:
    """As `dtb-run calibrate` does it."""
    from dtb_runtime.learning_summary import learning_summary

    calibrated = twin.calibrate(events)
    forecasts = calibrated.forecast_tasks(threads=n_usable())
    learning = learning_summary(twin, calibrated, earlier, threads=n_usable())
    result = _forecast(calibrated, forecasts, folder, force=force, **learning)
    calibrated.save(folder / TWIN_FILE, force=force)
    return result


def _intervention(
    bundle: Bundle, connectome: Connectome, folder: Path, *, force: bool
) -> dict[str, Any]:
    """As `dtb-run intervene --plan` does it."""
    from dtb_runtime.example_person import PLAN
    from dtb_runtime.intervention import try_plan
    from dtb_runtime.intervention_outputs import summary_of, write_intervention
    from dtb_runtime.plan import read_plan

    tried = try_plan(bundle, connectome, read_plan(PLAN, bundle), shams=SHAMS)
    write_intervention(folder, bundle, tried, force=force)
    return summary_of(bundle, tried)


def _report(out: Path, *, force: bool) -> dict[str, Any]:
    """As `dtb-run report` does it; where its extra is not installed, the sentence that says so."""
    from dtb_runtime.atomic import write_files
    from dtb_runtime.errors import MissingDependencyError
    from dtb_runtime.report_contents import make_report

    try:
        report = make_report([out / FORECAST, out / CALIBRATION, out / INTERVENTION])
    except MissingDependencyError as missing:
        return {"file": None, "why_none": str(missing)}
    (file,) = write_files(out, {REPORT_FILE: report.html}, force=force)
    return {"file": str(file), "why_none": None}
