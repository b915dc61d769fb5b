"""Regions without data, taken from the bundle's cohort where the caller asks for it.

What such a twin reads is less sure. How much less is found in the person: as many other regions,
which do have data, are taken from the cohort as well, many times, and how far the latent moves says
how far it may be off. `benchmarks/imputation.py` holds this against the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .connectome import Connectome
from .connectome_checks import listed
from .errors import ConnectomeError
from .norms import Norms

MAX_SHARE = 0.05
"""Largest share of regions that is imputed: with more, a connectome is no longer this person's."""
N_SETS = 64
"""Sets of other regions that are tried."""


def imputed(connectome: Connectome, norms: Norms, bundle: str) -> Connectome:
    """The same connectome with the cohort's mean where a region has no data.

    Parameters
    ----------
    connectome : Connectome
        In the order of the bundle's regions, with their labels.
    norms : Norms
        The bundle's, with mean edges (Fisher z).
    bundle : str
        Its name, for messages.

    Returns
    -------
    Connectome
        Itself where nothing is missing.

    Raises
    ------
    ConnectomeError
        More regions than `MAX_SHARE` of them have no data, or the bundle does not know its
        cohort's mean connectome.
    """
    missing = connectome.missing
    if not missing:
        return connectome
    n = connectome.n_regions
    names = tuple((connectome.labels or ())[region] for region in missing)
    if norms.edges is None:
        raise ConnectomeError(
            f"{connectome.source} has no data for {listed(names)}, and bundle {bundle!r} does not "
            "know the mean connectome of its cohort. Use a scan that covers every region."
        )
    if len(missing) > MAX_SHARE * n:
        raise ConnectomeError(
            f"{connectome.source} has no data for {len(missing)} of {n} regions "
            f"({listed(names)}); at most {MAX_SHARE:.0%} ({int(MAX_SHARE * n)}) are imputed. Use a "
            "scan that covers them."
        )
    mean = np.zeros((n, n), dtype=np.float32)
    upper = np.triu_indices(n, k=1)
    mean[upper] = np.tanh(norms.edges.mean)
    mean += mean.T
    np.fill_diagonal(mean, 1.0)
    correlations = connectome.correlations.copy()
    rows = list(missing)
    correlations[rows] = mean[rows]
    correlations[:, rows] = mean[:, rows]
    correlations.setflags(write=False)
    note = (
        f"{len(missing)} of {n} regions of {connectome.source} have no data and were taken from "
        f"the cohort's mean connectome ({listed(names)}); less is known of the person for it."
    )
    return replace(
        connectome, correlations=correlations, notes=(*connectome.notes, note), imputed=names
    )


def imputation_covariance(
    edges: NDArray[np.float32],
    missing: tuple[int, ...],
    mean: NDArray[np.float32],
    read: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """How far the latent may be off because regions were imputed.

    Parameters
    ----------
    edges : numpy.ndarray, shape (n_edges,)
        Fisher z of the imputed connectome.
    missing : tuple of int
        Regions that were imputed, at least one.
    mean : numpy.ndarray, shape (n_edges,)
        The cohort's mean edges.
    read : callable
        From edges of shape (people, n_edges) to latents of shape (people, latent).
    seed : int
        Of which other regions are tried.

    Returns
    -------
    numpy.ndarray, shape (latent, latent)
        Mean square of the moves of the latent, over `N_SETS` sets of as many regions with data.
    """
    n_edges = len(edges)
    n = round((1 + np.sqrt(1 + 8 * n_edges)) / 2)
    rows, columns = np.triu_indices(n, k=1)
    rng = np.random.default_rng(seed)
    others = np.setdiff1d(np.arange(n), missing)
    tried = np.repeat(edges[None], N_SETS + 1, axis=0)
    for k in range(N_SETS):
        is_out = np.zeros(n, dtype=bool)
        is_out[rng.choice(others, size=len(missing), replace=False)] = True
        where = is_out[rows] | is_out[columns]
        tried[k, where] = mean[where]
    latents = read(tried).astype(np.float64)
    moves = latents[:-1] - latents[-1]
    return np.asarray(moves.T @ moves / N_SETS)
