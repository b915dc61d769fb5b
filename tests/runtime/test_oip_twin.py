"""The twin model: Triton's client gets the numbers of the Python API, alone and in a batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.forecast import Forecast
from dtb_runtime.indicator_forecasts import all_indicators
from dtb_runtime.oip_models import PER_PERSON_AND_TRIAL, SAMPLED
from dtb_runtime.service_jobs import LATER
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_worker import ServiceWorker

from .service_requests import Array, infer_job, json_job, refused, tensors_of

People = Callable[[int], NDArray[np.float64]]


@pytest.fixture(scope="module")
def worker(tiny: Bundle, tiny_plain: Bundle) -> ServiceWorker:
    return ServiceWorker([tiny, tiny_plain], ServiceLimits())


def single(*matrices: NDArray[np.float64]) -> dict[str, Array]:
    return {"connectome": np.stack(matrices).astype(np.float32)}


def expected_of(forecasts: Sequence[Forecast], bundle: Bundle) -> dict[str, Array]:
    """One person's rows by the Python API."""
    (report,) = {id(each.twin): each.twin for each in forecasts}.values()
    values: dict[str, float] = {}
    for each in forecasts:  # means over tasks are the only ones that both have
        values |= each.indicators
    for name in ("reaction_time", "accuracy"):
        values[name] = float(np.mean([each.indicators[name] for each in forecasts]))
    strangeness = report.strangeness
    assert strangeness is not None
    percents = [strangeness.distance_percentile, strangeness.similarity_percentile]
    return {
        **{
            name: np.concatenate([each.trials[name] for each in forecasts])
            for name in (*PER_PERSON_AND_TRIAL, *SAMPLED)
            if name in forecasts[0].trials
        },
        "bold": np.concatenate([each.bold for each in forecasts]),
        "indicators": np.array([values.get(name, np.nan) for name in all_indicators(bundle)]),
        "strangeness": np.array(
            max(
                -np.inf if percents[0] is None else percents[0],
                -np.inf if percents[1] is None else 100 - percents[1],
            )
        ),
    }


