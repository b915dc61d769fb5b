"""The hypernetworks: formulas, the edge basis, float16 storage, seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dtb_models.config import compact_config, direct_config, paper_config
from dtb_models.hypernetwork import CompactHypernetwork, DirectInput, TwinNetwork, dropped
from dtb_models.main_network import split_weights


def people(n: int, n_edges: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    factors = torch.randn(n, 3, generator=generator) @ torch.randn(3, n_edges, generator=generator)
    return 0.3 * factors + 0.1 * torch.randn(n, n_edges, generator=generator) + 0.2


def drawn(network: TwinNetwork) -> CompactHypernetwork:
    """Fill a compact network's encoder and decoder, which begin at 0, with random numbers."""
    hypernetwork = network.hypernetwork
    assert isinstance(hypernetwork, CompactHypernetwork)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in hypernetwork.parameters():
            parameter.normal_(generator=generator)
    return hypernetwork


def test_paper_hypernetwork_is_the_papers_perceptron() -> None:
    config = paper_config(n_edges=15, n_bold=2, hidden_size=5, hypernetwork_sizes=(7, 6))
    network = TwinNetwork(config, seed=3)
    edges = people(4, 15)

    def mish(u: np.ndarray) -> np.ndarray:
        return u * np.tanh(np.log1p(np.exp(u)))

    x = edges.double().numpy()
    layers = list(network.hypernetwork.layers)
    for i, layer in enumerate(layers):
        x = x @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()
        x = mish(x) if i < 2 else x
    np.testing.assert_allclose(network.weights(edges).detach(), x, rtol=2e-5, atol=1e-6)


def test_edge_basis_gives_uncorrelated_scores_of_unit_variance() -> None:
    network = TwinNetwork(compact_config(n_edges=300, n_bold=3, n_components=3))
    hypernetwork = network.hypernetwork
    assert isinstance(hypernetwork, CompactHypernetwork)
    edges = people(60, 300)
    hypernetwork.fit_basis(edges)
    scores = ((edges - hypernetwork.edge_mean) @ hypernetwork.basis.T).numpy()
    np.testing.assert_allclose(scores.mean(0), 0, atol=5e-3)
    np.testing.assert_allclose(np.cov(scores.T), np.eye(3), atol=5e-3)


def test_scores_of_a_connectome_far_from_everybody_are_bounded() -> None:
    network = TwinNetwork(compact_config(n_edges=300, n_bold=3, n_components=3))
    hypernetwork = network.hypernetwork
    assert isinstance(hypernetwork, CompactHypernetwork)
    edges = people(60, 300)
    hypernetwork.fit_basis(edges)
    raw = (edges - hypernetwork.edge_mean) @ hypernetwork.basis.T
    torch.testing.assert_close(hypernetwork.components(edges), 4 * torch.tanh(raw / 4))
    far = hypernetwork.components(edges + 100 * hypernetwork.basis[:1])
    assert float(far.abs().max()) <= 4.0


def test_edge_basis_and_decoder_are_exactly_what_float16_can_hold() -> None:
    network = TwinNetwork(compact_config(n_edges=300, n_bold=3, n_components=4))
    hypernetwork = drawn(network)
    hypernetwork.fit_basis(people(20, 300))
    assert not torch.equal(hypernetwork.decoder.weight, hypernetwork.decoder.weight.half().float())
    hypernetwork.round_for_export()
    for values in (hypernetwork.basis, hypernetwork.edge_mean, hypernetwork.decoder.weight):
        assert torch.equal(values, values.half().float())
    assert float(hypernetwork.basis.abs().max()) > 0


def test_more_components_than_people_leaves_the_rest_empty() -> None:
    network = TwinNetwork(compact_config(n_edges=50, n_bold=3, n_components=16))
    hypernetwork = network.hypernetwork
    assert isinstance(hypernetwork, CompactHypernetwork)
    hypernetwork.fit_basis(people(5, 50))
    assert torch.count_nonzero(hypernetwork.basis.abs().sum(1)) == 4


