"""Plans reach their goals, hold what is held, and change a connectome into a possible one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_models.plan_search import FoundPlan, PlanSearch
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.errors import ConnectomeError, UsageError
from dtb_runtime.gradients import ChangeLimits
from dtb_runtime.indicator_forecasts import IndicatorForecasts, cohort_sds
from dtb_runtime.intervention import rounded
from dtb_runtime.plan import GOAL_TOLERANCE, HOLD_TOLERANCE, Goal
from dtb_runtime.possible_connectomes import SMALLEST_EIGENVALUE, EdgeRange

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


def made_connectome(rng: np.random.Generator) -> Connectome:
    """Of the tiny bundle's 12 regions, in its order."""
    return Connectome.from_matrix(np.corrcoef(rng.normal(size=(200, 12)).T))


def moved(bundle: Bundle, connectome: Connectome, found: FoundPlan, names: list[str]) -> Floats:
    """What the runtime says of the changed connectome, in SDs, from the file's float32 on."""
    forecasts = IndicatorForecasts(bundle, names)
    changed = Connectome.from_matrix(rounded(found.correlations))
    before, after = forecasts.of_edges(np.stack([connectome.edges(), changed.edges()]))
    return np.asarray((after - before) / cohort_sds(bundle, names))


def check_possible(bundle: Bundle, connectome: Connectome, found: FoundPlan) -> None:
    changed, original = found.correlations, connectome.correlations.astype(np.float64)
    np.testing.assert_array_equal(changed, changed.T)
    np.testing.assert_array_equal(np.diag(changed), 1.0)
    assert np.abs(changed).max() <= 1.0
    assert np.linalg.eigvalsh(rounded(changed))[0] >= SMALLEST_EIGENVALUE
    allowed = EdgeRange.around(original, bundle.norms, bundle.name)
    assert (changed >= allowed.lowest - 1e-9).all()
    assert (changed <= allowed.highest + 1e-9).all()


@pytest.mark.parametrize(
    ("target", "direction", "held"),
    [
        ("amygdala_response", "decrease", "reaction_time"),
        ("reaction_time", "increase", "amygdala_response"),
        ("stroop_effect", "decrease", None),
    ],
)
def test_a_goal_is_reached_and_what_is_held_stays(
    bundle: Bundle, connectome: Connectome, target: str, direction: str, held: str | None
) -> None:
    goal = Goal.of(bundle, target, direction, "0.5sd")  # type: ignore[arg-type]
    holds = [held] if held else []
    found = PlanSearch(bundle, [goal], holds).find(connectome)
    assert found.is_reached
    assert found.is_within_budget
    check_possible(bundle, connectome, found)
    names = [target, *holds]
    effects = moved(bundle, connectome, found, names)
    wanted = 0.5 if direction == "increase" else -0.5
    assert effects[0] == pytest.approx(wanted, rel=1.5 * GOAL_TOLERANCE)
    assert (np.abs(effects[1:]) <= 1.5 * HOLD_TOLERANCE).all()
    assert found.plan.reached[target] / goal.change == pytest.approx(1.0, abs=0.03)


def test_two_goals_at_once(bundle: Bundle, connectome: Connectome) -> None:
    goals = [
        Goal.of(bundle, "reaction_time:hammer", "increase", "0.3sd"),
        Goal.of(bundle, "amygdala_response", "decrease", "0.2sd"),
    ]
    found = PlanSearch(bundle, goals).find(connectome)
    effects = moved(bundle, connectome, found, [goal.name for goal in goals])
    np.testing.assert_allclose(effects, [0.3, -0.2], rtol=0.05)


@pytest.mark.parametrize("kind", ["edges", "regions", "networks"])
def test_few_places_change_and_it_says_how_far_they_get(
    bundle: Bundle, connectome: Connectome, kind: str
) -> None:
    goal = Goal.of(bundle, "reaction_time", "decrease", "0.5sd")
    search = PlanSearch(bundle, [goal])
    limits = {
        "edges": ChangeLimits(edges=200),
        "regions": ChangeLimits(regions=5),
        "networks": ChangeLimits(networks=True),
    }
    found = search.find(connectome, limits[kind])
    check_possible(bundle, connectome, found)
    assert found.plan.change.kind == kind
    if kind == "networks":
        assert found.is_reached
    else:
        assert 0.0 < found.plan.share_reached < 0.9
        assert not found.is_reached
    effect = moved(bundle, connectome, found, ["reaction_time"])[0]
    assert effect / -0.5 == pytest.approx(found.plan.share_reached, abs=0.01)
    if kind == "edges":
        changed = np.triu(found.correlations != connectome.correlations, 1)
        assert 0 < changed.sum() <= 200


def test_a_short_series_has_possible_changes_too(bundle: Bundle) -> None:
    """With fewer frames than regions eigenvalues are 0, but for rounding on either side."""
    parcellation = bundle.manifest.parcellation
    assert parcellation is not None
    cohort = SimulatedCohort(parcellation, 1, seed=5)
    (series, *_) = cohort.rest_runs(cohort.participant_ids[0]).values()
    short = Connectome.from_timeseries(series[:150])
    assert np.linalg.eigvalsh(short.correlations.astype(np.float64))[100] < 1e-6
    goal = Goal.of(bundle, "reaction_time", "increase", "0.2sd")
    found = PlanSearch(bundle, [goal]).find(short)
    assert found.is_reached
    check_possible(bundle, short, found)


