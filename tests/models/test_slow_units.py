"""The slow units: alone as inside a whole network, and able to carry a task's regressors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dtb_models.acting_part import ActingPart, hidden_groups
from dtb_models.cohorts import Participant
from dtb_models.config import NetworkConfig, compact_config
from dtb_models.main_network import run_main_network, split_weights
from dtb_models.population import PopulationFit
from dtb_models.population_settings import PopulationSettings
from dtb_models.slow_units import SlowUnits, fit_slow_units
from dtb_models.tensors import BlockForm, BoldScale, TrainingData, run_blocks

PeopleOfSpeed = Callable[..., list[Participant]]
FORM = BlockForm(3, (0,), BoldScale(np.zeros(1, np.float32), np.ones(1, np.float32)), True, 10)


@pytest.fixture
def config() -> NetworkConfig:
    return compact_config(
        6, 2, personal_units=5, slow_units=12, latent_size=2, bold_latents=0, n_components=1
    )


@pytest.fixture
def settings() -> PopulationSettings:
    return PopulationSettings(
        updates=7, slow_epochs=4, slow_people=3, slow_segment_steps=200, slow_learning_rate=1e-2
    )


@pytest.fixture
def people(people_of_speed: PeopleOfSpeed) -> list[Participant]:
    """Four people with a Stroop run; one has done Hammer as well."""
    stroop = people_of_speed([-0.2, 0.0, 0.1, 0.3])
    hammer = people_of_speed([0.1], task="hammer")
    return [*stroop[:3], replace(stroop[3], runs=(*stroop[3].runs, *hammer[0].runs))]


@pytest.fixture
def data(people: list[Participant]) -> TrainingData:
    return TrainingData(torch.zeros(4, 6), run_blocks(people, FORM))


def fit_of(config: NetworkConfig, n_people: int) -> PopulationFit:
    generator = torch.Generator().manual_seed(2)
    base, scale = ActingPart(config).initial(generator)
    directions = torch.randn(len(base), config.action_latents, generator=generator)
    mean = torch.randn(n_people, config.action_latents, generator=generator)
    directions = directions * scale.unsqueeze(1) * 0.3
    return PopulationFit(base, directions, mean, torch.full_like(mean, 0.2), ())


def seen_by_hand(config: NetworkConfig, weights: Tensor, stimulus: Tensor) -> Tensor:
    """Return the stimulus and the personal units one step before, (people, time, channels)."""
    part = ActingPart(config)
    clocks = part.clocks(0, stimulus.shape[1]).expand(len(stimulus), -1, -1)
    hidden = part.hidden(weights, torch.cat([stimulus, clocks], 2).unsqueeze(1)).squeeze(1)
    before = torch.cat([torch.zeros_like(hidden[:, :1]), hidden[:, :-1]], 1)
    return torch.cat([stimulus, before], 2)


def test_inside_a_whole_network_they_are_what_they_are_alone(config: NetworkConfig) -> None:
    units = SlowUnits(config, torch.Generator().manual_seed(1))
    with torch.no_grad():
        units.bias.normal_(generator=torch.Generator().manual_seed(3))
    fit = fit_of(config, 2)
    weights = fit.base + fit.mean @ fit.directions.T
    stimulus = torch.rand(2, 700, 9, generator=torch.Generator().manual_seed(4))
    whole = ActingPart(config).embed(weights.T).T + units.embed()
    output = run_main_network(whole, stimulus, None, config, torch.tensor(config.leak), 1)
    personal, slow, _ = hidden_groups(config)
    with torch.no_grad():
        seen = seen_by_hand(config, weights, stimulus)
        alone = units(seen, torch.zeros(2, 12))
        halves = units(seen[:, :300], torch.zeros(2, 12))
        halves = torch.cat([halves, units(seen[:, 300:], halves[:, -1])], 1)
    assert float(alone.std()) > 0.05
    torch.testing.assert_close(output.hidden[:, :, slow], alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(halves, alone, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        output.hidden[:, :-1, personal], seen[:, 1:, config.n_inputs :], rtol=0, atol=1e-5
    )


def test_they_act_on_nobody(config: NetworkConfig) -> None:
    units = SlowUnits(config, torch.Generator().manual_seed(1))
    parts = split_weights(units.embed().unsqueeze(0), config)
    personal, slow, clock = hidden_groups(config)
    assert parts.w_hh[0, slow, slow].any()
    assert parts.w_hh[0, slow, personal].any()
    for blind in (personal, clock):
        assert not parts.w_hh[0, blind].any()
        assert not parts.w_ih[0, blind].any()
    assert not parts.w_hh[0, slow, clock].any()
    assert not parts.b_ih[0, personal].any()
    assert not parts.w_ho.any()


def test_training_teaches_them_the_tasks_regressors(
    config: NetworkConfig, settings: PopulationSettings, data: TrainingData
) -> None:
    longer = replace(settings, slow_epochs=40)
    said: list[tuple[int, int, str]] = []
    units = fit_slow_units(
        config, longer, data, fit_of(config, 4), on_progress=lambda *words: said.append(words)
    )
    assert [done for done, _, _ in said] == list(range(8, 48))
    assert {total for _, total, _ in said} == {47}
    missed = [float(sentence.split()[2]) for _, _, sentence in said]
    assert missed[0] > 0.8
    assert missed[-1] < 0.6

    # The same from the outside: what the probe reads of a person's run against the regressors.
    fit, block = fit_of(config, 4), data.blocks[0]
    assert block.task == "stroop"
    weights = fit.base + fit.mean[:1] @ fit.directions.T
    with torch.no_grad():
        seen = seen_by_hand(config, weights, block.stimulus[:1].float())
        hidden = units(seen, torch.zeros(1, 12))
        read = units.probe(torch.cat([hidden, seen[:, :, config.n_inputs :]], 2)[:, ::10])
    error = (read - block.design[:1]).square().mean()
    assert float(error) == pytest.approx(missed[-1], rel=0.3)


def test_they_learn_from_what_they_will_see_in_the_whole_network(
    config: NetworkConfig,
    settings: PopulationSettings,
    data: TrainingData,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward, parts = SlowUnits.forward, []

    def kept(units: SlowUnits, seen: Tensor, state: Tensor) -> Tensor:
        parts.append(seen)
        return forward(units, seen, state)

    monkeypatch.setattr(SlowUnits, "forward", kept)
    one_pass, fit = replace(settings, slow_epochs=1, slow_people=4), fit_of(config, 4)
    fit_slow_units(config, one_pass, data, fit)
    shown = torch.cat(parts, 1)[:4]  # the first run of everybody, in an order of its own
    stimulus = data.blocks[0].stimulus.float()
    expected = seen_by_hand(config, fit.base + fit.mean @ fit.directions.T, stimulus)
    away = (shown[:, None, : stimulus.shape[1]] - expected).abs().amax((2, 3))
    assert bool(((away < 1e-4).sum(0) == 1).all())


def test_same_seed_same_units(
    config: NetworkConfig, settings: PopulationSettings, data: TrainingData
) -> None:
    fit = fit_of(config, 4)
    first, again, other = (
        fit_slow_units(config, s, data, fit).embed()
        for s in (settings, settings, replace(settings, seed=1))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_padding_and_missing_runs_teach_nothing(
    config: NetworkConfig, settings: PopulationSettings, data: TrainingData
) -> None:
    """One person alone in a block of her own gives what she gives among people without it."""
    everybody = replace(settings, slow_people=4)
    fit = fit_of(config, 4)
    stroop, hammer = data.blocks
    assert hammer.people == (3,)
    full = TrainingData(
        data.edges,
        (
            stroop,
            replace(
                hammer,
                people=(0, 1, 2, 3),
                stimulus=hammer.stimulus.repeat(4, 1, 1),
                targets=hammer.targets.repeat(4, 1, 1),
                counted=hammer.counted.repeat(4, 1),
                # No regressor is ever 0 in all its five signals where there are trials.
                design=torch.cat([torch.zeros(3, *hammer.design.shape[1:]), hammer.design]),
            ),
        ),
    )
    assert torch.equal(
        fit_slow_units(config, everybody, data, fit).embed(),
        fit_slow_units(config, everybody, full, fit).embed(),
    )


def test_a_network_may_do_without_them(settings: PopulationSettings, data: TrainingData) -> None:
    config = compact_config(
        6, 2, personal_units=5, slow_units=0, latent_size=2, bold_latents=0, n_components=1
    )
    units = fit_slow_units(config, settings, data, fit_of(config, 4))
    parts = split_weights(units.embed().unsqueeze(0), config)
    assert not parts.w_hh.any()
    assert parts.b_ih[0].tolist() == [0.0] * 5 + [10.0] * 2
