"""`dtb-run report`: what other commands wrote, as one page of pictures and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import terminal
from .options import ForceOption, JsonOption

EXAMPLES = """\b
Examples:
  dtb-run report twins --out report.html
  dtb-run report predicted calibrated plan --out sub-01.html
  dtb-run report scores --out cohort.html --bundle my_bundle
"""


def report(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES",
            show_default=False,
            help="Files or folders that predict, calibrate, intervene, score or trial wrote, or "
            "JSON that predict or calibrate printed.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="HTML", help="The page to write.")] = Path(
        "report.html"
    ),
    bundle: Annotated[
        str | None,
        typer.Option(
            "--bundle",
            metavar="NAME|DIR",
            show_default=False,
            help="The bundle that the files were made with; default: the shipped one that they "
            "name.",
        ),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            metavar="LABEL",
            show_default=False,
            help="Region whose BOLD is drawn over time; repeat for more. Default: a few.",
        ),
    ] = None,
    participant_label: Annotated[
        str | None,
        typer.Option(
            "--participant-label",
            metavar="LABEL",
            show_default=False,
            help="Whom to show, where the files are of several people.",
        ),
    ] = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Make a page of pictures and tables.

    One self-contained HTML file, to look at in a browser or to print. It needs no network and runs
    no script. The same files give the same page. What cannot be shown is said, on the page and
    here.
    """
    from dtb_runtime.atomic import check_free, write_files
    from dtb_runtime.errors import UsageError
    from dtb_runtime.report_contents import make_report
    from dtb_runtime.report_inputs import check_not_an_input

    if not out.name:
        raise UsageError("--out is the page to write, such as report.html.")
    check_not_an_input(out, files)
    check_free(out.parent, (out.name,), force=force)  # now, and not when all is drawn
    made = make_report(
        files, bundle=bundle, regions=tuple(region or ()), participant=participant_label
    )
    check_not_an_input(out, made.inputs)
    write_files(out.parent, {out.name: made.html}, force=force)
    if json:
        terminal.print_json(
            {
                "file": str(out),
                "title": made.title,
                "bytes": len(made.html),
                "bundle": made.bundle,
                "bundle_digest": made.bundle_digest,
                "sections": list(made.sections),
                "pictures": made.n_pictures,
                "left_out": list(made.left_out),
                "inputs": [str(path) for path in made.inputs],
            }
        )
        return
    for sentence in made.left_out:
        terminal.message(sentence)
    terminal.message(
        f"Wrote {out}: {made.title}, {made.n_pictures} pictures, {len(made.html) / 1e6:.1f} MB."
    )
