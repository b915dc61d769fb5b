"""A worker answers whatever it is given, and says nothing of people where it fails itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime import service_forecasts
from dtb_runtime.bundle import Bundle
from dtb_runtime.errors import BundleError, UsageError
from dtb_runtime.service_jobs import LATER, Job
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_people import PeopleApi
from dtb_runtime.service_worker import ServiceWorker

from .service_requests import infer_job, json_job, refused, tensors_of

People = Callable[[int], NDArray[np.float64]]
SECRET = "0.123456789"


@pytest.fixture
def worker(tiny: Bundle) -> ServiceWorker:
    return ServiceWorker([tiny], ServiceLimits())


def test_answers_are_in_the_order_of_the_jobs(worker: ServiceWorker, people: People) -> None:
    jobs = [
        json_job("predict", {"connectome": people(0).tolist(), "draws": 1}),
        infer_job({"connectome": people(1)[np.newaxis]}, request_id="b"),
        json_job("calibrate", {}),
        infer_job({"edges": np.zeros((1, 66), np.float32)}, model="hypernetwork", request_id="d"),
        infer_job({"connectome": people(2)[np.newaxis]}, request_id="e", outputs=["choice"]),
    ]
    answers = worker.answer(jobs)
    assert [each.status for each in answers] == [200, 200, 400, 200, 200]
    assert [each.n_people for each in answers] == [1, 1, 0, 1, 1]
    for number, name in ((1, "b"), (3, "d"), (4, "e")):
        own = answers[number]
        assert json.loads(own.body[: own.header_length])["id"] == name
    assert worker.answer([]) == []


def test_a_model_that_nobody_serves_is_not_found(worker: ServiceWorker) -> None:
    assert refused(worker, json_job("infer", {}, model="elsewhere"), 404)


def fail(*_: object, **__: object) -> None:
    raise ValueError(f"a person's number is {SECRET}")


def test_our_own_failure_tells_nothing_of_anybody(
    worker: ServiceWorker,
    people: People,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(PeopleApi, "_predict", fail)
    monkeypatch.setattr(service_forecasts, "read_draw", fail)
    jobs = [
        json_job("predict", {"connectome": people(0).tolist()}),
        infer_job({"connectome": people(1)[np.newaxis]}),
        infer_job({"connectome": np.stack([people(1), people(2)])}),
    ]
    good = infer_job({"edges": np.zeros((1, 66), np.float32)}, model="hypernetwork")
    with caplog.at_level(logging.ERROR):
        sentences = {refused(worker, job, 500) for job in jobs}
        (answer,) = worker.answer([good])
    assert len(sentences) == 1
    assert "The service failed on this request" in sentences.pop()
    assert SECRET not in caplog.text
    assert caplog.text.count("ValueError at ") == 3
    assert "test_service_worker.py:" in caplog.text
    assert answer.status == 200


def test_a_bundle_that_fails_is_our_failure(
    worker: ServiceWorker, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BundleError("main.onnx gave numbers that are not finite.")

    monkeypatch.setattr(service_forecasts, "run_people", broken)
    assert "not finite" not in refused(
        worker, infer_job({"connectome": people(0)[np.newaxis]}), 500
    )


def test_one_person_whose_networks_fail_does_not_fail_the_batch(
    worker: ServiceWorker, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = worker.answer([infer_job({"connectome": people(1)[np.newaxis]}, outputs=["bold"])])
    run_people = service_forecasts.run_people

    def not_the_first(bundle: Bundle, runs: object, weights: NDArray[np.float32]) -> object:
        twin = bundle.personalize(people(0))
        if (weights == twin.weights).all(axis=1).any():
            raise BundleError("main.onnx gave numbers that are not finite.")
        return run_people(bundle, runs, weights)  # type: ignore[arg-type]

    monkeypatch.setattr(service_forecasts, "run_people", not_the_first)
    jobs = [infer_job({"connectome": people(n)[np.newaxis]}, outputs=["bold"]) for n in (0, 1)]
    failed, fine = worker.answer(jobs)
    assert (failed.status, fine.status) == (500, 200)
    np.testing.assert_array_equal(tensors_of(fine)["bold"], tensors_of(weights[0])["bold"])


def test_averages_over_draws_are_computed_alone(worker: ServiceWorker, people: People) -> None:
    jobs = [
        infer_job(
            {"connectome": people(n)[np.newaxis]},
            outputs=["indicators"],
            parameters={"draws": draws},
        )
        for n, draws in enumerate((1, 2, 1, 3))
    ]
    answers = worker.answer(jobs)
    assert [answer == LATER for answer in answers] == [False, True, False, True]
    for job, together in zip(jobs, answers, strict=True):
        (alone,) = worker.answer([job])
        assert alone.status == 200
        if together != LATER:
            np.testing.assert_array_equal(
                tensors_of(together)["indicators"], tensors_of(alone)["indicators"]
            )


def test_regions_beyond_the_limit_are_refused_at_the_start(tiny: Bundle) -> None:
    with pytest.raises(UsageError, match="has 12 regions, but the service takes at most 10"):
        ServiceWorker([tiny], replace(ServiceLimits(), n_regions=10))


@pytest.mark.parametrize("kind", ["predict", "calibrate", "apply-plan", "infer"])
def test_any_bytes_are_answered(worker: ServiceWorker, kind: str) -> None:
    rng = np.random.default_rng(0)
    for size in (0, 1, 10, 1000):
        job = Job(kind, rng.bytes(size), model="twin")  # type: ignore[arg-type]
        assert "not valid JSON" in refused(worker, job)
