"""What is found of what was planted: the best that can be, a perfect twin, and one that guesses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dtb_models.contrast_maps import run_contrast
from dtb_models.evaluation_planted import PlantedGroups, forecast_targets, planted_figures
from dtb_models.planted import contrast_score
from dtb_models.simulation import SimulatedCohort
from dtb_models.twin_contrasts import ContrastPair
from dtb_runtime.errors import MissingDependencyError
from dtb_runtime.glm import Contrast
from dtb_runtime.parcellation import Parcellation

N_TRAIN, N_NEW = 40, 24


@pytest.fixture(scope="module")
def cohort(small_parcellation: Parcellation) -> SimulatedCohort:
    return SimulatedCohort(
        small_parcellation, N_TRAIN + N_NEW, seed=7, share=0.9, n_rest_runs=1, n_rest_frames=200
    )


def person(participant: Any, latent: np.ndarray, expected_s: float, score: float, c: Any) -> Any:
    """Somebody whose twin forecasts these numbers."""
    planted = c.response_maps.contrast("face", "shape")
    forecast = Contrast("face", "shape", score * planted, planted, 100)
    run = participant.run("hammerAP_run-01")
    measured = run_contrast(run.events, run.bold)
    assert measured is not None
    return SimpleNamespace(
        participant_id=participant.participant_id,
        runs=[SimpleNamespace(participant=participant, run=run)],
        bundle=SimpleNamespace(
            digest="a", manifest=SimpleNamespace(bold_regions=c.parcellation.labels)
        ),
        edges=participant.connectome.edges(),
        start=SimpleNamespace(latent=latent),
        twin=SimpleNamespace(latent=latent),
        learning=None,
        expected_s={"hammer": expected_s, "stroop": expected_s + 0.1},
        contrasts={"hammer": ContrastPair(forecast, forecast, measured, (score, 0.0))},
    )


@pytest.fixture(scope="module")
def new(cohort: SimulatedCohort) -> list[Any]:
    """Twins that know each person's true factors."""
    people = []
    for participant in cohort.participants[N_TRAIN:]:
        truth = participant.truth
        factors = np.array([truth[f"factor_{k + 1}"] for k in range(5)])
        speed = 1.0 - 0.1 * truth["processing_speed"]
        score = truth["response_gain"] * truth["face_shape_scale"]
        people.append(person(participant, factors, speed, score, cohort))
    return people


@pytest.fixture(scope="module")
def groups(cohort: SimulatedCohort, new: list[Any]) -> PlantedGroups:
    training = cohort.participants[:N_TRAIN]
    edges = np.stack([each.connectome.edges() for each in training])  # type: ignore[union-attr]
    return PlantedGroups.of(cohort, training, new, None, training_edges=edges)


@pytest.fixture(scope="module")
def found(groups: PlantedGroups, new: list[Any]) -> dict[str, Any]:
    turned = [{p.participant_id: new[(i + k) % N_NEW] for i, p in enumerate(new)} for k in (1, 9)]
    return planted_figures(groups, new, turned, None, seed=1)


def test_a_twin_is_compared_with_what_was_measured(
    found: dict[str, Any], groups: PlantedGroups, new: list[Any]
) -> None:
    assert (found["n_training"], found["n_new"], found["window_s"]) == (N_TRAIN, N_NEW, None)
    row = found["targets"]["reaction_time:stroop"]
    ours = np.array([p.expected_s["stroop"] for p in new])
    theirs = groups.new.targets["reaction_time:stroop"]
    assert row["twin_r"]["value"] == pytest.approx(np.corrcoef(ours, theirs)[0, 1])
    assert row["share_of_ceiling"] == pytest.approx(row["twin_r"]["value"] / row["ceiling_r"])
    exchanged = [np.corrcoef(np.roll(ours, -k), theirs)[0, 1] for k in (1, 9)]
    assert row["control/shuffled_r"] == pytest.approx(np.mean(exchanged))
    assert np.isfinite(row["connectome/components_r"])
    assert np.isfinite(row["connectome/edge_sums_r"])


def test_a_twin_that_knows_the_truth_is_best(found: dict[str, Any]) -> None:
    targets = found["targets"]
    assert targets["true_contrast_scale:hammer"]["twin_r"]["value"] == pytest.approx(1.0)
    assert targets["contrast_score:hammer"]["twin_r"]["value"] > 0.5
    assert "twin_r" not in targets["contrast_score:stroop"]  # not forecast
    assert "processing_speed" not in targets


