"""The recurrence and its written-out gradient against autograd and finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dtb_models.recurrence import run_recurrence

LEAKS = ([1.0, 1.0, 1.0, 1.0], [1.0, 0.5, 0.2, 0.05])


def drawn(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, generator=generator, dtype=dtype) / 2).requires_grad_()


def one_by_one(drive: Tensor, w_hh: Tensor, state: Tensor, leak: Tensor) -> Tensor:
    """Return the hidden states by the formula, one network, sequence and step after the other."""
    networks = []
    for own_drive, own_w, own_state in zip(drive, w_hh, state, strict=True):
        sequences = []
        for inputs, first in zip(own_drive, own_state, strict=True):
            h, course = first, []
            for x in inputs:
                h = h + leak * (torch.tanh(x + own_w @ h) - h)
                course.append(h)
            sequences.append(torch.stack(course))
        networks.append(torch.stack(sequences))
    return torch.stack(networks)


@pytest.mark.parametrize("leak", LEAKS)
def test_hidden_states_follow_the_formula(leak: list[float]) -> None:
    leaks = torch.tensor(leak, dtype=torch.float64)
    inputs = (drawn(2, 3, 7, 4, seed=1), drawn(2, 4, 4, seed=2), drawn(2, 3, 4, seed=3))
    torch.testing.assert_close(run_recurrence(*inputs, leaks), one_by_one(*inputs, leaks))


@pytest.mark.parametrize("leak", LEAKS)
def test_the_written_out_gradient_equals_finite_differences(leak: list[float]) -> None:
    leaks = torch.tensor(leak, dtype=torch.float64)
    inputs = (drawn(2, 3, 6, 4, seed=4), drawn(2, 4, 4, seed=5), drawn(2, 3, 4, seed=6))
    assert torch.autograd.gradcheck(lambda *x: run_recurrence(*x, leaks), inputs)


@pytest.mark.parametrize("leak", LEAKS)
def test_the_written_out_gradient_equals_autograds_over_many_steps(leak: list[float]) -> None:
    leaks = torch.tensor(leak, dtype=torch.float64)
    inputs = (drawn(2, 2, 150, 4, seed=7), drawn(2, 4, 4, seed=8), drawn(2, 2, 4, seed=9))
    weight = drawn(2, 2, 150, 4, seed=10).detach()
    ours = torch.autograd.grad((run_recurrence(*inputs, leaks) * weight).sum(), inputs)
    theirs = torch.autograd.grad((one_by_one(*inputs, leaks) * weight).sum(), inputs)
    for own, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, expected)


def test_sequences_of_a_network_share_weights_and_nothing_else() -> None:
    leaks = torch.tensor(LEAKS[1])
    drive = drawn(2, 3, 9, 4, seed=11, dtype=torch.float32).detach()
    w_hh = drawn(2, 4, 4, seed=12, dtype=torch.float32).detach()
    state = torch.zeros(2, 3, 4)
    together = run_recurrence(drive, w_hh, state, leaks)
    for k in range(3):
        alone = run_recurrence(drive[:, k : k + 1], w_hh, state[:, k : k + 1], leaks)
        torch.testing.assert_close(together[:, k : k + 1], alone)
