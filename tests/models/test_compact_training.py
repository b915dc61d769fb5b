"""The parts of a compact training, put together: every part is found again in the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dtb_models import compact_training, encoder_fit
from dtb_models.acting_part import ActingPart, hidden_groups
from dtb_models.cohorts import Participant
from dtb_models.compact_training import SCORE_PRECISION, CompactFit, fit_compact
from dtb_models.config import NetworkConfig, compact_config
from dtb_models.encoder_fit import EncoderFit, Floats, Fold, Measurements
from dtb_models.hypernetwork import CompactHypernetwork, TwinNetwork
from dtb_models.main_network import split_weights
from dtb_models.population_settings import PopulationSettings
from dtb_models.response_scores import response_scores
from dtb_models.tensors import BlockForm, BoldScale, TrainingData, run_blocks
from dtb_models.windows import WindowSampler

PeopleOfSpeed = Callable[..., list[Participant]]
N_PEOPLE, N_REGIONS, N_EDGES = 12, 5, 40
FORM = BlockForm(
    3,
    tuple(range(N_REGIONS)),
    BoldScale(np.zeros(N_REGIONS, np.float32), np.ones(N_REGIONS, np.float32)),
    True,
    10,
)
CONFIG = compact_config(
    N_EDGES,
    N_REGIONS,
    personal_units=4,
    slow_units=3,
    latent_size=4,
    bold_latents=2,
    n_components=8,
)
SETTINGS = PopulationSettings(
    updates=12, window_steps=40, burn_in_steps=10, whiten_every=5, slow_epochs=1, slow_people=2
)


@pytest.fixture(scope="module")
def people(people_of_speed: PeopleOfSpeed) -> list[Participant]:
    """People with noise for BOLD; the last one was not scanned."""
    rng = np.random.default_rng(1)
    made = []
    for person in people_of_speed(rng.normal(0, 0.3, N_PEOPLE), n_trials=12):
        run = person.runs[0]
        bold = rng.standard_normal((run.events.n_frames, N_REGIONS)).astype(np.float32)
        made.append(replace(person, runs=(replace(run, bold_source=bold),)))
    made[-1] = replace(made[-1], runs=(replace(made[-1].runs[0], bold_source=None),))
    return made


@pytest.fixture(scope="module")
def data(people: list[Participant]) -> TrainingData:
    edges = 0.3 * torch.randn(N_PEOPLE, N_EDGES, generator=torch.Generator().manual_seed(2))
    return TrainingData(edges, run_blocks(people, FORM))


@pytest.fixture(scope="module")
def fitted(
    people: list[Participant], data: TrainingData, tmp_path_factory: pytest.TempPathFactory
) -> CompactFit:
    """A network for which three components of the connectomes were chosen."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(encoder_fit.fit_encoder, "__kwdefaults__", {"components": (3,)})
        return fit_compact(CONFIG, SETTINGS, people, data, tmp_path_factory.mktemp("fit"))


def hypernetwork_of(network: TwinNetwork) -> CompactHypernetwork:
    assert isinstance(network.hypernetwork, CompactHypernetwork)
    return network.hypernetwork


def test_twins_of_the_training_people_act_as_the_population_fit_says(
    fitted: CompactFit, data: TrainingData
) -> None:
    part, population = ActingPart(CONFIG), fitted.population
    own = population.base + population.mean @ population.directions.T
    everybody = torch.arange(N_PEOPLE)
    inputs, _, _ = WindowSampler(data.blocks, N_PEOPLE, part, 1, 0).whole(0, everybody)
    expected = part.action_logits(own, inputs).squeeze(1)
    with torch.no_grad():
        output = fitted.network.run(
            fitted.network.decode(fitted.latents), data.blocks[0].stimulus.float()
        )
    torch.testing.assert_close(output.action_logits, expected, rtol=0, atol=1e-4)


def test_latents_are_posterior_means_and_response_scores(
    fitted: CompactFit, people: list[Participant], data: TrainingData
) -> None:
    assert fitted.latents.shape == (N_PEOPLE, 4)
    assert torch.equal(fitted.latents[:, :2], fitted.population.mean)
    scores = response_scores(people, data, 2)
    np.testing.assert_allclose(fitted.latents[:, 2:], scores.values, atol=1e-6)
    assert not scores.is_measured[-1].any()


def test_what_moves_bold_alone_moves_no_action(fitted: CompactFit, data: TrainingData) -> None:
    z = fitted.latents[:3]
    changed = z + torch.tensor([0.0, 0.0, 2.0, -2.0])
    stimulus = data.blocks[0].stimulus[:3].float()
    with torch.no_grad():
        before, after = (
            fitted.network.run(fitted.network.decode(x), stimulus) for x in (z, changed)
        )
    assert torch.equal(before.action_logits, after.action_logits)
    assert torch.equal(before.state, after.state)
    assert not torch.allclose(before.bold, after.bold)


