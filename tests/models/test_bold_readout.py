"""The solved readout against numpy's ridge regression and against a planted answer."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dtb_models.bold_readout import (
    GROUP_PENALTIES,
    N_PARTS,
    PERSON_PENALTIES,
    solve_bold_readout,
)
from dtb_models.config import compact_config, paper_config
from dtb_models.hypernetwork import CompactHypernetwork, TwinNetwork, initial_weights
from dtb_models.main_network import MainOutput, run_hidden, split_weights
from dtb_models.tensors import RunBlock, TrainingData

N_BOLD, N_STEPS, N_HIDDEN = 3, 400, 6
Floats = NDArray[np.float64]


@pytest.fixture
def network() -> TwinNetwork:
    """A network whose hidden dynamics depend on z; its BOLD is not solved yet."""
    config = compact_config(
        30,
        N_BOLD,
        personal_units=3,
        slow_units=2,
        clock_units=1,
        latent_size=2,
        bold_latents=1,
        n_components=3,
    )
    network = TwinNetwork(config, seed=1)
    assert isinstance(network.hypernetwork, CompactHypernetwork)
    generator = torch.Generator().manual_seed(11)
    base, scale = initial_weights(config, generator)
    decoder = network.hypernetwork.decoder
    with torch.no_grad():
        decoder.bias.copy_(base)
        decoder.weight.normal_(0, 0.2, generator=generator).mul_(scale.unsqueeze(1))
    return network


def latents_of(n_people: int, seed: int) -> Tensor:
    return torch.randn(n_people, 2, generator=torch.Generator().manual_seed(seed))


def people(n_people: int, seed: int) -> TrainingData:
    """Return people of one run each, all of whose frames were measured."""
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
        bold=torch.zeros(n_people, n_frames, N_BOLD),
        bold_counted=torch.ones(n_people, n_frames, dtype=torch.bool),
        design=torch.zeros(n_people, n_frames, 5),
        right_option=torch.zeros(n_people, N_STEPS, dtype=torch.int8),
        trial_start=torch.zeros(n_people, N_STEPS, dtype=torch.int32),
    )
    return TrainingData(torch.zeros(n_people, 30), (block,))


def regressors_of(network: TwinNetwork, data: TrainingData, z: Tensor) -> Floats:
    """Return [1, z] x [h, 1] at TR, shape (people, frames, 3 * 7)."""
    with torch.no_grad():
        weights = split_weights(network.decode(z), network.config)
        state = torch.zeros(len(z), N_HIDDEN)
        hidden = run_hidden(weights, data.blocks[0].stimulus.float(), state, network.leak)[:, ::10]
    h = torch.cat([hidden, torch.ones(*hidden.shape[:2], 1)], -1).double().numpy()
    personal = torch.cat([torch.ones(len(z), 1), z], 1).double().numpy()
    return np.asarray(np.einsum("pk,pfh->pfkh", personal, h)).reshape(*h.shape[:2], 21)


def with_bold(data: TrainingData, bold: Floats) -> TrainingData:
    block = replace(data.blocks[0], bold=torch.from_numpy(bold).float())
    return TrainingData(data.edges, (block,))


def planted(
    network: TwinNetwork, data: TrainingData, z: Tensor, noise: float, *, personal: float = 1.0
) -> TrainingData:
    """Give people BOLD that a readout linear in z makes, plus noise."""
    readout = np.random.default_rng(7).standard_normal((21, N_BOLD))
    readout[7:] *= personal
    bold = regressors_of(network, data, z) @ readout
    return with_bold(data, bold + noise * np.random.default_rng(8).standard_normal(bold.shape))


def answer(network: TwinNetwork, data: TrainingData, z: Tensor) -> MainOutput:
    with torch.no_grad():
        return network.run(network.decode(z), data.blocks[0].stimulus.float())


def ridge(x: Floats, y: Floats, group: float, person: float) -> Floats:
    """Return the ridge solution on (people, frames, ...) arrays; the group's constant goes free."""
    penalty = np.repeat([group, person, person], 7)
    penalty[6] = 0
    x, y = x.reshape(-1, 21), y.reshape(-1, N_BOLD)
    gram = x.T @ x
    mean_square = np.diag(gram)
    shrink = np.diag(penalty * mean_square + 1e-9 * mean_square.mean())
    return np.asarray(np.linalg.solve(gram + shrink, x.T @ y))


def test_a_planted_readout_is_recovered(network: TwinNetwork) -> None:
    z = latents_of(24, 1)
    training = planted(network, people(24, 1), z, 0.0)
    variance = float(training.blocks[0].bold.var())
    fit = solve_bold_readout(network, training, z, seed=0)
    assert (fit.group_penalty, fit.person_penalty) == (GROUP_PENALTIES[0], PERSON_PENALTIES[0])
    assert fit.loss < 2e-3 * variance
    new_z = latents_of(5, 2)
    new = planted(network, people(5, 2), new_z, 0.0)
    error = (answer(network, new, new_z).bold - new.blocks[0].bold).square().mean()
    assert float(error) < 2e-3 * variance


