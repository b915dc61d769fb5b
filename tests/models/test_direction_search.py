"""The paper's way: its direction, the edges that it depends on, and what becomes of its promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dtb_models.bundle_network import BundleNetwork
from dtb_models.direction_search import MOST_ALPHA, DirectionSearch
from dtb_models.smooth_grad import smooth_gradient
from dtb_models.weight_direction import WeightDirection
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.errors import UsageError
from dtb_runtime.gradients import ChangeLimits, DirectionSettings, plan_finder
from dtb_runtime.indicator_forecasts import IndicatorForecasts
from dtb_runtime.intervention import rounded
from dtb_runtime.plan import GOAL_TOLERANCE, Goal

EXAMPLES = Path(__file__).parents[2] / "examples"
Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("tcp434", device="cpu")


@pytest.fixture(scope="module")
def tiny_bundle() -> Bundle:
    return load_bundle(Path(__file__).parents[1] / "bundles" / "tiny", device="cpu")


@pytest.fixture(scope="module")
def connectome() -> Connectome:
    return read_connectome(EXAMPLES / "sub-example_atlas-tcp434_connectome.npy")


@pytest.fixture(scope="module")
def direction(bundle: Bundle) -> WeightDirection:
    return direction_of(bundle)


N_DRAWN = 128
"""Fewer than by default: each is forecast."""


def direction_of(bundle: Bundle) -> WeightDirection:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dtb_models.weight_direction.N_DRAWN", N_DRAWN)
        return WeightDirection.of(bundle, "reaction_time")


def cohort(n: int, n_weights: int = 40) -> tuple[NDArray[np.float32], Floats]:
    """Weights of people, one of them the same in everybody, and an indicator that some carry."""
    rng = np.random.default_rng(n)
    weights = rng.normal(size=(n, n_weights)) * rng.uniform(0.1, 5.0, n_weights)
    weights[:, 7] = 3.0
    values = weights[:, :5].sum(axis=1) + rng.normal(size=n)
    return weights.astype(np.float32), values


def test_the_direction_is_that_of_partial_least_squares() -> None:
    sklearn = pytest.importorskip("sklearn.cross_decomposition", reason="scikit-learn is an extra")
    weights, values = cohort(60)
    found = WeightDirection.through("x", weights, values)
    pls = sklearn.PLSRegression(n_components=1, scale=True).fit(weights.astype(float), values)
    expected = pls.x_weights_[:, 0]
    np.testing.assert_allclose(found.vector, expected * np.sign(expected @ found.vector), atol=1e-6)
    scores = pls.transform(weights.astype(float))[:, 0]
    assert found.r == pytest.approx(abs(np.corrcoef(scores, values)[0, 1]), abs=1e-6)
    own = found.scores(weights)
    assert own.mean() == pytest.approx(0.0, abs=1e-5)
    assert own.std(ddof=1) == pytest.approx(1.0, rel=1e-5)
    assert found.sd[7] == found.vector[7] == 0.0


def test_alpha_moves_the_score_by_as_many_sds() -> None:
    weights, values = cohort(60)
    values[3] = np.nan  # who lacks the indicator is left out
    found = WeightDirection.through("x", weights, values)
    assert found.n_people == 59
    alphas = np.array([-2.0, 0.0, 0.5])
    moved = found.moved(weights[0], alphas)
    gained = found.scores(moved) - found.scores(weights[:1])
    # |v|^2 = 1, so that alpha v adds alpha to z1
    np.testing.assert_allclose(gained, alphas, atol=1e-4)
    np.testing.assert_array_equal(moved[1], weights[0])


@pytest.mark.parametrize("values", [np.full(5, 2.0), np.array([1.0, 2.0, np.nan, np.nan, np.nan])])
def test_a_cohort_without_a_direction_is_refused(values: Floats) -> None:
    weights, _ = cohort(5)
    with pytest.raises(UsageError, match="at least 3 people who differ"):
        WeightDirection.through("x", weights, values)


def test_drawn_twins_take_the_place_of_a_cohort(
    bundle: Bundle, direction: WeightDirection, connectome: Connectome
) -> None:
    assert direction.n_people == N_DRAWN
    assert 0.8 < direction.r < 1.0
    with pytest.raises(UsageError, match="found nobody"):
        WeightDirection.of(bundle, "reaction_time", [])
    with pytest.raises(UsageError, match="at least 3 people"):
        WeightDirection.of(bundle, "reaction_time", [connectome] * 3)
    with pytest.raises(UsageError, match="'speed'"):
        WeightDirection.of(bundle, "speed")


def test_without_noise_it_is_the_gradient_of_the_score(
    bundle: Bundle, direction: WeightDirection, connectome: Connectome
) -> None:
    network = BundleNetwork.of(bundle, torch.float64)
    edges = connectome.edges()
    settings = DirectionSettings(samples=1, noise=0.0)
    found = smooth_gradient(network, direction, edges, settings)
    readout = direction.readout
    for edge in np.random.default_rng(0).choice(len(edges), 20, replace=False):
        scores = []
        for step in (-1e-3, 1e-3):
            moved = torch.from_numpy(edges.astype(np.float64))
            moved[edge] += step
            with torch.no_grad():
                scores.append(float(network.weights(moved[None])[0].numpy() @ readout))
        slope = (scores[1] - scores[0]) / 2e-3
        assert found[edge] == pytest.approx(slope, rel=1e-5, abs=1e-12)


def test_attributions_are_seeded_and_hardly_depend_on_the_noise(
    bundle: Bundle, direction: WeightDirection, connectome: Connectome
) -> None:
    network = BundleNetwork.of(bundle)

    def found(samples: int, noise: float, seed: int = 0) -> Floats:
        settings = DirectionSettings(samples, noise, seed)
        return smooth_gradient(network, direction, connectome.edges(), settings)

    usual = found(40, 0.1)
    np.testing.assert_array_equal(usual, found(40, 0.1))
    assert not np.array_equal(usual, found(40, 0.1, seed=1))
    for noise in (0.05, 0.3):
        assert np.corrcoef(usual, found(40, noise))[0, 1] > 0.99


@pytest.mark.parametrize(
    "settings",
    [(0, 0.1, 0), (5, -0.1, 0), (5, float("nan"), 0), (5, 1, -1), (5, 0.1, 2**64), (5, 1e9, 0)],
)
def test_settings_out_of_range_are_refused(
    bundle: Bundle, settings: tuple[int, float, int]
) -> None:
    goal = Goal.of(bundle, "reaction_time", "decrease", "0.5sd")
    with pytest.raises(UsageError, match="SmoothGrad needs at least 1 sample"):
        DirectionSearch.of(bundle, [goal], (), DirectionSettings(*settings))


def test_the_edited_connectome_has_the_score_that_was_promised_by(
    bundle: Bundle, direction: WeightDirection, connectome: Connectome
) -> None:
    goal = Goal.of(bundle, "reaction_time", "decrease", "0.5sd")
    search = DirectionSearch(bundle, goal, direction, DirectionSettings(samples=10))
    found = search.find(connectome, participant_id="sub-01")
    promise = found.promise
    assert promise is not None
    assert promise.promised / goal.change == pytest.approx(1.0, abs=1e-3)
    assert promise.score_moved == pytest.approx(promise.alpha, rel=1.5 * GOAL_TOLERANCE)
    assert promise.alpha < 0 < promise.direction_r <= direction.r
    names = list(promise.others)
    forecasts = IndicatorForecasts(bundle, names)
    shown = forecasts.of_edges(edges_of(connectome, found.correlations))
    np.testing.assert_allclose(
        [reached for _, reached in promise.others.values()], shown[1] - shown[0], atol=1e-3
    )
    changed = Connectome.from_matrix(rounded(found.correlations))
    edges = np.stack([connectome.edges(), changed.edges()])
    weights = np.stack([twin.weights for twin in bundle.personalize_edges(edges)])
    before, after = direction.scores(weights)
    assert after - before == pytest.approx(promise.score_moved, abs=1e-3)
    values = IndicatorForecasts(bundle, ["reaction_time"]).of_edges(edges)[:, 0]
    assert promise.reached == pytest.approx(values[1] - values[0], abs=1e-4)
    assert found.plan.reached == {"reaction_time": promise.reached}
    assert found.plan.method == "pls"
    # The direction that is best on average moves this person, but not as a personal plan would.
    assert 0.5 < promise.reached / goal.change < 1.1


def edges_of(connectome: Connectome, changed: Floats) -> NDArray[np.float32]:
    edited = Connectome.from_matrix(rounded(changed))
    return np.stack([connectome.edges(), edited.edges()])


def test_people_left_out_say_how_sure_a_direction_is() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(12, 400)).astype(np.float32)
    nothing = WeightDirection.through("x", weights, rng.normal(size=12))
    assert nothing.r > 0.9  # where there are more weights than people
    assert abs(nothing.r_left_out) < 0.7
    weights, values = cohort(200)
    found = WeightDirection.through("x", weights, values)
    half = WeightDirection.through("x", weights[:100], values[:100])
    others = np.corrcoef(half.scores(weights[100:]), values[100:])[0, 1]
    assert found.r_left_out == pytest.approx(others, abs=0.15)


def test_a_promise_out_of_reach_is_the_most_there_is(
    bundle: Bundle, direction: WeightDirection, connectome: Connectome
) -> None:
    goal = Goal.of(bundle, "reaction_time", "decrease", "40sd")
    search = DirectionSearch(bundle, goal, direction)
    (twin,) = bundle.personalize_edges(connectome.edges()[None])
    alpha, promised = search.promise(twin.weights)
    assert -MOST_ALPHA <= alpha < 0
    assert 0 < promised / goal.change < 1
    shown = search.promises(twin.weights, np.linspace(-MOST_ALPHA, 0, 9))
    assert np.nanmin(shown) >= promised - 1e-6


def test_few_edges_and_a_budget_bind_this_way_too(
    tiny_bundle: Bundle, rng: np.random.Generator
) -> None:
    connectome = Connectome.from_matrix(np.corrcoef(rng.normal(size=(200, 12)).T))
    direction = direction_of(tiny_bundle)
    goal = Goal.of(tiny_bundle, "reaction_time", "decrease", "0.5sd")
    search = DirectionSearch(tiny_bundle, goal, direction, DirectionSettings(samples=2))
    few = search.find(connectome, ChangeLimits(edges=5))
    assert few.plan.change.n == 5
    small = search.find(connectome, ChangeLimits(budget=0.1))
    assert small.size <= 0.1
    assert not small.is_within_budget
    assert not small.is_reached


def test_the_paper_way_moves_one_indicator_and_holds_none(bundle: Bundle) -> None:
    goals = [
        Goal.of(bundle, name, "decrease", "0.5sd") for name in ("reaction_time", "stroop_effect")
    ]
    with pytest.raises(UsageError, match="found 2 targets and 0 holds"):
        plan_finder(bundle, goals, method="pls")
    with pytest.raises(UsageError, match="found 1 targets and 1 holds"):
        plan_finder(bundle, goals[:1], ["accuracy"], method="pls")
    other = WeightDirection.through("stroop_effect", *cohort(60))
    with pytest.raises(UsageError, match="direction is one of 'stroop_effect'"):
        DirectionSearch(bundle, goals[0], other)
