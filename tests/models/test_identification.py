"""People told apart by predicted maps: made maps whose answer is known, p by counting."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from dtb_models import identification
from dtb_models.identification import identify, is_same_for_everybody
from dtb_runtime.errors import DataError


def brute_force(predicted: np.ndarray, measured: np.ndarray) -> tuple[float, float, float, float]:
    """Rates and p, by going through pairs of people and permutations one by one."""
    n = len(predicted)

    def rates(given: tuple[int, ...]) -> tuple[float, float]:
        wins, tops = 0.0, 0.0
        for i in range(n):
            r = [np.corrcoef(measured[i], predicted[given[j]])[0, 1] for j in range(n)]
            others = [r[j] for j in range(n) if j != i]
            wins += sum((r[i] > o + 1e-9) + 0.5 * (abs(r[i] - o) <= 1e-9) for o in others) / (n - 1)
            ties = sum(abs(r[i] - o) <= 1e-9 for o in others)
            tops += (r[i] >= max(others) - 1e-9) / (1 + ties)
        return wins / n, tops / n

    everything = [rates(given) for given in permutations(range(n))]
    own = everything[0]
    p = [np.mean([each[k] >= own[k] - 1e-9 for each in everything]) for k in (0, 1)]
    return own[0], float(p[0]), own[1], float(p[1])


@pytest.mark.parametrize("noise", [0.5, 2.0, 8.0])
def test_rates_and_p_are_those_of_counting(noise: float, rng: np.random.Generator) -> None:
    measured = rng.standard_normal((5, 12))
    predicted = measured + noise * rng.standard_normal((5, 12))
    found = identify(predicted, measured)
    assert found.is_exact
    assert (
        found.pairwise_rate,
        found.pairwise_p,
        found.top_rate,
        found.top_p,
    ) == pytest.approx(brute_force(predicted, measured))


def test_ties_count_in_part(rng: np.random.Generator) -> None:
    measured = rng.standard_normal((4, 9))
    predicted = measured + 2 * rng.standard_normal((4, 9))
    predicted[2] = predicted[0]
    found = identify(predicted, measured)
    assert (
        found.pairwise_rate,
        found.pairwise_p,
        found.top_rate,
        found.top_p,
    ) == pytest.approx(brute_force(predicted, measured))


def test_the_right_maps_are_always_told_apart(rng: np.random.Generator) -> None:
    maps = rng.standard_normal((10, 40))
    found = identify(3 * maps - 1, maps)
    assert (found.n_people, found.pairwise_rate, found.top_rate) == (10, 1, 1)
    assert found.pairwise_p == found.top_p == pytest.approx(1 / 3628800)
    np.testing.assert_allclose(found.similarity, np.corrcoef(maps))
    wrong = identify(np.roll(maps, 1, axis=0), maps)
    assert wrong.top_rate == 0
    assert wrong.top_p == 1


def test_the_same_prediction_for_everybody_is_chance(rng: np.random.Generator) -> None:
    measured = rng.standard_normal((8, 30))
    found = identify(np.tile(rng.standard_normal(30), (8, 1)), measured)
    assert found.pairwise_rate == pytest.approx(1 / 2)
    assert found.top_rate == pytest.approx(1 / 8)
    assert found.pairwise_p == found.top_p == 1


def test_maps_that_differ_in_one_person_are_not_the_same(rng: np.random.Generator) -> None:
    one = rng.standard_normal(8)
    for same in (np.tile(one, (5, 1)), np.tile(rng.standard_normal((5, 1, 8)), (1, 5, 1))):
        assert is_same_for_everybody(same)
        same[..., 3, 2] += 1e-9
        assert not is_same_for_everybody(same)


def test_p_is_uniform_where_predictions_say_nothing(rng: np.random.Generator) -> None:
    p = [
        identify(rng.standard_normal((6, 20)), rng.standard_normal((6, 20))).pairwise_p
        for _ in range(300)
    ]
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.05)
    assert np.mean(np.array(p) <= 0.5) == pytest.approx(0.5, abs=0.08)


def test_random_permutations_come_near_all_of_them(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = rng.standard_normal((8, 20))
    predicted = measured + 4 * rng.standard_normal((8, 20))
    exact = identify(predicted, measured)
    monkeypatch.setattr(identification, "EXACT_UP_TO", 2)
    random = identify(predicted, measured, seed=1)
    assert not random.is_exact
    assert random.pairwise_rate == exact.pairwise_rate
    assert random.pairwise_p == pytest.approx(exact.pairwise_p, abs=0.015)
    assert random.top_p == pytest.approx(exact.top_p, abs=0.015)
    assert identify(predicted, measured, seed=1).pairwise_p == random.pairwise_p


def test_what_all_have_in_common_can_be_taken_out(rng: np.random.Generator) -> None:
    common, own = rng.standard_normal(60), 0.3 * rng.standard_normal((9, 60))
    measured = common + own
    # One prediction is nearly the common map and beats everybody's own: hubs do that.
    predicted = common + 3 * rng.standard_normal((9, 60)) + own
    predicted[4] = common + own[4]
    assert identify(predicted, measured).top_rate < 0.4
    found = identify(predicted - common, measured - common, from_group=True)
    np.testing.assert_allclose(
        found.similarity, identify(predicted, measured, from_group=True).similarity
    )
    assert identify(common + own, measured, from_group=True).top_rate == 1


def test_predictors_made_without_a_person_are_compared_with_themselves_only(
    rng: np.random.Generator,
) -> None:
    measured = rng.standard_normal(50) + rng.standard_normal((10, 50))
    total = measured.sum(axis=0)
    without = (total - measured) / 9
    # The same group map for everybody knows nothing of anybody, and must come out as chance...
    same = np.tile(without[:, None], (1, 10, 1))
    assert identify(same, measured).pairwise_rate == pytest.approx(0.5)
    # ...but does not when each person's map lacks this person and the others' maps do not.
    assert identify(without, measured).pairwise_rate < 0.1
    found = identify(same + 0.2 * measured, measured)
    expected = [
        [np.corrcoef(measured[i], same[i, j] + 0.2 * measured[j])[0, 1] for j in range(10)]
        for i in range(10)
    ]
    np.testing.assert_allclose(found.similarity, expected)
    assert found.top_rate > 0.6
    apart = identify(same + 0.2 * measured, measured, from_group=True)
    np.testing.assert_allclose(apart.similarity, np.corrcoef(measured - total / 10), atol=1e-10)


def test_what_cannot_be_told_apart_is_said(rng: np.random.Generator) -> None:
    maps = rng.standard_normal((3, 5))
    with pytest.raises(DataError, match=r"at least two people, found shapes \(3, 5\) and \(3, 4\)"):
        identify(maps, maps[:, 1:])
    with pytest.raises(DataError, match=r"at least two people, found shapes \(1, 5\)"):
        identify(maps[:1], maps[:1])
    flat = maps.copy()
    flat[1] = 2.0
    with pytest.raises(DataError, match=r"predicted map of person 1 .* is flat or not finite"):
        identify(flat, maps)
    flat[1, 0] = np.inf
    with pytest.raises(DataError, match=r"measured map of person 1 .* is flat or not finite"):
        identify(maps, flat)
    with pytest.raises(DataError, match=r"person 0 .* is flat, the same as everybody's or not"):
        identify(np.tile(maps[0], (3, 1)), maps, from_group=True)
