"""Statistics of maps against scipy, numpy and plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from dtb_models.map_statistics import (
    group_map_figures,
    group_t,
    map_r,
    mean_of_others,
    others_forecasts_r,
)
from dtb_runtime.errors import DataError, UsageError


def test_group_t_is_that_of_scipy(rng: np.random.Generator) -> None:
    maps = rng.standard_normal((12, 30)) + rng.standard_normal(30)
    np.testing.assert_allclose(group_t(maps), ttest_1samp(maps, 0).statistic)
    maps[3, 5] = maps[7, 5] = np.nan
    np.testing.assert_allclose(
        group_t(maps), ttest_1samp(maps, 0, nan_policy="omit").statistic, rtol=1e-12
    )
    maps[1:, 8] = np.nan
    maps[:, 9] = 0.1
    maps[:, 10] = np.nan
    assert np.isnan(group_t(maps)[8:11]).all()
    assert np.isfinite(np.delete(group_t(maps), [8, 9, 10])).all()


def test_map_r_is_that_of_numpy(rng: np.random.Generator) -> None:
    maps, others = rng.standard_normal((2, 5, 20))
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(maps, others, strict=True)]
    np.testing.assert_allclose(map_r(maps, others), expected)
    np.testing.assert_allclose(map_r(maps, others[0])[2], np.corrcoef(maps[2], others[0])[0, 1])
    maps[0, 3] = np.nan
    kept = np.arange(20) != 3
    found = map_r(maps, others)
    assert found[0] == pytest.approx(np.corrcoef(maps[0, kept], others[0, kept])[0, 1])
    np.testing.assert_allclose(found[1:], expected[1:])
    maps[1], maps[2, 2:] = 0.7, np.nan
    assert np.isnan(map_r(maps, others)[1:3]).all()


def test_group_figures_are_of_all_tasks_and_of_each(rng: np.random.Generator) -> None:
    measured = {
        "hammer": rng.standard_normal((9, 40)) + rng.standard_normal(40),
        "stroop": 1 + rng.standard_normal((8, 40)) + rng.standard_normal(40),
    }
    predicted = {
        task: maps + 0.5 * rng.standard_normal(maps.shape) for task, maps in measured.items()
    }
    found = group_map_figures(predicted, measured)
    t = {
        side: [ttest_1samp(maps[task], 0).statistic for task in ("hammer", "stroop")]
        for side, maps in (("p", predicted), ("m", measured))
    }
    assert set(found) == {"group_t_r", "group_t_r:hammer", "group_t_r:stroop"}
    assert found["group_t_r:stroop"] == pytest.approx(np.corrcoef(t["p"][1], t["m"][1])[0, 1])
    joined = np.corrcoef(np.concatenate(t["p"]), np.concatenate(t["m"]))[0, 1]
    assert found["group_t_r"] == pytest.approx(joined)
    with pytest.raises(UsageError, match=r"the same tasks, at least one; found \['hammer'\] and"):
        group_map_figures({"hammer": predicted["hammer"]}, measured)


def test_the_mean_of_others_leaves_one_out(rng: np.random.Generator) -> None:
    maps = rng.standard_normal((6, 7))
    expected = [np.delete(maps, i, axis=0).mean(0) for i in range(6)]
    np.testing.assert_allclose(mean_of_others(maps), expected)
    with pytest.raises(DataError, match="at least two people, found 1"):
        mean_of_others(maps[:1])


def test_shapes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(DataError, match=r"people by regions, found shape \(4,\)"):
        group_t(np.ones(4))
    with pytest.raises(DataError, match=r"found shapes \(3, 4\) and \(3, 5\)"):
        map_r(np.ones((3, 4)), np.ones((3, 5)))
    with pytest.raises(DataError, match=r"found shapes \(3, 4\) and \(2, 4\)"):
        map_r(np.ones((3, 4)), np.ones((2, 4)))


def test_forecasts_of_others_are_held_against_the_own_map(rng: np.random.Generator) -> None:
    measured = rng.standard_normal((4, 20))
    predicted = rng.standard_normal((4, 4, 20))
    expected = [
        np.mean([np.corrcoef(predicted[i, j], measured[i])[0, 1] for j in range(4) if j != i])
        for i in range(4)
    ]
    np.testing.assert_allclose(others_forecasts_r(predicted, measured), expected)
    one = np.broadcast_to(predicted[0], (4, 4, 20))
    np.testing.assert_array_equal(
        others_forecasts_r(predicted[0], measured), others_forecasts_r(one, measured)
    )


@pytest.mark.parametrize("shape", [(3, 20), (4, 4, 19), (4,)])
def test_forecasts_of_others_need_everybody(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="at least two people and one map of everybody"):
        others_forecasts_r(np.ones(shape), np.ones((4, 20)))
