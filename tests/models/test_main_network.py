"""The main network against PyTorch's own cell and a float64 loop."""

from __future__ import annotations

import numpy as np
import torch

from dtb_models.config import NetworkConfig, compact_config, paper_config
from dtb_models.main_network import run_main_network, split_weights


def small_config() -> NetworkConfig:
    """Six hidden units, each with another leak."""
    return compact_config(10, 5, personal_units=3, slow_units=2, clock_units=1)


def test_plain_tanh_network_equals_the_torch_cell_person_by_person() -> None:
    config = paper_config(n_edges=10, n_bold=4, hidden_size=16, bold_stride=1)
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(3, config.n_weights, generator=generator, dtype=torch.float64) / 4
    stimulus = torch.rand(3, 40, 9, generator=generator, dtype=torch.float64)
    leak = torch.ones(16, dtype=torch.float64)
    answer = run_main_network(weights, stimulus, None, config, leak)

    for person in range(3):
        # The reference code's flat order: W_ih, W_hh, b_ih, b_hh, W_ho, b_ho, row-major.
        flat = weights[person]
        cell = torch.nn.RNNCell(9, 16, dtype=torch.float64)
        parts = torch.split(flat, [144, 256, 16, 16, 7 * 16, 7])
        with torch.no_grad():
            cell.weight_ih.copy_(parts[0].reshape(16, 9))
            cell.weight_hh.copy_(parts[1].reshape(16, 16))
            cell.bias_ih.copy_(parts[2])
            cell.bias_hh.copy_(parts[3])
            h = torch.zeros(16, dtype=torch.float64)
            outputs = []
            for x in stimulus[person]:
                h = cell(x, h)
                outputs.append(parts[4].reshape(7, 16) @ h + parts[5])
        expected = torch.stack(outputs)
        torch.testing.assert_close(answer.action_logits[person], expected[:, :3])
        torch.testing.assert_close(answer.bold[person], expected[:, 3:])
        torch.testing.assert_close(answer.state[person], h.detach())


def test_leaky_units_follow_their_formula_and_bold_is_read_at_tr() -> None:
    config = small_config()
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(2, config.n_weights, generator=generator, dtype=torch.float64) / 3
    stimulus = torch.rand(2, 47, 9, generator=generator, dtype=torch.float64)
    leak = torch.tensor(config.leak, dtype=torch.float64)
    answer = run_main_network(weights, stimulus, None, config, leak)
    assert answer.bold.shape == (2, 5, 5)

    w = [part[1].numpy() for part in split_weights(weights, config)]
    h = np.zeros(6)
    for t in range(47):
        u = np.tanh(w[0] @ stimulus[1, t].numpy() + w[2] + w[1] @ h + w[3])
        h = h + np.array(config.leak) * (u - h)
        y = w[4] @ h + w[5]
        np.testing.assert_allclose(answer.action_logits[1, t], y[:3], rtol=1e-10, atol=1e-12)
        if t % 10 == 0:
            np.testing.assert_allclose(answer.bold[1, t // 10], y[3:], rtol=1e-10, atol=1e-12)


def test_a_run_in_two_calls_equals_one_call() -> None:
    config = small_config()
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(2, config.n_weights, generator=generator, dtype=torch.float64) / 3
    stimulus = torch.rand(2, 60, 9, generator=generator, dtype=torch.float64)
    leak = torch.tensor(config.leak, dtype=torch.float64)
    whole = run_main_network(weights, stimulus, None, config, leak)
    first = run_main_network(weights, stimulus[:, :30], None, config, leak)
    second = run_main_network(weights, stimulus[:, 30:], first.state, config, leak)
    torch.testing.assert_close(whole.bold, torch.cat([first.bold, second.bold], 1))
    torch.testing.assert_close(whole.state, second.state)


def test_people_do_not_mix() -> None:
    config = small_config()
    generator = torch.Generator().manual_seed(5)
    weights = torch.randn(4, config.n_weights, generator=generator) / 3
    stimulus = torch.rand(4, 30, 9, generator=generator)
    leak = torch.tensor(config.leak)
    together = run_main_network(weights, stimulus, None, config, leak)
    alone = run_main_network(weights[2:3], stimulus[2:3], None, config, leak)
    torch.testing.assert_close(together.action_logits[2:3], alone.action_logits)
