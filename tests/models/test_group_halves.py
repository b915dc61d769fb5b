"""Halves of groups against plain counting, and against what is known of simulated groups."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from dtb_models.group_halves import N_RANDOM, group_reliability, halves_r, halvings
from dtb_runtime.errors import DataError


@pytest.mark.parametrize(("n", "count"), [(2, 2), (5, 10), (10, 252), (11, N_RANDOM), (21, 200)])
def test_halves_are_everybody_and_share_nobody(n: int, count: int) -> None:
    found = halvings(n, seed=3)
    assert len(found) == count
    for half, rest in found:
        assert (len(half), len(rest)) == (n // 2, n - n // 2)
        assert sorted([*half, *rest]) == list(range(n))


def test_random_halves_favor_nobody() -> None:
    """Each of twenty people is in a first half about every other time, and so is each pair."""
    inside = np.zeros((N_RANDOM, 20))
    for row, (half, _) in enumerate(halvings(20)):
        inside[row, half] = 1
    together = inside.T @ inside / N_RANDOM
    assert np.diag(together) == pytest.approx(np.full(20, 0.5), abs=0.15)
    assert together[~np.eye(20, dtype=bool)] == pytest.approx(np.full(380, 9 / 38), abs=0.15)


def test_random_halves_follow_from_the_seed() -> None:
    first, again, other = (halvings(14, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))


def test_reliability_is_the_mean_of_all_halvings(rng: np.random.Generator) -> None:
    maps = rng.standard_normal(50) + rng.standard_normal((5, 50))
    found = []
    for half in combinations(range(5), 2):
        rest = [i for i in range(5) if i not in half]
        found.append(np.corrcoef(maps[list(half)].mean(0), maps[rest].mean(0))[0, 1])
    r = np.mean(found)
    assert group_reliability(maps) == pytest.approx(2 * r / (1 + r))
    with pytest.raises(DataError, match="at least four people, found 3"):
        group_reliability(maps[:3])


def test_reliability_of_a_known_signal(rng: np.random.Generator) -> None:
    maps = rng.standard_normal(5000) + 3 * rng.standard_normal((30, 5000))
    assert group_reliability(maps, seed=1) == pytest.approx(30 / (30 + 9), abs=0.02)


def test_halves_are_held_against_the_other_half(rng: np.random.Generator) -> None:
    maps, measured = rng.standard_normal((2, 4, 20))
    expected = [
        np.corrcoef(maps[list(half)].mean(0), np.delete(measured, list(half), axis=0).mean(0))[0, 1]
        for half in combinations(range(4), 2)
    ]
    assert halves_r(maps, measured) == pytest.approx(np.mean(expected))


def test_many_people_are_halved_at_random(rng: np.random.Generator) -> None:
    """Twenty people, of whom the last hold the map of the others upside down."""
    group = rng.standard_normal(400)
    signs = np.where(np.arange(20) < 15, 1.0, -1.0)
    maps = signs[:, None] * group + 0.1 * rng.standard_normal((20, 400))
    found = halves_r(maps, maps, seed=5)
    by_hand = []
    for half, rest in halvings(20, seed=5):
        by_hand.append(np.corrcoef(maps[half].mean(0), maps[rest].mean(0))[0, 1])
    assert found == pytest.approx(np.mean(by_hand))
    # Where halves are drawn fairly, both nearly always show the map of the many. With the first
    # few people in every first half, the other half would often show none.
    assert found > 0.9


def test_halves_of_other_people_are_refused() -> None:
    with pytest.raises(DataError, match=r"at least two; found shapes \(4, 5\) and \(3, 5\)"):
        halves_r(np.ones((4, 5)), np.ones((3, 5)))
    with pytest.raises(DataError, match=r"found shapes \(1, 5\) and \(1, 5\)"):
        halves_r(np.ones((1, 5)), np.ones((1, 5)))
