"""Patterns of edges against the derivative on paper, and factors read through scans."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from dtb_models.planted_patterns import PlantedPatterns
from dtb_models.simulated_connectome import ConnectomeModel
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.errors import DataError
from dtb_runtime.parcellation import Parcellation


@pytest.fixture(scope="module")
def model(medium_parcellation: Parcellation) -> ConnectomeModel:
    return ConnectomeModel.random(medium_parcellation, n_factors=6, seed=4)


def test_patterns_are_the_derivative_of_the_edges(model: ConnectomeModel) -> None:
    found = PlantedPatterns.of(model)
    upper = np.triu_indices(122, 1)
    group = model.group.astype(np.float64)
    r = group @ group.T
    same = (model.pair[:, None] == model.pair[None]) & (model.pair >= 0)
    r += same * np.outer(model.pair_loading, model.pair_loading)
    np.testing.assert_allclose(found.group_edges, np.arctanh(r[upper]), atol=1e-5)
    for pattern, change in zip(found.patterns, model.patterns.astype(np.float64), strict=True):
        both = group @ change.T + change @ group.T
        expected = both[upper] / (1 - r[upper] ** 2)
        np.testing.assert_allclose(pattern, expected, atol=0.004)
        assert np.corrcoef(pattern, expected)[0, 1] > 0.999
    assert not found.patterns.flags.writeable


def test_factors_of_edges_along_the_patterns_are_exact(
    model: ConnectomeModel, rng: np.random.Generator
) -> None:
    patterns = PlantedPatterns.of(model)
    factors = rng.standard_normal((7, 6))
    edges = patterns.group_edges + factors @ patterns.patterns
    np.testing.assert_allclose(patterns.factors(edges), factors, atol=1e-9)
    np.testing.assert_allclose(patterns.factors(edges[2]), factors[2], atol=1e-9)
    noisy = edges + 0.1 * rng.standard_normal(edges.shape)
    fitted = LinearRegression(fit_intercept=False).fit(
        patterns.patterns.T, (noisy - patterns.group_edges).T
    )
    np.testing.assert_allclose(patterns.factors(noisy), fitted.coef_)


def test_factors_are_seen_through_the_scan(medium_parcellation: Parcellation) -> None:
    cohort = SimulatedCohort(medium_parcellation, 40, seed=1)
    patterns = PlantedPatterns.of(cohort.connectome_model)
    true = np.array([[p.truth[f"factor_{k + 1}"] for k in range(5)] for p in cohort.participants])
    seen = np.array([patterns.factors(p.connectome.edges()) for p in cohort.participants])
    endless = np.array(
        [patterns.factors(cohort.true_connectome(name).edges()) for name in cohort.participant_ids]
    )
    r_seen, r_endless = (
        [np.corrcoef(each[:, k], true[:, k])[0, 1] for k in range(5)] for each in (seen, endless)
    )
    assert min(r_seen) > 0.8
    assert np.mean(r_endless) > np.mean(r_seen)


def test_edges_of_other_regions_are_refused(model: ConnectomeModel) -> None:
    with pytest.raises(DataError, match=r"patterns are of 7381 edges, found edges of shape \(5,\)"):
        PlantedPatterns.of(model).factors(np.ones(5))
