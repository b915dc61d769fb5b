"""From a cohort to a checkpoint and back, on a small simulated cohort whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dtb_models import population
from dtb_models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dtb_models.cohorts import Participant
from dtb_models.config import NetworkConfig, Preset
from dtb_models.measurement import bold_error, held_out_figures, run_forecasts
from dtb_models.population_settings import PopulationSettings
from dtb_models.settings import paper_settings
from dtb_models.simulation import SimulatedCohort
from dtb_models.tensors import BlockForm, TrainingData, bold_scale, training_data
from dtb_models.training import preset_config, train
from dtb_runtime.errors import CheckpointError, CohortError, UsageError
from dtb_runtime.parcellation import Parcellation

N_REGIONS = 14


def small_parcellation() -> Parcellation:
    half = N_REGIONS // 2
    places = np.random.default_rng(0).uniform(20, 60, (half, 3))
    mirrored = places * (-1, 1, 1)
    labels = [f"area{i}_{side}" for side in "LR" for i in range(half - 1)]
    labels = [*labels[: half - 1], "AMY_L", *labels[half - 1 :], "AMY_R"]
    return Parcellation(
        name="small14",
        labels=tuple(labels),
        network=tuple("Vis" if i % half < 3 else "Default" for i in range(N_REGIONS)),
        hemisphere=("L",) * half + ("R",) * half,
        coordinates=np.concatenate([mirrored, places]),
        structures={"left_amygdala": ("AMY_L",), "right_amygdala": ("AMY_R",)},
    )


@pytest.fixture(scope="module")
def cohort() -> SimulatedCohort:
    return SimulatedCohort(small_parcellation(), 12, seed=3, n_rest_runs=1, n_rest_frames=100)


SETTINGS = PopulationSettings(
    updates=8,
    window_steps=40,
    burn_in_steps=10,
    slow_epochs=1,
    slow_people=2,
    held_out_fraction=0.3,
    seed=1,
)


@pytest.fixture(scope="module")
def config(cohort: SimulatedCohort) -> NetworkConfig:
    return preset_config("compact", cohort.parcellation, personal_units=4, latent_size=5)[0]


@pytest.fixture(scope="module")
def trained(
    cohort: SimulatedCohort, config: NetworkConfig, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Checkpoint, Path]:
    folder = tmp_path_factory.mktemp("trained")
    return train(cohort, folder, name="small", config=config, settings=SETTINGS), folder


def test_checkpoint_says_what_it_was_trained_on(
    trained: tuple[Checkpoint, Path], cohort: SimulatedCohort
) -> None:
    checkpoint, _ = trained
    facts = checkpoint.training
    assert facts["kind"] == "simulated"
    assert facts["warning"] == cohort.warning
    assert (facts["n_train"], facts["n_validation"], facts["n_test"]) == (8, 0, 4)
    assert facts["epochs"] == 8
    settings = dict(facts["settings"])
    encoder, readout = settings.pop("chosen_encoder"), settings.pop("chosen_readout")
    assert settings == SETTINGS.to_json()
    assert 0 <= encoder["n_components"] <= 32
    assert set(encoder) == {"n_components", "penalty", "density_gain_nats"}
    assert readout["loss"] is None or readout["loss"] > 0
    assert facts["participants"] is None  # nobody real
    assert checkpoint.tasks == ("hammer", "stroop")
    assert checkpoint.bold_regions == cohort.parcellation.labels
    figures = {"bold_mse", "reaction_time_rmse_s:hammer", "choice_concordance:stroop"}
    beside = {f"{prefix}{figure}" for prefix in ("rule/", "shuffled/") for figure in figures}
    assert set(checkpoint.measured) >= figures | beside


def test_checkpoint_survives_the_disk(trained: tuple[Checkpoint, Path]) -> None:
    checkpoint, folder = trained
    again = load_checkpoint(folder)
    edges = 0.3 * torch.randn(3, checkpoint.config.n_edges, generator=torch.Generator())
    assert torch.equal(again.network.weights(edges), checkpoint.network.weights(edges))
    assert again.config == checkpoint.config
    assert again.training == json.loads(json.dumps(checkpoint.training))
    assert again.measured == checkpoint.measured
    assert again.norms.keys() == checkpoint.norms.keys()
    for name, values in checkpoint.norms.items():
        np.testing.assert_array_equal(again.norms[name], values)
    np.testing.assert_array_equal(again.bold_sd, checkpoint.bold_sd)
    assert again.parcellation is not None
    assert checkpoint.parcellation is not None
    assert again.parcellation.labels == checkpoint.parcellation.labels
    assert dict(again.parcellation.structures) == dict(checkpoint.parcellation.structures)


def test_same_checkpoint_same_bytes(trained: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    checkpoint, folder = trained
    save_checkpoint(tmp_path, checkpoint)
    for name in ("network.safetensors", "norms.safetensors", "checkpoint.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def _flip_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _set(folder: Path, **values: object) -> None:
    path = folder / "checkpoint.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "checkpoint.json").unlink(), "is not a checkpoint"),
        (lambda f: (f / "checkpoint.json").write_text("{"), "damaged checkpoint"),
        (lambda f: (f / "network.safetensors").write_bytes(b"x"), "damaged checkpoint"),
        (lambda f: (f / "norms.safetensors").unlink(), "damaged checkpoint"),
        (lambda f: _flip_last_byte(f / "network.safetensors"), "network.safetensors is not the"),
        (lambda f: _flip_last_byte(f / "norms.safetensors"), "norms.safetensors is not the file"),
        (lambda f: _set(f, name=None), "expected text, found None"),
        (lambda f: _set(f, bold_mean=0), "numbers, found shape"),
        (lambda f: _set(f, bold_sd=[1.0]), "numbers, found shape"),
        (lambda f: _set(f, measured=["x"]), "damaged checkpoint"),
        (lambda f: _set(f, norm_names=1), "damaged checkpoint"),
        (
            lambda f: (f / "checkpoint.json").write_text('{"checkpoint_version": 99}'),
            "checkpoint_version 99",
        ),
    ],
)
def test_a_damaged_checkpoint_is_named(
    trained: tuple[Checkpoint, Path], tmp_path: Path, damage, message: str
) -> None:
    save_checkpoint(tmp_path, trained[0])
    damage(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path)


def test_a_training_killed_on_the_way_ends_in_the_same_bytes(
    trained: tuple[Checkpoint, Path],
    cohort: SimulatedCohort,
    config: NetworkConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(population, "REPORT_EVERY", 4)

    def kill(done: int, *_: object) -> None:
        if done == 4:
            raise KeyboardInterrupt

    def again(**options: object) -> None:
        train(cohort, tmp_path, name="small", config=config, settings=SETTINGS, **options)

    with pytest.raises(KeyboardInterrupt):
        again(on_progress=kill)
    assert not (tmp_path / "checkpoint.json").exists()
    seen: list[tuple[int, int]] = []
    again(resume=True, on_progress=lambda done, total, _: seen.append((done, total)))
    assert seen == [(8, 9), (9, 9)]
    for name in ("network.safetensors", "norms.safetensors", "checkpoint.json"):
        assert (tmp_path / name).read_bytes() == (trained[1] / name).read_bytes(), name


def test_everybody_can_be_trained_on(
    cohort: SimulatedCohort, config: NetworkConfig, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, held_out_fraction=0.0)
    checkpoint = train(cohort, tmp_path, name="all", config=config, settings=settings)
    facts = checkpoint.training
    assert (facts["n_train"], facts["n_validation"], facts["n_test"]) == (12, 0, 0)
    assert checkpoint.measured == {}
    assert checkpoint.norms["latent_distance"].shape == (12,)
    assert load_checkpoint(tmp_path).training == json.loads(json.dumps(facts))


def test_norms_say_how_sure_a_connectome_is_of_a_latent(trained: tuple[Checkpoint, Path]) -> None:
    norms = trained[0].norms
    size = trained[0].config.latent_size
    assert norms["population_mean"].shape == norms["latent_mean"].shape == (size,)
    for name in ("population_covariance", "connectome_covariance", "latent_covariance"):
        assert norms[name].shape == (size, size)
        np.linalg.cholesky(norms[name].astype(np.float64))
    assert norms["latent_distance"].shape == (12,)  # eight left out in turn, and the four


def measured(people: list[Participant]) -> TrainingData:
    """Return people's runs with BOLD as measured, as figures are computed on."""
    columns = tuple(range(N_REGIONS))
    form = BlockForm(
        n_actions=3, columns=columns, scale=bold_scale(people, columns), masked=True, bold_stride=10
    )
    return training_data(people, form)