def test_latents_explain_what_they_hold(found: dict[str, Any]) -> None:
    explained = found["explained"]
    assert set(explained) == {"scan", "connectome"}  # no trials, no posterior
    for k in range(5):
        assert explained["connectome"][f"factor_{k + 1}"] == pytest.approx(1.0)
    assert explained["connectome"]["processing_speed"] > 0.5
    assert explained["scan"]["processing_speed"] < explained["connectome"]["processing_speed"] + 0.1


def test_scores_are_along_the_planted_map(new: list[Any], cohort: SimulatedCohort) -> None:
    targets = forecast_targets(new, cohort)
    planted = cohort.response_maps.contrast("face", "shape")
    expected = contrast_score(
        np.stack([p.contrasts["hammer"].forecast.estimate for p in new]), planted
    )
    np.testing.assert_allclose(targets["contrast_score:hammer"], expected)
    np.testing.assert_allclose(
        targets["reaction_time"], [np.mean(list(p.expected_s.values())) for p in new]
    )
    np.testing.assert_allclose(targets["amygdala:hammer"], expected)


def test_who_was_not_judged_in_a_task_does_not_count(groups: PlantedGroups, new: list[Any]) -> None:
    some = [
        SimpleNamespace(**{**vars(p), "expected_s": {} if i == 0 else p.expected_s})
        for i, p in enumerate(new)
    ]
    row = planted_figures(groups, some, [], None)["targets"]["reaction_time"]
    assert row["twin_r"]["n"] == N_NEW - 1
    assert row["control/shuffled_r"] is None


def test_a_linear_control_that_is_not_there_is_said(
    found: dict[str, Any], groups: PlantedGroups, new: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found["notes"] == []

    def unavailable(*_: Any, **__: Any) -> Any:
        raise MissingDependencyError("scikit-learn is not installed.")

    monkeypatch.setattr("dtb_models.evaluation_planted.predict_from_connectomes", unavailable)
    without = planted_figures(groups, new, [], None)
    assert without["notes"] == [
        "Linear models of what was planted are left out. scikit-learn is not installed."
    ]
    assert not any(name.startswith("connectome/") for name in without["targets"]["reaction_time"])


def test_people_without_a_connectome_have_no_linear_control(
    groups: PlantedGroups, new: list[Any]
) -> None:
    first = SimpleNamespace(**{**vars(new[0]), "edges": None})
    (note,) = planted_figures(groups, [first, *new[1:]], [], None)["notes"]
    assert note.endswith("are left out: not everybody who is judged has a connectome.")


def one_sample_t(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.mean(0) / values.std(0, ddof=1) * np.sqrt(len(values)))


def test_planted_responses_without_noise_have_a_group_map_of_their_own(
    found: dict[str, Any], cohort: SimulatedCohort, new: list[Any]
) -> None:
    """Beside the plain formula, on contrasts fitted to what was planted."""
    estimates = []
    for each in new:
        run = each.runs[0].run
        bold = cohort.planted_bold(each.participant_id, run)
        contrast = run_contrast(run.events, bold)
        assert contrast is not None
        estimates.append(contrast.estimate)
    r = np.corrcoef(
        one_sample_t(np.stack(estimates)),
        one_sample_t(np.stack([p.contrasts["hammer"].measured.t for p in new])),
    )[0, 1]
    assert found["noiseless_group_t_r"] == {
        "group_t_r": pytest.approx(r, rel=1e-6),
        "group_t_r:hammer": pytest.approx(r, rel=1e-6),
    }


def test_what_is_planted_is_what_a_scan_has_besides_ongoing_activity(
    cohort: SimulatedCohort,
) -> None:
    """Over many people ongoing activity averages out; its SD is 1."""
    people = cohort.participants[:40]
    left = []
    for each in people:
        run = each.run("stroopAP_run-01")
        assert run.bold is not None
        left.append(run.bold - cohort.planted_bold(each.participant_id, run))
    assert np.std(left) == pytest.approx(1, abs=0.02)
    assert np.abs(np.mean(left, axis=0)).mean() < 1.2 * np.sqrt(2 / np.pi / len(people))
