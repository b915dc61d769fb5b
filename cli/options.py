"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_BUNDLE = "tcp434"


class Sex(StrEnum):
    """What the norms of a bundle know."""

    FEMALE = "female"
    MALE = "male"


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
FilesOutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        show_default=False,
        help="Folder to write files to; another one for each schedule.",
    ),
]
OptionalConnectome = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONNECTOME",
        show_default=False,
        help="Correlations between regions, or the resting series or scan they come from: text, "
        ".npy, .npz, .parquet, CIFTI-2, NIfTI with --atlas, .mat (CONN's too), .h5. Without names "
        "in the file, the regions must be in the order of the bundle.",
    ),
]
TwinOption = Annotated[
    Path | None,
    typer.Option(
        "--twin",
        metavar="NPZ",
        show_default=False,
        help="A saved twin instead of a connectome (calibrate --save).",
    ),
]
ParticipantOption = Annotated[
    str | None,
    typer.Option(
        "--participant-label",
        metavar="LABEL",
        show_default=False,
        help="Participant, where no file name has sub-<label>.",
    ),
]
AgeOption = Annotated[
    float | None,
    typer.Option(
        "--age",
        metavar="YEARS",
        show_default=False,
        help="With --sex: percentiles among people like this one.",
    ),
]
SexOption = Annotated[Sex | None, typer.Option("--sex", show_default=False, help="See --age.")]