def assert_rows(found: Mapping[str, Array], expected: Mapping[str, Array], person: int = 0) -> None:
    for name, values in expected.items():
        row = found[name][person]
        if row.dtype == object:
            assert row.tolist() == values.tolist(), name
        else:
            np.testing.assert_allclose(row, values, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("bundle", ["tiny", "tiny_plain"])
def test_triton_client_gets_the_numbers_of_the_python_api(
    worker: ServiceWorker, request: pytest.FixtureRequest, people: People, bundle: str, binary: bool
) -> None:
    own: Bundle = request.getfixturevalue(bundle)
    outputs = None if binary else [name for name in _outputs(worker) if name not in SAMPLED]
    job = infer_job(
        single(people(0), people(1)), model=f"{bundle}-twin", outputs=outputs, binary=binary
    )
    (answer,) = worker.answer([job])
    assert (answer.header_length is not None) == binary
    assert answer.n_people == 2
    found = tensors_of(answer)
    assert [*found] == [name for name in _outputs(worker) if name not in SAMPLED]
    for person in range(2):
        twin = own.personalize(people(person).astype(np.float32))
        assert_rows(found, expected_of(twin.forecast_tasks(draws=1), own), person)
    forecasts = twin.forecast_tasks(draws=1)
    assert found["trial_task"].tolist() == ["hammer"] * 108 + ["stroop"] * 78
    assert found["frame_task"].tolist() == ["hammer"] * 493 + ["stroop"] * 510
    for name, column in (("trial_type", "trial_type"), ("onset", "onset")):
        joined = np.concatenate([each.trials[column] for each in forecasts])
        assert found[name].tolist() == joined.tolist()
    assert found["bold_regions"].tolist() == list(own.manifest.bold_regions)
    assert found["indicator_names"].tolist() == list(all_indicators(own))
    assert found["bold"].dtype == np.float32
    assert found["indicators"].dtype == np.float64


def _outputs(worker: ServiceWorker) -> list[str]:
    return [spec.name for spec in worker.models["twin"].outputs]


def test_float64_and_nested_json_give_the_same_numbers(
    worker: ServiceWorker, people: People
) -> None:
    matrix = people(0)[np.newaxis]
    tensor = {"name": "connectome", "shape": [1, 12, 12], "datatype": "FP64"}
    wanted = [{"name": "indicators"}]
    jobs = [
        infer_job({"connectome": matrix}, outputs=["indicators"]),
        *(
            json_job(
                "infer", {"inputs": [tensor | {"data": data}], "outputs": wanted}, model="twin"
            )
            for data in (matrix.tolist(), matrix.ravel().tolist())
        ),
    ]
    first, *others = (tensors_of(answer)["indicators"] for answer in worker.answer(jobs))
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_several_draws_and_a_seed(worker: ServiceWorker, tiny: Bundle, people: People) -> None:
    job = infer_job(
        single(people(2)),
        parameters={"draws": 5, "seed": 4},
        outputs=[*PER_PERSON_AND_TRIAL, *SAMPLED, "bold", "indicators", "strangeness"],
    )
    (answer,) = worker.answer([job])
    twin = tiny.personalize(people(2).astype(np.float32))
    expected = expected_of(twin.forecast_tasks(draws=5, seed=4), tiny)
    assert {*SAMPLED} < {*expected}
    assert_rows(tensors_of(answer), expected)
    one, again = worker.answer([infer_job(single(people(2)), parameters={"seed": 4})] * 2)
    assert one.body == again.body
    assert_rows(tensors_of(one), expected_of(twin.forecast_tasks(draws=1, seed=4), tiny))


def test_one_task_leaves_what_it_does_not_tell_open(
    worker: ServiceWorker, tiny: Bundle, people: People
) -> None:
    task = np.array(["stroop"], dtype=object)
    job = infer_job(single(people(0)) | {"task": task}, outputs=["indicators"], binary=False)
    (answer,) = worker.answer([job])
    assert b"NaN" not in answer.body
    assert json.loads(answer.body)["outputs"][0]["data"].count(None) == 8
    found = tensors_of(answer)["indicators"][0]
    forecast = tiny.personalize(people(0)).forecast("stroop", draws=1)
    for name, value in zip(all_indicators(tiny), found, strict=True):
        assert np.isnan(value) == (name not in forecast.indicators), name
        if not np.isnan(value):
            assert value == pytest.approx(forecast.indicators[name], rel=1e-5)


def test_labels_put_regions_into_the_order_of_the_bundle(
    worker: ServiceWorker, tiny: Bundle, people: People
) -> None:
    assert tiny.manifest.parcellation is not None
    labels = np.array(tiny.manifest.parcellation.labels, dtype=object)
    order = np.random.default_rng(3).permutation(12)
    shuffled = single(people(0)[np.ix_(order, order)]) | {"labels": labels[order]}
    jobs = [infer_job(each, outputs=["bold"]) for each in (single(people(0)), shuffled)]
    plain, aligned = (tensors_of(answer)["bold"] for answer in worker.answer(jobs))
    np.testing.assert_array_equal(plain, aligned)
    twice = shuffled | {"labels": np.array(["L_Vis1"] * 12, dtype=object)}
    assert "more than one region labeled L_Vis1" in refused(worker, infer_job(twice))


def test_fisher_z_with_its_infinite_diagonal(worker: ServiceWorker, people: People) -> None:
    with np.errstate(divide="ignore"):
        z = np.arctanh(np.where(np.eye(12) == 1, 1.0, people(0)))
    jobs = [
        infer_job(single(people(0)), outputs=["indicators"]),
        infer_job(single(z), outputs=["indicators"], parameters={"fisher_z": True}),
    ]
    one, other = (tensors_of(answer)["indicators"] for answer in worker.answer(jobs))
    np.testing.assert_allclose(one, other, rtol=1e-5)
    assert "pass fisher_z: true" in refused(worker, infer_job(single(z)))


def test_a_region_without_data_may_be_taken_from_the_cohort_where_asked(
    worker: ServiceWorker, people: People
) -> None:
    gap = single(_without_a_region(people(0)))
    assert "every correlation of region 4 is exactly 0" in refused(worker, infer_job(gap))
    # One of 12 is more than is ever imputed: asked for, it is refused for that.
    asked = infer_job(gap, parameters={"impute": True})
    assert "no data for 1 of 12 regions (L_DorsAttn); at most 5%" in refused(worker, asked)


def _without_a_region(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    gap = matrix.copy()
    gap[3], gap[:, 3] = 0.0, 0.0
    gap[3, 3] = 1.0
    return gap


def test_a_batch_gives_each_request_what_it_gets_alone(tiny: Bundle, people: People) -> None:
    stroop = {"task": np.array(["stroop"], dtype=object)}
    jobs = [
        infer_job(single(people(0)), outputs=["bold", "indicators"]),
        infer_job(single(people(1), people(2), people(3)), outputs=["indicators", "choice"]),
        infer_job(single(people(1)) | stroop, outputs=["indicators"]),
        infer_job(single(people(4)), outputs=["indicators"], parameters={"draws": 3}),
        infer_job({"edges": np.zeros((1, 66), np.float32)}, model="hypernetwork"),
        infer_job(single(*(people(n) for n in range(20))), outputs=["p_correct"]),
    ]
    together = ServiceWorker([tiny], ServiceLimits()).answer(jobs)
    assert [found == LATER for found in together] == [job is jobs[3] for job in jobs]  # goes alone
    for job, found in zip(jobs, together, strict=True):
        (alone,) = ServiceWorker([tiny], ServiceLimits()).answer([job])
        assert alone.status == 200
        assert found in (alone, LATER)


def test_a_bad_connectome_fails_its_own_request_only(worker: ServiceWorker, people: People) -> None:
    bad = people(1).copy()
    bad[2, 5] = bad[5, 2] = np.nan
    good = infer_job(single(people(0)), outputs=["indicators"])
    jobs = [good, infer_job(single(people(0), bad, people(2))), infer_job(single(bad)), good]
    first, of_three, of_one, last = worker.answer(jobs)
    assert (first.status, of_three.status, of_one.status, last.status) == (200, 400, 400, 200)
    assert first.body == last.body == worker.answer([good])[0].body
    sentence = json.loads(of_three.body)["error"]
    assert sentence.startswith("Person 2: connectome: the value at row 3, column 6 is nan")
    assert json.loads(of_one.body)["error"].startswith("connectome: the value at row 3")
    assert of_three.n_people == 0


def test_a_connectome_of_one_number_fails_alone_after_all_were_tried_together(
    worker: ServiceWorker, people: People
) -> None:
    flat = np.full((12, 12), 0.25)
    np.fill_diagonal(flat, 1.0)
    good = infer_job(single(people(0)), outputs=["indicators"])
    (bad, fine) = worker.answer([infer_job(single(flat)), good])
    assert "all its correlations are 0.25" in json.loads(bad.body)["error"]
    assert fine.status == 200


def test_twins_are_kept_and_give_the_same_answer(
    tiny: Bundle, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    several = Bundle.personalize_several

    def counted(self: Bundle, given: Sequence[Any], **options: Any) -> list[Any]:
        made.append(len(given))
        return several(self, given, **options)

    monkeypatch.setattr(Bundle, "personalize_several", counted)
    worker = ServiceWorker([tiny], replace(ServiceLimits(), twins_cached=2))
    job = infer_job(single(people(0)))
    first, again = (worker.answer([job])[0] for _ in range(2))
    assert first == again
    assert made == [1]
    worker.answer([infer_job(single(people(0), people(0), people(1)))])
    assert made == [1, 1]
    worker.answer([infer_job(single(people(2)))])  # no room for the first any more
    worker.answer([job])
    assert made == [1, 1, 1, 1]
    # The same numbers, but another person: nobody's twin is taken for them.
    as_z = infer_job(single(people(0)), parameters={"fisher_z": True})
    assert "That is a diagonal of correlations" in refused(worker, as_z)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"draws": 0}, "'draws' must be a whole number from 1 to 256, found 0"),
        ({"draws": 257}, "'draws' must be a whole number from 1 to 256, found 257"),
        ({"draws": 2.5}, "'draws' must be a whole number from 1 to 256, found 2.5"),
        ({"draws": True}, "'draws' must be a whole number from 1 to 256, found True"),
        ({"draws": "5"}, "'draws' must be a whole number from 1 to 256, found '5'"),
        ({"seed": -1}, "'seed' must be a whole number from 0 to"),
        ({"seed": 10**30}, "'seed' must be a whole number from 0 to"),
        ({"fisher_z": 1}, "'fisher_z' must be true or false, found 1"),
        ({"drawz": 1}, "no parameter of the request named 'drawz', only: draws, seed, fisher_z"),
    ],
)
def test_parameters_are_looked_at(
    worker: ServiceWorker, people: People, parameters: dict[str, Any], sentence: str
) -> None:
    assert sentence in refused(worker, infer_job(single(people(0)), parameters=parameters))


