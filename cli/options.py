"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_BUNDLE = "tcp434"


class Device(StrEnum):
    """Where a network runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


BundleOption = Annotated[
    str,
    typer.Option("--bundle", metavar="NAME|DIR", help="A shipped bundle's name, or a folder."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace files that are there already.")]
DeviceOption = Annotated[Device, typer.Option("--device", help="auto takes a GPU if there is one.")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="The same seed gives the same result.")
]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write.")]
