"""`dtb-run bundles` and `dtb-run inspect`: which bundles there are, and what is in one."""

from __future__ import annotations

import csv
import io
import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import terminal
from .figures import print_figures
from .options import JsonOption

if TYPE_CHECKING:
    from dtb_runtime.bundle import Bundle
    from dtb_runtime.manifest import Manifest

BUNDLES_EXAMPLES = """\b
Examples:
  dtb-run bundles
  dtb-run bundles --json
"""
INSPECT_EXAMPLES = """\b
Examples:
  dtb-run inspect tcp434
  dtb-run inspect my_bundle --json
  dtb-run inspect tcp434 --card
  dtb-run inspect glasser360 --regions
  dtb-run inspect my_bundle --verify-key public.pem
"""
RUNTIME_CHECKS = (
    "the folder holds exactly the files of the manifest",
    "every file has the size and the SHA-256 of the manifest",
    "no graph has external data, another operator domain or an operator that is not allowed",
    "inputs and outputs of every graph are those of the manifest",
    "norms have the manifest's sizes and are finite",
)
"""What `load_bundle` checks, in its order; it raises at the first that fails."""
_SPELLED = {"step_s": "step (s)", "tr_s": "TR (s)", "bold_regions": "BOLD regions"}


def bundles(json: JsonOption = False) -> None:
    """List the bundles that came with this installation."""
    from dtb_runtime.bundle_loading import DEFAULT_BUNDLE, available_bundles

    found = available_bundles()
    if json:
        terminal.print_json(
            {
                "bundles": [
                    {
                        "name": info.name,
                        "default": info.name == DEFAULT_BUNDLE,
                        "regions": _n_regions(info.manifest),
                        "tasks": list(info.manifest.tasks),
                        "trained_on": info.manifest.training.kind,
                        "size": info.size,
                        "digest": info.digest,
                        "folder": str(info.folder),
                        "warnings": list(info.manifest.warnings),
                    }
                    for info in found
                ]
            }
        )
        return
    if not found:
        terminal.print_lines("No bundles came with this installation; pass a folder to --bundle.")
        return
    rows = [
        (
            info.name + (" (default)" if info.name == DEFAULT_BUNDLE else ""),
            str(_n_regions(info.manifest)),
            ", ".join(info.manifest.tasks),
            info.manifest.training.kind,
            f"{info.size / 1e6:.1f}",
        )
        for info in found
    ]
    terminal.print_table(terminal.Table(("bundle", "regions", "tasks", "trained on", "MB"), rows))


