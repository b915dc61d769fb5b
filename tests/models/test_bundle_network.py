"""A bundle's networks in PyTorch: the same numbers, or an error."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dtb_models.bundle_network import BundleNetwork
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import BundleError

BUNDLES = Path(__file__).parents[1] / "bundles"


@pytest.mark.parametrize("name", ["tiny", "tiny_plain"])
def test_weights_are_those_of_the_graphs(name: str) -> None:
    bundle = load_bundle(BUNDLES / name, device="cpu")
    network = BundleNetwork.of(bundle, torch.float64)
    edges = np.random.default_rng(1).normal(0, 0.3, (2, bundle.manifest.n_edges))
    found = network.weights(torch.from_numpy(edges)).numpy()
    expected = [twin.weights for twin in bundle.personalize_edges(edges.astype(np.float32))]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert network.has_latent == (bundle.manifest.latent_size > 0)


def test_a_bundle_that_has_changed_is_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BUNDLES / "tiny", tmp_path / "tiny"))
    bundle = load_bundle(folder, device="cpu")
    other = replace(bundle, folder=BUNDLES / "tiny_plain")
    with pytest.raises(BundleError, match="is another one than when it was loaded"):
        BundleNetwork.of(other)


def test_networks_of_another_form_are_refused() -> None:
    network = BundleNetwork.of(load_bundle(BUNDLES / "tiny", device="cpu"))
    without = {name: array for name, array in network.arrays.items() if name != "encoder_bias"}
    with pytest.raises(BundleError, match="has a form that gradients are not known of"):
        replace(network, arrays=without)._check_form()


def test_networks_with_other_numbers_are_refused() -> None:
    network = BundleNetwork.of(load_bundle(BUNDLES / "tiny", device="cpu"))
    other = {**network.arrays, "decoder_bias": network.arrays["decoder_bias"] + 0.1}
    with pytest.raises(BundleError, match="PyTorch gives other weights than the graphs"):
        replace(network, arrays=other)._check_parity()
