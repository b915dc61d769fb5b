"""Sentences of the library as requests get them, and warnings that answers carry."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.oip_answers import WARNINGS
from dtb_runtime.service_jobs import Answer
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_words import in_request_words
from dtb_runtime.service_worker import ServiceWorker

from .service_requests import asked, infer_job, json_job, refused

People = Callable[[int], NDArray[np.float64]]


@pytest.fixture(scope="module")
def worker(tiny: Bundle) -> ServiceWorker:
    return ServiceWorker([tiny], ServiceLimits())


def without_region(matrix: NDArray[np.float64], region: int) -> NDArray[np.float64]:
    empty = matrix.copy()
    empty[region], empty[:, region] = 0.0, 0.0
    return empty


def test_refusals_name_keys_and_no_options(worker: ServiceWorker, people: People) -> None:
    z = np.arctanh(np.clip(people(0), -0.99, 0.99))
    np.fill_diagonal(z, np.arctanh(0.999999999))
    wrong = (z, without_region(people(0), 3), people(0)[:5, :5])
    sentences = [
        refused(worker, json_job("predict", {"connectome": each.tolist()})) for each in wrong
    ]
    sentences += [
        refused(worker, json_job("predict", {"connectome": people(0).tolist(), "fisher_z": True}))
    ]
    assert not any("--" in sentence for sentence in sentences), sentences
    expected = ("pass fisher_z: true if it is", "or impute: true for", "one is served")
    for words, sentence in zip((*expected, "drop fisher_z, or what"), sentences, strict=True):
        assert words in sentence


def test_other_sentences_stay_as_they_are() -> None:
    for sentence in ("", "a -- b", "fisher_z", "dtb-run bundles", "Pass --timeseries."):
        assert in_request_words(sentence) == sentence


def _said(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    head = json.loads(answer.body[: answer.header_length])
    return str(head["parameters"][WARNINGS]).split("\n")


def test_inference_answers_carry_the_bundles_warnings(
    worker: ServiceWorker, tiny: Bundle, people: People
) -> None:
    edges = np.zeros((1, tiny.manifest.n_edges), dtype=np.float32)
    weights = np.zeros((1, tiny.manifest.n_weights), dtype=np.float32)
    stimulus = np.zeros((3, tiny.manifest.n_inputs), dtype=np.float32)
    jobs = [
        infer_job({"connectome": people(0)[np.newaxis]}),
        infer_job({"connectome": people(0)[np.newaxis]}, binary=False, outputs=["indicators"]),
        infer_job({"edges": edges}, model="hypernetwork"),
        infer_job({"weights": weights, "stimulus": stimulus}, model="main"),
    ]
    assert tiny.warnings
    for answer in worker.answer(jobs):
        assert _said(answer)[: len(tiny.warnings)] == [*tiny.warnings]


def test_what_is_said_of_one_person_names_the_person(
    worker: ServiceWorker, tiny: Bundle, people: People
) -> None:
    unmarked = people(1).copy()
    np.fill_diagonal(unmarked, 0.0)
    (answer,) = worker.answer([infer_job({"connectome": np.stack([people(0), unmarked])})])
    said = _said(answer)
    (own,) = (each for each in said if "does not tell r from Fisher z" in each)
    assert own.startswith("Person 2: ")
    assert "Pass fisher_z: true if it is z." in own
    assert not any(each.startswith("Person 1: ") and "Fisher z" in each for each in said)
    (alone,) = worker.answer([infer_job({"connectome": unmarked[np.newaxis]})])
    assert own.removeprefix("Person 2: ") in _said(alone)


def test_summaries_use_the_same_words(worker: ServiceWorker, people: People) -> None:
    unmarked = people(1).copy()
    np.fill_diagonal(unmarked, 0.0)
    found = asked(worker, "predict", connectome=unmarked.tolist(), draws=1, trials=False)
    assert any("Pass fisher_z: true" in each for each in found["summary"]["warnings"])
    assert "--" not in json.dumps(found["summary"]["warnings"])
