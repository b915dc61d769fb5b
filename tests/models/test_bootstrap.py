"""Intervals over people: how often they cover the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_models.bootstrap import Figure, bootstrap, bootstrap_difference
from dtb_models.metric_sums import correlation, mean, person_values
from dtb_runtime.errors import UsageError


def products(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1)


def test_the_interval_of_a_mean_covers_the_truth_as_often_as_it_says(
    rng: np.random.Generator,
) -> None:
    n_studies, n_people, truth = 400, 100, 3.0
    hits = 0
    for _ in range(n_studies):
        values = rng.normal(truth, 2.0, n_people)
        figure = bootstrap(person_values(values), mean, n_resamples=600)
        assert figure.value == pytest.approx(values.mean())
        assert figure.n == n_people
        hits += figure.low <= truth <= figure.high
    # 5 standard errors of a share of 0.94, what the percentile interval reaches at n = 100.
    assert hits / n_studies == pytest.approx(0.94, abs=5 * np.sqrt(0.94 * 0.06 / n_studies))


def test_the_interval_of_a_correlation_covers_the_truth(rng: np.random.Generator) -> None:
    n_studies, n_people, truth = 300, 150, 0.9
    hits = 0
    for _ in range(n_studies):
        x = rng.normal(size=n_people)
        y = truth * x + np.sqrt(1 - truth**2) * rng.normal(size=n_people)
        figure = bootstrap(products(x, y), correlation, n_resamples=600)
        hits += figure.low <= truth <= figure.high
    assert hits / n_studies == pytest.approx(0.94, abs=5 * np.sqrt(0.94 * 0.06 / n_studies))


def test_the_interval_is_that_of_people_drawn_one_by_one(rng: np.random.Generator) -> None:
    values = rng.gamma(2.0, size=80)
    draws = rng.choice(values, size=(20_000, 80)).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    figure = bootstrap(person_values(values), mean, n_resamples=20_000)
    assert figure.low == pytest.approx(low, abs=0.03 * (high - low))
    assert figure.high == pytest.approx(high, abs=0.03 * (high - low))


def test_the_same_people_give_the_same_interval_and_another_seed_another(
    rng: np.random.Generator,
) -> None:
    sums = person_values(rng.normal(size=40))
    assert bootstrap(sums, mean) == bootstrap(sums.copy(), mean)
    assert bootstrap(sums, mean).low != bootstrap(sums, mean, seed=1).low


def test_what_two_methods_share_leaves_the_interval_of_their_difference(
    rng: np.random.Generator,
) -> None:
    shared = rng.normal(0, 3.0, 100)
    one = person_values(shared + rng.normal(0.5, 0.1, 100))
    other = person_values(shared + rng.normal(0.0, 0.1, 100))
    difference = bootstrap_difference(one, other, mean)
    assert difference.value == pytest.approx(
        bootstrap(one, mean).value - bootstrap(other, mean).value
    )
    assert difference.low > 0.4
    assert difference.high < 0.6
    alone = bootstrap(one, mean)
    assert alone.high - alone.low > 0.8
    same = bootstrap_difference(one, one, mean)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_one_person_has_a_figure_without_an_interval() -> None:
    figure = bootstrap(person_values(np.array([2.0])), mean)
    assert figure.value == 2.0
    assert np.isnan([figure.low, figure.high]).all()
    assert figure.to_json() == {"value": 2.0, "low": None, "high": None, "n": 1}


def test_draws_without_a_correlation_are_left_out_of_its_interval() -> None:
    x = np.array([0.0, 0.0, 0.0, 1.0])
    figure = bootstrap(products(x, 2 * x), correlation)  # many draws hold the first three alone
    assert (figure.value, figure.low, figure.high) == pytest.approx((1.0, 1.0, 1.0))


def test_a_figure_reads_well() -> None:
    assert str(Figure(0.91234, 0.88, 0.94, 169)) == "0.912 [0.880, 0.940], n=169"


def test_nobody_has_no_figure() -> None:
    with pytest.raises(UsageError, match="at least one person, found none"):
        bootstrap(np.zeros((0, 3)), mean)


def test_different_people_are_not_compared() -> None:
    with pytest.raises(UsageError, match="Select the people that both have"):
        bootstrap_difference(np.ones((3, 2)), np.ones((4, 2)), mean)
