"""From a cohort's listing to the people whom site effects are fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.cohort_listing import CohortListing
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.covariates import cell_of, covariate_value
from dtb_runtime.edges import fisher_z
from dtb_runtime.errors import CohortError, ConnectomeError, UsageError
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.reading import Reading

from .site_effects import ReferencePeople, check_sites


def read_reference(
    listing: CohortListing,
    parcellation: Parcellation,
    reading: Reading,
    *,
    site_column: str = "site",
    covariates: Sequence[str] = ("age", "sex"),
    on_read: Callable[[int], None] | None = None,
) -> ReferencePeople:
    """Read everybody of a cohort, with site and covariates.

    Whatever is wrong with anybody ends it: who is left out of a reference is for a person to say.

    Parameters
    ----------
    listing : CohortListing
        Its entries have the columns.
    parcellation : Parcellation
        Edges are put into its order.
    reading : Reading
    site_column : str
    covariates : sequence of str
        Columns whose effects are to stay.
    on_read : callable, optional
        Told how many are read.

    Raises
    ------
    CohortError
        Somebody has no site, covariate or usable connectome, or is there twice; too few people.
    UsageError
        Regions are to be imputed.
    """
    if reading.impute:
        raise UsageError(
            "Imputed regions come from the bundle's cohort and not from a site. Leave out --impute."
        )
    entries = listing.entries
    twice = [who for who, n in Counter(e.participant_id for e in entries).items() if n > 1]
    if twice:
        raise CohortError(
            f"{twice[0]} is in {listing.source} with several sessions. Reference people are "
            "counted: give one session of everybody."
        )
    _check_columns(listing, (site_column, *covariates))
    sites = tuple(_site_of(entry, site_column) for entry in entries)
    check_sites(dict(Counter(sites)))
    values = np.array(
        [[_value_of(entry, name) for name in covariates] for entry in entries], dtype=np.float64
    ).reshape(len(entries), len(covariates))
    n = parcellation.n_regions
    upper = np.triu_indices(n, k=1)
    edges = np.empty((len(entries), n * (n - 1) // 2))
    for row, entry in enumerate(entries):
        try:
            if entry.problem is not None or entry.path is None:
                raise ConnectomeError(entry.problem or "There is no file.")
            found = read_connectome(entry.path, reading)
            found = found.aligned(parcellation.labels, parcellation.name)
        except ConnectomeError as error:
            raise _about(entry, error) from error
        edges[row] = fisher_z(found.correlations[upper])
        if on_read is not None:
            on_read(row + 1)
    return ReferencePeople(edges, sites, values, tuple(covariates))


def _check_columns(listing: CohortListing, wanted: Sequence[str]) -> None:
    """Refuse columns that nobody has: that is not for a person to mend."""
    there = dict.fromkeys(name for entry in listing.entries for name in entry.own)
    known = {name.lower() for name in there}
    lacking = [name for name in wanted if name.lower() not in known]
    if lacking:
        raise CohortError(
            f"{listing.source} has no column {lacking[0]!r} beside participant_id and path; it has "
            f"{', '.join(map(repr, there)) or 'none'}. Name the column of sites with "
            "--site-column, and those whose effects are to stay with --covariates (none for none)."
        )


def _site_of(entry: CohortEntry, column: str) -> str:
    site = cell_of(entry.own, column)
    if site is None:
        raise _about(entry, CohortError(f"The site is not known (column {column!r})."))
    return site


def _value_of(entry: CohortEntry, name: str) -> float:
    try:
        return covariate_value(entry.own, name)
    except CohortError as error:
        raise _about(entry, error) from error


def _about(entry: CohortEntry, error: Exception) -> CohortError:
    return CohortError(
        f"{entry.label}: {error} Leave the person out of the reference cohort, or mend it."
    )
