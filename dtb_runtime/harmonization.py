"""What sites and scanners do to connectomes, taken off one person at a time.

ComBat's model (Johnson et al. 2007, doi 10.1093/biostatistics/kxj037; of images Fortin et al. 2018,
doi 10.1016/j.neuroimage.2017.11.024), of each edge as Fisher z::

    z = mean + covariates @ slopes + sd * (shift[site] + spread[site] * rest)

Harmonizing keeps ``mean + covariates @ slopes + sd * rest``. `dtb_models.site_effects` fits it;
here a person is harmonized with numpy, in float64, and nobody depends on who else is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .connectome import Connectome
from .covariates import Covariate, cell_of, covariate_value
from .edges import fisher_z
from .errors import CohortError, ConnectomeError
from .tables import one_line

Floats = NDArray[np.float64]
MIN_PEOPLE = 8
"""Fewest reference people of a site: with fewer, chance moves an edge's mean by more than a third
of its SD, which is as much as sites do."""
_MOST_NAMED = 12  # sites, in a message


@dataclass(frozen=True, slots=True, eq=False)
class SiteEffects:
    """What is fitted, edge by edge. Arrays are float64 and read-only."""

    mean: Floats
    """Shape (n_edges,): at the mean of the covariates, over all reference people."""
    slopes: Floats
    """Shape (n_covariates, n_edges): of an SD of each covariate."""
    sd: Floats
    """Shape (n_edges,): within sites, given the covariates; above 0."""
    shift: Floats
    """Shape (n_sites, n_edges), in `sd`."""
    spread: Floats
    """Shape (n_sites, n_edges): a site's SD as a multiple of `sd`; above 0."""

    def harmonized(self, edges: Floats, site: int, covariates: Floats) -> Floats:
        """One person's edges without what the site does to them.

        Parameters
        ----------
        edges : numpy.ndarray, shape (n_edges,)
            Fisher z; NaN stays NaN.
        site : int
            Which one.
        covariates : numpy.ndarray, shape (n_covariates,)
            Standardized.

        Returns
        -------
        numpy.ndarray, shape (n_edges,), float64
        """
        expected = self.mean + covariates @ self.slopes
        rest = (edges - expected - self.sd * self.shift[site]) / self.spread[site]
        return np.asarray(expected + rest)


@dataclass(frozen=True, slots=True)
class Site:
    """One site of the reference people."""

    name: str
    n_people: int


@dataclass(frozen=True, slots=True, eq=False)
class Harmonization:
    """Sites whose effects are known, and how to take them off.

    Made by `harmonization_file.read_harmonization` or `dtb_models.site_effects.fit_sites`.
    """

    source: str
    """File name, for messages and notes."""
    site_column: str
    """Column of a cohort's table that says the site."""
    sites: tuple[Site, ...]
    covariates: tuple[Covariate, ...]
    """Whose effects stay."""
    parcellation: str
    """Name of the parcellation whose order of regions the edges have."""
    n_regions: int
    labels_digest: str
    """`labels_digest` of its regions."""
    effects: SiteEffects
    made_with: Mapping[str, str]
    """Package to version."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a cohort's table that everybody needs."""
        return (self.site_column, *(covariate.name for covariate in self.covariates))

    def check_regions(self, labels: Sequence[str], parcellation: str) -> None:
        """Raise `CohortError` unless the edges are those between these regions in this order."""
        if labels_digest(labels) != self.labels_digest:
            raise CohortError(
                f"{self.source} was fitted on {self.n_regions} regions of parcellation "
                f"{self.parcellation!r}, but the bundle has {len(labels)} of {parcellation!r}, or "
                "the same in another order. Fit it with this bundle: dtb-run harmonize --bundle."
            )

    def check_columns(self, columns: Iterable[str], table: str) -> None:
        """Raise `CohortError` if a cohort's table lacks a column that everybody needs."""
        known = {name.lower() for name in columns}
        missing = [name for name in self.columns if name.lower() not in known]
        if missing:
            raise CohortError(
                f"{table} has no column {' and no '.join(map(repr, missing))}, but to harmonize "
                f"with {self.source} everybody needs {', '.join(self.columns)}. Add "
                f"{'it' if len(missing) == 1 else 'them'} to the cohort's table, or to "
                "participants.tsv in the folder."
            )

    def applied(self, connectome: Connectome, own: Mapping[str, str]) -> Connectome:
        """One person's connectome without what the site does to it.

        Parameters
        ----------
        connectome : Connectome
            Correlations r in the order of the parcellation's regions, with their labels. Regions
            without data stay so.
        own : mapping of str to str
            Site and covariates: `CohortEntry.own`.

        Returns
        -------
        Connectome
            With a note. Each edge is changed for itself, so the matrix is symmetric with diagonal
            1 and r in [-1, 1], but need no longer be positive semi-definite.

        Raises
        ------
        CohortError
            The site is not known to this model, or the person's site or a covariate is missing.
        ConnectomeError
            The connectome is of other regions.
        """
        site = self._site_of(own)
        values = [covariate_value(own, covariate.name) for covariate in self.covariates]
        pairs = list(zip(self.covariates, values, strict=True))
        doubts = [doubt for covariate, value in pairs if (doubt := covariate.doubt(value))]
        if connectome.labels is None or labels_digest(connectome.labels) != self.labels_digest:
            raise ConnectomeError(
                f"{connectome.source} does not have the regions of {self.source} in their order. "
                "Align it to the parcellation before."
            )
        standardized = np.array([covariate.standardized(value) for covariate, value in pairs])
        correlations = connectome.correlations.astype(np.float64)
        upper = np.triu_indices(self.n_regions, k=1)
        harmonized = self.effects.harmonized(fisher_z(correlations[upper]), site, standardized)
        correlations[upper] = np.tanh(harmonized)
        correlations.T[upper] = correlations[upper]
        single = correlations.astype(np.float32)
        single.setflags(write=False)
        note = (
            f"Harmonized with {self.source} from site {self.sites[site].name!r}, each edge for "
            "itself; the matrix need no longer be positive semi-definite."
        )
        return replace(
            connectome,
            correlations=single,
            notes=(*connectome.notes, note, *doubts),
            taken_for=f"{connectome.taken_for}, harmonized",
        )

    def _site_of(self, own: Mapping[str, str]) -> int:
        cell = cell_of(own, self.site_column)
        names = [site.name for site in self.sites]
        if cell in names:
            return names.index(cell)
        known = ", ".join(map(repr, names[:_MOST_NAMED]))
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        if cell is None:
            raise CohortError(
                f"The site is not known. {self.source} knows {known}{more}: fill in the column "
                f"{self.site_column!r} of the cohort's table."
            )
        raise CohortError(
            f"Site {one_line(cell)!r} is not one of those that {self.source} knows "
            f"({known}{more}). What a new site does must be fitted first: add at least "
            f"{MIN_PEOPLE} people of it to the reference cohort, and fit again with dtb-run "
            "harmonize."
        )


def labels_digest(labels: Sequence[str]) -> str:
    """SHA-256 of regions' names in their order, as hexadecimal text."""
    return hashlib.sha256("\n".join(labels).encode()).hexdigest()
