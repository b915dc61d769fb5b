"""The population fit: it finds how people differ, and goes on after a kill as if nothing was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from dtb_models import population
from dtb_models.cohorts import Participant
from dtb_models.config import NetworkConfig, compact_config
from dtb_models.imagined_people import wrong_choice_loss
from dtb_models.population import STATE_FILE, Population, PopulationFit, fit_population
from dtb_models.population_settings import PopulationSettings
from dtb_models.tensors import BlockForm, BoldScale, TrainingData, run_blocks
from dtb_models.windows import Windows, WindowSampler
from dtb_runtime.errors import CheckpointError
from dtb_runtime.responses import read_hazards
from dtb_runtime.tasks import DT_S

PeopleOfSpeed = Callable[..., list[Participant]]
FORM = BlockForm(3, (0,), BoldScale(np.zeros(1, np.float32), np.ones(1, np.float32)), True, 10)


def data_of(people: list[Participant]) -> TrainingData:
    return TrainingData(torch.zeros(len(people), 6), run_blocks(people, FORM))


def small_config(n_latents: int = 1) -> NetworkConfig:
    return compact_config(
        6, 1, personal_units=8, slow_units=2, latent_size=n_latents, bold_latents=0, n_components=1
    )


def start_of(n_people: int, n_latents: int = 1, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(n_people, n_latents, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def settings() -> PopulationSettings:
    return PopulationSettings(
        updates=23,
        window_steps=30,
        burn_in_steps=10,
        learning_rate=1e-2,
        whiten_every=5,
        people_per_update=4,
        seed=3,
    )


@pytest.fixture
def data(people_of_speed: PeopleOfSpeed) -> TrainingData:
    return data_of(people_of_speed(np.linspace(-0.4, 0.4, 6), n_trials=8))


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report and save every fourth update."""
    monkeypatch.setattr(population, "REPORT_EVERY", 4)


