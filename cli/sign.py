"""`dtb-run sign`: put a name to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import terminal
from .options import ForceOption, JsonOption

EXAMPLES = """\b
Examples:
  dtb-run sign my_bundle --key private.pem
  dtb-run sign my_bundle --key private.pem --out signatures/my_bundle.sig
"""


def sign(
    bundle: Annotated[
        Path, typer.Argument(metavar="DIR", show_default=False, help="Folder of the bundle.")
    ],
    key: Annotated[
        Path,
        typer.Option(
            "--key",
            metavar="PEM",
            show_default=False,
            help="Private key of the curve P-256, P-384 or P-521, not encrypted.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            show_default=False,
            help="The signature; default: DIR.sig, beside the folder.",
        ),
    ] = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Sign a bundle, so that others know that it is yours.

    They need your public key from you, not from where the bundle lies. Nothing is sent anywhere.
    """
    from dtb_runtime.bundle_files import read_manifest
    from dtb_runtime.bundle_signature import sign_bundle

    signature = sign_bundle(bundle, key, out, force=force)
    manifest, digest = read_manifest(bundle)
    if json:
        terminal.print_json({"name": manifest.name, "digest": digest, "signature": str(signature)})
        return
    terminal.print_lines(f"Signed {manifest.name}, digest {digest[:12]}: {signature}")
    terminal.message(f"Next: dtb-run inspect {bundle} --verify-key PUBLIC.pem")
