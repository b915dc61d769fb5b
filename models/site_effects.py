"""Fitting what sites do to edges: ComBat, by the library of the field.

`dtb_runtime.harmonization` has the model and applies it to new people without the library.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.covariates import Covariate, covariate_kind
from dtb_runtime.errors import CohortError, MissingDependencyError
from dtb_runtime.harmonization import (
    MIN_PEOPLE,
    Harmonization,
    Site,
    SiteEffects,
    labels_digest,
)
from dtb_runtime.library_failures import said_by
from dtb_runtime.parcellation import Parcellation

Floats = NDArray[np.float64]
LIBRARIES = ("neuroHarmonize", "neuroCombat")
"""The second does the first one's estimates."""
_SITE = "SITE"  # the library's name of the column
_FREE = 8  # fewest people beyond the numbers that are fitted of an edge


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePeople:
    """People whom site effects are fitted on."""

    edges: Floats
    """Shape (people, n_edges): Fisher z."""
    sites: tuple[str, ...]
    """Of each."""
    covariates: Floats
    """Shape (people, n_covariates), as in the table (sex: female 0, male 1)."""
    covariate_names: tuple[str, ...]


def fit_sites(
    people: ReferencePeople,
    parcellation: Parcellation,
    *,
    site_column: str = "site",
    source: str = "the fitted sites",
) -> Harmonization:
    """Fit what each site does to the mean and the spread of every edge.

    Parametric empirical Bayes: a site's effects on single edges are drawn towards its effects on
    all edges, the more the fewer people it has. Effects of covariates stay.

    Parameters
    ----------
    people : ReferencePeople
    parcellation : Parcellation
        Whose order of regions the edges have.
    site_column : str
        Column of a cohort's table that says the site.
    source : str
        What messages call it.

    Returns
    -------
    Harmonization

    Raises
    ------
    CohortError
        Fewer than two sites, or fewer than `MIN_PEOPLE` people of one; a covariate is the same for
        everybody, or follows from the site and the others; an edge is the same throughout a site.
    MissingDependencyError
        The library, or pandas, is not installed.
    """
    names, of_site = np.unique(np.array(people.sites, dtype=str), return_inverse=True)
    counts = np.bincount(of_site, minlength=len(names))
    check_sites({str(name): int(n) for name, n in zip(names, counts, strict=True)})
    covariates = _covariates(people)
    standardized = np.array(
        [
            [each.standardized(value) for each, value in zip(covariates, values, strict=True)]
            for values in people.covariates.tolist()
        ]
    ).reshape(people.covariates.shape)
    _check_design(of_site, standardized, people.covariate_names)
    _check_edges(people.edges, of_site, names, parcellation)
    fitted = _combat(people.edges, of_site, standardized)
    return Harmonization(
        source=source,
        site_column=site_column,
        sites=tuple(Site(str(name), int(n)) for name, n in zip(names, counts, strict=True)),
        covariates=covariates,
        parcellation=parcellation.name,
        n_regions=parcellation.n_regions,
        labels_digest=labels_digest(parcellation.labels),
        effects=fitted,
        made_with={name: version(name) for name in (*LIBRARIES, "numpy")},
    )


def check_sites(n_people: dict[str, int]) -> None:
    """Raise `CohortError` unless there are two sites with enough people.

    Parameters
    ----------
    n_people : dict
        Site to how many people there are of it.
    """
    if len(n_people) < 2:
        found = ", ".join(map(repr, n_people)) or "none"
        raise CohortError(
            f"Harmonizing needs at least two sites, found {found}. What is common to everybody of "
            "one site is no effect of it; leave harmonizing out, or add people of another site."
        )
    few = {name: n for name, n in n_people.items() if n < MIN_PEOPLE}
    if few:
        found = ", ".join(f"{name!r} has {n}" for name, n in few.items())
        raise CohortError(
            f"Every site needs at least {MIN_PEOPLE} reference people, but {found}. Add people, "
            "or leave such a site out; its people can then not be harmonized."
        )


