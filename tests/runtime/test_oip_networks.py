"""The two networks as models: what ONNX Runtime gives when it is asked without this package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_worker import ServiceWorker

from .service_requests import infer_job, refused, tensors_of

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def worker(tiny: Bundle, tiny_plain: Bundle) -> ServiceWorker:
    return ServiceWorker([tiny, tiny_plain], ServiceLimits())


def onnx_outputs(bundle: Bundle, file: str, **inputs: Floats) -> list[Floats]:
    """What a graph of a bundle gives, opened by itself."""
    onnxruntime = pytest.importorskip("onnxruntime")
    path = Path(bundle.folder, file)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs: list[Floats] = session.run(None, inputs)
    return outputs


@pytest.fixture
def edges() -> Floats:
    return np.random.default_rng(1).normal(0, 0.3, (3, 66)).astype(np.float32)


def test_the_hypernetwork_gives_latents_and_weights(
    worker: ServiceWorker, tiny: Bundle, tiny_plain: Bundle, edges: Floats
) -> None:
    jobs = [
        infer_job({"edges": edges}, model=f"{name}hypernetwork") for name in ("", "tiny_plain-")
    ]
    compact, plain = worker.answer(jobs)
    found = tensors_of(compact)
    latent, weights = onnx_outputs(tiny, "hypernetwork.onnx", edges=edges)
    np.testing.assert_allclose(found["latent"], latent, atol=1e-5)
    np.testing.assert_allclose(found["weights"], weights, atol=1e-5)
    assert compact.n_people == 3
    (weights,) = onnx_outputs(tiny_plain, "hypernetwork.onnx", edges=edges)
    assert [*tensors_of(plain)] == ["weights"]
    np.testing.assert_allclose(tensors_of(plain)["weights"], weights, atol=1e-5)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_the_main_network_runs_over_a_stimulus_and_on_from_its_state(
    worker: ServiceWorker, tiny: Bundle, edges: Floats, binary: bool
) -> None:
    weights = onnx_outputs(tiny, "hypernetwork.onnx", edges=edges)[1]
    stimulus = np.random.default_rng(2).random((60, 9)).astype(np.float32)
    state = np.random.default_rng(3).normal(0, 0.1, (3, 8)).astype(np.float32)
    given = {"weights": weights, "stimulus": stimulus, "state": state}
    expected = onnx_outputs(tiny, "main.onnx", **given)
    names = ["actions", "bold", "final_state"]
    (answer,) = worker.answer([infer_job(given, model="main", outputs=names, binary=binary)])
    found = tensors_of(answer)
    for name, values in zip(names, expected, strict=True):
        assert found[name].shape == values.shape
        np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)
    parts = []
    for part in (stimulus[:20], stimulus[20:]):
        given |= {"stimulus": part}
        (answer,) = worker.answer([infer_job(given, model="main")])
        parts.append(tensors_of(answer))
        given |= {"state": parts[-1]["final_state"]}
    for name in ("actions", "bold"):
        joined = np.concatenate([part[name] for part in parts], axis=1)
        np.testing.assert_allclose(joined, found[name], atol=1e-5)


def test_a_stimulus_from_nothing_begins_with_a_state_of_zeros(
    worker: ServiceWorker, edges: Floats
) -> None:
    weights = tensors_of(worker.answer([infer_job({"edges": edges}, model="hypernetwork")])[0])
    given = {"weights": weights["weights"], "stimulus": np.ones((5, 9), np.float32)}
    zeros = given | {"state": np.zeros((3, 8), np.float32)}
    one, other = worker.answer([infer_job(each, model="main") for each in (given, zeros)])
    assert one == other


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_numbers_that_no_network_takes_are_refused(
    worker: ServiceWorker, edges: Floats, value: float
) -> None:
    edges[1, 4] = value
    sentence = refused(worker, infer_job({"edges": edges}, model="hypernetwork"))
    assert "'edges' holds NaN, infinity or a number beyond 1e+06" in sentence
    given = {"weights": np.zeros((1, 287), np.float32), "stimulus": np.full((2, 9), value)}
    assert "'stimulus' holds NaN" in refused(worker, infer_job(given, model="main"))


def test_inputs_must_go_together_and_answers_stay_small(tiny: Bundle) -> None:
    worker = ServiceWorker([tiny], replace(ServiceLimits(), body_bytes=20_000))
    given = {
        "weights": np.zeros((2, 287), np.float32),
        "stimulus": np.zeros((4, 9), np.float32),
        "state": np.zeros((3, 8), np.float32),
    }
    assert "weights of 2 people, but states of 3" in refused(worker, infer_job(given, model="main"))
    del given["state"]
    assert worker.answer([infer_job(given, model="main")])[0].status == 200
    long = given | {"stimulus": np.zeros((900, 9), np.float32)}
    # Whatever is asked for: the network gives all of it.
    job = infer_job(long, model="main", outputs=["final_state"])
    assert "would take about" in refused(worker, job)
    edges = np.zeros((40, 66), np.float32)
    job = infer_job({"edges": edges}, model="hypernetwork")
    sentence = refused(worker, job)  # which is binary already
    assert "Ask for less than all outputs (the largest is 'weights'), or fewer people" in sentence
