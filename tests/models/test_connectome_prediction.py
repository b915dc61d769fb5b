"""Linear models of connectomes: against a plain computation, and nothing of the test people."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline

from dtb_models import connectome_prediction
from dtb_models.connectome_prediction import (
    METHODS,
    N_COMPONENTS,
    PENALTIES,
    SIGNIFICANCE,
    Method,
    critical_correlation,
    predict_from_connectomes,
    predict_held_out,
)
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.errors import DataError, MissingDependencyError, UsageError
from dtb_runtime.parcellation import Parcellation

N_TRAIN = 60


@pytest.fixture
def people(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Edges and a trait that a fifth of them follow, in both directions."""
    trait = rng.standard_normal(90)
    pattern = np.where(np.arange(400) < 80, rng.choice([-1, 1], 400), 0)
    edges = 0.2 * rng.standard_normal((90, 400)) + 0.08 * np.outer(trait, pattern)
    return edges.astype(np.float32), 0.8 + 0.15 * trait


def by_hand(
    train: np.ndarray, values: np.ndarray, test: np.ndarray, alpha: float
) -> tuple[np.ndarray, int]:
    """Shen's recipe edge by edge; the predictions and how many edges were taken."""
    sums: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    tests = [pearsonr(edge, values) for edge in train.T.astype(np.float64)]
    n_taken = 0
    for sign in (1, -1):
        taken = np.array([sign * one.statistic > 0 and one.pvalue < alpha for one in tests])
        n_taken += taken.sum()
        sums["train"].append(train[:, taken].sum(1))
        sums["test"].append(test[:, taken].sum(1))
    x, new = (np.column_stack([np.ones(len(part[0])), *part]) for part in sums.values())
    return new @ np.linalg.lstsq(x, values, rcond=None)[0], n_taken


def test_edge_sums_are_those_of_the_recipe(
    people: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    edges, values = people
    monkeypatch.setattr(connectome_prediction, "SIGNIFICANCE", (0.01,))
    found = predict_from_connectomes(edges[:N_TRAIN], values[:N_TRAIN], edges[N_TRAIN:])
    expected, n_taken = by_hand(edges[:N_TRAIN], values[:N_TRAIN], edges[N_TRAIN:], 0.01)
    assert 20 < n_taken < 120
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_significance_is_the_one_best_among_the_training_people(
    people: tuple[np.ndarray, np.ndarray],
) -> None:
    edges, values = people
    train, known = edges[:N_TRAIN], values[:N_TRAIN]
    errors = dict.fromkeys(SIGNIFICANCE, 0.0)
    for inner, held_out in KFold(5, shuffle=True, random_state=3).split(train):
        for alpha in SIGNIFICANCE:
            expected, _ = by_hand(train[inner], known[inner], train[held_out], alpha)
            errors[alpha] += float(np.square(expected - known[held_out]).sum())
    best = min(errors, key=lambda alpha: errors[alpha])
    found = predict_from_connectomes(train, known, edges[N_TRAIN:], 3)
    np.testing.assert_allclose(found, by_hand(train, known, edges[N_TRAIN:], best)[0], rtol=1e-4)


def test_components_in_rotated_edges_are_those_of_the_edges(
    people: tuple[np.ndarray, np.ndarray],
) -> None:
    edges, values = people
    train, known, test = edges[:N_TRAIN].astype(np.float64), values[:N_TRAIN], edges[N_TRAIN:]
    unit = (train - train.mean(0)).var(0).sum() / (N_TRAIN - 1)
    search = GridSearchCV(
        Pipeline([("components", PCA(svd_solver="full")), ("ridge", Ridge())]),
        {
            "components__n_components": [n for n in N_COMPONENTS if n < 47] + [47],
            "ridge__alpha": [penalty * N_TRAIN * unit for penalty in PENALTIES],
        },
        scoring="neg_mean_squared_error",
        cv=KFold(5, shuffle=True, random_state=0),
    )
    expected = search.fit(train, known).predict(test)
    found = predict_from_connectomes(train, known, test, method="components")
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.001])
@pytest.mark.parametrize("n_people", [20, 160])
def test_the_critical_correlation_has_its_p(alpha: float, n_people: int) -> None:
    critical = critical_correlation(alpha, n_people)
    x = np.linspace(-1, 1, n_people)
    other = np.cos(np.pi * x)
    other -= other.mean() + x * (other @ x) / (x @ x)
    y = critical * x / np.linalg.norm(x) + np.sqrt(1 - critical**2) * other / np.linalg.norm(other)
    assert pearsonr(x, y).pvalue == pytest.approx(alpha)


@pytest.mark.parametrize("method", METHODS)
def test_a_trait_that_edges_follow_is_predicted(
    people: tuple[np.ndarray, np.ndarray], method: Method
) -> None:
    edges, values = people
    found = predict_from_connectomes(
        edges[:N_TRAIN], values[:N_TRAIN], edges[N_TRAIN:], method=method
    )
    assert np.corrcoef(found, values[N_TRAIN:])[0, 1] > 0.75
    assert found.mean() == pytest.approx(values.mean(), abs=0.04)


