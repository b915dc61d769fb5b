"""Indicators in tensors: those of the runtime, with derivatives as finite differences have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dtb_models.bundle_network import BundleNetwork
from dtb_models.indicator_tensors import IndicatorTensors
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.edges import edges_from_correlations
from dtb_runtime.errors import UsageError
from dtb_runtime.indicator_forecasts import IndicatorForecasts, all_indicators

BUNDLES = Path(__file__).parents[1] / "bundles"
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module", params=["tiny", "tiny_plain"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return load_bundle(BUNDLES / request.param, device="cpu")


def names_of(bundle: Bundle) -> tuple[str, ...]:
    regions = bundle.manifest.bold_regions
    contrasts = (f"contrast:face_shape:{regions[0]}",)
    if "stroop" in bundle.manifest.tasks:
        contrasts += (f"contrast:incongruent_congruent:{regions[-1]}",)
    return (*all_indicators(bundle), *contrasts)


def edges_of(bundle: Bundle, n: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.normal(0.1, 0.25, (n, bundle.manifest.n_edges)).astype(np.float32)


def test_they_are_those_of_the_runtime(bundle: Bundle) -> None:
    names = names_of(bundle)
    tensors = IndicatorTensors(BundleNetwork.of(bundle), names)
    edges = edges_of(bundle, 3)
    with torch.no_grad():
        found = tensors.of_edges(torch.from_numpy(edges)).numpy()
    expected = IndicatorForecasts(bundle, names).of_edges(edges)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_gradients_are_central_differences_in_float64(bundle: Bundle) -> None:
    names = names_of(bundle)
    tensors = IndicatorTensors(BundleNetwork.of(bundle, torch.float64), names)
    edges = torch.from_numpy(edges_of(bundle, 1)).double()
    _, gradients = tensors.gradients(edges)
    rng = np.random.default_rng(0)
    chosen = rng.choice(edges.shape[1], 6, replace=False)
    step = 1e-4
    for edge in chosen:
        moved = edges.repeat(2, 1)
        moved[0, edge] += step
        moved[1, edge] -= step
        with torch.no_grad():
            up, down = tensors.of_edges(moved)
        differences = ((up - down) / (2 * step)).numpy()
        scale = np.abs(gradients[:, 0].numpy()).max(axis=1)
        np.testing.assert_allclose(
            gradients[:, 0, edge].numpy(), differences, rtol=1e-5, atol=float(1e-6 * scale.max())
        )


def test_the_shipped_bundle_has_the_same_indicators() -> None:
    bundle = load_bundle("tcp434", device="cpu")
    names = ("reaction_time", "stroop_effect", "accuracy:hammer", "amygdala_response")
    correlations = np.load(EXAMPLES / "sub-example_atlas-tcp434_connectome.npy")
    edges = edges_from_correlations(correlations)[None]
    tensors = IndicatorTensors(BundleNetwork.of(bundle), names)
    with torch.no_grad():
        found = tensors.of_edges(torch.from_numpy(edges)).numpy()
    expected = IndicatorForecasts(bundle, names).of_edges(edges)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("speed", "There is no indicator 'speed' of bundle 'tiny'"),
        ("reaction_time:reading", "There is no indicator 'reaction_time:reading'"),
        ("accuracy:stroop:face", "There is no indicator"),
        ("reaction_time:stroop:congruent:x", "There is no indicator"),
        ("contrast:face_shape:nowhere", "has no region of 'contrast:face_shape:nowhere'"),
        ("contrast:red_blue:L_Vis1", "has no contrast of 'contrast:red_blue:L_Vis1'"),
    ],
)
def test_an_indicator_that_is_not_there_is_refused(name: str, message: str) -> None:
    tiny = load_bundle(BUNDLES / "tiny", device="cpu")
    with pytest.raises(UsageError, match=message):
        IndicatorTensors(BundleNetwork.of(tiny), [name])
