"""Fisher z and edges against their formulas and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.connectome import Connectome
from dtb_runtime.edges import (
    FISHER_CLIP,
    correlations_from_edges,
    edges_from_correlations,
    fisher_z,
)


@pytest.fixture
def matrix(rng: np.random.Generator) -> NDArray[np.float64]:
    """Correlations of five regions."""
    return np.corrcoef(rng.normal(size=(5, 40)))


def test_fisher_z_is_half_the_log_odds_and_is_clipped() -> None:
    r = np.array([-0.9, -0.25, 0.0, 0.5, 0.999])
    np.testing.assert_allclose(fisher_z(r), 0.5 * np.log((1 + r) / (1 - r)), rtol=1e-12)
    largest = 0.5 * np.log((1 + FISHER_CLIP) / (1 - FISHER_CLIP))
    np.testing.assert_allclose(fisher_z([1.0, -1.0]), [largest, -largest], rtol=1e-9)
    assert fisher_z(np.float32(0.5)).dtype == np.float64


def test_edges_are_the_upper_triangle_row_by_row(matrix: NDArray[np.float64]) -> None:
    expected = [np.arctanh(matrix[i, j]) for i in range(5) for j in range(i + 1, 5)]
    edges = Connectome.from_matrix(matrix).edges()
    assert edges.dtype == np.float32
    np.testing.assert_allclose(edges, expected, atol=1e-6)


def test_edges_of_a_batch_are_those_of_each(rng: np.random.Generator) -> None:
    batch = np.stack([np.corrcoef(rng.normal(size=(6, 30))) for _ in range(3)])
    edges = edges_from_correlations(batch[None])
    assert edges.shape == (1, 3, 15)
    for person in range(3):
        np.testing.assert_array_equal(edges[0, person], edges_from_correlations(batch[person]))


def test_correlations_come_back_from_their_edges(matrix: NDArray[np.float64]) -> None:
    connectome = Connectome.from_matrix(matrix)
    back = correlations_from_edges(connectome.edges(), 5)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, connectome.correlations, atol=1e-6)
    np.testing.assert_array_equal(back, back.T)


def test_two_regions_have_one_edge() -> None:
    assert edges_from_correlations(np.array([[1.0, 0.3], [0.3, 1.0]])).shape == (1,)