@pytest.mark.parametrize("noise", [0.5, 4.0])
def test_the_solution_is_numpys_ridge_regression(network: TwinNetwork, noise: float) -> None:
    z = latents_of(24, 1)
    training = planted(network, people(24, 1), z, noise)
    x = regressors_of(network, training, z)
    fit = solve_bold_readout(network, training, z, seed=0)
    readout = ridge(
        x, training.blocks[0].bold.double().numpy(), fit.group_penalty, fit.person_penalty
    )
    np.testing.assert_allclose(answer(network, training, z).bold, x @ readout, atol=2e-3)


@pytest.mark.parametrize("seed", [0, 3])
def test_penalties_are_those_with_the_least_error_on_people_left_out(
    network: TwinNetwork, seed: int
) -> None:
    z = latents_of(10, 1)
    training = planted(network, people(10, 1), z, 3.0, personal=0.3)
    x, y = regressors_of(network, training, z), training.blocks[0].bold.double().numpy()
    fit = solve_bold_readout(network, training, z, seed=seed)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(seed)).numpy()
    losses = {}
    for group, person in product(GROUP_PENALTIES, PERSON_PENALTIES):
        squares = []
        for part in range(N_PARTS):
            left_out = order[part::N_PARTS]
            others = np.setdiff1d(order, left_out)
            readout = ridge(x[others], y[others], group, person)
            squares.append(np.square(x[left_out] @ readout - y[left_out]).reshape(-1))
        losses[group, person] = float(np.concatenate(squares).mean())
    best = min(losses, key=lambda penalties: losses[penalties])
    assert (fit.group_penalty, fit.person_penalty) == best
    assert fit.loss == pytest.approx(losses[best], rel=1e-4)


def test_people_who_do_not_differ_get_the_groups_bold(network: TwinNetwork) -> None:
    z = latents_of(12, 1)
    training = planted(network, people(12, 1), z, 4.0, personal=0.0)
    fit = solve_bold_readout(network, training, z, seed=0)
    assert fit.person_penalty >= 1.0


def test_frames_and_people_that_were_not_measured_have_no_say(network: TwinNetwork) -> None:
    z = latents_of(12, 1)
    whole = planted(network, people(12, 1), z, 1.0)
    block = whole.blocks[0]
    counted = block.bold_counted.clone()
    counted[2, 20:] = False  # a scan that broke off
    counted[5] = False  # nobody scanned
    cut = replace(block, bold_counted=counted)
    strange = replace(cut, bold=torch.where(counted.unsqueeze(2), block.bold, 1e3))
    fits, decoders = [], []
    for one in (cut, strange):
        fits.append(solve_bold_readout(network, TrainingData(whole.edges, (one,)), z, seed=0))
        decoders.append({k: v.clone() for k, v in network.state_dict().items()})
    assert fits[0] == fits[1]
    for name, values in decoders[0].items():
        assert torch.equal(values, decoders[1][name]), name


def test_two_runs_count_as_one_after_the_other(network: TwinNetwork) -> None:
    z = latents_of(12, 1)
    first = planted(network, people(12, 1), z, 1.0).blocks[0]
    second = replace(planted(network, people(12, 2), z, 1.0).blocks[0], run="hammerPA_run-01")
    backwards = replace(
        second,
        people=tuple(reversed(range(12))),
        stimulus=second.stimulus.flip(0),
        bold=second.bold.flip(0),
    )
    edges, losses = torch.zeros(12, 30), []
    for blocks in ((first, second), (backwards, first)):
        losses.append(solve_bold_readout(network, TrainingData(edges, blocks), z, seed=0).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_single_persons_bold_gives_everybody_the_same_readout(network: TwinNetwork) -> None:
    z = latents_of(6, 1)
    training = planted(network, people(6, 1), z, 0.5)
    counted = torch.zeros_like(training.blocks[0].bold_counted)
    counted[4] = True
    alone = replace(training.blocks[0], bold_counted=counted)
    fit = solve_bold_readout(network, TrainingData(training.edges, (alone,)), z, seed=0)
    assert fit.person_penalty == PERSON_PENALTIES[-1]
    assert math.isinf(fit.loss)
    bold = answer(network, training, z).bold
    error = (bold[4] - training.blocks[0].bold[4]).square().mean()
    assert float(error) < float(training.blocks[0].bold[4].var())


def test_actions_and_dynamics_are_left_alone(network: TwinNetwork) -> None:
    z, data = latents_of(4, 3), people(4, 3)
    before = answer(network, data, z)
    others = latents_of(24, 1)
    solve_bold_readout(network, planted(network, people(24, 1), others, 0.1), others, seed=0)
    after = answer(network, data, z)
    assert torch.equal(before.action_logits, after.action_logits)
    assert torch.equal(before.state, after.state)
    assert not torch.allclose(before.bold, after.bold)


def test_the_paper_preset_has_no_linear_readout() -> None:
    network = TwinNetwork(paper_config(30, N_BOLD, hidden_size=5))
    with pytest.raises(TypeError, match="compact preset"):
        solve_bold_readout(network, people(4, 1), latents_of(4, 1), seed=0)