def test_figures_follow_what_people_did(
    trained: tuple[Checkpoint, Path], cohort: SimulatedCohort
) -> None:
    checkpoint, _ = trained
    people = list(cohort.participants)[:6]
    data = measured(people)
    forecasts = list(run_forecasts(checkpoint.network, people, data))
    assert len(forecasts) == sum(len(p.runs) for p in people)
    figures = held_out_figures(forecasts)

    observed, expected = [], []
    for person in people:
        run = next(r for r in person.runs if r.task == "stroop")
        own = next(f for f in forecasts if f.participant is person and f.run is run)
        right = run.responses.usable & run.responses.correct
        observed.append(run.responses.response_time_s[right].mean())
        expected.append(own.distributions.response_time_s[right].mean())
    rmse = np.sqrt(np.mean((np.array(observed) - expected) ** 2))
    assert figures["reaction_time_rmse_s:stroop"] == pytest.approx(rmse)
    r = np.corrcoef(observed, expected)[0, 1]
    assert figures["reaction_time_r:stroop"] == pytest.approx(r)
    assert 0 <= figures["choice_concordance:hammer"] <= 1


def test_the_error_of_bold_counts_what_was_scanned(
    trained: tuple[Checkpoint, Path], cohort: SimulatedCohort
) -> None:
    people = list(cohort.participants)[:3]
    forecasts = list(run_forecasts(trained[0].network, people, measured(people)))
    forecasts[0] = replace(forecasts[0], measured_bold=forecasts[0].measured_bold[:100])
    forecasts[1] = replace(forecasts[1], measured_bold=None)
    errors = [
        np.square(f.bold[: len(f.measured_bold)].astype(np.float64) - f.measured_bold).ravel()
        for f in forecasts
        if f.measured_bold is not None
    ]
    assert bold_error(forecasts) == pytest.approx(np.concatenate(errors).mean())
    assert np.isnan(bold_error(forecasts[1:2]))


