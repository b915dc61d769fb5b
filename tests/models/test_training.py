"""From a cohort to a checkpoint and back, on a small simulated cohort whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dtb_models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dtb_models.cohort_norms import cohort_norms
from dtb_models.cohorts import Participant
from dtb_models.measurement import held_out_figures, run_forecasts
from dtb_models.settings import compact_settings, paper_settings
from dtb_models.simulation import SimulatedCohort
from dtb_models.tensors import BlockForm, TrainingData, bold_scale, edge_matrix, training_data
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


@pytest.fixture(scope="module")
def trained(
    cohort: SimulatedCohort, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Checkpoint, Path]:
    folder = tmp_path_factory.mktemp("trained")
    config, _ = preset_config("compact", cohort.parcellation, hidden_size=8, latent_size=3)
    settings = replace(compact_settings(epochs=2, seed=1), batch_size=4)
    return train(cohort, folder, name="small", config=config, settings=settings), folder


def test_checkpoint_says_what_it_was_trained_on(
    trained: tuple[Checkpoint, Path], cohort: SimulatedCohort
) -> None:
    checkpoint, _ = trained
    facts = checkpoint.training
    assert facts["kind"] == "simulated"
    assert facts["warning"] == cohort.warning
    assert facts["n_train"] + facts["n_validation"] + facts["n_test"] == 12
    assert min(facts["n_train"], facts["n_validation"], facts["n_test"]) >= 1
    assert facts["epochs"] == 2
    assert checkpoint.tasks == ("hammer", "stroop")
    assert checkpoint.bold_regions == cohort.parcellation.labels
    assert set(checkpoint.measured) >= {"action_loss", "bold_mse", "reaction_time_rmse_s:hammer"}


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


def test_norms_are_the_cohorts_own_distributions(
    trained: tuple[Checkpoint, Path], cohort: SimulatedCohort
) -> None:
    checkpoint, _ = trained
    assert checkpoint.parcellation is not None
    edges = edge_matrix(cohort.participants)
    norms = cohort_norms(
        checkpoint.network,
        edges[:8],
        edges[8:],
        checkpoint.tasks,
        checkpoint.parcellation,
        checkpoint.bold_regions,
    )
    z = checkpoint.network.latent(edges).detach().double().numpy()
    mean, covariance = z[:8].mean(0), np.cov(z[:8].T)
    # Three latent numbers of eight people: shrunk by 3 / 11 towards the diagonal.
    covariance = (8 * covariance + 3 * np.diag(np.diag(covariance))) / 11
    np.testing.assert_allclose(norms["latent_mean"], mean, rtol=1e-5, atol=1e-6)
    distance = [np.sqrt((x - mean) @ np.linalg.inv(covariance) @ (x - mean)) for x in z[8:]]
    np.testing.assert_allclose(norms["latent_distance"], np.sort(distance), rtol=1e-3)
    edge_mean = edges[:8].mean(0).numpy()
    similarity = [np.corrcoef(e, edge_mean)[0, 1] for e in edges[8:].numpy()]
    np.testing.assert_allclose(norms["edge_similarity"], np.sort(similarity), atol=2e-3)
    names = norms["indicator_names"].tolist()
    assert {"reaction_time", "stroop_effect", "amygdala_response"} <= set(names)
    assert norms["indicator_quantiles"].shape == (len(names), 101)
    assert (np.diff(norms["indicator_quantiles"], axis=1) >= 0).all()


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


def test_too_few_people_are_refused(tmp_path: Path) -> None:
    few = SimulatedCohort(small_parcellation(), 3, seed=3, n_rest_runs=1, n_rest_frames=100)
    with pytest.raises(CohortError, match="at least 6 participants"):
        train(few, tmp_path, name="few")


def test_unknown_bold_regions_are_named() -> None:
    with pytest.raises(UsageError, match="unknown: nowhere"):
        preset_config("compact", small_parcellation(), bold_regions=["AMY_L", "nowhere"])


def test_the_paper_preset_has_no_latent_size() -> None:
    with pytest.raises(UsageError, match="has no latent"):
        preset_config("paper", small_parcellation(), bold_regions=["AMY_L"], latent_size=4)


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
