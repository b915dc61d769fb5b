"""Regressions from people to other people, against scikit-learn and on planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from dtb_models.explained_variance import correlation, explained_by, regress
from dtb_models.simulated_people import TRAITS
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.errors import DataError, UsageError
from dtb_runtime.parcellation import Parcellation


def test_people_without_a_value_are_left_out(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    y[4] = np.nan
    kept = np.arange(20) != 4
    expected = LinearRegression().fit(x[kept], y[kept]).predict(x)
    np.testing.assert_allclose(regress(x, y, x), expected)
    assert correlation(expected, y) == pytest.approx(np.corrcoef(expected[kept], y[kept])[0, 1])
    assert np.isnan(correlation(np.ones(20), y))


def test_explained_variance_is_that_of_scikit_learn(rng: np.random.Generator) -> None:
    z = rng.standard_normal((57, 4))
    values = z @ [1.0, -0.5, 0.0, 0.2] + rng.standard_normal(57)
    found = explained_by(z, {"value": values}, n_folds=5, seed=3)
    fold = np.empty(57, int)
    order = np.random.default_rng(3).permutation(57)
    for number, part in enumerate(np.array_split(order, 5)):
        fold[part] = number
    expected = cross_val_predict(LinearRegression(), z, values, cv=PredefinedSplit(fold))
    assert found["value"] == pytest.approx(r2_score(values, expected))


def test_latents_explain_what_was_planted_and_nothing_else(
    small_parcellation: Parcellation, rng: np.random.Generator
) -> None:
    cohort = SimulatedCohort(small_parcellation, 1500, seed=1)
    factors = np.array(
        [[p.truth[f"factor_{k + 1}"] for k in range(5)] for p in cohort.participants]
    )
    values = {name: np.array([p.truth[name] for p in cohort.participants]) for name in TRAITS}
    values |= {f"factor_{k + 1}": factors[:, k] for k in range(5)}
    mixed = np.column_stack([factors @ rng.standard_normal((5, 5)), rng.standard_normal((1500, 3))])
    found = explained_by(mixed, values)
    for k in range(5):
        assert found[f"factor_{k + 1}"] == pytest.approx(1)
    assert np.mean([found[name] for name in TRAITS]) == pytest.approx(0.18, abs=0.03)
    nothing = explained_by(rng.standard_normal((1500, 5)), values)
    assert max(nothing.values()) < 0.01
    assert min(nothing.values()) > -0.03
    gaps = np.where(np.arange(1500) % 3 == 0, np.nan, factors[:, 0])
    assert explained_by(mixed, {"gaps": gaps})["gaps"] == pytest.approx(1)
    assert np.isnan(explained_by(mixed, {"flat": np.ones(1500)})["flat"])


def test_what_cannot_be_regressed_is_said() -> None:
    with pytest.raises(DataError, match="more than 4 people with values, found 4"):
        regress(np.ones((5, 3)), [1, 2, 3, 4, np.nan], np.ones((1, 3)))
    with pytest.raises(UsageError, match="2 to 5 folds for 5 people, found 6"):
        explained_by(np.ones((5, 1)), {}, n_folds=6)
    with pytest.raises(DataError, match=r"speed must have one value .* found shape \(4,\)"):
        explained_by(np.ones((5, 1)), {"speed": np.ones(4)}, n_folds=2)
