"""The acting part alone and inside a whole network: the same actions, clocks included."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dtb_models.acting_part import INITIAL_ACTION_BIAS, ActingPart, hidden_groups
from dtb_models.config import CLOCK_TAU_S, NetworkConfig, compact_config
from dtb_models.main_network import MainOutput, run_main_network, split_weights
from dtb_models.slow_units import SlowUnits
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import get_task


@pytest.fixture
def config() -> NetworkConfig:
    return compact_config(
        10, 4, personal_units=5, slow_units=3, clock_units=2, latent_size=4, bold_latents=1
    )


@pytest.fixture
def part(config: NetworkConfig) -> ActingPart:
    return ActingPart(config)


def acting_weights(part: ActingPart, n_people: int) -> Tensor:
    """Return weights of people who differ, with clocks that count, shape (people, weights)."""
    generator = torch.Generator().manual_seed(3)
    base, scale = part.initial(generator)
    return base + scale * torch.randn(n_people, part.n_weights, generator=generator) / 2


def with_clocks(part: ActingPart, stimulus: Tensor) -> Tensor:
    clocks = part.clocks(0, stimulus.shape[1]).expand(len(stimulus), -1, -1)
    return torch.cat([stimulus, clocks], 2)


def run_whole(part: ActingPart, weights: Tensor, stimulus: Tensor) -> MainOutput:
    """Run whole networks, slow units and clocks included, with BOLD at every step."""
    config = part.config
    slow = SlowUnits(config, torch.Generator().manual_seed(4)).embed()
    whole = part.embed(weights.T).T + slow
    return run_main_network(whole, stimulus, None, config, torch.tensor(config.leak), 1)


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_the_whole_network_acts_as_the_acting_part_over_a_run(part: ActingPart, task: str) -> None:
    stimulus = network_input(get_task(task).stimulus(get_task(task).schedule()))
    both = torch.from_numpy(stimulus).repeat(2, 1, 1)
    weights = acting_weights(part, 2)
    whole = run_whole(part, weights, both)
    logits = part.action_logits(weights, with_clocks(part, both).unsqueeze(1))
    assert logits.shape == (2, 1, len(stimulus), 3)
    assert float((logits[0] - logits[1]).abs().max()) > 0.1
    torch.testing.assert_close(whole.action_logits, logits.squeeze(1), rtol=0, atol=1e-5)


def test_the_clocks_are_part_of_it(part: ActingPart) -> None:
    """A network whose clocks say nothing acts in another way: the test above would notice."""
    weights = acting_weights(part, 1)
    stimulus = torch.rand(1, 3000, 9, generator=torch.Generator().manual_seed(5))
    inputs = with_clocks(part, stimulus)
    logits = part.action_logits(weights, inputs.unsqueeze(1))
    inputs[:, :, 9:] = 0
    stopped = part.action_logits(weights, inputs.unsqueeze(1))
    assert float((logits - stopped).abs().max()) > 0.1


def test_hidden_states_are_personal_slow_and_clock_units(part: ActingPart) -> None:
    weights = acting_weights(part, 2)
    stimulus = torch.rand(2, 500, 9, generator=torch.Generator().manual_seed(6))
    whole = run_whole(part, weights, stimulus)
    personal, slow, clock = hidden_groups(part.config)
    assert [(s.start, s.stop) for s in (personal, slow, clock)] == [(0, 5), (5, 8), (8, 10)]
    hidden = part.hidden(weights, with_clocks(part, stimulus).unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(whole.hidden[:, :, personal], hidden, rtol=0, atol=1e-5)
    seconds = torch.arange(1, 501, dtype=torch.float64).unsqueeze(1) * 0.08
    expected = 1 - torch.exp(-seconds / torch.tensor(CLOCK_TAU_S, dtype=torch.float64))
    torch.testing.assert_close(
        whole.hidden[:, :, clock].double(), expected.expand(2, -1, -1), rtol=0, atol=1e-6
    )
    # A step sees the clocks of the step before.
    torch.testing.assert_close(part.clocks(1, 501).double(), expected, rtol=0, atol=1e-6)
    assert not part.clocks(0, 1).any()
    torch.testing.assert_close(part.clocks(40, 60), part.clocks(0, 60)[40:])


def test_sequences_start_anew_and_do_not_mix(part: ActingPart) -> None:
    weights = acting_weights(part, 2)
    inputs = torch.rand(2, 3, 40, 11, generator=torch.Generator().manual_seed(7))
    together = part.action_logits(weights, inputs)
    alone = part.action_logits(weights[1:], inputs[1:, 2:])
    torch.testing.assert_close(together[1:, 2:], alone)


def test_embedding_is_linear(part: ActingPart) -> None:
    generator = torch.Generator().manual_seed(8)
    a, b = torch.randn(2, part.n_weights, 3, generator=generator)
    torch.testing.assert_close(part.embed(2 * a - b), 2 * part.embed(a) - part.embed(b))
    together = part.embed(torch.cat([a, b], 1))
    assert torch.equal(together, torch.cat([part.embed(a), part.embed(b)], 1))


def test_embedding_keeps_every_number_once_and_adds_none(part: ActingPart) -> None:
    numbers = torch.arange(1, part.n_weights + 1, dtype=torch.float32).unsqueeze(1)
    whole = part.embed(numbers)
    assert whole.shape == (part.config.n_weights, 1)
    assert torch.equal(whole[whole != 0].sort().values, numbers.squeeze(1))


def test_only_what_reads_the_clocks_is_everybodys(part: ActingPart) -> None:
    own = part.is_personal
    assert own.shape == (part.n_weights,)
    assert set(own.tolist()) == {0.0, 1.0}
    assert int((own == 0).sum()) == 5 * 2
    everybodys = split_weights(part.embed((1 - own).unsqueeze(1)).T, part.config)
    personal, _, clock = hidden_groups(part.config)
    assert everybodys.w_hh[0, personal, clock].all()
    assert float(sum(values.sum() for values in everybodys)) == 5 * 2


def test_weights_begin_with_hazards_of_some_percent(part: ActingPart) -> None:
    base, scale = part.initial(torch.Generator().manual_seed(1))
    again, _ = part.initial(torch.Generator().manual_seed(1))
    assert torch.equal(base, again)
    assert not torch.equal(base, part.initial(torch.Generator().manual_seed(2))[0])
    assert base[-3:].tolist() == [INITIAL_ACTION_BIAS] * 3
    assert bool((base[:-3].abs() <= scale[:-3]).all())
    silent = torch.zeros(1, 1, 50, 11)
    hazards = torch.sigmoid(part.action_logits(base.unsqueeze(0), silent))
    assert 0.005 < float(hazards.mean()) < 0.2


def test_a_network_may_do_without_clocks() -> None:
    part = ActingPart(compact_config(10, 4, personal_units=3, slow_units=2, clock_units=0))
    assert part.clocks(0, 7).shape == (7, 0)
    assert bool(part.is_personal.all())
    weights = acting_weights(part, 1)
    stimulus = torch.rand(1, 60, 9, generator=torch.Generator().manual_seed(9))
    logits = part.action_logits(weights, with_clocks(part, stimulus).unsqueeze(1))
    torch.testing.assert_close(
        run_whole(part, weights, stimulus).action_logits, logits.squeeze(1), rtol=0, atol=1e-5
    )
