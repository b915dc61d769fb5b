"""Possible connectomes: valid whatever is wanted, and the nearest of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import BundleError, ConnectomeError
from dtb_runtime.possible_connectomes import (
    RANGE_SD,
    SMALLEST_EIGENVALUE,
    EdgeRange,
    check_original,
    is_possible,
    nearest_possible,
)

Floats = NDArray[np.float64]
People = Callable[[int], Floats]


@pytest.fixture
def original(people: People) -> Floats:
    return Connectome.from_matrix(people(1)).correlations.astype(np.float64)


def everything(n: int) -> EdgeRange:
    lowest, highest = -np.ones((n, n)), np.ones((n, n))
    np.fill_diagonal(lowest, 1.0)
    return EdgeRange(lowest, highest)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("size", [0.05, 0.5, 3.0])
def test_whatever_is_wanted_the_result_is_possible(
    tiny: Bundle, original: Floats, seed: int, size: float
) -> None:
    change = size * np.random.default_rng(seed).normal(size=original.shape)
    allowed = EdgeRange.around(original, tiny.norms, "tiny")
    found = nearest_possible(original + change + change.T, original, allowed).correlations
    assert np.linalg.eigvalsh(found)[0] >= SMALLEST_EIGENVALUE
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 1.0)
    assert (found >= allowed.lowest - 1e-12).all()
    assert (found <= allowed.highest + 1e-12).all()


def test_what_is_possible_stays_as_it_is(tiny: Bundle, original: Floats) -> None:
    allowed = EdgeRange.around(original, tiny.norms, "tiny")
    found = nearest_possible(original, original, allowed)
    assert found.share == 1.0
    np.testing.assert_array_equal(found.correlations, original)


def test_it_is_the_nearest_one(original: Floats) -> None:
    """No nearer one is found by a general optimizer over factors, as in Rebonato and Jaeckel."""
    optimize = pytest.importorskip("scipy.optimize", reason="scipy is an extra")
    rng = np.random.default_rng(3)
    n = len(original)
    change = 0.25 * rng.normal(size=(n, n))
    wanted = original + change + change.T
    np.fill_diagonal(wanted, 1.0)
    wanted = np.clip(wanted, -1, 1)
    assert not is_possible(wanted)
    found = nearest_possible(wanted, original, everything(n)).correlations

    def matrix(flat: Floats) -> Floats:
        rows = flat.reshape(n, n)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows @ rows.T)

    def off(flat: Floats) -> float:
        return float(np.sum(np.square(matrix(flat) - wanted)))

    best = min(
        float(optimize.minimize(off, rng.normal(size=n * n), method="L-BFGS-B").fun)
        for _ in range(2)
    )
    assert np.sum(np.square(found - wanted)) <= 1.05 * best


def test_the_range_is_that_of_people_or_where_this_person_is(
    tiny: Bundle, original: Floats
) -> None:
    edges = tiny.norms.edges
    assert edges is not None
    assert edges.sd is not None
    strange = original.copy()
    strange[0, 1] = strange[1, 0] = 0.999
    allowed = EdgeRange.around(strange, tiny.norms, "tiny")
    assert allowed.highest[0, 1] == 0.999
    expected = np.tanh(edges.mean[5] - RANGE_SD * edges.sd[5])
    rows, columns = np.triu_indices(len(original), 1)
    lowest = allowed.lowest[rows[5], columns[5]]
    assert lowest == pytest.approx(min(expected, strange[rows[5], columns[5]]))
    np.testing.assert_array_equal(allowed.lowest, allowed.lowest.T)


def test_only_some_edges_may_change(tiny: Bundle, original: Floats) -> None:
    support = np.zeros(original.shape, np.bool_)
    support[2, 5] = support[5, 2] = True
    allowed = EdgeRange.around(original, tiny.norms, "tiny").only(support, original)
    found = nearest_possible(original + 0.3, original, allowed).correlations
    changed = np.argwhere(found != original)
    assert {tuple(place) for place in changed.tolist()} <= {(2, 5), (5, 2)}


def test_a_bundle_that_does_not_know_the_range_says_so(tiny: Bundle, original: Floats) -> None:
    assert tiny.norms.edges is not None
    norms = replace(tiny.norms, edges=replace(tiny.norms.edges, sd=None))
    with pytest.raises(BundleError, match="'tiny' does not say how far edges differ"):
        EdgeRange.around(original, norms, "tiny")


def test_a_connectome_that_no_series_has_is_refused() -> None:
    impossible = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    with pytest.raises(ConnectomeError, match=r"x\.npy is not positive semi-definite"):
        check_original(impossible, "x.npy")
    assert check_original(np.eye(3), "x.npy") == 1.0
