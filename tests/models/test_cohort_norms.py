"""A bundle's norms against numpy: where latents lie, both priors, indicators of the cohort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dtb_models.cohort_norms import cohort_norms, default_indicators
from dtb_models.config import compact_config, paper_config
from dtb_models.edge_folds import basis_folds
from dtb_models.encoder_fit import EncoderFit, Measurements, fit_encoder
from dtb_models.hypernetwork import CompactHypernetwork, TwinNetwork, initial_weights
from dtb_runtime.forecast import DRAWS
from dtb_runtime.latent import LatentDistribution
from dtb_runtime.parcellation import Parcellation

N_TRAINING, N_HELD_OUT, N_LATENTS = 20, 6, 3
N_NETWORKS = 4
"""People whose main networks make the norms of indicators: runs take their time."""
TASKS = ("hammer", "stroop")


@pytest.fixture(scope="module")
def edges(small_parcellation: Parcellation) -> Tensor:
    n_regions = len(small_parcellation.labels)
    generator = torch.Generator().manual_seed(1)
    n_edges = n_regions * (n_regions - 1) // 2
    shared = 0.3 * torch.randn(n_edges, generator=generator)
    return shared + 0.2 * torch.randn(N_TRAINING + N_HELD_OUT, n_edges, generator=generator)


@pytest.fixture(scope="module")
def network(small_parcellation: Parcellation, edges: Tensor) -> TwinNetwork:
    """A compact network drawn at random."""
    config = compact_config(
        edges.shape[1],
        len(small_parcellation.labels),
        personal_units=4,
        slow_units=2,
        latent_size=N_LATENTS,
        bold_latents=1,
        n_components=3,
    )
    network = TwinNetwork(config)
    hypernetwork = network.hypernetwork
    assert isinstance(hypernetwork, CompactHypernetwork)
    generator = torch.Generator().manual_seed(2)
    base, scale = initial_weights(config, generator)
    hypernetwork.fit_basis(edges[:N_TRAINING])
    with torch.no_grad():
        hypernetwork.encoder.weight.normal_(0, 0.5, generator=generator)
        hypernetwork.decoder.bias.copy_(base)
        hypernetwork.decoder.weight.normal_(0, 0.3, generator=generator).mul_(scale.unsqueeze(1))
    return network.eval()


@pytest.fixture(scope="module")
def encoder(network: TwinNetwork, edges: Tensor) -> EncoderFit:
    rng = np.random.default_rng(3)
    assert isinstance(network.hypernetwork, CompactHypernetwork)
    scores = network.hypernetwork.components(edges[:N_TRAINING]).double().numpy()
    values = scores @ rng.standard_normal((3, N_LATENTS)) + rng.standard_normal((20, N_LATENTS))
    folds, _ = basis_folds(edges[:N_TRAINING], network.config, 0)
    return fit_encoder(scores, Measurements(values, np.full(values.shape, 8.0)), folds)


@pytest.fixture(scope="module")
def weights(network: TwinNetwork, encoder: EncoderFit) -> Tensor:
    population = LatentDistribution(encoder.population.intercept, encoder.population.covariance)
    return network.decode(torch.from_numpy(population.draws(N_NETWORKS, seed=4))).detach()


@pytest.fixture(scope="module")
def norms(
    network: TwinNetwork,
    edges: Tensor,
    weights: Tensor,
    encoder: EncoderFit,
    small_parcellation: Parcellation,
) -> dict[str, NDArray[Any]]:
    return cohort_norms(
        network,
        edges[:N_TRAINING],
        edges[N_TRAINING:],
        weights,
        TASKS,
        small_parcellation,
        small_parcellation.labels,
        encoder=encoder,
    )


def test_latents_are_where_connectomes_of_left_out_people_put_them(
    norms: dict[str, NDArray[Any]], network: TwinNetwork, edges: Tensor, encoder: EncoderFit
) -> None:
    left_out = encoder.out_of_fold
    covariance = np.cov(left_out.T)
    # Three latent numbers of twenty people: shrunk by 3 / 23 towards the diagonal.
    covariance = (20 * covariance + 3 * np.diag(np.diag(covariance))) / 23
    np.testing.assert_allclose(norms["latent_mean"], left_out.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(norms["latent_covariance"], covariance, rtol=1e-4)
    held_out = network.latent(edges[N_TRAINING:]).detach().double().numpy()
    away = np.concatenate([left_out, held_out]) - left_out.mean(0)
    distance = [np.sqrt(x @ np.linalg.inv(covariance) @ x) for x in away]
    np.testing.assert_allclose(norms["latent_distance"], np.sort(distance), rtol=1e-3)


def test_priors_are_those_of_the_regressions_and_positive_definite(
    norms: dict[str, NDArray[Any]], encoder: EncoderFit
) -> None:
    for name, covariance in (
        ("population_covariance", encoder.population.covariance),
        ("connectome_covariance", encoder.regression.covariance),
    ):
        assert norms[name].dtype == np.float32
        np.testing.assert_allclose(norms[name], covariance, rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(norms[name], norms[name].T)
        np.linalg.cholesky(norms[name].astype(np.float64))
    # What the connectome tells is no longer open.
    assert np.linalg.det(norms["connectome_covariance"]) < np.linalg.det(
        norms["population_covariance"]
    )


def test_draws_of_the_prior_respond_as_fast_as_people(
    norms: dict[str, NDArray[Any]],
    network: TwinNetwork,
    weights: Tensor,
    encoder: EncoderFit,
    small_parcellation: Parcellation,
) -> None:
    def times(weights: Tensor) -> NDArray[np.float64]:
        people = default_indicators(
            network, weights, TASKS, small_parcellation, small_parcellation.labels
        )
        return np.mean([[p.values[f"reaction_time:{t}"] for t in TASKS] for p in people], axis=0)

    def of_prior(mean: NDArray[Any]) -> NDArray[np.float64]:
        prior = LatentDistribution(mean.astype(np.float64), encoder.population.covariance)
        with torch.no_grad():
            return times(network.decode(torch.from_numpy(prior.draws(DRAWS))))

    wanted = times(weights)
    before = np.abs(of_prior(encoder.population.intercept) - wanted).max()
    after = np.abs(of_prior(norms["population_mean"]) - wanted).max()
    # An untrained network asks for more than the mean may be moved by.
    assert after < 0.7 * before


def test_offsets_are_what_twins_of_connectomes_have_too_much(
    norms: dict[str, NDArray[Any]],
    network: TwinNetwork,
    weights: Tensor,
    encoder: EncoderFit,
    small_parcellation: Parcellation,
) -> None:
    labels = small_parcellation.labels

    def median(of: Tensor, name: str) -> float:
        people = default_indicators(network, of, TASKS, small_parcellation, labels)
        return float(np.median([person.values[name] for person in people]))

    with torch.no_grad():
        twins = network.decode(torch.from_numpy(encoder.out_of_fold).float())
    offsets = dict(zip(norms["indicator_names"], norms["indicator_offsets"], strict=True))
    for name in ("reaction_time", "stroop_effect", "accuracy:hammer"):
        assert offsets[name] == pytest.approx(median(twins, name) - median(weights, name), abs=1e-5)


def test_connectomes_are_compared_with_the_mean_of_the_others(
    norms: dict[str, NDArray[Any]], edges: Tensor
) -> None:
    training, held_out = edges[:N_TRAINING].numpy(), edges[N_TRAINING:].numpy()
    mean = training.mean(0)
    np.testing.assert_allclose(norms["edge_mean"], mean, atol=1e-3)
    np.testing.assert_allclose(norms["edge_sd"], training.std(0, ddof=1), rtol=2e-3, atol=1e-6)
    similarity = [np.corrcoef(one, mean)[0, 1] for one in held_out]
    for i, one in enumerate(training):
        others = np.delete(training, i, axis=0).mean(0)
        similarity.append(np.corrcoef(one, others)[0, 1])
    np.testing.assert_allclose(norms["edge_similarity"], np.sort(similarity), atol=2e-3)


def test_indicators_are_those_of_the_main_networks_given(
    norms: dict[str, NDArray[Any]],
    network: TwinNetwork,
    weights: Tensor,
    small_parcellation: Parcellation,
) -> None:
    names = norms["indicator_names"].tolist()
    assert {"reaction_time", "stroop_effect", "amygdala_response"} <= set(names)
    people = default_indicators(
        network, weights, TASKS, small_parcellation, small_parcellation.labels
    )
    assert len(people) == N_NETWORKS
    for name, quantiles in zip(names, norms["indicator_quantiles"], strict=True):
        values = np.array([person.values[name] for person in people])
        assert quantiles[[0, -1]] == pytest.approx([values.min(), values.max()], rel=1e-5)
        assert quantiles[50] == pytest.approx(np.median(values), rel=1e-5)
        assert (np.diff(quantiles) >= 0).all()
    assert norms["indicator_quantiles"].shape == (len(names), 101)


def test_nobody_need_be_held_out(
    network: TwinNetwork,
    edges: Tensor,
    weights: Tensor,
    encoder: EncoderFit,
    small_parcellation: Parcellation,
) -> None:
    norms = cohort_norms(
        network,
        edges[:N_TRAINING],
        edges[:0],
        weights[:1],
        ("stroop",),
        small_parcellation,
        small_parcellation.labels,
        encoder=encoder,
    )
    assert norms["latent_distance"].shape == norms["edge_similarity"].shape == (N_TRAINING,)
    assert all(np.isfinite(v).all() for v in norms.values() if v.dtype.kind == "f")


def test_networks_without_a_latent_have_no_latent_norms(
    edges: Tensor, small_parcellation: Parcellation
) -> None:
    config = paper_config(edges.shape[1], 26, hidden_size=4, hypernetwork_sizes=(3, 3))
    paper = TwinNetwork(config).eval()
    norms = cohort_norms(
        paper,
        edges[:N_TRAINING],
        edges[N_TRAINING:],
        paper.weights(edges[:2]).detach(),
        ("stroop",),
        small_parcellation,
        small_parcellation.labels,
    )
    assert sorted(norms) == [
        "edge_mean",
        "edge_sd",
        "edge_similarity",
        "indicator_names",
        "indicator_quantiles",
    ]


def test_indicators_depend_on_age_and_sex_where_enough_people_tell_theirs(
    network: TwinNetwork,
    edges: Tensor,
    weights: Tensor,
    encoder: EncoderFit,
    small_parcellation: Parcellation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dtb_models.demographic_norms.MIN_PEOPLE", 3)
    monkeypatch.setattr("dtb_models.demographic_norms.MIN_OF_EACH_SEX", 1)
    phenotypes: list[dict[str, str | float]] = [
        {"age": "31.5", "sex": "F"},
        {"Age": 60.0, "Sex": "M"},
        {"age": "n/a", "sex": "M"},
        {"AGE": 44.0, "sex": "F"},
    ]
    norms = cohort_norms(
        network,
        edges[:N_TRAINING],
        edges[N_TRAINING:],
        weights,
        ("stroop",),
        small_parcellation,
        small_parcellation.labels,
        encoder=encoder,
        phenotypes=phenotypes,
    )
    assert norms["demographic_names"].tolist() == norms["indicator_names"].tolist()
    center, lowest, highest = norms["demographic_ages"]
    assert (lowest, highest) == (31.5, 60.0)
    assert center == pytest.approx((31.5 + 60 + 44) / 3, rel=1e-5)
