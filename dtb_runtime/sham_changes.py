"""Random changes of the size and kind of a planned one: what happens if one aims at nothing.

A planned change of all edges is ``C = A R A`` with a symmetric map A of the person's signals (the
smallest that makes C of R; Bures and Wasserstein). Aimed at other regions, by exchanging them at
random in ``A - 1``, it is as large and as smooth, and always positive semi-definite; edges may
leave the range that people show, which gives chance more room. Changes of few edges, of regions or
of networks are given to others of them instead.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .connectome_change import ConnectomeChange, network_pairs
from .parcellation import Parcellation
from .possible_connectomes import EdgeRange, nearest_possible

Floats = NDArray[np.float64]

_SMALLEST = 1e-6  # eigenvalue of a connectome that is divided by
_SCALINGS = 4
_CLOSE = 0.02  # relative, of sizes
_MOST_DOSE = 16.0  # of the same numbers elsewhere: where little is possible, more asks for no more


def sham_connectomes(
    change: ConnectomeChange,
    original: Floats,
    changed: Floats,
    allowed: EdgeRange,
    parcellation: Parcellation,
    *,
    n: int,
    seed: int = 0,
) -> Iterator[Floats]:
    """Yield connectomes with random changes in place of a planned one.

    Parameters
    ----------
    change : ConnectomeChange
        The planned one.
    original, changed : numpy.ndarray, shape (n_regions, n_regions)
        The person's connectome without and with it.
    allowed : EdgeRange
    parcellation : Parcellation
    n : int
        How many.
    seed : int

    Yields
    ------
    numpy.ndarray, shape (n_regions, n_regions)
        Positive semi-definite; its distance from the original is that of the changed one, to 2 %
        where positive semi-definiteness leaves room for it.
    """
    rng = np.random.default_rng(seed)
    wanted = float(np.linalg.norm(changed - original))
    if wanted == 0.0:  # nothing was possible: chance does as much
        yield from (original.copy() for _ in range(n))
        return
    n_edges = len(original) * (len(original) - 1) // 2
    if change.kind == "edges" and 2 * change.n > n_edges:
        moved = signal_map(original, changed) - np.eye(len(original))
        for _ in range(n):
            order = rng.permutation(len(original))
            yield _of_size(moved[np.ix_(order, order)], original, wanted)
        return
    for _ in range(n):
        other = _elsewhere(change, len(original), parcellation, rng)
        yield _shift_of_size(other, original, allowed, parcellation, wanted)


def signal_map(original: Floats, changed: Floats) -> Floats:
    """The symmetric A with ``A R A`` equal to another covariance, that changes signals least.

    ``R^(-1/2) (R^(1/2) C R^(1/2))^(1/2) R^(-1/2)``: the optimal transport map between normal
    distributions (Olkin and Pukelsheim 1982).
    """
    root, inverse = _roots(original)
    middle, _ = _roots(root @ changed @ root)
    found: Floats = inverse @ middle @ inverse
    return found


def _roots(matrix: Floats) -> tuple[Floats, Floats]:
    values, vectors = np.linalg.eigh(matrix)
    roots = np.sqrt(np.maximum(values, _SMALLEST))
    return (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T


def _of_size(moved: Floats, original: Floats, wanted: float) -> Floats:
    """The connectome after signals were mapped, as far from the original as is wanted."""
    mapped = moved @ original
    # (1 + f S) R (1 + f S), multiplied out: a factor then costs no further product.
    linear, square = mapped + mapped.T, mapped @ moved
    factor, found = 1.0, original
    for _ in range(_SCALINGS):
        covariance = original + factor * linear + factor**2 * square
        scale = np.sqrt(np.diag(covariance))
        found = covariance / np.outer(scale, scale)
        size = float(np.linalg.norm(found - original))
        if size == 0.0 or abs(size / wanted - 1.0) <= _CLOSE:
            break
        factor *= wanted / size
    return found


def _elsewhere(
    change: ConnectomeChange, n_regions: int, parcellation: Parcellation, rng: np.random.Generator
) -> ConnectomeChange:
    """The same sizes in other places of the same kind."""
    if change.kind == "regions":
        places = rng.choice(n_regions, change.n, replace=False)[:, None]
    elif change.kind == "edges":
        rows, columns = np.triu_indices(n_regions, 1)
        chosen = rng.choice(len(rows), change.n, replace=False)
        places = np.stack([rows[chosen], columns[chosen]], axis=1)
    else:
        pairs = network_pairs(parcellation)
        places = pairs[rng.choice(len(pairs), change.n, replace=False)]
    return ConnectomeChange(change.kind, places.astype(np.int64), change.sizes.copy())


def _shift_of_size(
    change: ConnectomeChange,
    original: Floats,
    allowed: EdgeRange,
    parcellation: Parcellation,
    wanted: float,
) -> Floats:
    dose, found = 1.0, original
    for _ in range(_SCALINGS):
        shifted = change.apply(original, parcellation, dose)
        found = nearest_possible(shifted, original, allowed).correlations
        size = float(np.linalg.norm(found - original))
        if size == 0.0 or abs(size / wanted - 1.0) <= _CLOSE:
            break
        dose = min(dose * wanted / size, _MOST_DOSE)
    return found