def test_slow_units_and_clocks_are_the_same_for_everybody(fitted: CompactFit) -> None:
    with torch.no_grad():
        weights = split_weights(fitted.network.decode(fitted.latents), CONFIG)
    personal, slow, clock = hidden_groups(CONFIG)
    for group in (slow, clock):
        for values in (weights.w_ih, weights.w_hh, weights.b_ih, weights.b_hh):
            assert torch.equal(values[:, group], values[:1, group].expand_as(values[:, group]))
    assert weights.w_hh[:, slow, personal].any()
    assert float(weights.w_hh[:, personal].std(0).max()) > 0


def test_the_encoder_is_the_regression_on_the_edge_basis(
    fitted: CompactFit, data: TrainingData
) -> None:
    network, encoder = fitted.network, fitted.encoder
    assert encoder.n_components == network.config.n_components == 3
    assert network.config == replace(CONFIG, n_components=3)
    scores = hypernetwork_of(network).components(data.edges)
    assert scores.shape == (N_PEOPLE, 3)
    np.testing.assert_allclose(
        network.latent(data.edges).detach(), encoder.regression.predict(scores.numpy()), atol=1e-5
    )
    assert float(network.latent(data.edges).detach().std(0).min()) > 0


def test_what_a_bundle_halves_is_rounded_already(fitted: CompactFit) -> None:
    hypernetwork = hypernetwork_of(fitted.network)
    for values in (hypernetwork.decoder.weight, hypernetwork.basis, hypernetwork.edge_mean):
        assert torch.equal(values, values.half().float())
        assert values.any()
    assert not fitted.network.training


def kept_measurements(
    monkeypatch: pytest.MonkeyPatch, n_components: int
) -> list[tuple[Floats, Measurements]]:
    """Let the encoder choose between one number of components; keep what it is fitted to."""
    seen: list[tuple[Floats, Measurements]] = []

    def fit(scores: Floats, measured: Measurements, folds: Sequence[Fold]) -> EncoderFit:
        seen.append((scores, measured))
        return encoder_fit.fit_encoder(scores, measured, folds, components=(n_components,))

    monkeypatch.setattr(compact_training, "fit_encoder", fit)
    return seen


def test_the_encoder_is_fitted_to_what_was_measured_without_the_prior(
    people: list[Participant],
    data: TrainingData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = kept_measurements(monkeypatch, 3)
    fit = fit_compact(CONFIG, SETTINGS, people, data, tmp_path)
    ((scores, measured),) = seen
    assert scores.shape == (N_PEOPLE, 8)
    # A measurement and the standard normal prior together are the posterior again.
    value, precision = measured.value[:, :2], measured.precision[:, :2]
    assert (precision > 0).all()
    posterior = 1 + precision
    np.testing.assert_allclose(1 / np.sqrt(posterior), fit.population.sd, rtol=1e-4)
    np.testing.assert_allclose(precision * value / posterior, fit.population.mean, atol=1e-4)
    # Response scores are as they were measured; nothing is known of who was not scanned.
    assert set(measured.precision[:-1, 2:].ravel()) == {SCORE_PRECISION}
    assert not measured.precision[-1, 2:].any()
    np.testing.assert_allclose(measured.value[:, 2:], fit.latents[:, 2:], atol=1e-6)


def test_a_posterior_as_wide_as_the_prior_measures_nothing(
    people: list[Participant],
    data: TrainingData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit_population = compact_training.fit_population

    def unsure(config: NetworkConfig, *arguments: object, **options: object):
        fit = fit_population(config, *arguments, **options)
        sd = fit.sd.clone()
        sd[0], sd[1, 0] = 1.0, 1.3
        return replace(fit, sd=sd)

    monkeypatch.setattr(compact_training, "fit_population", unsure)
    seen = kept_measurements(monkeypatch, 0)
    fit_compact(CONFIG, SETTINGS, people, data, tmp_path)
    ((_, measured),) = seen
    assert measured.precision[0, :2].tolist() == [0, 0]
    assert measured.value[0, :2].tolist() == [0, 0]
    assert measured.precision[1, 0] == measured.value[1, 0] == 0
    assert measured.precision[1, 1] > 0


def test_connectomes_that_say_nothing_give_everybody_the_same_latent(
    people: list[Participant],
    data: TrainingData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept_measurements(monkeypatch, 0)
    fit = fit_compact(CONFIG, SETTINGS, people, data, tmp_path)
    assert fit.encoder.n_components == 0
    assert fit.network.config.n_components == 1  # a graph without a component would be none
    latents = fit.network.latent(data.edges).detach()
    assert torch.equal(latents, latents[:1].expand_as(latents))
    np.testing.assert_allclose(latents[0], fit.encoder.regression.intercept, atol=1e-6)


def test_fewer_people_than_components_can_be_trained_on(
    people: list[Participant], tmp_path: Path
) -> None:
    some = people[:5]
    edges = 0.3 * torch.randn(5, N_EDGES, generator=torch.Generator().manual_seed(3))
    fit = fit_compact(CONFIG, SETTINGS, some, TrainingData(edges, run_blocks(some, FORM)), tmp_path)
    assert 1 <= fit.network.config.n_components <= 4
    assert bool(torch.isfinite(fit.network.weights(edges)).all())
