"""Ceilings: what simulated people did, and how well what is planted predicts it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from dtb_models.planted import PlantedPeople, ceilings, contrast_score, planted_people
from dtb_models.simulated_people import TRAITS
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.errors import UsageError
from dtb_runtime.glm import design_matrix, fit_contrast
from dtb_runtime.parcellation import Parcellation

HALF_S = 196.8


@pytest.fixture(scope="module")
def people(small_parcellation: Parcellation) -> tuple[SimulatedCohort, PlantedPeople]:
    cohort = SimulatedCohort(small_parcellation, 30, seed=2, share=0.5)
    return cohort, planted_people(cohort)


def test_targets_are_what_people_did(
    people: tuple[SimulatedCohort, PlantedPeople], small_parcellation: Parcellation
) -> None:
    cohort, found = people
    assert found.participant_ids == cohort.participant_ids
    person = cohort.participants[7]
    assert person.truth is not None
    for k in range(5):
        assert found.true_factors[7, k] == person.truth[f"factor_{k + 1}"]
    run = person.run("hammerAP_run-01")
    right = run.responses.usable & run.responses.correct
    hammer_s = run.responses.response_time_s[right].mean()
    assert found.targets["reaction_time:hammer"][7] == pytest.approx(hammer_s)
    both_s = (hammer_s + found.targets["reaction_time:stroop"][7]) / 2
    assert found.targets["reaction_time"][7] == pytest.approx(both_s)
    assert run.bold is not None
    design = design_matrix(run.events, len(run.bold), 0.8)
    estimate = fit_contrast(run.bold, design, ("face", "shape")).estimate
    amygdala = small_parcellation.indices(["lAMY-rh"])[0]
    assert found.targets["amygdala:hammer"][7] == pytest.approx(estimate[amygdala])
    planted = cohort.response_maps.contrast("face", "shape")
    (slope,) = np.linalg.lstsq(planted[:, None], estimate, rcond=None)[0]
    assert found.targets["contrast_score:hammer"][7] == pytest.approx(slope)
    scale = person.truth["response_gain"] * person.truth["incongruent_congruent_scale"]
    assert found.targets["true_contrast_scale:stroop"][7] == pytest.approx(scale)
    assert found.targets["interference"][7] == person.truth["interference"]
    assert "amygdala:stroop" not in found.targets


def test_measured_contrasts_follow_the_true_scales(
    people: tuple[SimulatedCohort, PlantedPeople],
) -> None:
    targets = people[1].targets
    true, measured = targets["true_contrast_scale:hammer"], targets["contrast_score:hammer"]
    assert np.corrcoef(true, measured)[0, 1] > 0.8
    assert np.polyfit(true, measured, 1)[0] == pytest.approx(1, abs=0.2)
    assert np.corrcoef(true, targets["amygdala:hammer"])[0, 1] > 0.6


def test_a_part_of_the_runs_can_be_judged_alone(
    people: tuple[SimulatedCohort, PlantedPeople],
) -> None:
    cohort, whole = people
    some = cohort.participants[:3]
    calls: list[tuple[int, int]] = []
    found = planted_people(
        cohort,
        some,
        window_s=(HALF_S, 2 * HALF_S),
        progress=lambda done, of: calls.append((done, of)),
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]
    run = some[0].run("stroopAP_run-01")
    later = (run.events.onset_s >= HALF_S) & (run.events.onset_s < 2 * HALF_S)
    right = run.responses.usable & run.responses.correct & later
    expected = run.responses.response_time_s[right].mean()
    assert found.targets["reaction_time:stroop"][0] == pytest.approx(expected)
    np.testing.assert_array_equal(found.seen_factors, whole.seen_factors[:3])
    name = "contrast_score:hammer"
    assert np.all(found.targets[name] != whole.targets[name][:3])


def test_the_ceiling_is_the_root_of_the_share(small_parcellation: Parcellation) -> None:
    cohort = SimulatedCohort(small_parcellation, 1200, seed=1, share=0.5)
    factors = np.array(
        [[p.truth[f"factor_{k + 1}"] for k in range(5)] for p in cohort.participants]
    )
    rng = np.random.default_rng(0)
    targets = {name: np.array([p.truth[name] for p in cohort.participants]) for name in TRAITS}
    noisy = factors + rng.standard_normal(factors.shape)

    def part(rows: slice) -> PlantedPeople:
        return PlantedPeople(
            cohort.participant_ids[rows],
            factors[rows],
            noisy[rows],
            {name: values[rows] for name, values in targets.items()},
        )

    found = ceilings(part(slice(600)), part(slice(600, None)))
    assert set(found) == set(TRAITS)
    for name, ceiling in found.items():
        assert ceiling.r_true_factors > ceiling.r
        np.testing.assert_array_equal(ceiling.observed, targets[name][600:])
        model = LinearRegression().fit(noisy[:600], targets[name][:600])
        np.testing.assert_allclose(ceiling.predicted, model.predict(noisy[600:]))
        expected = np.corrcoef(ceiling.predicted, ceiling.observed)[0, 1]
        assert ceiling.r == pytest.approx(expected)
    mean_r = np.mean([ceiling.r_true_factors for ceiling in found.values()])
    assert mean_r == pytest.approx(np.sqrt(0.5), abs=0.04)
    mean_r = np.mean([ceiling.r for ceiling in found.values()])
    assert mean_r == pytest.approx(np.sqrt(0.25), abs=0.05)  # half of what is seen is noise


def test_a_constant_has_no_ceiling_and_gaps_are_left_out(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    y[4] = np.nan
    kept = np.arange(20) != 4
    expected = LinearRegression().fit(x[kept], y[kept]).predict(x)
    flat = PlantedPeople(("a",) * 20, x, x, {"flat": np.ones(20), "gap": y})
    found = ceilings(flat, flat)
    assert np.isnan(found["flat"].r)
    assert found["gap"].r == pytest.approx(np.corrcoef(expected[kept], y[kept])[0, 1])


def test_a_score_is_a_multiple_of_the_group_map(rng: np.random.Generator) -> None:
    group = rng.standard_normal(30)
    assert contrast_score(2.5 * group, group) == pytest.approx(2.5)
    aside = rng.standard_normal(30)
    aside -= group * (aside @ group) / (group @ group)
    np.testing.assert_allclose(contrast_score([group + aside, -group], group), [1, -1])


def test_what_has_no_ceiling_is_said(
    people: tuple[SimulatedCohort, PlantedPeople],
) -> None:
    cohort, _ = people
    stranger = replace(cohort.participants[0], truth=None)
    with pytest.raises(UsageError, match="SIM00001 has no planted truth or no connectome"):
        planted_people(cohort, [stranger])
    with pytest.raises(UsageError, match="at least one participant, found none"):
        planted_people(cohort, [])


def test_ceilings_need_no_torch() -> None:
    code = (
        "import sys, dtb_models.planted, dtb_models.explained_variance, dtb_models.hcp; "
        "print(*{'torch', 'onnx', 'onnxruntime', 'sklearn', 'scipy', 'h5py'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