def _covariates(people: ReferencePeople) -> tuple[Covariate, ...]:
    found = []
    for name, values in zip(people.covariate_names, people.covariates.T, strict=True):
        scale = float(values.std())
        if not scale > 1e-12 * max(float(np.abs(values).max()), 1.0):
            raise CohortError(
                f"{name} is the same in all reference people, so its effect cannot be told. Leave "
                f"{name!r} out of the covariates."
            )
        found.append(
            Covariate(
                name=name,
                kind=covariate_kind(name),
                lowest=float(values.min()),
                highest=float(values.max()),
                center=float(np.clip(values.mean(), values.min(), values.max())),
                scale=scale,
            )
        )
    return tuple(found)


def _check_design(of_site: NDArray[np.intp], covariates: Floats, names: Sequence[str]) -> None:
    """See that effects of sites and covariates can be told apart."""
    n_people, n_sites = len(of_site), int(of_site.max()) + 1
    columns = np.eye(n_sites)[of_site]
    for k, name in enumerate(names):
        wider = np.column_stack([columns, covariates[:, k]])
        if np.linalg.matrix_rank(wider, tol=1e-6 * np.sqrt(n_people)) <= columns.shape[1]:
            raise CohortError(
                f"{name} follows from the site and the covariates before it, so their effects "
                f"cannot be told apart. Leave {name!r} out of the covariates, or add people in "
                "whom it differs within a site."
            )
        columns = wider
    if n_people < columns.shape[1] + _FREE:
        raise CohortError(
            f"{n_people} reference people are too few for {n_sites} sites and {len(names)} "
            f"covariates: at least {columns.shape[1] + _FREE} are needed. Add people, or leave "
            "covariates out."
        )


def _check_edges(
    edges: Floats, of_site: NDArray[np.intp], sites: NDArray[np.str_], parcellation: Parcellation
) -> None:
    if not np.isfinite(edges).all():
        raise CohortError(
            "The reference people's edges must all be finite. Leave out people whose scan lacks "
            "regions."
        )
    for k, site in enumerate(sites):
        still = np.flatnonzero(np.ptp(edges[of_site == k], axis=0) == 0.0)
        if len(still):
            rows, columns = np.triu_indices(parcellation.n_regions, k=1)
            one, other = (parcellation.labels[int(of[still[0]])] for of in (rows, columns))
            raise CohortError(
                f"The correlation of {one} and {other} is the same in all reference people of "
                f"site {str(site)!r} ({len(still)} such edges), which no scan gives. Check how "
                "these connectomes were made."
            )


def _combat(edges: Floats, of_site: NDArray[np.intp], covariates: Floats) -> SiteEffects:
    """What the library estimates, in the runtime's words."""
    check_library()
    import neuroHarmonize
    import pandas as pd  # the library takes covariates as its tables, and cannot do without

    n_sites = int(of_site.max()) + 1
    table = pd.DataFrame({f"covariate {k}": values for k, values in enumerate(covariates.T)})
    # Sites by number: the library sorts names in an order of its own.
    table.insert(0, _SITE, of_site)
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():  # it tells what it does
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # it uses numpy.matrix
        model, _ = neuroHarmonize.harmonizationLearn(np.asarray(edges, np.float64), table)
    return SiteEffects(
        mean=_read_only(model["stand_mean"][:, 0]),
        slopes=_read_only(model["B_hat"][n_sites:]),
        sd=_read_only(np.sqrt(model["var_pooled"][:, 0])),
        shift=_read_only(model["gamma_star"]),
        spread=_read_only(np.sqrt(model["delta_star"])),
    )


def check_library() -> None:
    """Raise `MissingDependencyError` if the library, or what it takes, is not installed."""
    try:
        import neuroHarmonize  # noqa: F401  (said here, before anybody is read)
        import pandas  # noqa: F401
    except ImportError as cause:
        raise MissingDependencyError(
            f"Fitting what sites do needs neuroHarmonize and pandas ({said_by(cause)}). Install "
            "them with: pip install 'dtb-runtime[imaging]'. To harmonize with a file that is "
            "there already needs nothing more."
        ) from cause


def _read_only(array: Floats) -> Floats:
    copy = np.array(array, dtype=np.float64)
    copy.setflags(write=False)
    return copy