def assert_same(found: PopulationFit, expected: PopulationFit) -> None:
    assert found.history == expected.history
    for name in ("base", "directions", "mean", "sd"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


def test_a_planted_difference_between_people_is_found(
    people_of_speed: PeopleOfSpeed, tmp_path: Path
) -> None:
    planted = np.random.default_rng(1).permutation(np.linspace(-1.7, 1.7, 16))
    people = people_of_speed(0.3 * planted)
    longer = PopulationSettings(
        updates=300, window_steps=60, burn_in_steps=20, learning_rate=1e-2, whiten_every=50
    )
    config = small_config()
    fit = fit_population(config, longer, data_of(people), start_of(16), tmp_path)
    found = fit.mean[:, 0].numpy()
    r = np.corrcoef(found, planted)[0, 1]
    assert abs(r) > 0.95
    assert fit.history[-1].trials < 0.7 * fit.history[0].trials
    # What was learned of each person is more than the prior says, and posteriors say how much.
    assert fit.history[-1].divergence > 0.5
    assert float(fit.sd.max()) < 0.6
    assert found.std(ddof=1) ** 2 + float(fit.sd.square().mean()) == pytest.approx(1, rel=1e-3)

    part = population.ActingPart(config)
    events = people[0].runs[0].events
    inputs, _, _ = WindowSampler(data_of(people).blocks, 16, part, 1, 0).whole(0, torch.arange(2))

    def mean_time(z: float) -> float:
        weights = (fit.base + z * fit.directions[:, 0]).repeat(2, 1)
        actions = torch.sigmoid(part.action_logits(weights, inputs)[0, 0]).numpy()
        return float(read_hazards(actions, events, 3, DT_S).response_time_s.mean())

    # A person one SD slower and one SD faster than the mean: planted were exp(+-0.3).
    slower, faster = mean_time(np.sign(r)), mean_time(-np.sign(r))
    assert slower / faster == pytest.approx(np.exp(0.6), rel=0.15)
    assert mean_time(0) == pytest.approx(0.9, rel=0.1)


class KilledError(Exception):
    """Ends a training as a kill would."""


@pytest.mark.parametrize("killed_after", [8, 10, 23])
@pytest.mark.usefixtures("often")
def test_a_killed_fit_goes_on_as_if_nothing_was(
    settings: PopulationSettings,
    data: TrainingData,
    killed_after: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, start = small_config(2), start_of(6, 2)
    whole = fit_population(config, settings, data, start, tmp_path / "whole")
    assert [loss.update for loss in whole.history] == [4, 8, 12, 16, 20, 23]
    take_step, save = population._step, population.StateFile.save

    def step(*arguments: object) -> tuple[float, float]:
        if arguments[-1] == killed_after:
            raise KilledError
        return take_step(*arguments)

    def save_last(self: population.StateFile, progress: dict[str, object]) -> None:
        save(self, progress)
        if progress["update"] == killed_after:
            raise KilledError

    with monkeypatch.context() as patched, pytest.raises(KilledError):
        patched.setattr(population, "_step", step)
        patched.setattr(population.StateFile, "save", save_last)
        fit_population(config, settings, data, start, tmp_path / "killed")
    # What a kill in the middle of writing leaves behind must not be in the way either.
    (tmp_path / "killed" / (STATE_FILE + ".partial")).write_bytes(b"torn")
    seen: list[int] = []
    resumed = fit_population(
        config,
        settings,
        data,
        start,
        tmp_path / "killed",
        resume=True,
        on_progress=lambda done, total, _: seen.append(done),
    )
    assert seen == [update for update in (4, 8, 12, 16, 20, 23) if update > killed_after]
    assert_same(resumed, whole)
    ours, theirs = ((tmp_path / name / STATE_FILE).read_bytes() for name in ("killed", "whole"))
    assert ours == theirs


@pytest.mark.usefixtures("often")
def test_resume_refuses_other_settings_people_and_damaged_files(
    settings: PopulationSettings,
    data: TrainingData,
    people_of_speed: PeopleOfSpeed,
    tmp_path: Path,
) -> None:
    config, start = small_config(), start_of(6)
    short = replace(settings, updates=4)
    fit_population(config, short, data, start, tmp_path)
    with pytest.raises(CheckpointError, match=r"other settings: updates 4 \(now 23\)"):
        fit_population(config, settings, data, start, tmp_path, resume=True)
    other = replace(config, n_components=3)
    with pytest.raises(CheckpointError, match=r"another network .*: n_components 1 \(now 3\)"):
        fit_population(other, short, data, start, tmp_path, resume=True)
    strangers = data_of(people_of_speed(np.zeros(6), n_trials=8, seed=5))
    with pytest.raises(CheckpointError, match="training on other people"):
        fit_population(config, short, strangers, start, tmp_path, resume=True)
    (tmp_path / STATE_FILE).write_bytes(b"not a state")
    with pytest.raises(CheckpointError, match="not a readable training state"):
        fit_population(config, short, data, start, tmp_path, resume=True)


@pytest.mark.usefixtures("often")
def test_a_caller_can_end_the_fit_and_go_on_later(
    settings: PopulationSettings, data: TrainingData, tmp_path: Path
) -> None:
    config, start = small_config(), start_of(6)
    said: list[tuple[int, int, str]] = []

    def stop(done: int, total: int, sentence: str) -> bool:
        said.append((done, total, sentence))
        return done == 8

    ended = fit_population(config, settings, data, start, tmp_path, on_progress=stop)
    assert [loss.update for loss in ended.history] == [4, 8]
    assert [done for done, _, _ in said] == [4, 8]
    assert said[0][1] == settings.updates + settings.slow_epochs
    assert f"{ended.history[0].trials:.1f} nats a person" in said[0][2]
    later = fit_population(config, settings, data, start, tmp_path, resume=True)
    assert_same(later, fit_population(config, settings, data, start, tmp_path / "whole"))


def test_without_resume_an_earlier_state_is_not_looked_at(
    settings: PopulationSettings, data: TrainingData, tmp_path: Path
) -> None:
    config, start = small_config(), start_of(6)
    first = fit_population(config, settings, data, start, tmp_path)
    (tmp_path / STATE_FILE).write_bytes(b"not a state")
    assert_same(fit_population(config, settings, data, start, tmp_path), first)


def test_same_seed_same_fit_other_seed_another(
    settings: PopulationSettings, data: TrainingData, tmp_path: Path
) -> None:
    config, start = small_config(), start_of(6)
    first, again, other = (
        fit_population(config, s, data, start, tmp_path / str(i))
        for i, s in enumerate((settings, settings, replace(settings, seed=4)))
    )
    assert_same(again, first)
    assert not torch.equal(other.mean, first.mean)


def test_what_the_clocks_tell_does_not_differ_between_people(
    settings: PopulationSettings, data: TrainingData, tmp_path: Path
) -> None:
    config = small_config(2)
    fit = fit_population(config, settings, data, start_of(6, 2), tmp_path)
    own = population.ActingPart(config).is_personal == 1
    assert not fit.directions[~own].any()
    assert bool(fit.directions[own].any(1).all())
    assert torch.equal(fit.directions, fit.directions.half().float())


def drawn_population(n_people: int, n_latents: int, log_sd: float) -> Population:
    """Return a population whose latents have drifted, stretched and become correlated."""
    generator = torch.Generator().manual_seed(6)
    mixing = torch.randn(n_latents, n_latents, generator=generator)
    latents = torch.randn(n_people, n_latents, generator=generator) @ mixing + 3
    made = Population(small_config(n_latents), latents, PopulationSettings(latent_effect=0.3))
    with torch.no_grad():
        made.log_sd.copy_(log_sd + 0.3 * torch.randn(n_people, n_latents, generator=generator))
    return made


@pytest.mark.parametrize("log_sd", [-9.0, -1.5, 0.0])
def test_whitening_leaves_everybodys_network_as_it_is(log_sd: float) -> None:
    made = drawn_population(40, 3, log_sd)
    with torch.no_grad():
        before = made.weights(made.mean).double()
        made.whiten()
        after = made.weights(made.mean).double()
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("log_sd", [-9.0, -1.5, 0.0])
def test_whitened_people_are_standard_normal(log_sd: float) -> None:
    made = drawn_population(40, 3, log_sd)
    made.whiten()
    mean, sd = made.mean.detach().double(), made.log_sd.detach().double().exp()
    torch.testing.assert_close(mean.mean(0), torch.zeros(3).double(), rtol=0, atol=1e-5)
    covariance = torch.cov(mean.T) + torch.diag(sd.square().mean(0))
    torch.testing.assert_close(torch.diag(covariance), torch.ones(3).double(), rtol=0, atol=1e-3)
    if log_sd == -9.0:  # posteriors that are no longer diagonal are kept as if they were
        torch.testing.assert_close(covariance, torch.eye(3).double(), rtol=0, atol=1e-3)


def test_draws_from_the_prior_are_people_like_those_that_were_seen() -> None:
    made = drawn_population(40, 3, -9.0)
    with torch.no_grad():
        everybody = made.weights(made.mean).double()
        made.whiten()
    torch.testing.assert_close(made.base.detach().double(), everybody.mean(0), rtol=0, atol=1e-4)
    directions = made.directions.detach().double()
    torch.testing.assert_close(
        directions @ directions.T, torch.cov(everybody.T), rtol=1e-3, atol=1e-3
    )


def test_whitening_twice_is_whitening_once() -> None:
    made = drawn_population(40, 3, -9.0)
    made.whiten()
    before = {name: values.clone() for name, values in made.state_dict().items()}
    made.whiten()
    for name, values in made.state_dict().items():
        torch.testing.assert_close(values, before[name], rtol=0, atol=1e-3)


@pytest.mark.parametrize("n_imagined", [0, 2])
def test_losses_are_the_survival_likelihood_and_the_divergence_from_the_prior(
    n_imagined: int,
) -> None:
    made = drawn_population(5, 2, -0.5)
    generator = torch.Generator().manual_seed(7)
    people = torch.tensor([4, 1, 2])
    windows = Windows(
        inputs=torch.rand(3, 2, 15, 11, generator=generator),
        targets=(torch.rand(3, 2, 15, 3, generator=generator) > 0.9).float(),
        counted=(torch.rand(3, 2, 15, generator=generator) > 0.4).float(),
        right_option=torch.randint(-1, 3, (3, 2, 15), generator=generator),
        trial_start=torch.zeros(3, 2, 15, dtype=torch.long),
        scale=torch.tensor([2.5, 4.0]),
    )
    noise = torch.randn(3, 2, generator=generator)
    imagined = torch.randn(n_imagined, 2, generator=generator)
    with torch.no_grad():
        trials, divergence, wrong_choices = made.losses(people, windows, noise, imagined)
        latent = made.mean[people] + made.log_sd[people].exp() * noise
        hazards = torch.sigmoid(made.part.action_logits(made.weights(latent), windows.inputs))
    h, pressed = hazards.double().numpy(), windows.targets.numpy() > 0
    each = -np.log(np.where(pressed, h, 1 - h)).sum(-1) * windows.counted.numpy()
    expected = (each.sum(2) * windows.scale.numpy()).sum() / 3
    assert float(trials) == pytest.approx(expected, rel=1e-4)
    posterior = Normal(made.mean[people].detach(), made.log_sd[people].detach().exp())
    of_each = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    assert float(divergence) == pytest.approx(float(of_each.mean()), rel=1e-5)
    if n_imagined == 0:
        assert float(wrong_choices) == 0
        return
    # Imagined people see what the first real ones see, with weights of their own.
    with torch.no_grad():
        logits = made.part.action_logits(made.weights(imagined), windows.inputs[:2])
        expected = wrong_choice_loss(logits, windows.first(2))
    assert float(wrong_choices) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_fit_on_a_gpu_comes_back_to_the_cpu(
    settings: PopulationSettings, data: TrainingData, tmp_path: Path
) -> None:
    config, start = small_config(2), start_of(6, 2)
    here = fit_population(config, settings, data, start, tmp_path / "cpu")
    there = fit_population(
        config, settings, data, start, tmp_path / "gpu", device=torch.device("cuda")
    )
    torch.testing.assert_close(there.mean, here.mean, rtol=0, atol=0.05)
