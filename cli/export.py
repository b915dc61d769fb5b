"""`dtb-run export`: from a checkpoint to a bundle, and from a bundle to what other servers read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from . import terminal
from .options import ForceOption, JsonOption

EXAMPLES = """\b
Examples:
  dtb-run export checkpoint --out my_bundle
  dtb-run export checkpoint --out my_bundle --name clinic434 --json
  dtb-run export --bundle tcp434 --triton model_repository
"""


def export(
    checkpoint: Annotated[
        Path | None,
        typer.Argument(
            metavar="CHECKPOINT", show_default=False, help="Folder that train wrote; with --out."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", show_default=False, help="Folder to write the bundle to."
        ),
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(
            "--bundle",
            metavar="NAME|DIR",
            show_default=False,
            help="A bundle that is there, in place of a checkpoint; with --triton.",
        ),
    ] = None,
    triton: Annotated[
        Path | None,
        typer.Option(
            "--triton",
            metavar="DIR",
            show_default=False,
            help="Also lay the bundle's networks out as a model repository of NVIDIA Triton.",
        ),
    ] = None,
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
    either check is not written. With --bundle and --triton nothing is trained or converted, and
    PyTorch is not needed.
    """
    from dtb_runtime.bundle_files import read_bundle_files
    from dtb_runtime.bundle_loading import find_bundle
    from dtb_runtime.errors import UsageError

    if checkpoint is not None and bundle is None and out is not None:
        from dtb_export.bundle_writer import export_bundle

        files = read_bundle_files(
            export_bundle(checkpoint, out, name=name, figures=figures or (), force=force)
        )
    elif checkpoint is None and bundle is not None and triton is not None:
        given = {"--out": out, "--name": name, "--figures": figures or None}
        extra = [option for option, value in given.items() if value is not None]
        if extra:
            raise UsageError(
                f"{', '.join(extra)}: the bundle of --bundle is there already and is not written "
                "again. Leave it out, or export a CHECKPOINT."
            )
        files = read_bundle_files(find_bundle(bundle))
    else:
        raise UsageError(
            "Give a CHECKPOINT and --out DIR for a new bundle, or --bundle NAME and --triton DIR "
            "for one that is there."
        )
    result: dict[str, Any] = {
        "name": files.manifest.name,
        "folder": str(files.folder),
        "digest": files.digest,
        "files": {file: entry.size for file, entry in files.manifest.files.items()},
        "warnings": list(files.manifest.warnings),
    }
    if triton is not None:
        from dtb_export.triton_repository import write_triton_repository

        written = write_triton_repository(files, triton, force=force)
        result["triton"] = {
            "folder": str(triton),
            "models": list(dict.fromkeys(path.relative_to(triton).parts[0] for path in written)),
        }
    if json:
        terminal.print_json(result)
        return
    if out is not None:
        _print_bundle(result)
    if triton is not None:
        models = ", ".join(result["triton"]["models"])
        terminal.print_lines(f"Laid {models} out in {triton}, digest {files.digest[:12]}.")
    terminal.print_lines(*(f"Warning: {warning}" for warning in result["warnings"]))
    if out is not None:
        terminal.message(
            f"Next: dtb-run inspect {out}, or dtb-run predict CONNECTOME --bundle {out}"
        )
    if triton is not None:
        terminal.message(f"Next: tritonserver --model-repository={triton.absolute()}")


def _print_bundle(result: Mapping[str, Any]) -> None:
    rows = [(file, f"{size / 1e6:.2f}") for file, size in result["files"].items()]
    terminal.print_table(terminal.Table(("file", "MB"), rows))
    terminal.print_lines(
        f"Exported {result['name']} to {result['folder']}, digest {result['digest'][:12]}."
    )