def inspect(
    bundle: Annotated[
        str,
        typer.Argument(
            metavar="NAME|DIR", show_default=False, help="A shipped bundle or a folder."
        ),
    ],
    json: JsonOption = False,
    card: Annotated[
        bool, typer.Option("--card", help="Show the model card: data, figures, limits.")
    ] = False,
    regions: Annotated[
        bool,
        typer.Option("--regions", help="List the regions in a connectome's order, as CSV."),
    ] = False,
    verify_key: Annotated[
        Path | None,
        typer.Option(
            "--verify-key",
            metavar="PEM",
            show_default=False,
            help="See that the owner of this public key signed it (dtb-run sign).",
        ),
    ] = None,
    signature: Annotated[
        Path | None,
        typer.Option(
            "--signature",
            metavar="FILE",
            show_default=False,
            help="With --verify-key; default: the folder's name with .sig, beside it.",
        ),
    ] = None,
) -> None:
    """Show a bundle's manifest and check it against the format.

    With the [torch] extra, which brings onnx, the structure of the graphs is checked as well.
    """
    from dtb_runtime.bundle_loading import available_bundles, load_bundle
    from dtb_runtime.errors import UsageError

    if card + regions + json > 1:
        raise UsageError("--card, --regions and --json each show one thing. Leave all but one out.")
    if signature is not None and verify_key is None:
        raise UsageError("--signature is for --verify-key. Give the public key as well.")
    loaded = load_bundle(bundle, device="cpu")
    signed_by = _verified(loaded, verify_key, signature)
    folders = {info.name: info.folder for info in available_bundles()}
    if card:
        terminal.print_text(loaded.model_card)
        return
    if regions:
        terminal.print_text(_regions_csv(loaded.manifest))
        return
    checks = list(RUNTIME_CHECKS)
    if find_spec("onnx") is not None:
        from dtb_export.contract import check_contract

        checks += check_contract(folders.get(bundle, Path(bundle)))
    else:
        terminal.message(
            "Beyond the checks below, the graphs' structure is checked where onnx is installed, "
            "as in an environment that trains and exports (extra [torch])."
        )
    facts = _facts(loaded.manifest, loaded.digest)
    if signed_by is not None:
        facts["signed_with_key"] = signed_by
        checks.append(f"signed by the owner of {verify_key}")
    if json:
        terminal.print_json(facts | {"checks": checks})
        return
    # Figures have a table of their own, and warnings come last, where they are seen.
    rows = [
        (_SPELLED.get(name, name.replace("_", " ")), _text(value))
        for name, value in facts.items()
        if name not in ("measured", "warnings")
    ]
    terminal.print_table(terminal.Table(("fact", "value"), rows))
    print_figures(loaded.manifest.measured)
    terminal.print_lines(*(f"ok  {check}" for check in checks))
    terminal.print_lines(*(f"Warning: {warning}" for warning in loaded.warnings))


def _verified(loaded: Bundle, key: Path | None, signature: Path | None) -> str | None:
    """Return the SHA-256 of the key that signed a bundle; None where nobody asks."""
    if key is None:
        return None
    from dtb_runtime.bundle_signature import verify_bundle

    return verify_bundle(loaded.folder, loaded.digest, key, signature)


def _regions_csv(manifest: Manifest) -> str:
    """Return the regions as the table that `--regions` of other commands takes."""
    from dtb_runtime.errors import UsageError

    parcellation = manifest.parcellation
    if parcellation is None:
        raise UsageError(f"Bundle {manifest.name!r} does not say which regions it has.")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("index", "label", "network", "hemisphere", "x", "y", "z"))
    columns = (parcellation.labels, parcellation.network, parcellation.hemisphere)
    for index, names in enumerate(zip(*columns, strict=True)):
        place = parcellation.coordinates[index].tolist()
        rows.writerow((index, *names, *("" if math.isnan(x) else f"{x:g}" for x in place)))
    return text.getvalue()


def _facts(manifest: Manifest, digest: str) -> dict[str, Any]:
    training = manifest.training
    return {
        "name": manifest.name,
        "digest": digest,
        "preset": manifest.preset,
        "parcellation": None if manifest.parcellation is None else manifest.parcellation.name,
        "regions": _n_regions(manifest),
        "edges": manifest.n_edges,
        "latent_size": manifest.latent_size,
        "weights": manifest.n_weights,
        "hidden_size": manifest.hidden_size,
        "actions": list(manifest.actions),
        "action_reading": manifest.action_reading,
        "bold_regions": manifest.n_bold,
        "step_s": manifest.dt_s,
        "tr_s": manifest.tr_s,
        "tasks": list(manifest.tasks),
        "trained_on": training.kind,
        "training": training.description,
        "people": {
            "train": training.n_train,
            "validation": training.n_validation,
            "test": training.n_test,
        },
        "split": training.split,
        "seed": training.seed,
        "epochs": training.epochs,
        "measured": dict(manifest.measured),
        "created_with": dict(manifest.created_with),
        "files": {name: entry.size for name, entry in manifest.files.items()},
        "warnings": list(manifest.warnings),
    }


def _n_regions(manifest: Manifest) -> int | None:
    return None if manifest.parcellation is None else manifest.parcellation.n_regions


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "none" if value is None else str(value)