def test_draws_of_many_people_are_bounded_together(worker: ServiceWorker, people: People) -> None:
    several = infer_job(single(*(people(n) for n in range(3))), parameters={"draws": 86})
    assert "3 people with 86 draws each are 258 forecasts, expected at most 256" in refused(
        worker, several
    )


def test_what_cannot_be_given_is_refused(worker: ServiceWorker, people: People) -> None:
    own = single(people(0))
    sampled = infer_job(own, outputs=["sampled_choice"])
    assert "needs the parameter 'seed'" in refused(worker, sampled)
    task = own | {"task": np.array(["nback"], dtype=object)}
    assert "expected one of hammer, stroop, all" in refused(worker, infer_job(task))
    several = infer_job(own, model="tiny_plain-twin", parameters={"draws": 2})
    assert "nothing to draw from" in refused(worker, several)


def test_an_answer_that_would_be_too_large_is_not_begun(tiny: Bundle, people: People) -> None:
    worker = ServiceWorker([tiny], replace(ServiceLimits(), body_bytes=100_000))
    sentence = refused(
        worker, infer_job(single(people(0), people(1)), outputs=["bold"], binary=False)
    )
    assert "would take about" in sentence
    assert "Ask for binary data, less than all outputs (the largest is 'bold'), or" in sentence
    job = infer_job(single(people(0), people(1)), outputs=["bold"])
    assert worker.answer([job])[0].status == 200
