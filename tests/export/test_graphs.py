"""The graphs against the same formulas in float64 numpy."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from dtb_export.graph_parts import Layer, graph_bytes, halved
from dtb_export.hypernetwork_graphs import (
    compact_hypernetwork_graph,
    decoder_graph,
    paper_hypernetwork_graph,
)
from dtb_export.main_graphs import main_graph, runs_graph
from dtb_runtime.bundle_layout import RECURRENT_ARRAY, n_main_weights
from dtb_runtime.onnx_scan import ALLOWED_OPERATORS, scan_onnx

ort = pytest.importorskip("onnxruntime")

I, H, A, B = 4, 6, 3, 5  # noqa: E741


def run(model: onnx.ModelProto, **inputs: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    ort_session = ort.InferenceSession(graph_bytes(model), providers=["CPUExecutionProvider"])
    names = [output.name for output in ort_session.get_outputs()]
    return dict(zip(names, ort_session.run(names, inputs), strict=True))


def tiny_main(stride: int = 3, leak: NDArray[np.float64] | None = None) -> onnx.ModelProto:
    return main_graph(
        n_inputs=I, hidden_size=H, n_actions=A, n_bold=B, bold_stride=stride, leak=leak
    )


def numpy_main(
    weights: NDArray[np.float32],
    stimulus: NDArray[np.float32],
    state: NDArray[np.float32],
    stride: int,
    leak: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """One main network step by step, in float64, from the flat order of the weights."""
    shapes = [(H, I), (H, H), (H,), (H,), (A + B, H), (A + B,)]
    parts, start = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        parts.append(weights[start : start + size].astype(np.float64).reshape(shape))
        start += size
    assert start == len(weights)
    W_ih, W_hh, b_ih, b_hh, W_ho, b_ho = parts
    h = state.astype(np.float64)
    outputs = []
    for x in stimulus.astype(np.float64):
        h = h + leak * (np.tanh(W_ih @ x + b_ih + W_hh @ h + b_hh) - h)
        outputs.append(W_ho @ h + b_ho)
    y = np.array(outputs)
    return 1 / (1 + np.exp(-y[:, :A])), y[::stride, A:], h


PEOPLE = 4


@pytest.fixture
def weights(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.normal(0, 0.5, (PEOPLE, n_main_weights(I, H, A + B))).astype(np.float32)


@pytest.mark.parametrize("n_steps", [1, 9, 10, 11, 200])
@pytest.mark.parametrize("stride", [1, 3, 10])
@pytest.mark.parametrize("is_leaky", [False, True])
def test_main_graph_computes_the_recurrence(
    rng: np.random.Generator,
    weights: NDArray[np.float32],
    n_steps: int,
    stride: int,
    is_leaky: bool,
) -> None:
    leak = rng.uniform(0.05, 1, H) if is_leaky else np.ones(H)
    stimulus = rng.normal(size=(n_steps, I)).astype(np.float32)
    state = rng.normal(size=(PEOPLE, H)).astype(np.float32)
    found = run(tiny_main(stride, leak), weights=weights, stimulus=stimulus, state=state)
    assert found["bold"].shape == (PEOPLE, -(-n_steps // stride), B)
    for person in range(PEOPLE):
        expected = numpy_main(weights[person], stimulus, state[person], stride, leak)
        for name, values in zip(("actions", "bold", "final_state"), expected, strict=True):
            np.testing.assert_allclose(found[name][person], values, atol=1e-5)


@pytest.mark.parametrize("hidden_size", [6, 37, 72])
def test_a_persons_numbers_do_not_depend_on_who_runs_beside_them(
    rng: np.random.Generator, hidden_size: int
) -> None:
    people, n_bold = 17, 60
    sizes = {"n_inputs": 9, "hidden_size": hidden_size, "n_actions": A, "n_bold": n_bold}
    leak = rng.uniform(0.05, 1, hidden_size)
    model = main_graph(**sizes, bold_stride=10, leak=leak)
    n_weights = n_main_weights(9, hidden_size, A + n_bold)
    weights = rng.normal(0, 0.2, (people, n_weights)).astype(np.float32)
    state = rng.normal(size=(people, hidden_size)).astype(np.float32)
    stimulus = rng.random((203, 9)).astype(np.float32)
    together = run(model, weights=weights, stimulus=stimulus, state=state)
    for some in (slice(0, 1), slice(16, 17), slice(3, 5), slice(2, 10), slice(0, 16)):
        alone = run(model, weights=weights[some], stimulus=stimulus, state=state[some])
        for name, values in alone.items():
            np.testing.assert_array_equal(values, together[name][some])


def test_a_run_continued_from_its_state_is_the_whole_run(
    rng: np.random.Generator, weights: NDArray[np.float32]
) -> None:
    model = tiny_main(stride=3)
    stimulus = rng.normal(size=(20, I)).astype(np.float32)
    zeros = np.zeros((PEOPLE, H), np.float32)
    whole = run(model, weights=weights, stimulus=stimulus, state=zeros)
    first = run(model, weights=weights, stimulus=stimulus[:9], state=zeros)
    rest = run(model, weights=weights, stimulus=stimulus[9:], state=first["final_state"])
    for name in ("actions", "bold"):
        np.testing.assert_allclose(
            np.concatenate([first[name], rest[name]], axis=1), whole[name], atol=1e-6
        )
    np.testing.assert_allclose(rest["final_state"], whole["final_state"], atol=1e-6)


@pytest.mark.parametrize("is_leaky", [False, True])
@pytest.mark.parametrize("n_runs", [1, 2, 3])
def test_runs_graph_computes_the_recurrence_with_the_array_it_is_given(
    rng: np.random.Generator, weights: NDArray[np.float32], is_leaky: bool, n_runs: int
) -> None:
    leak = rng.uniform(0.05, 1, H) if is_leaky else np.ones(H)
    model = runs_graph(n_inputs=I, hidden_size=H, n_actions=A, n_bold=B, bold_stride=3, leak=leak)
    w_ih, w_hh, b_ih, b_hh, w_ho, b_ho = np.split(
        weights[0], np.cumsum([H * I, H * H, H, H, (A + B) * H])
    )
    options = ort.SessionOptions()
    own = ort.OrtValue.ortvalue_from_numpy(w_hh.reshape(H, H))
    options.add_initializer(RECURRENT_ARRAY, own)
    ort_session = ort.InferenceSession(
        graph_bytes(model), options, providers=["CPUExecutionProvider"]
    )
    stimuli = rng.normal(size=(n_runs, 25, I)).astype(np.float32)
    state = rng.normal(size=(n_runs, H)).astype(np.float32)
    found = ort_session.run(
        ["actions", "bold", "final_state"],
        {
            "stimuli": stimuli,
            "state": state,
            "input_weights": w_ih.reshape(H, I),
            "hidden_bias": b_ih + b_hh,
            "readout_weights": w_ho.reshape(A + B, H),
            "readout_bias": b_ho,
        },
    )
    for i in range(n_runs):
        expected = numpy_main(weights[0], stimuli[i], state[i], 3, leak)
        for values, reference in zip(found, expected, strict=True):
            np.testing.assert_allclose(values[i], reference, atol=1e-5)


def test_a_leak_of_one_everywhere_is_left_out() -> None:
    plain = graph_bytes(tiny_main(leak=None))
    assert graph_bytes(tiny_main(leak=np.ones(H))) == plain
    assert graph_bytes(tiny_main(leak=np.full(H, 0.5))) != plain
    assert "Sub" not in scan_onnx(plain, "main.onnx").operators


def test_the_paper_has_173623_weights() -> None:
    assert n_main_weights(n_inputs=9, hidden_size=400, n_outputs=3 + 20) == 173_623


def mish(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(x * np.tanh(np.logaddexp(0, x)))


def layer(rng: np.random.Generator, n_out: int, n_in: int) -> Layer:
    return (
        rng.normal(0, 0.4, (n_out, n_in)).astype(np.float32),
        rng.normal(0, 0.4, n_out).astype(np.float32),
    )


def test_paper_hypernetwork_is_a_perceptron_with_mish(rng: np.random.Generator) -> None:
    layers = [layer(rng, 5, 8), layer(rng, 4, 5), layer(rng, 11, 4)]
    edges = rng.normal(size=(3, 8)).astype(np.float32)
    (W0, b0), (W1, b1), (W2, b2) = layers
    expected = mish(mish(edges.astype(np.float64) @ W0.T + b0) @ W1.T + b1) @ W2.T + b2
    found = run(paper_hypernetwork_graph(layers), edges=edges)
    np.testing.assert_allclose(found["weights"], expected, atol=1e-5)


def compact_arrays(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "edge_mean": rng.normal(size=10).astype(np.float16),
        "basis": rng.normal(size=(4, 10)).astype(np.float16),
        "encoder": layer(rng, 3, 4),
        "decoder": (rng.normal(size=(12, 3)).astype(np.float16), layer(rng, 12, 1)[1]),
    }


@pytest.mark.parametrize("limit", [None, 0.7, 4.0])
def test_compact_hypernetwork_gives_latent_and_weights(
    rng: np.random.Generator, limit: float | None
) -> None:
    parts = compact_arrays(rng)
    edges = rng.normal(size=(5, 10)).astype(np.float32)
    model = compact_hypernetwork_graph(**parts, component_limit=limit)
    found = run(model, edges=edges)
    mean, basis = (np.asarray(parts[k], np.float64) for k in ("edge_mean", "basis"))
    (W_encoder, b_encoder), (W_decoder, b_decoder) = parts["encoder"], parts["decoder"]
    components = (edges - mean) @ basis.T
    if limit is not None:
        components = limit * np.tanh(components / limit)
    z = components @ W_encoder.T + b_encoder
    np.testing.assert_allclose(found["latent"], z, atol=1e-4)
    np.testing.assert_allclose(
        found["weights"], z @ W_decoder.astype(np.float64).T + b_decoder, atol=1e-4
    )


def test_decoder_continues_where_the_latent_was_cut(rng: np.random.Generator) -> None:
    parts = compact_arrays(rng)
    edges = rng.normal(size=(5, 10)).astype(np.float32)
    whole = run(compact_hypernetwork_graph(**parts), edges=edges)
    decoded = run(decoder_graph(parts["decoder"]), latent=whole["latent"])
    np.testing.assert_array_equal(decoded["weights"], whole["weights"])


def test_people_do_not_depend_on_each_other(rng: np.random.Generator) -> None:
    model = compact_hypernetwork_graph(**compact_arrays(rng))
    edges = rng.normal(size=(7, 10)).astype(np.float32)
    together = run(model, edges=edges)["weights"]
    alone = np.concatenate([run(model, edges=edges[i : i + 1])["weights"] for i in range(7)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_same_arrays_give_the_same_bytes() -> None:
    digests = {
        hashlib.sha256(
            graph_bytes(compact_hypernetwork_graph(**compact_arrays(np.random.default_rng(1))))
        ).hexdigest()
        for _ in range(3)
    }
    assert len(digests) == 1


def test_float16_arrays_are_stored_at_half_size(rng: np.random.Generator) -> None:
    weight = rng.normal(size=(500, 40)).astype(np.float16)
    bias = np.zeros(500, np.float32)
    half = graph_bytes(decoder_graph((weight, bias)))
    full = graph_bytes(decoder_graph((weight.astype(np.float32), bias)))
    assert len(full) - len(half) == pytest.approx(weight.size * 2, abs=200)
    latent = rng.normal(size=(2, 40)).astype(np.float32)
    of_half, of_full = (
        run(onnx.load_model_from_string(data), latent=latent)["weights"] for data in (half, full)
    )
    np.testing.assert_array_equal(of_half, of_full)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([0.5, -2.0, 0.0], np.float16), ([0.1, 0.5], np.float32), ([1e6, 1.0], np.float32)],
)
def test_an_array_is_halved_only_where_that_loses_nothing(
    values: list[float], dtype: type[np.generic]
) -> None:
    found = halved(np.array(values, np.float32))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.astype(np.float32), np.array(values, np.float32))


def test_only_operators_that_the_runtime_lets_through_are_used(rng: np.random.Generator) -> None:
    models = [
        tiny_main(leak=np.full(H, 0.5)),
        compact_hypernetwork_graph(**compact_arrays(rng)),
        paper_hypernetwork_graph([layer(rng, 5, 8), layer(rng, 11, 5)]),
    ]
    used = set().union(*(scan_onnx(graph_bytes(model), "x.onnx").operators for model in models))
    assert used == ALLOWED_OPERATORS
