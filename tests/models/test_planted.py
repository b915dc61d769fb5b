"""Ceilings and explained variance: planted truth found again, numbers against scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from dtb_models.planted import (
    PlantedPatterns,
    PlantedPeople,
    ceilings,
    contrast_score,
    explained_by,
    planted_people,
    regress,
)
from dtb_models.simulated_connectome import ConnectomeModel
from dtb_models.simulated_people import TRAITS
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.errors import DataError, UsageError
from dtb_runtime.glm import design_matrix, fit_contrast
from dtb_runtime.parcellation import Parcellation

HALF_S = 196.8


@pytest.fixture(scope="module")
def model(medium_parcellation: Parcellation) -> ConnectomeModel:
    return ConnectomeModel.random(medium_parcellation, n_factors=6, seed=4)


@pytest.fixture(scope="module")
def people(small_parcellation: Parcellation) -> tuple[SimulatedCohort, PlantedPeople]:
    cohort = SimulatedCohort(small_parcellation, 30, seed=2, share=0.5)
    return cohort, planted_people(cohort)


def test_patterns_are_the_derivative_of_the_edges(model: ConnectomeModel) -> None:
    found = PlantedPatterns.of(model)
    upper = np.triu_indices(122, 1)
    group = model.group.astype(np.float64)
    r = group @ group.T
    same = (model.pair[:, None] == model.pair[None]) & (model.pair >= 0)
    r += same * np.outer(model.pair_loading, model.pair_loading)
    np.testing.assert_allclose(found.group_edges, np.arctanh(r[upper]), atol=1e-5)
    for pattern, change in zip(found.patterns, model.patterns.astype(np.float64), strict=True):
        both = group @ change.T + change @ group.T
        expected = both[upper] / (1 - r[upper] ** 2)
        np.testing.assert_allclose(pattern, expected, atol=0.004)
        assert np.corrcoef(pattern, expected)[0, 1] > 0.999
    assert not found.patterns.flags.writeable


def test_factors_of_edges_along_the_patterns_are_exact(
    model: ConnectomeModel, rng: np.random.Generator
) -> None:
    patterns = PlantedPatterns.of(model)
    factors = rng.standard_normal((7, 6))
    edges = patterns.group_edges + factors @ patterns.patterns
    np.testing.assert_allclose(patterns.factors(edges), factors, atol=1e-9)
    np.testing.assert_allclose(patterns.factors(edges[2]), factors[2], atol=1e-9)
    noisy = edges + 0.1 * rng.standard_normal(edges.shape)
    fitted = LinearRegression(fit_intercept=False).fit(
        patterns.patterns.T, (noisy - patterns.group_edges).T
    )
    np.testing.assert_allclose(patterns.factors(noisy), fitted.coef_)


def test_factors_are_seen_through_the_scan(medium_parcellation: Parcellation) -> None:
    cohort = SimulatedCohort(medium_parcellation, 40, seed=1)
    patterns = PlantedPatterns.of(cohort.connectome_model)
    true = np.array([[p.truth[f"factor_{k + 1}"] for k in range(5)] for p in cohort.participants])
    seen = np.array([patterns.factors(p.connectome.edges()) for p in cohort.participants])
    endless = np.array(
        [patterns.factors(cohort.true_connectome(name).edges()) for name in cohort.participant_ids]
    )
    r_seen, r_endless = (
        [np.corrcoef(each[:, k], true[:, k])[0, 1] for k in range(5)] for each in (seen, endless)
    )
    assert min(r_seen) > 0.8
    assert np.mean(r_endless) > np.mean(r_seen)


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


def test_people_without_a_value_are_left_out_of_it(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    y[4] = np.nan
    kept = np.arange(20) != 4
    expected = LinearRegression().fit(x[kept], y[kept]).predict(x)
    np.testing.assert_allclose(regress(x, y, x), expected)
    flat = PlantedPeople(("a",) * 20, x, x, {"flat": np.ones(20), "gap": y})
    found = ceilings(flat, flat)
    assert np.isnan(found["flat"].r)
    assert found["gap"].r == pytest.approx(np.corrcoef(expected[kept], y[kept])[0, 1])


def test_explained_variance_is_that_of_scikit_learn(rng: np.random.Generator) -> None:
    z = rng.standard_normal((57, 4))
    values = z @ [1.0, -0.5, 0.0, 0.2] + rng.standard_normal(57)
    found = explained_by(z, {"value": values}, n_folds=5, seed=3)
    fold = np.empty(57, int)
    order = np.random.default_rng(3).permutation(57)
    for number, part in enumerate(np.array_split(order, 5)):
        fold[part] = number
    expected = cross_val_predict(LinearRegression(), z, values, cv=PredefinedSplit(fold))
    assert found["value"] == pytest.approx(r2_score(values, expected))


def test_latents_explain_what_was_planted_and_nothing_else(
    small_parcellation: Parcellation, rng: np.random.Generator
) -> None:
    cohort = SimulatedCohort(small_parcellation, 1500, seed=1)
    factors = np.array(
        [[p.truth[f"factor_{k + 1}"] for k in range(5)] for p in cohort.participants]
    )
    values = {name: np.array([p.truth[name] for p in cohort.participants]) for name in TRAITS}
    values |= {f"factor_{k + 1}": factors[:, k] for k in range(5)}
    mixed = np.column_stack([factors @ rng.standard_normal((5, 5)), rng.standard_normal((1500, 3))])
    found = explained_by(mixed, values)
    for k in range(5):
        assert found[f"factor_{k + 1}"] == pytest.approx(1)
    assert np.mean([found[name] for name in TRAITS]) == pytest.approx(0.18, abs=0.03)
    nothing = explained_by(rng.standard_normal((1500, 5)), values)
    assert max(nothing.values()) < 0.01
    assert min(nothing.values()) > -0.03
    gaps = np.where(np.arange(1500) % 3 == 0, np.nan, factors[:, 0])
    assert explained_by(mixed, {"gaps": gaps})["gaps"] == pytest.approx(1)
    assert np.isnan(explained_by(mixed, {"flat": np.ones(1500)})["flat"])


def test_a_score_is_a_multiple_of_the_group_map(rng: np.random.Generator) -> None:
    group = rng.standard_normal(30)
    assert contrast_score(2.5 * group, group) == pytest.approx(2.5)
    aside = rng.standard_normal(30)
    aside -= group * (aside @ group) / (group @ group)
    np.testing.assert_allclose(contrast_score([group + aside, -group], group), [1, -1])


def test_what_has_no_ceiling_is_said(
    people: tuple[SimulatedCohort, PlantedPeople], model: ConnectomeModel
) -> None:
    cohort, _ = people
    with pytest.raises(DataError, match=r"patterns are of 7381 edges, found edges of shape \(5,\)"):
        PlantedPatterns.of(model).factors(np.ones(5))
    stranger = replace(cohort.participants[0], truth=None)
    with pytest.raises(UsageError, match="SIM00001 has no planted truth or no connectome"):
        planted_people(cohort, [stranger])
    with pytest.raises(UsageError, match="at least one participant, found none"):
        planted_people(cohort, [])
    with pytest.raises(DataError, match="more than 4 people with values, found 4"):
        regress(np.ones((5, 3)), [1, 2, 3, 4, np.nan], np.ones((1, 3)))
    with pytest.raises(UsageError, match="2 to 5 folds for 5 people, found 6"):
        explained_by(np.ones((5, 1)), {}, n_folds=6)
    with pytest.raises(DataError, match=r"speed must have one value .* found shape \(4,\)"):
        explained_by(np.ones((5, 1)), {"speed": np.ones(4)}, n_folds=2)


def test_ceilings_need_no_torch() -> None:
    code = (
        "import sys, dtb_models.planted, dtb_models.hcp; "
        "print(*{'torch', 'onnx', 'onnxruntime', 'sklearn', 'scipy', 'h5py'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
