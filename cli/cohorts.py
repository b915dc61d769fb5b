"""From the options of `simulate` and `train` to a cohort of simulated people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dtb_models.response_maps import ResponseMaps
    from dtb_models.simulation import SimulatedCohort
    from dtb_runtime.parcellation import Parcellation

DEFAULT_SHARE = 0.18

RegionsOption = Annotated[
    Path | None,
    typer.Option(
        "--regions",
        metavar="TABLE",
        show_default=False,
        help="Regions table: label, network, hemisphere, x, y, z.",
    ),
]
RegionsOfOption = Annotated[
    str | None,
    typer.Option(
        "--bundle",
        metavar="NAME|DIR",
        show_default=False,
        help="Take the regions of this bundle instead of a table.",
    ),
]
ParcellationOption = Annotated[
    str | None,
    typer.Option(
        "--parcellation",
        metavar="NAME",
        show_default=False,
        help="Name of the parcellation in the table; default: from the file's name.",
    ),
]
BehaviorOption = Annotated[
    Path | None,
    typer.Option(
        "--behavior-from",
        metavar="BIDS",
        show_default=False,
        help="Keep the trials of these real people and simulate brains around them "
        "(semi-synthetic).",
    ),
]
ShareOption = Annotated[
    float,
    typer.Option(
        "--share", help="Share of a trait's variance that connectomes carry, between 0 and 1."
    ),
]
ActivationsOption = Annotated[
    Path | None,
    typer.Option(
        "--activations",
        metavar="DIR",
        show_default=False,
        help="Real face and shape activations to take response maps from "
        "(sub-*/sub-*_task-emotion_*_betas.tsv); default: synthetic maps.",
    ),
]
ActivationsRegionsOption = Annotated[
    Path | None,
    typer.Option(
        "--activations-regions",
        metavar="TABLE",
        show_default=False,
        help="Regions table of the activations, where it is another one; they are carried over "
        "by coordinates.",
    ),
]


def choose_parcellation(
    regions: Path | None, bundle: str | None, name: str | None = None
) -> Parcellation:
    """Return the regions of a table or of a bundle.

    Raises
    ------
    UsageError
        If both or neither are given, or the bundle has no regions.
    """
    from dtb_runtime.bundle_loading import load_bundle
    from dtb_runtime.errors import UsageError
    from dtb_runtime.parcellation import read_regions_table

    if regions is not None and bundle is None:
        return read_regions_table(regions, name)
    if regions is not None or bundle is None:
        raise UsageError(
            "The regions must come from one place: give --regions TABLE or --bundle NAME, "
            f"found {'neither' if regions is None else 'both'}."
        )
    loaded = load_bundle(bundle, device="cpu")
    if loaded.manifest.parcellation is None:
        raise UsageError(f"Bundle {loaded.name!r} has no regions. Give --regions TABLE instead.")
    return loaded.manifest.parcellation


def simulated_cohort(
    parcellation: Parcellation,
    *,
    n_people: int | None,
    seed: int,
    share: float,
    behavior_from: Path | None,
    activations: Path | None,
    activations_regions: Path | None,
) -> SimulatedCohort:
    """Return the cohort that the options describe.

    Raises
    ------
    UsageError
        If options do not go together or are out of range.
    """
    from dtb_models.simulation import SimulatedCohort

    return SimulatedCohort(
        parcellation,
        n_people,
        seed,
        share=share,
        behavior_from=behavior_from,
        response_maps=_response_maps(parcellation, activations, activations_regions),
    )


def _response_maps(
    parcellation: Parcellation, activations: Path | None, regions: Path | None
) -> ResponseMaps | None:
    from dtb_models.response_maps import maps_from_betas, transfer_maps
    from dtb_runtime.errors import UsageError
    from dtb_runtime.parcellation import read_regions_table

    if activations is None:
        if regions is not None:
            raise UsageError(
                f"--activations-regions {regions} describes activations, but there are none. "
                "Add --activations DIR."
            )
        return None
    if regions is None:
        return maps_from_betas(activations, parcellation)
    measured_in = read_regions_table(regions)
    return transfer_maps(maps_from_betas(activations, measured_in), measured_in, parcellation)
