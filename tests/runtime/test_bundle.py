"""Bundles make twins out of connectomes and run them; what they cannot take or give is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import dtb_runtime
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_files import read_bundle_files
from dtb_runtime.bundle_graphs import STEPS_PER_CALL
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import BundleError, ConnectomeError, DataError, UsageError
from dtb_runtime.inference import OrtGraph


def test_a_bundle_says_what_it_is(tiny: Bundle, tiny_folder: Path) -> None:
    assert tiny.name == "tiny"
    assert tiny.digest == read_bundle_files(tiny_folder).digest
    assert tiny.provider == "CPUExecutionProvider"
    assert len(tiny.warnings) == 1
    assert "invented weights" in tiny.warnings[0]
    assert tiny.model_card.startswith("# tiny")
    assert repr(tiny).startswith("Bundle('tiny', digest='")


def test_the_public_names_are_those_listed() -> None:
    assert dtb_runtime.__all__ == sorted(dtb_runtime.__all__)
    for name in dtb_runtime.__all__:
        assert getattr(dtb_runtime, name).__name__ == name
        assert name in dir(dtb_runtime)
    assert dtb_runtime.errors.BundleError is BundleError
    with pytest.raises(AttributeError, match="no attribute 'forecast_everything'"):
        dtb_runtime.forecast_everything  # noqa: B018


def test_a_labeled_connectome_is_put_in_order(
    tiny: Bundle, correlations: NDArray[np.float64]
) -> None:
    assert tiny.manifest.parcellation is not None
    labels = tiny.manifest.parcellation.labels
    order = np.random.default_rng(3).permutation(12)
    shuffled = Connectome.from_matrix(
        correlations[np.ix_(order, order)], labels=[labels[i] for i in order]
    )
    np.testing.assert_array_equal(
        tiny.personalize(shuffled).weights, tiny.personalize(correlations).weights
    )


def test_a_connectome_of_another_size_is_refused(tiny: Bundle) -> None:
    with pytest.raises(ConnectomeError, match=r"10 x 10, but this bundle needs 12 x 12"):
        tiny.personalize(np.eye(10))


def test_edges_and_connectome_give_the_same_twin(
    tiny: Bundle, correlations: NDArray[np.float64]
) -> None:
    connectome = Connectome.from_matrix(correlations)
    (twin,) = tiny.personalize_edges(connectome.edges()[np.newaxis])
    np.testing.assert_array_equal(twin.weights, tiny.personalize(connectome).weights)
    assert twin.connectome_digest is None


def test_a_batch_of_people_gives_each_their_own_twin(
    tiny: Bundle, tiny_plain: Bundle, people: Callable[[int], NDArray[np.float64]]
) -> None:
    connectomes = [Connectome.from_matrix(people(i)) for i in range(5)]
    edges = np.stack([connectome.edges() for connectome in connectomes])
    ids = [f"{i:02}" for i in range(5)]
    for bundle in (tiny, tiny_plain):
        twins = bundle.personalize_edges(edges, participant_ids=ids)
        assert [twin.participant_id for twin in twins] == [f"sub-{name}" for name in ids]
        for twin, connectome in zip(twins, connectomes, strict=True):
            alone = bundle.personalize(connectome)
            np.testing.assert_array_equal(twin.weights, alone.weights)
        assert not np.allclose(twins[0].weights, twins[1].weights, atol=1e-3)
    assert tiny.personalize_edges(np.empty((0, 66))) == []


def test_bad_edges_are_refused(tiny: Bundle) -> None:
    with pytest.raises(DataError, match=r"needs edges of shape \(people, 66\), found \(66,\)"):
        tiny.personalize_edges(np.zeros(66))
    edges = np.zeros((2, 66))
    edges[1, 5] = np.nan
    with pytest.raises(DataError, match="edge 5 of person 1 is nan"):
        tiny.personalize_edges(edges)
    with pytest.raises(UsageError, match="2 people but 1 participant ids"):
        tiny.personalize_edges(np.zeros((2, 66)), participant_ids=["01"])


def test_hypernetwork_and_decoder_agree(tiny: Bundle, correlations: NDArray[np.float64]) -> None:
    edges = Connectome.from_matrix(correlations).edges()[np.newaxis]
    latent, weights = tiny._graphs.hypernetwork.run(edges)
    np.testing.assert_allclose(tiny.decode(latent[0]), weights[0], atol=1e-6)


def test_a_bundle_without_latent_has_nothing_to_decode(tiny_plain: Bundle) -> None:
    with pytest.raises(UsageError, match="'tiny_plain' has no latent"):
        tiny_plain.decode(np.zeros(3, np.float32))


def test_run_main_names_the_shape_it_needs(tiny: Bundle) -> None:
    weights, stimulus = np.zeros(287, np.float32), np.zeros((20, 9), np.float32)
    for name, arguments in {
        r"weights must have shape \(287,\)": (weights[:-1], stimulus),
        r"stimulus must have shape \(20, 9\) .* found \(20, 8\)": (weights, stimulus[:, 1:]),
        r"stimulus must have shape \(1, 9\) .* found \(0, 9\)": (weights, stimulus[:0]),
        r"state must have shape \(8,\)": (weights, stimulus, np.zeros(7, np.float32)),
    }.items():
        with pytest.raises(DataError, match=name):
            tiny.run_main(*arguments)


def test_running_on_from_the_state_gives_the_same_as_one_run(
    tiny: Bundle, correlations: NDArray[np.float64], rng: np.random.Generator
) -> None:
    weights = tiny.personalize(correlations).weights
    stimulus = rng.random((200, 9)).astype(np.float32)
    actions, bold, state = tiny.run_main(weights, stimulus)
    first_actions, first_bold, middle = tiny.run_main(weights, stimulus[:80])
    last_actions, last_bold, last = tiny.run_main(weights, stimulus[80:], middle)
    np.testing.assert_allclose(np.concatenate([first_actions, last_actions]), actions, atol=1e-6)
    np.testing.assert_allclose(np.concatenate([first_bold, last_bold]), bold, atol=1e-5)
    np.testing.assert_allclose(last, state, atol=1e-6)
    assert bold.shape == (20, 12)
    assert tiny.run_main(weights, stimulus[:1])[1].shape == (1, 12)


def test_several_people_run_at_once_as_one_after_the_other(
    tiny: Bundle, rng: np.random.Generator
) -> None:
    weights = tiny.decode(rng.normal(size=(3, tiny.manifest.latent_size)).astype(np.float32))
    stimulus = rng.random((50, 9)).astype(np.float32)
    states = rng.random((3, 8)).astype(np.float32)
    together = tiny.run_main(weights, stimulus, states)
    for person in range(3):
        alone = tiny.run_main(weights[person], stimulus, states[person])
        for some, own in zip(together, alone, strict=True):
            np.testing.assert_array_equal(some[person], own)
    with pytest.raises(DataError, match=r"state must have shape \(3, 8\) .* found \(8,\)"):
        tiny.run_main(weights, stimulus, states[0])
    with pytest.raises(DataError, match=r"weights must have shape \(1, 287\) .* found \(0, "):
        tiny.run_main(weights[:0], stimulus)


def test_a_bundle_that_is_not_for_connectomes_says_so(
    generator: Any, correlations: NDArray[np.float64], tmp_path: Path
) -> None:
    generator.write_tiny_plain(tmp_path / "edges", parcellation=None, tasks=(), name="edges")
    bundle = load_bundle(tmp_path / "edges")
    with pytest.raises(UsageError, match=r"not trained on connectomes.*personalize_edges"):
        bundle.personalize(correlations)
    (twin,) = bundle.personalize_edges(np.zeros((1, 66)))
    with pytest.raises(UsageError, match="was not trained on the task 'hammer', only on: no task"):
        twin.forecast("hammer")
    actions, _, _ = bundle.run_main(twin.weights, np.zeros((5, 9), np.float32))
    assert actions.shape == (5, 3)


def test_a_main_network_that_gives_too_few_frames_is_refused(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, correlations: NDArray[np.float64]
) -> None:
    run = OrtGraph.run

    def cut(self: OrtGraph, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        outputs = run(self, *inputs)
        return (outputs[0], outputs[1][:, :-1], outputs[2]) if len(outputs) == 3 else outputs

    monkeypatch.setattr(OrtGraph, "run", cut)
    twin = tiny.personalize(correlations)
    expected = r"main\.onnx .* gave bold of shape \(8, \d+, 12\), expected \(8, 510, 12\)"
    with pytest.raises(BundleError, match=expected):
        twin.forecast("stroop")


def test_numbers_that_are_not_finite_are_refused_where_they_arise(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, correlations: NDArray[np.float64]
) -> None:
    twin = tiny.personalize(correlations)
    with pytest.raises(BundleError, match="gave actions that are not finite"):
        tiny.run_main(np.full_like(twin.weights, np.nan), np.zeros((20, 9), np.float32))
    run = OrtGraph.run

    def infinite(self: OrtGraph, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        return tuple(output + np.float32(np.inf) for output in run(self, *inputs))

    monkeypatch.setattr(OrtGraph, "run", infinite)
    with pytest.raises(BundleError, match=r"hypernetwork\.onnx of bundle 'tiny' gave latents"):
        tiny.personalize(correlations)


def test_edges_that_are_no_real_numbers_are_refused(tiny: Bundle) -> None:
    with pytest.raises(DataError, match="Edges must be real numbers, found type complex128"):
        tiny.personalize_edges(np.ones((1, 66), complex))
    masked = np.ma.masked_array(np.ones((1, 66)), mask=np.eye(1, 66, dtype=bool))
    with pytest.raises(DataError, match="found masked values"):
        tiny.personalize_edges(masked)


def test_long_runs_in_parts_are_the_run_in_one(
    tiny: Bundle, correlations: NDArray[np.float64], rng: np.random.Generator
) -> None:
    twin = tiny.personalize(correlations)
    n_steps = 2 * STEPS_PER_CALL + 37
    stimulus = rng.random((n_steps, tiny.manifest.n_inputs)).astype(np.float32)
    found = tiny.run_main(twin.weights, stimulus)
    state = np.zeros((1, tiny.manifest.hidden_size), np.float32)
    whole = tiny._graphs.main.run(twin.weights[np.newaxis], stimulus, state)
    for part, expected in zip(found, whole, strict=True):
        assert part.shape == expected[0].shape
        np.testing.assert_allclose(part, expected[0], atol=1e-6)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(12), "all its correlations are 0. No scan"),
        (np.ones((12, 12)), "all its correlations are 1. No scan"),
        (np.eye(12) + np.eye(12, k=5) + np.eye(12, k=-5), "holds nothing but 0 and 1"),
    ],
)
def test_what_no_scan_gives_is_refused(
    tiny: Bundle, matrix: NDArray[np.float64], message: str
) -> None:
    with pytest.raises(ConnectomeError, match=message):
        tiny.personalize(matrix)


def test_facts_say_how_regions_were_told(tiny: Bundle, rng: np.random.Generator) -> None:
    matrix = np.corrcoef(rng.normal(size=(60, 12)).T)
    parcellation = tiny.manifest.parcellation
    assert parcellation is not None
    named = Connectome.from_matrix(matrix, labels=parcellation.labels)
    # As harmonization does it, before it is personalized.
    aligned = Connectome.from_matrix(matrix).aligned(parcellation.labels, parcellation.name)
    unnamed = "by position, since it has no names"
    for given, how in ((named, "by name"), (matrix, unnamed), (aligned, unnamed)):
        facts = tiny.personalize(given).facts
        assert facts is not None
        assert facts.regions.startswith(how)
        upper = matrix[np.triu_indices(12, k=1)]
        assert facts.mean_r == pytest.approx(upper.mean(), rel=1e-5)
        assert facts.sd_r == pytest.approx(upper.std(), rel=1e-5)
