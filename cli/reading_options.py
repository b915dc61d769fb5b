"""Options that say how connectome files are read, the same for every command that reads some."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer


class Denoise(StrEnum):
    """Strategies of nilearn's `load_confounds_strategy`."""

    SIMPLE = "simple"
    SCRUBBING = "scrubbing"
    COMPCOR = "compcor"
    ICA_AROMA = "ica_aroma"


class Impute(StrEnum):
    """Where regions without data come from."""

    COHORT = "cohort"


def _file(name: str, metavar: str, text: str) -> Any:
    return Annotated[
        Path | None,
        typer.Option(name, metavar=metavar, show_default=False, help=text),
    ]


_OPTIONS: dict[str, tuple[Any, object]] = {
    "fisher_z": (
        Annotated[
            bool,
            typer.Option(
                "--fisher-z",
                help="The matrix holds Fisher z, not correlations.",
            ),
        ],
        False,
    ),
    "timeseries": (
        Annotated[
            bool,
            typer.Option(
                "--timeseries",
                help="The file holds a time series, not a matrix.",
            ),
        ],
        False,
    ),
    "variable": (
        Annotated[
            str | None,
            typer.Option(
                "--variable",
                metavar="NAME",
                show_default=False,
                help="Which array of a file with several: its name in .npz and .mat (sub.fc for a "
                "field of a struct), the data set's path in .h5.",
            ),
        ],
        None,
    ),
    "atlas": (
        _file(
            "--atlas",
            "NIFTI",
            "Parcellation that a scan is averaged over: a label image, or for .dtseries.nii a "
            ".dlabel.nii.",
        ),
        None,
    ),
    "atlas_labels": (
        _file("--atlas-labels", "TABLE", "Names of a label image's regions (.tsv, .csv, .txt)."),
        None,
    ),
    "denoise": (
        Annotated[
            Denoise | None,
            typer.Option(
                "--denoise",
                show_default=False,
                help="Regress fMRIPrep's confounds out of a scan, by this strategy of nilearn.",
            ),
        ],
        None,
    ),
    "resample": (
        Annotated[
            bool,
            typer.Option(
                "--resample",
                help="Bring the label image to the scan's grid, where they differ.",
            ),
        ],
        False,
    ),
    "impute": (
        Annotated[
            Impute | None,
            typer.Option(
                "--impute",
                show_default=False,
                help="Take regions without data from the bundle's cohort, up to 5 % of them; what "
                "this leaves open is added to what is not known of the person. Refused by default.",
            ),
        ],
        None,
    ),
}


def with_reading(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `_OPTIONS`; it gets them as one `Reading` named ``reading``.

    Parameters
    ----------
    command : callable
        Takes the keyword ``reading``, a `dtb_runtime.reading.Reading`.
    """
    return _with_options(command, tuple(_OPTIONS))


def with_reading_of_all_regions(command: Callable[..., None]) -> Callable[..., None]:
    """The same without ``--impute``, for what needs data of every region."""
    return _with_options(command, tuple(name for name in _OPTIONS if name != "impute"))


def _with_options(command: Callable[..., None], names: Sequence[str]) -> Callable[..., None]:
    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "reading"
    ]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in ((name, _OPTIONS[name]) for name in names)
    ]

    @functools.wraps(command)
    def wrapper(*args: Any, **given: Any) -> None:
        from dtb_runtime.reading import Reading

        said = {name: given.pop(name) for name in names}
        reading = Reading(
            fisher_z=said["fisher_z"],
            timeseries=said["timeseries"],
            variable=said["variable"],
            atlas=_absolute(said["atlas"]),
            atlas_labels=_absolute(said["atlas_labels"]),
            denoise=None if said["denoise"] is None else said["denoise"].value,
            resample=said["resample"],
            impute=said.get("impute") is not None,
        )
        command(*args, reading=reading, **given)

    parameters = [*own, *added]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapper


def _absolute(path: Path | None) -> str | None:
    """A path that worker processes find wherever they run."""
    return None if path is None else str(path.absolute())
