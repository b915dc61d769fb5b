"""`dtb-run export`: from a checkpoint to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import terminal
from .options import ForceOption, JsonOption, OutOption

EXAMPLES = """\b
Examples:
  dtb-run export checkpoint --out my_bundle
  dtb-run export checkpoint --out my_bundle --name clinic434 --json
"""


def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", show_default=False, help="Folder that train wrote."),
    ],
    out: OutOption,
    name: Annotated[
        str | None,
        typer.Option(show_default=False, help="Name of the bundle; default: the checkpoint's."),
    ] = None,
    figures: Annotated[
        list[Path] | None,
        typer.Option(
            "--figures",
            metavar="JSON",
            show_default=False,
            help="metrics.json of an evaluation whose figures go into manifest and model card; "
            "may be given several times, once for each kind of evaluation.",
        ),
    ] = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Export a trained checkpoint to a bundle that needs no PyTorch.

    The bundle is checked against the format and against PyTorch on whole runs; one that fails
    either check is not written.
    """
    from dtb_export.bundle_writer import export_bundle
    from dtb_runtime.bundle_files import read_bundle_files

    files = read_bundle_files(
        export_bundle(checkpoint, out, name=name, figures=figures or (), force=force)
    )
    sizes = {file: entry.size for file, entry in files.manifest.files.items()}
    if json:
        terminal.print_json(
            {
                "name": files.manifest.name,
                "folder": str(out),
                "digest": files.digest,
                "files": sizes,
                "warnings": list(files.manifest.warnings),
            }
        )
        return
    rows = [(file, f"{size / 1e6:.2f}") for file, size in sizes.items()]
    terminal.print_table(terminal.Table(("file", "MB"), rows))
    terminal.print_lines(f"Exported {files.manifest.name} to {out}, digest {files.digest[:12]}.")
    terminal.print_lines(*(f"Warning: {warning}" for warning in files.manifest.warnings))
    terminal.message(f"Next: dtb-run inspect {out}, or dtb-run predict CONNECTOME --bundle {out}")
