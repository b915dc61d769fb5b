"""Plans tried out: effects are those of the changed connectome, and chance is a fair opponent."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_change import ConnectomeChange
from dtb_runtime.errors import MissingDependencyError, UsageError
from dtb_runtime.gradients import Promise, plan_finder
from dtb_runtime.indicator_forecasts import IndicatorForecasts, all_indicators
from dtb_runtime.intervention import DOSES, Intervention, try_plan
from dtb_runtime.intervention_outputs import summary_of, write_intervention
from dtb_runtime.plan import Goal, Plan
from dtb_runtime.possible_connectomes import SMALLEST_EIGENVALUE
from dtb_runtime.sham_changes import sham_connectomes, signal_map
from dtb_runtime.summary import summary

Floats = NDArray[np.float64]
People = Callable[[int], Floats]


@pytest.fixture
def connectome(people: People) -> Connectome:
    return Connectome.from_matrix(people(3))


def plan_of(bundle: Bundle, kind: str, factor: float = 1.0) -> Plan:
    assert bundle.manifest.parcellation is not None
    n = len(bundle.manifest.parcellation.labels)
    rows, columns = np.triu_indices(n, 1)
    rng = np.random.default_rng(4)
    all_edges = np.stack([rows, columns], axis=1).astype(np.int64)
    changes = {
        "all": ConnectomeChange("edges", all_edges, factor * rng.normal(0, 0.02, len(rows))),
        "edges": ConnectomeChange("edges", all_edges[[4, 9]], factor * np.array([0.05, -0.05])),
        "regions": ConnectomeChange(
            "regions", np.array([[2], [6]]), factor * np.array([-0.1, 0.02])
        ),
        "networks": ConnectomeChange("networks", np.array([[1, 2]]), factor * np.array([0.03])),
    }
    return Plan(
        bundle=bundle.name,
        bundle_digest=bundle.digest,
        parcellation=bundle.manifest.parcellation.name,
        goals=(Goal("reaction_time", 0.01),),
        holds=(),
        method="gradient",
        change=changes[kind],
        participant_id=None,
        connectome_digest=None,
    )


@pytest.fixture(params=["all", "edges", "regions", "networks"])
def tried(request: pytest.FixtureRequest, tiny: Bundle, connectome: Connectome) -> Intervention:
    return try_plan(tiny, connectome, plan_of(tiny, request.param), shams=12)


def test_effects_are_those_of_the_changed_connectome(
    tiny: Bundle, connectome: Connectome, tried: Intervention
) -> None:
    twin = tiny.personalize(connectome)
    after = tiny.personalize(tried.changed)
    for own, values in ((twin, tried.before), (after, tried.after)):
        expected = summary(own, own.forecast_tasks(draws=1))["indicators"]
        found = dict(zip(tried.names, values.tolist(), strict=True))
        assert found.keys() == expected.keys() == set(all_indicators(tiny))
        for name in expected:
            assert found[name] == pytest.approx(expected[name], rel=1e-5)


def test_doses_begin_at_none_and_pass_the_plan(tried: Intervention) -> None:
    assert tried.doses == DOSES
    np.testing.assert_allclose(tried.at_doses[0], tried.before, rtol=1e-6)
    np.testing.assert_allclose(tried.at_doses[4], tried.after, rtol=1e-5)
    assert not np.allclose(tried.at_doses[8], tried.after, rtol=1e-6)


def test_the_changed_connectome_is_possible(tried: Intervention) -> None:
    assert tried.smallest_eigenvalue >= SMALLEST_EIGENVALUE
    np.testing.assert_array_equal(tried.changed, tried.changed.T)
    assert np.abs(tried.changed).max() <= 1.0
    assert 0.0 < tried.share_possible <= 1.0


def test_percentiles_count_random_changes_that_move_less(tried: Intervention) -> None:
    assert tried.shams.shape == (12, len(tried.names))
    k = tried.names.index("reaction_time")
    moved = tried.after[k] - tried.before[k]
    others = (tried.shams[:, k] - tried.before[k]) * np.sign(moved)
    assert tried.percentile("reaction_time") == pytest.approx(
        100 * sum(other < abs(moved) for other in others) / 12
    )


@pytest.mark.parametrize("kind", ["all", "edges", "regions", "networks"])
def test_random_changes_are_as_large_possible_and_seeded(
    tiny: Bundle, connectome: Connectome, kind: str
) -> None:
    tried = try_plan(tiny, connectome, plan_of(tiny, kind), shams=0)
    assert tried.percentile("reaction_time") is None
    parcellation = tiny.manifest.parcellation
    assert parcellation is not None
    from dtb_runtime.possible_connectomes import EdgeRange

    allowed = EdgeRange.around(tried.original, tiny.norms, "tiny")

    def shams(seed: int) -> list[Floats]:
        return list(
            sham_connectomes(
                tried.plan.change, tried.original, tried.changed, allowed, parcellation,
                n=6, seed=seed,
            )
        )  # fmt: skip

    first, again, other = shams(1), shams(1), shams(2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    wanted = np.linalg.norm(tried.changed - tried.original)
    sizes = [np.linalg.norm(sham - tried.original) / wanted for sham in first]
    assert np.median(sizes) == pytest.approx(1.0, abs=0.05)
    for sham in first:
        assert np.linalg.eigvalsh(sham)[0] >= SMALLEST_EIGENVALUE
        np.testing.assert_allclose(np.diag(sham), 1.0, atol=1e-12)


@pytest.mark.parametrize("kind", ["regions", "networks", "edges"])
def test_shams_of_huge_changes_stay_numbers(
    tiny: Bundle, connectome: Connectome, kind: str
) -> None:
    tried = try_plan(tiny, connectome, plan_of(tiny, kind, 50.0), shams=5, doses=(1e9,))
    assert np.isfinite(tried.shams).all()
    assert np.isfinite(tried.at_doses).all()
    with pytest.raises(UsageError, match="must be numbers of at least 0, found nan"):
        try_plan(tiny, connectome, tried.plan, shams=0, doses=(float("nan"),))


def test_a_lost_indicator_is_valid_json(tiny: Bundle, tried: Intervention, tmp_path: Path) -> None:
    lost = replace(tried, after=np.full_like(tried.after, np.nan))
    write_intervention(tmp_path, tiny, lost)
    summed = json.loads(
        (tmp_path / "intervention.json").read_text(), parse_constant=lambda name: pytest.fail(name)
    )
    assert summed["plan"]["goals"][0]["reached"] is None


def test_where_nothing_is_possible_chance_does_as_much(
    tiny: Bundle, connectome: Connectome
) -> None:
    tried = try_plan(tiny, connectome, plan_of(tiny, "all", 1e-12), shams=3, doses=())
    assert tried.size == 0.0
    assert tried.percentile("reaction_time") == 0.0


def test_the_signal_map_makes_one_covariance_of_another(people: People) -> None:
    one, other = people(1), people(2)
    found = signal_map(one, other)
    np.testing.assert_allclose(found, found.T, atol=1e-8)
    np.testing.assert_allclose(found @ one @ found, other, atol=1e-6)


def test_what_a_plan_asks_beyond_the_possible_is_cut(tiny: Bundle, connectome: Connectome) -> None:
    tried = try_plan(tiny, connectome, plan_of(tiny, "all", 100.0), shams=0, doses=(0.0, 1.0))
    assert tried.smallest_eigenvalue >= SMALLEST_EIGENVALUE
    assert tried.share_possible < 0.9


@dataclass
class Found:
    """A plan as if it had been made just now."""

    plan: Plan
    correlations: Floats
    gradient: Floats
    size: float = 0.25
    is_reached: bool = True
    is_within_budget: bool = True
    promise: Promise | None = None


def test_files_say_what_was_tried(tiny: Bundle, tried: Intervention, tmp_path: Path) -> None:
    rows = len(tried.original) * (len(tried.original) - 1) // 2
    found = Found(tried.plan, tried.changed, np.arange(float(rows)))
    files = write_intervention(tmp_path, tiny, tried, found=found)
    names = {path.name for path in files}
    assert names == {
        "plan.json", "edges.tsv", "connectome.npy", "dose_response.tsv", "intervention.json",
    }  # fmt: skip
    changed = np.load(tmp_path / "connectome.npy")
    np.testing.assert_array_equal(changed.astype(np.float64), tried.changed)
    again = IndicatorForecasts(tiny, tried.names).of_edges(
        Connectome.from_matrix(changed).edges()[None]
    )
    np.testing.assert_allclose(again[0], tried.after, rtol=1e-6)
    header, *lines = (tmp_path / "edges.tsv").read_text().splitlines()
    labels = list(tiny.manifest.parcellation.labels)  # type: ignore[union-attr]
    sizes = []
    for line in lines:
        cells = dict(zip(header.split("\t"), line.split("\t"), strict=True))
        i, j = labels.index(cells["region_1"]), labels.index(cells["region_2"])
        assert float(cells["r_before"]) == pytest.approx(tried.original[i, j], rel=1e-5)
        assert float(cells["r_after"]) == pytest.approx(tried.changed[i, j], rel=1e-5)
        position = i * len(labels) - i * (i + 1) // 2 + j - i - 1
        assert float(cells["gradient"]) == position
        sizes.append(abs(tried.changed[i, j] - tried.original[i, j]))
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == np.count_nonzero(np.triu(tried.changed != tried.original, 1))
    summed = json.loads((tmp_path / "intervention.json").read_text())
    assert summed == json.loads(json.dumps(summary_of(tiny, tried, found)))
    assert summed["is_reached"] is True
    assert summed["change"]["size_sd"] == pytest.approx(tried.size_sd, rel=1e-5)
    after = summed["strangeness"]["distance_percentile_after"]
    strangeness = tiny.personalize(tried.changed).strangeness
    assert strangeness is not None
    assert after == strangeness.distance_percentile
    assert "is_reached" not in summary_of(tiny, tried)
    goal = summed["plan"]["goals"][0]
    assert goal["share_reached"] == pytest.approx(goal["reached"] / 0.01, rel=1e-4)
    assert len(summed["doses"]["dose"]) == len(DOSES)


def test_wrong_numbers_are_refused(tiny: Bundle, connectome: Connectome) -> None:
    plan = plan_of(tiny, "edges")
    for options in ({"shams": -1}, {"doses": (-1.0,)}, {"seed": -1}):
        with pytest.raises(UsageError, match="must be numbers of at least 0"):
            try_plan(tiny, connectome, plan, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="There is no indicator 'speed'"):
        try_plan(tiny, connectome, plan, names=["speed"])


def test_a_new_plan_without_pytorch_names_what_to_install(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "dtb_models.plan_search", raising=False)
    for name in [name for name in sys.modules if name.startswith("dtb_models.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingDependencyError, match=r"need torch.*dtb-runtime\[torch\]"):
        plan_finder(tiny, [Goal("reaction_time", 0.1)])
