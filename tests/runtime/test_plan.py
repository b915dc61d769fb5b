"""Plans on disk and their goals: read as written, refused where they do not belong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome_change import ConnectomeChange
from dtb_runtime.errors import DataError, PlanError, UsageError
from dtb_runtime.indicator_forecasts import cohort_sds
from dtb_runtime.plan import PLAN_FILE, Goal, Plan, held, read_plan


@pytest.fixture
def plan(tiny: Bundle) -> Plan:
    assert tiny.manifest.parcellation is not None
    return Plan(
        bundle="tiny",
        bundle_digest=tiny.digest,
        parcellation=tiny.manifest.parcellation.name,
        goals=(Goal("reaction_time", -0.05), Goal("stroop_effect", 0.02)),
        holds=("accuracy",),
        method="gradient",
        change=ConnectomeChange("regions", np.array([[3], [5]]), np.array([-0.25, 0.125])),
        participant_id="sub-01",
        connectome_digest=None,
        reached={"reaction_time": -0.05, "stroop_effect": 0.01, "accuracy": 0.0},
    )


def test_a_plan_is_read_as_it_was_written(tiny: Bundle, plan: Plan, tmp_path: Path) -> None:
    (tmp_path / PLAN_FILE).write_bytes(plan.to_bytes(tiny))
    for path in (tmp_path, str(tmp_path / PLAN_FILE)):
        found = read_plan(path, tiny)
        assert found.to_bytes(tiny) == plan.to_bytes(tiny)
        assert found.share_reached == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(version=2), "is a plan of version 2"),
        (lambda d: d.update(parcellation="other"), "The plan changes regions of other, but bundle"),
        (lambda d: d.update(bundle_digest="0" * 64), "was made with another bundle"),
        (lambda d: d.pop("goals"), "the key 'goals' is missing"),
        (lambda d: d.update(goals=3), "goals: expected a list of objects"),
        (lambda d: d["goals"][0].update(why="x"), "goals 1: unknown key 'why'"),
        (lambda d: d.update(method="magic"), "method: expected"),
        (lambda d: d["change"].update(of=[["nowhere"], ["L_Vis1"]]), "no region 'nowhere'"),
        (lambda d: d["change"].update(of=[[["L_Vis1"]], ["L_Vis2"]]), r"no region \['L_Vis1'\]"),
        (lambda d: d["change"].update(sizes=[1e308, 0.1]), "far beyond any connectome"),
        (lambda d: d.update(goals=[]), "goals and holds that are all different, found"),
        (lambda d: d.update(goals=d["goals"] * 2), "all different"),
        (lambda d: d.update(holds=[d["goals"][0]["name"]]), "all different"),
        (lambda d: d["goals"][0].update(name="foo"), "There is no indicator 'foo'"),
        (lambda d: d["goals"][0].update(change=0), "shall change by 0, expected a number from"),
        (lambda d: d["goals"][0].update(change=-1e-320), "expected a number from"),
        (lambda d: d.update(more=1), "unknown key 'more'"),
    ],
)
def test_what_is_no_plan_of_this_bundle_is_refused(
    tiny: Bundle, plan: Plan, tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    document = json.loads(plan.to_bytes(tiny))
    change(document)
    (tmp_path / PLAN_FILE).write_text(json.dumps(document))
    with pytest.raises(PlanError, match=message):
        read_plan(tmp_path, tiny)


def test_a_file_that_is_none_is_refused(tiny: Bundle, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="There is no file at"):
        read_plan(tmp_path / "plan.json", tiny)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(DataError, match="is not valid JSON"):
        read_plan(tmp_path, tiny)


def test_a_plan_of_another_bundle_is_refused(tiny_plain: Bundle, plan: Plan) -> None:
    with pytest.raises(PlanError, match=r"another bundle \('tiny', digest .*\) than 'tiny_plain'"):
        plan.check_bundle(tiny_plain)
    bare = replace(tiny_plain, manifest=replace(tiny_plain.manifest, parcellation=None, tasks=()))
    with pytest.raises(PlanError, match=r"The plan changes regions of tiny12, but .* no regions"):
        plan.check_bundle(bare)


@pytest.mark.parametrize(
    ("direction", "size", "sds"),
    [("increase", "0.5sd", 0.5), ("decrease", " 2SD ", -2.0), ("decrease", ".1sd", -0.1)],
)
def test_sizes_in_sds(tiny: Bundle, direction: Any, size: str, sds: float) -> None:
    # Uniform from 0.5 to 1.5 s.
    expected = sds / np.sqrt(12)
    assert Goal.of(tiny, "reaction_time", direction, size).change == pytest.approx(expected)


def test_sizes_in_the_unit_of_the_indicator(tiny: Bundle) -> None:
    assert Goal.of(tiny, "reaction_time", "decrease", "0.03").change == -0.03


@pytest.mark.parametrize("size", ["0", "-1sd", "half", "nan", "inf", "sd", ""])
def test_sizes_that_are_none_are_refused(tiny: Bundle, size: str) -> None:
    with pytest.raises(UsageError, match="A size must be above 0"):
        Goal.of(tiny, "reaction_time", "increase", size)


@pytest.mark.parametrize("size", ["1e308", "1e-320", "1e9sd"])
def test_sizes_beyond_all_numbers_are_refused(tiny: Bundle, size: str) -> None:
    with pytest.raises(UsageError, match="expected a number from 1e-09 to 1e\\+06"):
        Goal.of(tiny, "reaction_time", "increase", size)


def test_other_directions_are_refused(tiny: Bundle) -> None:
    with pytest.raises(UsageError, match="increase or decrease, found 'up'"):
        Goal.of(tiny, "reaction_time", "up", "1")  # type: ignore[arg-type]


def test_sds_of_what_the_norms_do_not_hold_come_from_drawn_twins(tiny: Bundle) -> None:
    names = ["accuracy", "contrast:face_shape:L_Vis1", "reaction_time"]
    found = cohort_sds(tiny, names)
    assert (found > 0).all()
    assert found[2] == pytest.approx(tiny.norms.indicator_sd("reaction_time"))
    np.testing.assert_array_equal(found, cohort_sds(tiny, names))


def test_what_changes_cannot_be_held() -> None:
    with pytest.raises(UsageError, match="'a' cannot both change and be held"):
        held(["b", "a"], [Goal("a", 1.0)])
    assert held(["b", "c", "b"], [Goal("a", 1.0)]) == ("b", "c")