def test_a_budget_is_kept(bundle: Bundle, connectome: Connectome) -> None:
    goal = Goal.of(bundle, "reaction_time", "decrease", "0.5sd")
    found = PlanSearch(bundle, [goal]).find(connectome, ChangeLimits(budget=0.1))
    assert found.size <= 0.1
    assert not found.is_within_budget
    assert 0.02 < found.plan.share_reached < 0.9


def test_what_holding_costs_is_written_out(
    bundle: Bundle, connectome: Connectome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtb_models.plan_search.STRENGTHS", (0.0, 0.5, 1.0))
    goal = Goal.of(bundle, "reaction_time", "decrease", "0.3sd")
    rows = PlanSearch(bundle, [goal], ["stroop_effect"]).trade_off(connectome)
    assert [row["held"] for row in rows] == [0.0, 0.5, 1.0]
    free = rows[0]["stroop_effect"]
    assert abs(free) > 0.05  # slow people have a larger effect
    for row in rows:
        assert row["reaction_time"] == pytest.approx(-0.3, rel=0.05)
        expected = (1 - row["held"]) * free
        assert row["stroop_effect"] == pytest.approx(expected, abs=0.03)
    assert rows[-1]["size_sd"] > rows[0]["size_sd"]


def test_goals_are_weighed_against_each_other(bundle: Bundle, connectome: Connectome) -> None:
    goals = [
        Goal.of(bundle, "reaction_time", "decrease", "0.2sd"),
        Goal.of(bundle, "amygdala_response", "decrease", "0.2sd"),
    ]
    rows = PlanSearch(bundle, goals).trade_off(connectome)
    for row in rows:
        weight = row["weight_of_first"]
        assert row["reaction_time"] == pytest.approx(-0.2 * weight, abs=0.03)
        assert row["amygdala_response"] == pytest.approx(-0.2 * (1 - weight), abs=0.03)
    assert PlanSearch(bundle, goals[:1]).trade_off(connectome) == []


def test_the_same_search_finds_the_same(bundle: Bundle, connectome: Connectome) -> None:
    goal = Goal.of(bundle, "amygdala_response", "decrease", "0.2sd")
    one, other = (PlanSearch(bundle, [goal]).find(connectome) for _ in range(2))
    assert one.plan.to_bytes(bundle) == other.plan.to_bytes(bundle)


def test_what_cannot_be_asked_is_refused(bundle: Bundle, connectome: Connectome) -> None:
    goal = Goal("reaction_time", -0.1)
    with pytest.raises(UsageError, match="goals and holds that are all different"):
        PlanSearch(bundle, [goal], ["reaction_time"])
    with pytest.raises(UsageError, match="goals and holds"):
        PlanSearch(bundle, [])
    search = PlanSearch(bundle, [goal])
    for limits, message in (
        (ChangeLimits(edges=3, regions=2), "choose one"),
        (ChangeLimits(edges=0), "edges must be a whole number of at least 1, found 0"),
        (ChangeLimits(budget=0.0), "budget must be a number above 0"),
    ):
        with pytest.raises(UsageError, match=message):
            search.find(connectome, limits)
    impossible = connectome.correlations.copy()
    impossible[0, 1:] = impossible[1:, 0] = 0.9
    with pytest.raises(ConnectomeError, match="is not positive semi-definite"):
        search.find(Connectome.from_matrix(impossible))


def test_a_budget_is_used_as_far_as_it_goes(
    bundle: Bundle, tiny_bundle: Bundle, connectome: Connectome
) -> None:
    """Sizes rise with what is asked for, at first in proportion and in the end hardly."""
    own = made_connectome(np.random.default_rng(5))
    for asked, person, size in (
        (bundle, connectome, "1sd"),
        *((tiny_bundle, own, size) for size in ("1sd", "3sd", "40sd")),
    ):
        goal = Goal.of(asked, "reaction_time", "decrease", size)
        found = PlanSearch(asked, [goal]).find(person, ChangeLimits(budget=0.2))
        assert not found.is_within_budget
        assert found.plan.reached["reaction_time"] < 0
        assert 0.9 * 0.2 <= found.size <= 0.2


def test_no_plan_is_worse_than_none(tiny_bundle: Bundle) -> None:
    """Where goals contradict one another, the nearest may be to change nothing."""
    goals = [
        Goal("reaction_time:hammer", -0.3),
        Goal("reaction_time:hammer:face", 0.3),
        Goal("reaction_time:hammer:shape", 0.3),
    ]
    search = PlanSearch(tiny_bundle, goals, ["accuracy"])
    found = search.find(made_connectome(np.random.default_rng(5)))
    shares = [found.plan.reached[goal.name] / goal.change for goal in goals]
    assert max(abs(1.0 - share) for share in shares) <= 1.0 + GOAL_TOLERANCE