def test_compact_weights_are_linear_in_the_latent() -> None:
    network = TwinNetwork(compact_config(n_edges=50, n_bold=3, latent_size=4, bold_latents=1))
    drawn(network)
    a, b = torch.randn(2, 1, 4, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(network.decode(a), network.decode(b))
    middle = (network.decode(a) + network.decode(b)) / 2
    torch.testing.assert_close(network.decode((a + b) / 2), middle, rtol=1e-4, atol=1e-5)


def test_the_compact_latent_is_linear_in_the_bounded_scores() -> None:
    network = TwinNetwork(
        compact_config(n_edges=60, n_bold=3, latent_size=4, bold_latents=1, n_components=5)
    )
    hypernetwork = drawn(network)
    edges = people(20, 60)
    hypernetwork.fit_basis(edges)
    scores = hypernetwork.components(edges).double()
    assert scores.shape == (20, 5)
    weight, bias = (p.detach().double() for p in hypernetwork.encoder.parameters())
    expected = scores @ weight.T + bias
    torch.testing.assert_close(network.latent(edges).double(), expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(network.weights(edges), network.decode(network.latent(edges)))


def test_a_compact_network_begins_with_no_weights_at_all() -> None:
    network = TwinNetwork(compact_config(n_edges=50, n_bold=3), seed=2)
    assert not network.weights(people(2, 50)).any()


def test_the_direct_input_changes_biases_and_nothing_else() -> None:
    config = direct_config(n_edges=15, n_bold=2, hidden_size=5)
    network = TwinNetwork(config, seed=3)
    hypernetwork = network.hypernetwork
    assert isinstance(hypernetwork, DirectInput)
    assert not hypernetwork.edge_weights.weight.any()  # at first nobody differs
    torch.nn.init.normal_(
        hypernetwork.edge_weights.weight, generator=torch.Generator().manual_seed(5)
    )
    edges = people(4, 15)
    own = split_weights(network.weights(edges), config)
    shared = split_weights(hypernetwork.base.unsqueeze(0), config)
    for name in ("w_ih", "w_hh", "b_hh", "w_ho", "b_ho"):
        everybodys = getattr(shared, name).expand_as(getattr(own, name))
        assert torch.equal(getattr(own, name), everybodys), name
    # The same as the edges as constant inputs of every step, with input weights of their own.
    drive = edges @ hypernetwork.edge_weights.weight.detach().T * 9 / 15
    assert float(drive.abs().min()) > 0
    torch.testing.assert_close(own.b_ih, shared.b_ih + drive)


@pytest.mark.parametrize("make", [paper_config, direct_config])
def test_other_presets_have_no_latent(make) -> None:
    network = TwinNetwork(make(n_edges=15, n_bold=2, hidden_size=5))
    with pytest.raises(TypeError, match="only the compact preset has a latent"):
        network.latent(people(2, 15))
    with pytest.raises(TypeError, match="only the compact preset has a latent"):
        network.decode(torch.zeros(1, 3))


@pytest.mark.parametrize("make", [paper_config, direct_config])
def test_same_seed_same_network(make) -> None:
    config = make(n_edges=50, n_bold=3, hidden_size=6)
    edges = people(2, 50)
    first, second, other = (TwinNetwork(config, seed=s) for s in (1, 1, 2))
    for name, values in first.state_dict().items():
        assert torch.equal(values, second.state_dict()[name]), name
    assert not torch.equal(first.weights(edges), other.weights(edges))


def test_dropout_keeps_the_mean_and_repeats_with_its_generator() -> None:
    x = torch.ones(2000, 10)
    first = dropped(x, 0.1, torch.Generator().manual_seed(1))
    again = dropped(x, 0.1, torch.Generator().manual_seed(1))
    assert torch.equal(first, again)
    np.testing.assert_allclose(first.unique(), [0.0, 1 / 0.9], rtol=1e-6)
    assert float(first.mean()) == pytest.approx(1.0, abs=0.01)
    assert torch.equal(dropped(x, 0.1, None), x)
