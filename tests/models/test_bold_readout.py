"""The solved readout against numpy's least squares and against a planted answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dtb_models.bold_readout import refit_bold_readout
from dtb_models.config import compact_config, paper_config
from dtb_models.hypernetwork import CompactHypernetwork, TwinNetwork
from dtb_models.main_network import run_hidden, split_weights
from dtb_models.tensors import RunBlock, TrainingData

N_EDGES, N_BOLD, N_STEPS = 30, 3, 400


@pytest.fixture
def network() -> TwinNetwork:
    config = compact_config(N_EDGES, N_BOLD, hidden_size=6, latent_size=2, n_components=3)
    network = TwinNetwork(config, seed=1)
    assert isinstance(network.hypernetwork, CompactHypernetwork)
    network.hypernetwork.fit_basis(edges_of(20, 0))
    return network


def edges_of(n_people: int, seed: int) -> torch.Tensor:
    return 0.3 * torch.randn(n_people, N_EDGES, generator=torch.Generator().manual_seed(seed))


def hidden_of(network: TwinNetwork, data: TrainingData) -> torch.Tensor:
    """Return hidden states and a one, at TR, shape (people, frames, hidden + 1)."""
    with torch.no_grad():
        weights = split_weights(network.weights(data.edges), network.config)
        state = torch.zeros(len(data.edges), network.config.hidden_size)
        hidden = run_hidden(weights, data.blocks[0].stimulus.float(), state, network.leak)[:, ::10]
    return torch.cat([hidden, torch.ones(*hidden.shape[:2], 1)], -1)


def people(n_people: int, seed: int, bold: torch.Tensor | None = None) -> TrainingData:
    generator = torch.Generator().manual_seed(100 + seed)
    n_frames = N_STEPS // 10
    stimulus = (torch.rand(n_people, N_STEPS // 20, 9, generator=generator) > 0.7).float()
    block = RunBlock(
        task="hammer",
        run="hammerAP_run-01",
        people=tuple(range(n_people)),
        stimulus=stimulus.repeat_interleave(20, 1).half(),
        targets=torch.zeros(n_people, N_STEPS, 3).half(),
        counted=torch.ones(n_people, N_STEPS, dtype=torch.bool),
        bold=torch.zeros(n_people, n_frames, N_BOLD) if bold is None else bold,
        bold_counted=torch.ones(n_people, n_frames, dtype=torch.bool),
        design=torch.zeros(n_people, n_frames, 5),
    )
    return TrainingData(edges_of(n_people, seed), (block,))


def with_bold(data: TrainingData, bold: torch.Tensor) -> TrainingData:
    block = data.blocks[0]
    changed = RunBlock(
        **{name: getattr(block, name) for name in RunBlock.__slots__} | {"bold": bold}
    )
    return TrainingData(data.edges, (changed,))


def planted(network: TwinNetwork, data: TrainingData, noise: float, seed: int) -> TrainingData:
    """Give people BOLD that a readout linear in z makes, plus noise."""
    generator = torch.Generator().manual_seed(7)
    a = torch.randn(3, 7, N_BOLD, generator=generator)
    with torch.no_grad():
        z = network.latent(data.edges)
    personal = torch.cat([torch.ones(len(z), 1), z], 1)
    bold = torch.einsum("pk,pfh,khr->pfr", personal, hidden_of(network, data), a)
    own = torch.randn(bold.shape, generator=torch.Generator().manual_seed(seed))
    return with_bold(data, bold + noise * own)


def forecast(network: TwinNetwork, data: TrainingData) -> torch.Tensor:
    with torch.no_grad():
        return network(data.edges, data.blocks[0].stimulus.float()).bold


def test_a_planted_readout_is_recovered(network: TwinNetwork) -> None:
    training = planted(network, people(24, 1), 0.0, 1)
    validation = planted(network, people(8, 2), 0.0, 2)
    fit = refit_bold_readout(network, training, validation)
    assert fit.loss_after < 1e-3 * fit.loss_before
    new = planted(network, people(5, 3), 0.0, 3)
    error = (forecast(network, new) - new.blocks[0].bold).square().mean()
    assert float(error) < 1e-3 * float(new.blocks[0].bold.var())


def test_the_solution_is_numpys_ridge_regression(network: TwinNetwork) -> None:
    training = planted(network, people(24, 1), 0.5, 1)
    validation = planted(network, people(8, 2), 0.5, 2)
    with torch.no_grad():
        z = network.latent(training.edges)
    fit = refit_bold_readout(network, training, validation)
    h = hidden_of(network, training).double().numpy()
    personal = np.concatenate([np.ones((len(z), 1)), z.numpy()], 1)
    x = np.einsum("pk,pfh->pfkh", personal, h).reshape(-1, 21)
    y = training.blocks[0].bold.double().numpy().reshape(-1, N_BOLD)
    penalty = np.repeat([fit.group_penalty, *[fit.person_penalty] * 2], 7)
    penalty[6] = 0
    gram = x.T @ x
    ridge = np.diag(penalty * np.diag(gram)) + 1e-9 * np.mean(np.diag(gram)) * np.eye(21)
    readout = np.linalg.solve(gram + ridge, x.T @ y)
    expected = (x @ readout).reshape(24, -1, N_BOLD)
    np.testing.assert_allclose(forecast(network, training), expected, atol=2e-3)


def test_reported_losses_are_the_networks_own(network: TwinNetwork) -> None:
    training = planted(network, people(24, 1), 0.5, 1)
    validation = planted(network, people(8, 2), 0.5, 2)

    def loss() -> float:
        return float((forecast(network, validation) - validation.blocks[0].bold).square().mean())

    before = loss()
    fit = refit_bold_readout(network, training, validation)
    assert fit.loss_before == pytest.approx(before, rel=1e-4)
    assert fit.loss_after == pytest.approx(loss(), rel=1e-3)


def test_nothing_changes_where_validation_people_would_not_gain(network: TwinNetwork) -> None:
    training = planted(network, people(24, 1), 0.0, 1)
    # Validation BOLD is what the network forecasts already, so every other readout is worse.
    validation = people(8, 2)
    validation = with_bold(validation, forecast(network, validation))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    fit = refit_bold_readout(network, training, validation)
    assert (fit.group_penalty, fit.person_penalty) == (0.0, 0.0)
    for name, values in network.state_dict().items():
        torch.testing.assert_close(values, before[name])


def test_actions_and_dynamics_are_left_alone(network: TwinNetwork) -> None:
    data = people(4, 3)
    before = network(data.edges, data.blocks[0].stimulus.float())
    refit_bold_readout(
        network,
        planted(network, people(24, 1), 0.1, 1),
        planted(network, people(8, 2), 0.1, 2),
    )
    after = network(data.edges, data.blocks[0].stimulus.float())
    assert torch.equal(before.action_logits, after.action_logits)
    assert torch.equal(before.state, after.state)


def test_the_paper_preset_has_no_linear_readout() -> None:
    network = TwinNetwork(paper_config(N_EDGES, N_BOLD, hidden_size=5))
    with pytest.raises(TypeError, match="compact preset"):
        refit_bold_readout(network, people(4, 1), people(4, 2))
