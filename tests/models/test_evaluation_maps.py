"""Contrast maps of judged people: each figure against a computation of its own."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dtb_models.evaluation_maps import figure_of_mean, figure_of_r, map_figures
from dtb_models.map_statistics import group_t
from dtb_models.twin_contrasts import ContrastPair
from dtb_runtime.errors import DataError
from dtb_runtime.glm import Contrast

N, REGIONS = 12, 40


def contrast(estimate: np.ndarray, t: np.ndarray) -> Contrast:
    return Contrast("face", "shape", estimate, t, 400)


@pytest.fixture(scope="module")
def people() -> list[Any]:
    """People who share a map, each with a strength and a pattern of their own, and noise."""
    rng = np.random.default_rng(8)
    group = rng.standard_normal(REGIONS)
    persons = []
    for i in range(N):
        strength, pattern = rng.uniform(0.5, 1.5), 0.6 * rng.standard_normal(REGIONS)
        truth = strength * group + pattern
        forecast = truth + 0.1 * rng.standard_normal(REGIONS)
        measured = truth + 0.5 * rng.standard_normal(REGIONS)
        pairs = {
            "hammer": ContrastPair(
                contrast(forecast, 3 * forecast),
                contrast(forecast, 3 * forecast + rng.standard_normal(REGIONS)),
                contrast(measured, 2 * measured),
                (strength, strength + 0.1 * rng.standard_normal()),
            )
        }
        if i < 7:
            pairs["stroop"] = ContrastPair(
                contrast(-forecast, forecast),
                contrast(-forecast, forecast + 0.1),
                contrast(-measured, measured),
                None,
            )
        persons.append(
            SimpleNamespace(
                participant_id=f"sub-{i:02d}",
                bundle=SimpleNamespace(digest="a"),
                contrasts=pairs,
            )
        )
    return persons


@pytest.fixture(scope="module")
def maps(people: list[Any]) -> dict[str, Any]:
    turned = [
        {p.participant_id: people[(row + k) % N] for row, p in enumerate(people)} for k in (1, 5)
    ]
    found = map_figures(people, turned, (196.8, 393.6))
    assert found is not None
    return found


def estimates(people: list[Any], task: str) -> tuple[np.ndarray, np.ndarray]:
    pairs = [p.contrasts[task] for p in people if task in p.contrasts]
    return (
        np.stack([pair.forecast.estimate for pair in pairs]),
        np.stack([pair.measured.estimate for pair in pairs]),
    )


def test_the_group_is_compared_by_its_t(people: list[Any], maps: dict[str, Any]) -> None:
    assert maps["n_people"] == {"hammer": N, "stroop": 7}
    assert maps["n_regions"] == REGIONS
    assert maps["window_s"] == [196.8, 393.6]
    ours, theirs = [], []
    for task in ("hammer", "stroop"):
        pairs = [p.contrasts[task] for p in people if task in p.contrasts]
        ours.append(group_t([pair.forecast.t for pair in pairs]))
        theirs.append(group_t([pair.measured.t for pair in pairs]))
        r = np.corrcoef(ours[-1], theirs[-1])[0, 1]
        assert maps["group"][f"group_t_r:{task}"]["value"] == pytest.approx(r)
        r = np.corrcoef(group_t([pair.scanned.t for pair in pairs]), theirs[-1])[0, 1]
        assert maps["group"][f"scanned_group_t_r:{task}"]["value"] == pytest.approx(r)
    both = np.corrcoef(np.concatenate(ours), np.concatenate(theirs))[0, 1]
    assert maps["group"]["group_t_r"]["value"] == pytest.approx(both)
    forecast, measured = estimates(people, "hammer")
    r = np.corrcoef(forecast.mean(0), measured.mean(0))[0, 1]
    assert maps["group"]["group_estimate_r:hammer"]["value"] == pytest.approx(r)


def test_each_persons_map_is_compared_with_their_own(
    people: list[Any], maps: dict[str, Any]
) -> None:
    forecast, measured = estimates(people, "hammer")
    own = [np.corrcoef(x, y)[0, 1] for x, y in zip(forecast, measured, strict=True)]
    others = [np.corrcoef(np.delete(measured, i, 0).mean(0), measured[i])[0, 1] for i in range(N)]
    found = maps["people"]["hammer"]
    assert found["twin_r"]["value"] == pytest.approx(np.mean(own))
    assert found["twin_r"]["n"] == N
    assert found["twin_r"]["low"] < found["twin_r"]["value"] < found["twin_r"]["high"]
    assert found["rule/mean_of_others_r"]["value"] == pytest.approx(np.mean(others))


def test_between_people_strength_and_amygdala_are_compared(
    people: list[Any], maps: dict[str, Any]
) -> None:
    forecast, measured = estimates(people, "hammer")
    direction = measured.mean(0)
    ours, theirs = forecast @ direction, measured @ direction
    found = maps["between_people"]["hammer"]
    assert found["contrast_score"]["value"] == pytest.approx(np.corrcoef(ours, theirs)[0, 1])
    exchanged = [np.corrcoef(np.roll(ours, -k), theirs)[0, 1] for k in (1, 5)]
    assert found["control/shuffled:contrast_score"] == pytest.approx(np.mean(exchanged))
    deep = np.array([p.contrasts["hammer"].amygdala for p in people])
    assert found["amygdala"]["value"] == pytest.approx(np.corrcoef(deep.T)[0, 1])
    assert "amygdala" not in maps["between_people"]["stroop"]


def test_people_are_told_apart_by_one_bundle_only(people: list[Any], maps: dict[str, Any]) -> None:
    found = maps["identification"]["hammer"]
    for kind in ("maps", "departures_from_the_mean"):
        assert found[kind]["n_people"] == N
        assert found[kind]["pairwise_rate"] > 0.8
        assert found[kind]["pairwise_p"] < 0.01
    other = SimpleNamespace(**{**vars(people[0]), "bundle": SimpleNamespace(digest="b")})
    mixed = map_figures([other, *people[1:]], [], None)
    assert mixed is not None
    assert mixed["identification"]["hammer"] is None
    assert mixed["between_people"]["hammer"]["control/shuffled:contrast_score"] is None


def test_one_forecast_for_everybody_tells_nobody_apart(people: list[Any]) -> None:
    same = [
        SimpleNamespace(
            **{
                **vars(p),
                "contrasts": {
                    "hammer": ContrastPair(
                        people[0].contrasts["hammer"].forecast,
                        p.contrasts["hammer"].scanned,
                        p.contrasts["hammer"].measured,
                        None,
                    )
                },
            }
        )
        for p in people
    ]
    found = map_figures(same, [], None)
    assert found is not None
    assert found["identification"]["hammer"] is None
    assert found["between_people"]["hammer"]["contrast_score"]["value"] is None
    assert found["group"]["group_t_r:hammer"]["value"] is None
    assert found["group"]["scanned_group_t_r:hammer"]["value"] is not None


def test_a_flat_map_is_said_and_not_taken_for_one_forecast_for_all(people: list[Any]) -> None:
    pair = people[0].contrasts["hammer"]
    flat = replace(pair, measured=contrast(np.ones(REGIONS), np.ones(REGIONS)))
    first = SimpleNamespace(**{**vars(people[0]), "contrasts": {"hammer": flat}})
    with pytest.raises(DataError, match=r"The measured map of person 0 .* is flat or not finite"):
        map_figures([first, *people[1:]], [], None)


def test_few_people_make_no_group(people: list[Any]) -> None:
    assert map_figures(people[:4], [], None) is None
    found = map_figures(people[4:10], [], None)
    assert found is not None
    assert list(found["people"]) == ["hammer"]


def test_what_is_not_known_is_left_out() -> None:
    assert figure_of_mean(np.array([np.nan, 1.0, 3.0]))["value"] == 2.0
    assert figure_of_mean(np.array([np.nan]))["value"] is None
    x = np.array([0.0, 1, 2, 3, 4, np.nan])
    assert figure_of_r(x, 2 * x).value == pytest.approx(1.0)
    assert figure_of_r(x, 2 * x).n == 5
    assert np.isnan(figure_of_r(x[:4], x[:4]).value)
