"""`dtb-run harmonize`: what sites and scanners do to connectomes, fitted on people of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtb_runtime.reading import Reading

from . import terminal
from .cohort_text import people
from .options import DEFAULT_BUNDLE, BundleOption, ForceOption, JsonOption
from .reading_options import with_reading_of_all_regions

if TYPE_CHECKING:
    from dtb_runtime.harmonization import Harmonization

EXAMPLES = """\b
Examples:
  dtb-run harmonize reference.tsv --out sites.npz
  dtb-run harmonize reference.tsv --site-column scanner --covariates age,sex --out sites.npz
"""


@with_reading_of_all_regions
def harmonize(
    cohort: Annotated[
        Path,
        typer.Argument(
            metavar="COHORT",
            show_default=False,
            help="Reference people, at least 8 of each site: a table, as dtb-run score takes it, "
            "or a BIDS derivatives tree with participants.tsv; with a column for the site.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="NPZ", show_default=False, help="File to write."),
    ],
    bundle: BundleOption = DEFAULT_BUNDLE,
    site_column: Annotated[
        str, typer.Option("--site-column", metavar="NAME", help="Column that says the site.")
    ] = "site",
    covariates: Annotated[
        str,
        typer.Option(
            "--covariates",
            metavar="NAMES",
            help="Columns whose effects stay, with commas between them (numbers; sex: female, "
            "male), or none.",
        ),
    ] = "age,sex",
    force: ForceOption = False,
    json: JsonOption = False,
    *,
    reading: Reading,
) -> None:
    """Fit what sites and scanners do to connectomes.

    Fits ComBat on reference people: what each site does to the mean and the spread of every edge,
    beside what age and sex do. dtb-run score --harmonize takes it off new people of these sites.
    Reference people of the sites should be alike but for the covariates: where one site has the
    patients, what their illness does is taken for what the site does.
    """
    from dtb_models.reference_cohort import read_reference
    from dtb_models.site_effects import check_library, fit_sites
    from dtb_runtime.atomic import check_free
    from dtb_runtime.bundle_loading import load_bundle
    from dtb_runtime.cohort_listing import list_cohort
    from dtb_runtime.covariates import covariate_names
    from dtb_runtime.errors import UsageError
    from dtb_runtime.harmonization_file import write_harmonization

    names = covariate_names(covariates)
    if site_column.lower() in names:
        raise UsageError(f"The site ({site_column}) is no covariate: its effect is what goes.")
    if out.suffix != ".npz":
        raise UsageError(f"--out is a file that ends in .npz, found {out.name!r}.")
    check_free(out.parent, [out.name], force=force)  # now, and not when all is done
    check_library()
    loaded = load_bundle(bundle, device="cpu")
    parcellation = loaded.manifest.parcellation
    if parcellation is None:
        raise UsageError(
            f"Bundle {loaded.name!r} does not take connectomes, so there is nothing to harmonize."
        )
    listing = list_cohort(
        cohort,
        parcellation=parcellation.name,
        timeseries=reading.timeseries,
        columns=(site_column, *names),
    )
    n_people = len(listing.entries)
    with terminal.progress("Reading", n_people) as progress:
        reference = read_reference(
            listing,
            parcellation,
            reading,
            site_column=site_column,
            covariates=names,
            on_read=lambda n: progress.advance(n, ""),
        )
    fitted = fit_sites(reference, parcellation, site_column=site_column, source=out.name)
    write_harmonization(out, fitted, force=force)
    result = _result(fitted, n_people)
    if json:
        terminal.print_json(result | {"file": str(out)})
        return
    _print(result)
    terminal.message(f"Wrote {out}.")


def _result(fitted: Harmonization, n_people: int) -> dict[str, Any]:
    import numpy as np

    effects = fitted.effects
    return {
        "people": n_people,
        "parcellation": fitted.parcellation,
        "edges": len(effects.mean),
        "site_column": fitted.site_column,
        "covariates": [covariate.name for covariate in fitted.covariates],
        "sites": [
            {
                "name": site.name,
                "people": site.n_people,
                "median_absolute_shift_sd": round(float(np.median(np.abs(shift))), 4),
                "median_spread": round(float(np.median(spread)), 4),
            }
            for site, shift, spread in zip(fitted.sites, effects.shift, effects.spread, strict=True)
        ],
        "made_with": dict(fitted.made_with),
    }


def _print(result: dict[str, Any]) -> None:
    kept = " and ".join(result["covariates"]) or "no covariate"
    terminal.print_lines(
        f"Fitted {len(result['sites'])} sites on {people(result['people'])} and "
        f"{result['edges']:,} edges ({result['parcellation']}); effects of {kept} stay.",
        "",
    )
    rows = [
        (
            site["name"],
            str(site["people"]),
            f"{site['median_absolute_shift_sd']:.2f}",
            f"{site['median_spread']:.2f}",
        )
        for site in result["sites"]
    ]
    terminal.print_table(terminal.Table(("site", "people", "shift (SD)", "spread"), rows))
    terminal.print_lines(
        "shift: how far a site moves an edge, in SDs of the edge within sites; spread: SD of an "
        "edge at the site as a multiple of that. Medians over edges.",
        "Each edge is harmonized for itself: a harmonized matrix need no longer be positive "
        "semi-definite.",
    )
