"""Edges: the upper triangle of a connectome as Fisher z, which is what a hypernetwork reads."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

FISHER_CLIP = 1.0 - 1e-6
"""|r| is clipped here before Fisher's transform, so that z stays under 7.26."""


def fisher_z(correlations: ArrayLike) -> NDArray[np.float64]:
    """Fisher's z of correlations: arctanh of r clipped to +-(1 - 1e-6).

    The one place where r becomes z, for training and runtime alike. Its inverse is `numpy.tanh`.

    Parameters
    ----------
    correlations : array_like
        Correlations r in [-1, 1], any shape.

    Returns
    -------
    numpy.ndarray, float64, same shape
        z in [-7.26, 7.26].
    """
    r = np.asarray(correlations, dtype=np.float64)
    return np.arctanh(np.clip(r, -FISHER_CLIP, FISHER_CLIP))


def edges_from_correlations(correlations: ArrayLike) -> NDArray[np.float32]:
    """Fisher z of the upper triangle, row by row, without the diagonal.

    Parameters
    ----------
    correlations : array_like, shape (..., n_regions, n_regions)
        Correlations r. Only the upper triangle is read.

    Returns
    -------
    numpy.ndarray, shape (..., n_regions * (n_regions - 1) / 2), float32

    Examples
    --------
    >>> edges_from_correlations([[1, 0.5, 0], [0.5, 1, -0.5], [0, -0.5, 1]]).round(3)
    array([ 0.549,  0.   , -0.549], dtype=float32)

    See Also
    --------
    correlations_from_edges : the inverse.
    """
    r = np.asarray(correlations)
    flat = r.reshape(*r.shape[:-2], -1)
    return fisher_z(flat.take(_upper_triangle(r.shape[-1]), axis=-1)).astype(np.float32)


@lru_cache(maxsize=4)
def _upper_triangle(n_regions: int) -> NDArray[np.intp]:
    """Where the upper triangle lies in a flat matrix: for everybody of a cohort the same."""
    rows, columns = np.triu_indices(n_regions, k=1)
    places: NDArray[np.intp] = rows * n_regions + columns
    places.setflags(write=False)
    return places


def correlations_from_edges(edges: ArrayLike, n_regions: int) -> NDArray[np.float32]:
    """Symmetric matrix of correlations with diagonal 1 from Fisher z of its upper triangle.

    Parameters
    ----------
    edges : array_like, shape (n_regions * (n_regions - 1) / 2,)
        Fisher z, row by row.
    n_regions : int
        Number of regions.

    Returns
    -------
    numpy.ndarray, shape (n_regions, n_regions), float32
    """
    correlations = np.eye(n_regions, dtype=np.float32)
    rows, columns = np.triu_indices(n_regions, k=1)
    correlations[rows, columns] = np.tanh(np.asarray(edges, dtype=np.float64))
    correlations[columns, rows] = correlations[rows, columns]
    return correlations