def test_too_few_people_are_refused(tmp_path: Path) -> None:
    few = SimulatedCohort(small_parcellation(), 3, seed=3, n_rest_runs=1, n_rest_frames=100)
    with pytest.raises(CohortError, match="at least 6 participants"):
        train(few, tmp_path, name="few")


def test_unknown_bold_regions_are_named() -> None:
    with pytest.raises(UsageError, match="unknown: nowhere"):
        preset_config("compact", small_parcellation(), bold_regions=["AMY_L", "nowhere"])


@pytest.mark.parametrize(
    ("preset", "sizes", "message"),
    [
        ("paper", {"latent_size": 4}, "paper preset has no latent"),
        ("direct", {"personal_units": 4}, "direct preset has no latent and no personal units"),
        ("compact", {"hidden_size": 4}, r"give --personal-units \(personal_units="),
    ],
)
def test_sizes_that_a_preset_does_not_have_are_refused(
    preset: Preset, sizes: dict[str, int], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        preset_config(preset, small_parcellation(), bold_regions=["AMY_L"], **sizes)


def test_bold_keeps_its_share_of_a_latent_of_another_size() -> None:
    default, _ = preset_config("compact", small_parcellation())
    for latent_size in (1, 2, default.latent_size, 40):
        config, _ = preset_config("compact", small_parcellation(), latent_size=latent_size)
        share = default.bold_latents / default.latent_size
        assert abs(config.bold_latents - share * latent_size) < 1
        assert config.action_latents > 0


def test_settings_of_another_preset_are_refused(
    cohort: SimulatedCohort, config: NetworkConfig, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="trained with PopulationSettings"):
        train(cohort, tmp_path, name="x", config=config, settings=paper_settings())
    with pytest.raises(UsageError, match="paper preset is trained with TrainingSettings"):
        train(
            cohort,
            tmp_path,
            name="x",
            preset="paper",
            bold_regions=["AMY_L"],
            settings=PopulationSettings(),
        )
    assert not any(tmp_path.iterdir())


def test_group_contrast_is_that_of_the_mean_maps(
    trained: tuple[Checkpoint, Path], cohort: SimulatedCohort
) -> None:
    checkpoint, _ = trained
    people = list(cohort.participants)[:3]
    data = measured(people)
    forecasts = list(run_forecasts(checkpoint.network, people, data))
    # A twin that forecasts exactly what was measured has the measured group map.
    perfect = [replace(f, bold=f.measured_bold) for f in forecasts]
    assert held_out_figures(perfect)["group_contrast_r:hammer"] == pytest.approx(1.0)
    opposite = [replace(f, bold=-f.bold) for f in perfect]
    assert held_out_figures(opposite)["group_contrast_r:stroop"] == pytest.approx(-1.0)


def test_the_paper_preset_goes_the_same_way(cohort: SimulatedCohort, tmp_path: Path) -> None:
    regions = ("area0_L", "area0_R", "AMY_R")
    config, labels = preset_config("paper", cohort.parcellation, bold_regions=regions)
    config = replace(config, hidden_size=6, leak=(1.0,) * 6, hypernetwork_sizes=(5, 5))
    settings = replace(paper_settings(epochs=1), batch_size=8, learning_rate=1e-3)
    checkpoint = train(
        cohort,
        tmp_path,
        name="paper",
        preset="paper",
        config=config,
        bold_regions=regions,
        settings=settings,
    )
    assert checkpoint.bold_regions == labels == regions
    assert checkpoint.config.action_reading == "density"
    assert checkpoint.parcellation is not None
    # Only what is forecast can be a structure's BOLD.
    assert dict(checkpoint.parcellation.structures) == {"right_amygdala": ("AMY_R",)}
    assert "latent_mean" not in checkpoint.norms
    assert "amygdala_response" in checkpoint.norms["indicator_names"].tolist()
    assert {"bold_mse", "rule/bold_mse", "shuffled/bold_mse"} <= set(checkpoint.measured)


def test_the_control_without_hypernetwork_goes_the_same_way(
    cohort: SimulatedCohort, tmp_path: Path
) -> None:
    regions = ("area0_L", "AMY_R")
    config, _ = preset_config("direct", cohort.parcellation, bold_regions=regions, hidden_size=5)
    settings = replace(
        paper_settings(epochs=1, masked=True),
        batch_size=8,
        learning_rate=1e-3,
        validation_fraction=0.3,
    )
    checkpoint = train(
        cohort,
        tmp_path,
        name="direct",
        preset="direct",
        config=config,
        bold_regions=regions,
        settings=settings,
    )
    assert checkpoint.config.preset == "direct"
    assert checkpoint.config.action_reading == "hazard"
    # 70 % and 30 %: nobody is left over to be held out.
    assert checkpoint.training["n_test"] == 0
    assert checkpoint.training["n_train"] + checkpoint.training["n_validation"] == 12
    assert checkpoint.measured == {}
    edges = torch.zeros(1, checkpoint.config.n_edges)
    again = load_checkpoint(tmp_path).network
    assert torch.equal(again.weights(edges), checkpoint.network.weights(edges))
