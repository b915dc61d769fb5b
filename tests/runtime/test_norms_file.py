"""Reading norms.npz: what is right works, everything else is refused with a sentence."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import BundleError
from dtb_runtime.manifest import Manifest
from dtb_runtime.norms_file import read_norms

Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def arrays(tiny_folder: Path) -> Arrays:
    with np.load(tiny_folder / "norms.npz") as archive:
        return dict(archive)


@pytest.fixture
def manifest(tiny_folder: Path) -> Manifest:
    return Manifest.from_bytes((tiny_folder / "manifest.json").read_bytes())


def packed(arrays: Arrays, **changed: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{**arrays, **changed})
    return buffer.getvalue()


def test_norms_may_be_empty(manifest: Manifest, correlations: NDArray[np.float64]) -> None:
    norms = read_norms(packed({}), manifest)
    edges = Connectome.from_matrix(correlations).edges()
    assert norms.strangeness(edges, np.zeros(3, np.float32)) is None
    assert norms.indicator_percentile("reaction_time", 1.0) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("latent_mean"), "'latent_covariance' without 'latent_mean'"),
        (lambda a: a.pop("edge_similarity"), "'edge_mean' without 'edge_similarity'"),
        (lambda a: [a.pop(f"edge_{n}") for n in ("mean", "similarity")], "without 'edge_mean'"),
        (lambda a: a.update(edge_sd=np.full(66, -1.0)), "edge_sd is negative somewhere"),
        (lambda a: a.update(edge_sd=np.ones(65)), r"edge_sd is float64 \(65,\)"),
        (lambda a: a.update(indicator_offsets=np.zeros(9)), "give one number for each"),
        (
            lambda a: [a.pop(f"indicator_{n}") for n in ("names", "quantiles")],
            "'indicator_offsets' without 'indicator_names'",
        ),
        (lambda a: a.update(invented=np.zeros(1)), "unknown array 'invented'"),
        (lambda a: a.update(latent_mean=np.zeros(4)), r"float64 \(4,\), expected shape \(3,\)"),
        (lambda a: a.update(latent_mean=np.zeros(3, int)), "latent_mean is int64"),
        (lambda a: a.update(edge_mean=np.zeros((66, 1))), "edge_mean is float64"),
        (lambda a: a.update(edge_mean=np.ones(66)), "edge_mean is the same everywhere"),
        (lambda a: a["latent_distance"].__setitem__(0, np.nan), "latent_distance is not finite"),
        (lambda a: a["latent_distance"].__setitem__(0, 9), "latent_distance is not in ascending"),
        (lambda a: a.update(edge_similarity=np.empty(0)), "edge_similarity is float64"),
        (lambda a: a["latent_covariance"].__imul__(-1), "not positive definite"),
        (lambda a: a.pop("connectome_covariance"), "without 'connectome_covariance'"),
        (lambda a: a.pop("population_mean"), "'population_covariance' without 'population_mean'"),
        (lambda a: a.update(population_mean=np.zeros(4)), r"population_mean is float64 \(4,\)"),
        (lambda a: a["population_mean"].__setitem__(0, np.inf), "population_mean is not finite"),
        (
            lambda a: a["population_covariance"].__imul__(-1),
            "population_covariance: .*not positive definite",
        ),
        (
            lambda a: a["connectome_covariance"].__setitem__((0, 1), 9),
            "connectome_covariance: .*not symmetric",
        ),
        (lambda a: a.update(indicator_names=np.array(["a", "a"])), "name each row"),
        (lambda a: a.update(indicator_names=np.array(["a"])), "name each row"),
        (lambda a: a.update(indicator_names=np.zeros(2)), "indicator_names is float64"),
        (
            lambda a: a.update(indicator_names=np.array([0x110000], np.uint32).view("U1")),
            "holds text that cannot be decoded",
        ),
        (
            lambda a: a.update(indicator_names=np.array(["a", 1], dtype=object)),
            "holds Python objects",
        ),
    ],
)
def test_bad_norms_are_refused(
    arrays: Arrays, manifest: Manifest, change: Callable[[Arrays], object], message: str
) -> None:
    change(arrays)
    with pytest.raises(BundleError, match=rf"norms\.npz cannot be used: .*{message}"):
        read_norms(packed(arrays), manifest)


def test_the_prior_is_the_population_or_lies_around_a_latent(tiny: Bundle, arrays: Arrays) -> None:
    prior = tiny.norms.prior
    assert prior is not None
    np.testing.assert_array_equal(prior.population.mean, arrays["population_mean"])
    np.testing.assert_array_equal(prior.population.covariance, arrays["population_covariance"])
    around = prior.around(np.array([1, 2, 3], np.float32))
    np.testing.assert_array_equal(around.mean, [1, 2, 3])
    np.testing.assert_array_equal(around.covariance, arrays["connectome_covariance"])


def test_a_bundle_need_not_have_a_prior(arrays: Arrays, manifest: Manifest) -> None:
    for name in ("population_mean", "population_covariance", "connectome_covariance"):
        del arrays[name]
    norms = read_norms(packed(arrays), manifest)
    assert norms.prior is None
    assert norms.latent is not None


def test_a_prior_needs_a_latent(tiny_plain: Bundle) -> None:
    prior = {"population_mean": np.empty(0), "population_covariance": np.empty((0, 0))}
    data = packed(prior, connectome_covariance=np.empty((0, 0)))
    with pytest.raises(BundleError, match="population_mean is float64"):
        read_norms(data, tiny_plain.manifest)


def test_norms_of_a_latent_need_a_latent(arrays: Arrays, tiny_plain: Bundle) -> None:
    arrays["latent_mean"] = np.empty(0)
    with pytest.raises(BundleError, match=r"norms\.npz"):
        read_norms(packed(arrays), tiny_plain.manifest)


def test_what_is_no_archive_is_refused(manifest: Manifest) -> None:
    for data in (b"", b"\x93NUMPY", b"PK\x03\x04"):
        with pytest.raises(BundleError, match=r"norms\.npz cannot be used"):
            read_norms(data, manifest)


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("edge_mean.npy", bytes(1_000_000))
    monkeypatch.setattr("dtb_runtime.norms_file.MAX_NORMS_BYTES", 500_000)
    with pytest.raises(BundleError, match=r"unpacks to 1\.0 MB; at most 0\.5 MB is read"):
        read_norms(buffer.getvalue(), manifest)


def test_any_damaged_byte_ends_in_a_sentence_or_passes(
    tiny_folder: Path, manifest: Manifest
) -> None:
    data = (tiny_folder / "norms.npz").read_bytes()
    for at in range(0, len(data), 7):
        try:
            read_norms(bytes((*data[:at], data[at] ^ 0x41, *data[at + 1 :])), manifest)
        except BundleError as error:
            assert str(error).startswith("norms.npz cannot be used")


def test_values_that_overflow_are_refused(arrays: Arrays, manifest: Manifest, tiny: Bundle) -> None:
    with pytest.raises(BundleError, match="latent_mean is not finite, or beyond 1e"):
        read_norms(packed(arrays, latent_mean=np.full(3, 1e308)), manifest)
    tight = packed(arrays, latent_covariance=arrays["latent_covariance"] * 1e-300)
    norms = read_norms(tight, manifest)
    edges = np.linspace(-1, 1, manifest.n_edges, dtype=np.float32)
    with pytest.raises(BundleError, match="distance of a person from its latents is not finite"):
        norms.strangeness(edges, np.full(3, 1e9, np.float32))