@pytest.mark.parametrize("method", METHODS)
def test_a_trait_that_no_edge_follows_is_not(
    people: tuple[np.ndarray, np.ndarray], rng: np.random.Generator, method: Method
) -> None:
    edges, values = people
    parts = np.array_split(rng.permutation(90), 3)
    found = predict_held_out(edges, rng.permutation(values), parts, method=method)
    assert np.corrcoef(found, values)[0, 1] < 0.25


@pytest.mark.parametrize("method", METHODS)
def test_nobody_else_in_the_test_changes_a_prediction(
    people: tuple[np.ndarray, np.ndarray], method: Method
) -> None:
    edges, values = people
    train, known = edges[:N_TRAIN], values[:N_TRAIN]
    together = predict_from_connectomes(train, known, edges[N_TRAIN:], method=method)
    alone = predict_from_connectomes(train, known, edges[N_TRAIN + 2 :][:1], method=method)
    np.testing.assert_allclose(together[2], alone[0])


@pytest.mark.parametrize("method", METHODS)
def test_targets_do_not_touch_each_other_and_gaps_leave_people_out(
    people: tuple[np.ndarray, np.ndarray], rng: np.random.Generator, method: Method
) -> None:
    edges, values = people
    table = np.stack([values, rng.standard_normal(90), np.full(90, 0.7)], axis=1)
    table[5:10, 0] = np.nan
    found = predict_from_connectomes(
        edges[:N_TRAIN], table[:N_TRAIN], edges[N_TRAIN:], method=method
    )
    assert found.shape == (30, 3)
    rows = np.r_[:5, 10:N_TRAIN]
    alone = predict_from_connectomes(edges[rows], table[rows, 0], edges[N_TRAIN:], method=method)
    np.testing.assert_allclose(found[:, 0], alone)
    np.testing.assert_array_equal(found[:, 2], 0.7)


def test_held_out_people_are_predicted_from_the_other_parts(
    people: tuple[np.ndarray, np.ndarray],
) -> None:
    edges, values = people
    parts = [np.arange(0, 90, 2), np.arange(1, 90, 2)]
    found = predict_held_out(edges, values, parts)
    changed = values.copy()
    changed[parts[0]] = 100.0 * np.arange(45)
    again = predict_held_out(edges, changed, parts)
    np.testing.assert_array_equal(found[parts[0]], again[parts[0]])
    np.testing.assert_allclose(
        found[parts[1]],
        predict_from_connectomes(edges[parts[0]], values[parts[0]], edges[parts[1]]),
    )


def test_planted_speed_is_found_in_simulated_connectomes(
    medium_parcellation: Parcellation,
) -> None:
    cohort = SimulatedCohort(
        medium_parcellation, 160, seed=3, share=1.0, factor_strength=2.0, n_rest_runs=2
    )
    edges = np.stack([p.connectome.edges() for p in cohort.participants if p.connectome])
    speed = np.array([p.truth["processing_speed"] for p in cohort.participants if p.truth])
    for method in METHODS:
        found = predict_from_connectomes(edges[:120], speed[:120], edges[120:], method=method)
        assert np.corrcoef(found, speed[120:])[0, 1] > 0.5
        others = predict_from_connectomes(
            np.roll(edges[:120], 1, axis=0), speed[:120], edges[120:], method=method
        )
        assert abs(np.corrcoef(others, speed[120:])[0, 1]) < 0.4


def test_what_cannot_be_used_is_said(people: tuple[np.ndarray, np.ndarray]) -> None:
    edges, values = people
    with pytest.raises(UsageError, match="one of edge_sums, components, found 'pls'"):
        predict_from_connectomes(edges, values, edges, method="pls")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"same edges, found shapes \(90, 400\) and \(90, 399\)"):
        predict_from_connectomes(edges, values, edges[:, 1:])
    with pytest.raises(DataError, match=r"each of the 90 training people, found shape \(89,\)"):
        predict_from_connectomes(edges, values[1:], edges)
    with pytest.raises(DataError, match=r"at least 20 training people, found 19 of 90"):
        predict_from_connectomes(edges, np.where(np.arange(90) < 19, values, np.nan), edges)
    with pytest.raises(DataError, match=r"the 90 training people are all the same"):
        predict_from_connectomes(np.ones((90, 4)), values, edges[:, :4])
    broken = edges.copy()
    broken[7, 3] = np.nan
    with pytest.raises(DataError, match=r"those of 1 test people are not, first in row 7"):
        predict_from_connectomes(edges, values, broken)
    with pytest.raises(UsageError, match=r"each of the 90 people once, found 2 parts with 89"):
        predict_held_out(edges, values, [np.arange(40), np.arange(41, 90)])


def test_a_missing_library_is_a_sentence(
    people: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "dtb-runtime\[evaluate\]"'):
        predict_from_connectomes(people[0], people[1], people[0])


def test_evaluation_of_connectomes_needs_no_torch() -> None:
    code = (
        "import sys, dtb_models.connectome_prediction; "
        "print(*{'torch', 'onnx', 'onnxruntime', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
