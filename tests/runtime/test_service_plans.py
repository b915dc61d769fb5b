"""A plan in a request does what it does through the Python API."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_change import ConnectomeChange
from dtb_runtime.intervention import try_plan
from dtb_runtime.intervention_outputs import summary_of
from dtb_runtime.plan import Goal, Plan
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_messages import ApplyPlanResponse
from dtb_runtime.service_worker import ServiceWorker

from .service_requests import asked, json_job, refused

People = Callable[[int], NDArray[np.float64]]


@pytest.fixture
def worker(tiny: Bundle) -> ServiceWorker:
    return ServiceWorker([tiny], ServiceLimits())


@pytest.fixture
def plan(tiny: Bundle) -> Plan:
    assert tiny.manifest.parcellation is not None
    return Plan(
        bundle=tiny.name,
        bundle_digest=tiny.digest,
        parcellation=tiny.manifest.parcellation.name,
        goals=(Goal("reaction_time", 0.01),),
        holds=("accuracy",),
        method="gradient",
        change=ConnectomeChange("regions", np.array([[2], [6]]), np.array([-0.1, 0.02])),
        participant_id=None,
        connectome_digest=None,
    )


@pytest.fixture
def body(tiny: Bundle, people: People, plan: Plan) -> dict[str, Any]:
    return {"connectome": people(3).tolist(), "plan": json.loads(plan.to_bytes(tiny))}


def test_a_plan_does_what_it_does_in_python(
    worker: ServiceWorker, tiny: Bundle, people: People, plan: Plan, body: dict[str, Any]
) -> None:
    found = asked(worker, "apply-plan", **body, shams=3, participant_id="3", with_connectome=True)
    ApplyPlanResponse.model_validate(found, extra="forbid")
    tried = try_plan(tiny, Connectome.from_matrix(people(3)), plan, shams=3)
    expected = json.loads(json.dumps(summary_of(tiny, tried)))
    del expected["doses"]
    own = {"participant_id": "sub-3", "dose": 1.0, "connectome": tried.changed.tolist()}
    assert found == expected | own
    assert found["indicators"]["reaction_time"]["percentile_of_random"] is not None


def test_a_dose_is_that_of_the_dose_response(
    worker: ServiceWorker, tiny: Bundle, people: People, plan: Plan, body: dict[str, Any]
) -> None:
    found = asked(worker, "apply-plan", **body, dose=0.5)
    assert "connectome" not in found
    tried = try_plan(tiny, Connectome.from_matrix(people(3)), plan, doses=(0.5,), shams=0)
    for k, name in enumerate(tried.names):
        after = found["indicators"][name]["after"]
        assert after == pytest.approx(tried.at_doses[0, k], rel=1e-5)
        assert after != pytest.approx(tried.after[k], rel=1e-6)
    none = asked(worker, "apply-plan", **body, dose=0)
    assert none["change"]["size_r"] == 0.0
    assert all(each["effect_sd"] == 0.0 for each in none["indicators"].values())


def test_what_no_plan_changes_is_refused(
    worker: ServiceWorker, tiny: Bundle, people: People, plan: Plan, body: dict[str, Any]
) -> None:
    other = json.loads(replace(plan, bundle_digest="0" * 64).to_bytes(tiny))
    not_possible = people(3)
    not_possible[0, 1:], not_possible[1:, 0] = 0.99, 0.99
    broken = dict(body["plan"])
    del broken["goals"]
    for changes, sentence in (
        ({"connectome": None}, "There is nobody to try the plan in"),
        ({"connectome": not_possible.tolist()}, "connectome is not positive semi-definite"),
        ({"plan": other}, "The plan was made with another bundle"),
        ({"plan": broken}, "plan: the key 'goals' is missing"),
        ({"plan": body["plan"] | {"x": 1}}, "plan: unknown key 'x'"),
        ({"plan": {}}, "plan: the key 'version' is missing"),
        ({"plan": [1]}, "The request, plan: expected an object."),
        ({"dose": -1}, "The request, dose: Input should be greater than or equal to 0."),
        ({"dose": 11}, "The request, dose: Input should be less than or equal to 10."),
        ({"shams": 51}, "The request, shams: Input should be less than or equal to 50."),
        ({"twin": "a"}, "The request, twin: no such key is known, expected some of bundle, "),
    ):
        assert sentence in refused(worker, json_job("apply-plan", body | changes)), changes


def test_numbers_in_a_plan_may_be_hostile(worker: ServiceWorker, body: dict[str, Any]) -> None:
    body["plan"]["reached"] = {"reaction_time": 10**400}
    assert "expected a finite number" in refused(worker, json_job("apply-plan", body))
    text = json.dumps(body).replace(str(10**400), "1e999").encode()
    job = replace(json_job("apply-plan", {}), body=text)
    assert "plan, reached, reaction_time: expected a number, found null" in refused(worker, job)
