"""Simulated people: their truth, their connectomes, their trials and their BOLD."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from nilearn.glm.first_level import compute_regressor

from dtb_models.cohorts import Participant
from dtb_models.measured_traits import (
    RealBehavior,
    measured_traits,
    normal_scores,
    trait_correlations,
)
from dtb_models.response_maps import synthetic_maps
from dtb_models.simulated_behavior import item_effects
from dtb_models.simulated_bold import task_regressors
from dtb_models.simulated_connectome import ConnectomeModel, autoregressive
from dtb_models.simulated_people import TRAIT_CORRELATIONS, TRAITS, TraitModel, person_generator
from dtb_models.simulation import SimulatedCohort
from dtb_models.tcp import TcpCohort
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.glm import design_matrix, fit_contrast
from dtb_runtime.parcellation import Parcellation, read_regions_table
from dtb_runtime.tasks import get_task

N_PEOPLE = 800


@pytest.fixture(scope="module")
def many(small_parcellation: Parcellation) -> SimulatedCohort:
    """Enough people for between-person figures; nobody's brain is made unless asked for."""
    return SimulatedCohort(small_parcellation, N_PEOPLE, seed=1)


@pytest.fixture(scope="module")
def few(small_parcellation: Parcellation) -> SimulatedCohort:
    return SimulatedCohort(small_parcellation, 4, seed=3)


def truth(people: Sequence[Participant], *names: str) -> np.ndarray:
    return np.array([[person.truth[name] for name in names] for person in people if person.truth])


def r_squared(predictors: np.ndarray, values: np.ndarray) -> np.ndarray:
    design = np.column_stack([np.ones(len(predictors)), predictors])
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    left, total = np.square(values - fitted).sum(0), np.square(values - values.mean(0)).sum(0)
    return np.asarray(1 - left / total)


# Traits and factors


@pytest.mark.parametrize("share", [0.0, 0.18, 0.6, 1.0])
def test_traits_load_on_factors_with_the_share(share: float) -> None:
    model = TraitModel.random(share=share, n_factors=6, seed=2)
    rng = np.random.default_rng(0)
    factors, traits = map(np.array, zip(*(model.draw(rng) for _ in range(6000)), strict=True))
    np.testing.assert_allclose(r_squared(factors, traits), share, atol=0.03)
    np.testing.assert_allclose(np.cov(factors.T), np.eye(6), atol=0.06)
    np.testing.assert_allclose(np.cov(traits.T), TRAIT_CORRELATIONS, atol=0.06)
    loadings = traits.T @ factors / len(factors)
    np.testing.assert_allclose(loadings, model.loadings, atol=0.06)


def test_the_cohort_has_the_share_it_was_asked_for(many: SimulatedCohort) -> None:
    factors = truth(many.participants, *(f"factor_{k}" for k in range(1, 6)))
    found = r_squared(factors, truth(many.participants, *TRAITS))
    np.testing.assert_allclose(found, 0.18, atol=0.06)
    assert abs(found.mean() - 0.18) < 0.025


def test_given_traits_are_kept_and_leave_the_joint_distribution_as_it_is() -> None:
    model = TraitModel.random(share=0.5, n_factors=5, seed=2)
    rng = np.random.default_rng(0)
    factors, traits = [], []
    for _ in range(6000):
        measured = model.draw(rng)[1]
        measured[4] = np.nan
        measured[rng.integers(4)] = np.nan  # everybody lacks something else
        f, t = model.draw_given(measured, rng)
        known = np.isfinite(measured)
        np.testing.assert_array_equal(t[known], measured[known])
        factors.append(f)
        traits.append(t)
    np.testing.assert_allclose(r_squared(np.array(factors), np.array(traits)), 0.5, atol=0.04)
    np.testing.assert_allclose(np.cov(np.array(factors).T), np.eye(5), atol=0.06)
    np.testing.assert_allclose(np.cov(np.array(traits).T), TRAIT_CORRELATIONS, atol=0.06)


def test_nothing_measured_is_a_free_draw() -> None:
    model = TraitModel.random(share=0.3, n_factors=5, seed=2)
    free = model.draw(np.random.default_rng(1))
    given = model.draw_given(np.full(5, np.nan), np.random.default_rng(1))
    np.testing.assert_array_equal(free[0], given[0])
    np.testing.assert_array_equal(free[1], given[1])


# The same seed


def test_the_same_seed_gives_the_same_bytes(small_parcellation: Parcellation) -> None:
    def content(seed: int) -> list[bytes]:
        person = SimulatedCohort(small_parcellation, 2, seed=seed).participants[1]
        assert person.connectome is not None
        pieces = [person.connectome.correlations.tobytes(), repr(dict(person.truth or {})).encode()]
        for run in person.runs:
            assert run.bold is not None
            pieces += [run.bold.tobytes(), run.responses.response_time_s.tobytes()]
        return pieces

    assert content(5) == content(5)
    assert all(one != other for one, other in zip(content(5), content(6), strict=True))


def test_nobody_depends_on_how_many_there_are_or_who_was_asked_first(
    small_parcellation: Parcellation,
) -> None:
    alone = SimulatedCohort(small_parcellation, 1, seed=5).participants[0]
    crowd = SimulatedCohort(small_parcellation, 9, seed=5).participants
    for person in crowd[::-1]:
        for run in person.runs[::-1]:
            assert run.bold is not None
    same = crowd[0]
    assert same.participant_id == alone.participant_id
    assert same.truth == alone.truth
    assert same.connectome is not None
    assert alone.connectome is not None
    assert same.connectome.digest() == alone.connectome.digest()
    for one, other in zip(same.runs, alone.runs, strict=True):
        np.testing.assert_array_equal(one.bold, other.bold)
        np.testing.assert_array_equal(
            one.responses.response_time_s, other.responses.response_time_s
        )


def test_people_differ(few: SimulatedCohort) -> None:
    digests = {person.connectome.digest() for person in few.participants if person.connectome}
    assert len(digests) == 4
    assert (
        len({person.runs[0].responses.response_time_s.tobytes() for person in few.participants})
        == 4
    )


def test_brains_are_made_only_when_asked_for(
    small_parcellation: Parcellation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a brain was made")

    monkeypatch.setattr(ConnectomeModel, "person", never)
    person = SimulatedCohort(small_parcellation, 2, seed=0).participants[0]
    assert person.runs[0].has_bold
    with pytest.raises(AssertionError, match="a brain was made"):
        _ = person.connectome


def test_generators_are_apart_by_seed_person_and_purpose() -> None:
    keys = [(0, "a", "x"), (1, "a", "x"), (0, "b", "x"), (0, "a", "y")]
    assert len({person_generator(*key).random() for key in keys}) == 4


# Connectomes


def test_connectomes_are_valid(few: SimulatedCohort, small_parcellation: Parcellation) -> None:
    for person in few.participants:
        for connectome in (person.connectome, few.true_connectome(person.participant_id)):
            assert connectome is not None
            r = connectome.correlations.astype(np.float64)
            assert r.shape == (26, 26)
            assert connectome.labels == small_parcellation.labels
            np.testing.assert_array_equal(r, r.T)
            np.testing.assert_array_equal(np.diagonal(r), 1)
            assert np.abs(r[np.triu_indices(26, 1)]).max() < 1
            assert np.linalg.eigvalsh(r).min() > -1e-6
            assert Connectome.from_matrix(r).notes == ()


@pytest.mark.parametrize("strength", [0.0, 1.0, 8.0])
def test_any_departure_stays_a_correlation_matrix(
    medium_parcellation: Parcellation, strength: float
) -> None:
    model = ConnectomeModel.random(
        medium_parcellation, n_factors=5, seed=0, factor_strength=strength
    )
    brain = model.person(np.array([3.0, -3, 3, 3, -3]), np.random.default_rng(0))
    values = np.linalg.eigvalsh(brain.correlations().astype(np.float64))
    assert values.min() > 0
    assert values.sum() == pytest.approx(122)


def test_the_group_has_network_blocks_and_homotopic_pairs(
    medium_parcellation: Parcellation,
) -> None:
    cohort = SimulatedCohort(medium_parcellation, 30, seed=4)
    mean = np.mean(
        [cohort.true_connectome(name).correlations for name in cohort.participant_ids], axis=0
    )
    network = np.array(medium_parcellation.network)
    same = network[:, None] == network[None]
    np.fill_diagonal(same, False)
    different = network[:, None] != network[None]
    pairs = np.arange(0, 120, 2)
    assert mean[same].mean() > mean[different].mean() + 0.15
    left = np.array(medium_parcellation.hemisphere) == "L"
    across = same & (left[:, None] != left[None])
    assert mean[pairs, pairs + 1].mean() > mean[across].mean() + 0.08
    assert abs(mean[np.triu_indices(122, 1)].mean()) < 0.05


def test_a_longer_scan_is_nearer_the_truth(medium_parcellation: Parcellation) -> None:
    upper = np.triu_indices(122, 1)
    errors = {}
    for n_runs, n_frames in ((1, 122), (1, 488), (4, 488)):
        cohort = SimulatedCohort(
            medium_parcellation, 3, seed=4, n_rest_runs=n_runs, n_rest_frames=n_frames
        )
        errors[n_runs * n_frames] = np.mean(
            [
                np.square(
                    person.connectome.correlations - cohort.true_connectome(name).correlations
                )[upper].mean()
                for name, person in zip(cohort.participant_ids, cohort.participants, strict=True)
                if person.connectome
            ]
        )
    # Bartlett: a first-order process with lag-1 correlation 0.68 counts 0.37 per frame.
    for n_frames, error in errors.items():
        assert error == pytest.approx(1 / (0.37 * n_frames), rel=0.35)


def test_factors_can_be_read_from_scans_of_new_people(medium_parcellation: Parcellation) -> None:
    cohort = SimulatedCohort(medium_parcellation, 120, seed=4)
    edges = np.array([p.connectome.edges() for p in cohort.participants if p.connectome])
    factors = truth(cohort.participants, *(f"factor_{k}" for k in range(1, 6)))
    train, test = slice(0, 80), slice(80, 120)
    mean = edges[train].mean(0)
    centered = (edges - mean).astype(np.float32)
    _, axes = np.linalg.eigh(centered[train] @ centered[train].T)  # the small side of an SVD
    scores = centered @ (centered[train].T @ axes[:, -12:])
    scores /= scores[train].std(0)
    design = np.column_stack([np.ones(120), scores])
    fitted = design[test] @ np.linalg.lstsq(design[train], factors[train], rcond=None)[0]
    r = [np.corrcoef(fitted[:, k], factors[test][:, k])[0, 1] for k in range(5)]
    assert np.square(r).mean() > 0.8


def test_without_factor_strength_connectomes_know_nothing_of_the_factors(
    medium_parcellation: Parcellation,
) -> None:
    model = ConnectomeModel.random(medium_parcellation, n_factors=5, seed=0, factor_strength=0)
    one = model.person(np.full(5, 2.0), np.random.default_rng(0)).correlations()
    other = model.person(np.full(5, -2.0), np.random.default_rng(0)).correlations()
    np.testing.assert_array_equal(one, other)


def test_scans_agree_within_and_between_people_as_real_ones_do(shared_data: Path) -> None:
    """Ten real people, 360 regions: halves of a scan r = 0.79, two people's halves r = 0.57."""
    glasser = read_regions_table(shared_data / "parcellations" / "glasser360_cabnp.csv")
    model = ConnectomeModel.random(glasser, n_factors=5, seed=0)
    upper = np.triu_indices(360, 1)
    halves: list[list[np.ndarray]] = [[], []]
    for person in range(10):
        rng = np.random.default_rng(person)
        brain = model.person(rng.standard_normal(5), rng)
        for half in halves:
            series = brain.series(597, rng)
            r = Connectome.from_timeseries(series).correlations[upper]
            half.append(np.arctanh(r))
    between = np.corrcoef(np.array(halves[0]), np.array(halves[1]))[:10, 10:]
    same = np.diagonal(between)
    others = between[~np.eye(10, dtype=bool)]
    assert same.mean() == pytest.approx(0.79, abs=0.05)
    assert others.mean() == pytest.approx(0.57, abs=0.07)
    noise = np.mean(np.square(np.array(halves[0]) - np.array(halves[1]))) / 2
    assert noise == pytest.approx(0.0047, rel=0.2)


def test_series_are_stationary_and_autocorrelated(rng: np.random.Generator) -> None:
    white = rng.standard_normal((4000, 20)).astype(np.float32)
    series = autoregressive(white, 0.6)
    assert series.std() == pytest.approx(1, abs=0.03)
    assert series[:200].std() == pytest.approx(1, abs=0.08)
    assert np.mean(series[1:] * series[:-1]) == pytest.approx(0.6, abs=0.03)


# Behavior


@dataclass
class Behavior:
    """Figures of a cohort, measured from trials as the real ones were."""

    mean_s: dict[str, np.ndarray]
    odd_even: dict[str, np.ndarray]
    within_s: dict[str, float]
    accuracy: dict[str, float]
    missed: float


@pytest.fixture(scope="module")
def behavior(many: SimulatedCohort) -> Behavior:
    means: dict[str, list[float]] = {}
    halves: dict[str, list[list[float]]] = {}
    spread: dict[str, list[float]] = {}
    right: dict[str, list[float]] = {}
    missed: list[float] = []
    for person in many.participants:
        counts = [
            np.sum(run.responses.correct[np.array(run.events.trial_group) == name][half::2])
            for run in person.runs
            for name in get_task(run.task).trial_types
            for half in (0, 1)
        ]
        missed += [np.isnan(run.responses.response_time_s).mean() for run in person.runs]
        if min(counts) < 3:
            continue  # real figures leave out people without enough correct trials, too
        for run in person.runs:
            time_s, correct = run.responses.response_time_s, run.responses.correct
            group = np.array(run.events.trial_group)
            half_of_run: list[list[float]] = [[], []]
            means.setdefault(run.task, []).append(time_s[correct].mean())
            for name in get_task(run.task).trial_types:
                here = np.flatnonzero(group == name)
                times = time_s[here[correct[here]]]
                means.setdefault(name, []).append(times.mean())
                spread.setdefault(name, []).append(times.std(ddof=1))
                answered = ~np.isnan(time_s[here])
                right.setdefault(name, []).append(correct[here][answered].mean())
                of_half = [time_s[here[k::2]][correct[here[k::2]]] for k in (0, 1)]
                halves.setdefault(name, []).append([half.mean() for half in of_half])
                for half, more in zip(half_of_run, of_half, strict=True):
                    half.extend(more.tolist())
            halves.setdefault(run.task, []).append([float(np.mean(half)) for half in half_of_run])
    mean_s = {name: np.array(values) for name, values in means.items()}
    odd_even = {name: np.array(values) for name, values in halves.items()}
    for values in (mean_s, odd_even):
        values["stroop_effect"] = values["incongruent"] - values["congruent"]
        values["face_minus_shape"] = values["face"] - values["shape"]
    return Behavior(
        mean_s,
        odd_even,
        {name: float(np.mean(values)) for name, values in spread.items()},
        {name: float(np.mean(values)) for name, values in right.items()},
        float(np.mean(missed)),
    )


@pytest.mark.parametrize(
    ("name", "mean", "sd"),
    [
        ("face", 0.886, 0.157),
        ("shape", 0.786, 0.146),
        ("congruent", 0.804, 0.160),
        ("incongruent", 0.987, 0.200),
        ("stroop_effect", 0.183, 0.095),
        ("face_minus_shape", 0.101, 0.108),
    ],
)
def test_response_times_have_the_real_mean_and_spread(
    behavior: Behavior, name: str, mean: float, sd: float
) -> None:
    values = behavior.mean_s[name]
    assert values.mean() == pytest.approx(mean, abs=0.015)
    # Real face costs spread wider than their reliability allows for; ours lie between.
    assert values.std() == pytest.approx(sd, abs=0.022 if name == "face_minus_shape" else 0.012)


def test_trials_spread_within_people_as_real_ones_do(behavior: Behavior) -> None:
    assert all(0.165 < value < 0.255 for value in behavior.within_s.values())


def test_speed_is_shared_by_the_tasks(behavior: Behavior) -> None:
    r = np.corrcoef(behavior.mean_s["hammer"], behavior.mean_s["stroop"])[0, 1]
    assert r == pytest.approx(0.65, abs=0.06)


@pytest.mark.parametrize(
    ("name", "reliability", "tolerance"),
    [
        ("stroop", 0.98, 0.02),
        ("hammer", 0.96, 0.03),
        ("stroop_effect", 0.67, 0.07),
        ("face_minus_shape", 0.76, 0.1),
    ],
)
def test_odd_and_even_trials_agree_as_in_real_people(
    behavior: Behavior, name: str, reliability: float, tolerance: float
) -> None:
    r = np.corrcoef(behavior.odd_even[name].T)[0, 1]
    assert 2 * r / (1 + r) == pytest.approx(reliability, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "accuracy"),
    [("face", 0.974), ("shape", 0.961), ("congruent", 0.955), ("incongruent", 0.909)],
)
def test_people_err_as_often_as_real_ones(behavior: Behavior, name: str, accuracy: float) -> None:
    assert behavior.accuracy[name] == pytest.approx(accuracy, abs=0.012)


def test_trials_are_missed_as_often_as_by_real_people(behavior: Behavior) -> None:
    assert behavior.missed == pytest.approx(0.03, abs=0.007)


def test_traits_can_be_measured_from_trials(many: SimulatedCohort) -> None:
    scores = measured_traits(many.participants)
    true = truth(many.participants, *TRAITS)
    # What behavior measures is the trait plus what is special to the tasks plus chance.
    expected = {"processing_speed": 0.88, "interference": 0.75, "accuracy": 0.7, "lapses": 0.7}
    for column, trait in enumerate(TRAITS[:4]):
        known = np.isfinite(scores[:, column])
        r = np.corrcoef(scores[known, column], true[known, column])[0, 1]
        assert known.mean() > 0.95
        assert r > expected[trait]
    assert np.isnan(scores[:, 4]).all()
    correlations = trait_correlations(scores)
    assert np.linalg.eigvalsh(correlations).min() > 0
    np.testing.assert_allclose(np.diagonal(correlations), 1)
    np.testing.assert_array_equal(correlations[4, :4], 0)


def test_items_add_the_same_for_everybody_and_nothing_on_average() -> None:
    schedule = get_task("hammer").schedule()
    effects = item_effects(schedule)
    np.testing.assert_array_equal(effects, item_effects(schedule))
    groups = np.array(schedule.trial_group)
    for group in ("face", "shape"):
        assert effects[groups == group].mean() == pytest.approx(0, abs=1e-12)
        assert 0.05 < effects[groups == group].std() < 0.11


def test_normal_scores() -> None:
    scores = normal_scores([3.0, np.nan, 1.0, 2.0, 2.0])
    assert np.isnan(scores[1])
    assert scores[3] == scores[4]
    assert scores[2] < scores[3] < scores[0]
    assert np.nanmean(scores) == pytest.approx(0)
    assert np.nanstd(scores) == pytest.approx(1)
    assert normal_scores([1.0, 1.0, 1.0]).tolist() == [0, 0, 0]
    assert np.isnan(normal_scores([1.0, np.nan])).all()


# BOLD


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_regressors_are_those_of_nilearn(task: str) -> None:
    events = get_task(task).schedule()
    frames = np.arange(events.n_frames) * 0.8
    for name, found in task_regressors(events).items():
        here = np.array(events.trial_group) == name
        condition = np.array(
            [
                events.onset_s[here],
                np.minimum(events.duration_s[here], 2.0),
                np.ones(here.sum()),
            ]
        )
        expected, _ = compute_regressor(condition, "glover", frames, oversampling=50)
        assert np.corrcoef(found, expected[:, 0])[0, 1] > 0.9995
        assert found.max() == pytest.approx(expected.max(), rel=0.02)


def test_bold_answers_trials_as_its_maps_and_scales_say(
    small_parcellation: Parcellation,
) -> None:
    cohort = SimulatedCohort(small_parcellation, 60, seed=2)
    maps = synthetic_maps(small_parcellation)
    estimates, predicted = [], []
    for person in cohort.participants:
        assert person.truth is not None
        run = person.run("hammerAP_run-01")
        assert run.bold is not None
        assert run.bold.shape == (493, 26)
        assert not run.bold.flags.writeable
        design = design_matrix(run.events, len(run.bold), 0.8)
        estimates.append(fit_contrast(run.bold, design, ("face", "shape")).estimate)
        scale = person.truth["response_gain"] * person.truth["face_shape_scale"]
        predicted.append(scale * maps.contrast("face", "shape"))
    found, expected = np.array(estimates), np.array(predicted)
    slope, _ = np.polyfit(expected.ravel(), found.ravel(), 1)
    assert slope == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(found.mean(0), expected.mean(0), atol=0.12)
    amygdala = small_parcellation.indices(["lAMY-rh"])[0]
    reactivity = truth(cohort.participants, "affective_reactivity")[:, 0]
    assert np.corrcoef(found[:, amygdala], reactivity)[0, 1] > 0.6


def test_bold_at_rest_between_responses_is_the_persons_own(
    medium_parcellation: Parcellation,
) -> None:
    cohort = SimulatedCohort(medium_parcellation, 2, seed=2)
    person = cohort.participants[0]
    residuals = []
    for run in person.runs:
        assert run.bold is not None
        x = np.column_stack([*task_regressors(run.events).values(), np.ones(len(run.bold))])
        residuals.append(run.bold - x @ np.linalg.lstsq(x, run.bold, rcond=None)[0])
    residual = np.concatenate(residuals)
    lag = np.mean(residual[1:] * residual[:-1]) / np.mean(residual**2)
    assert lag == pytest.approx(0.5, abs=0.04)
    upper = np.triu_indices(122, 1)
    found = np.corrcoef(residual.T)[upper]
    r = [
        np.corrcoef(found, cohort.true_connectome(name).correlations[upper])[0, 1]
        for name in cohort.participant_ids
    ]
    assert r[0] > 0.9 > r[1]


def test_reactive_people_are_those_whose_truth_says_so(many: SimulatedCohort) -> None:
    reactivity, scale = truth(many.participants, "affective_reactivity", "face_shape_scale").T
    np.testing.assert_allclose(scale, 1 + 0.5 * reactivity)
    interference, conflict = truth(
        many.participants, "interference", "incongruent_congruent_scale"
    ).T
    assert np.corrcoef(interference, conflict)[0, 1] == pytest.approx(0.5, abs=0.08)


# Around real behavior


@pytest.fixture(scope="module")
def real_like(small_parcellation: Parcellation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of events that does not say that its people are simulated."""
    cohort = SimulatedCohort(small_parcellation, 60, seed=11, n_rest_runs=1, n_rest_frames=20)
    folder = cohort.write_tcp(tmp_path_factory.mktemp("behavior") / "bids")
    (folder / "dataset_description.json").unlink()
    (
        folder / "sub-NDARINVSIM00002/func/sub-NDARINVSIM00002_task-stroopAP_run-01_events.tsv"
    ).unlink()
    return folder


def test_real_trials_are_kept_and_traits_follow_them(
    real_like: Path, small_parcellation: Parcellation
) -> None:
    cohort = SimulatedCohort(small_parcellation, seed=4, behavior_from=real_like)
    real = TcpCohort(real_like).participants
    assert cohort.kind == "semi-synthetic"
    assert cohort.warning == (
        "Semi-synthetic bundle: behavior of 60 real people, but connectomes and BOLD simulated "
        "around it; what this twin reads from a connectome, and all its BOLD (contrasts, "
        "amygdala_response), was learned from simulated brains, the Stroop contrast from a made-up "
        "map."
    )
    assert cohort.description.startswith("Behavior of 60 real people, connectomes and BOLD sim")
    assert len(cohort.participants) == 60
    scores = RealBehavior.from_bids(real_like).scores
    for person, of in zip(cohort.participants, real, strict=True):
        assert person.participant_id == of.participant_id
        assert dict(person.phenotype) == dict(of.phenotype)
        assert len(person.runs) == len(of.runs)
        for run, real_run in zip(person.runs, of.runs, strict=True):
            assert run.events.columns == real_run.events.columns
            assert run.has_bold
        measured = scores[of.participant_id]
        found = truth((person,), *TRAITS)[0]
        known = np.isfinite(measured)
        np.testing.assert_allclose(found[known], measured[known])
    assert np.isnan(scores["sub-NDARINVSIM00002"][1])
    assert np.isfinite(scores["sub-NDARINVSIM00002"][0])


def test_somebody_elses_absence_changes_no_real_persons_scan(
    real_like: Path, small_parcellation: Parcellation
) -> None:
    everybody = SimulatedCohort(small_parcellation, seed=4, behavior_from=real_like)
    some = SimulatedCohort(small_parcellation, 5, seed=4, behavior_from=real_like)
    assert len(some.participants) == 5
    name = some.participant_ids[3]
    for run, series in some.rest_runs(name).items():
        np.testing.assert_array_equal(series, everybody.rest_runs(name)[run])
    with pytest.raises(UsageError, match=r"n_people is 61, but .* has 60 people with events"):
        SimulatedCohort(small_parcellation, 61, behavior_from=real_like)


def test_simulated_behavior_makes_nothing_semi_synthetic(
    small_parcellation: Parcellation, tmp_path: Path
) -> None:
    folder = SimulatedCohort(
        small_parcellation, 20, seed=1, n_rest_runs=1, n_rest_frames=20
    ).write_tcp(tmp_path / "bids")
    cohort = SimulatedCohort(small_parcellation, behavior_from=folder)
    assert cohort.kind == "simulated"
    assert cohort.warning.startswith("Simulated bundle: behavior, connectomes and BOLD")


def test_too_few_people_have_no_traits(small_parcellation: Parcellation, tmp_path: Path) -> None:
    folder = SimulatedCohort(
        small_parcellation, 5, seed=1, n_rest_runs=1, n_rest_frames=20
    ).write_tcp(tmp_path / "bids")
    with pytest.raises(CohortError, match=r"at least 20 of them with events, found 5"):
        SimulatedCohort(small_parcellation, behavior_from=folder)


def test_the_real_study_makes_a_semi_synthetic_cohort(
    shared_data: Path, small_parcellation: Parcellation
) -> None:
    cohort = SimulatedCohort(small_parcellation, behavior_from=shared_data / "tcp")
    people = cohort.participants
    assert len(people) == 180
    assert cohort.kind == "semi-synthetic"
    factors = truth(people, *(f"factor_{k}" for k in range(1, 6)))
    found = r_squared(factors, truth(people, *TRAITS))
    np.testing.assert_allclose(found, 0.18, atol=0.14)
    assert found.mean() == pytest.approx(0.18 + 5 / 180, abs=0.05)
    names = {run.run for person in people for run in person.runs}
    assert names == {"hammerAP_run-01", "stroopAP_run-01", "stroopPA_run-01"}


# Wrong use


def test_numbers_out_of_range_are_refused(small_parcellation: Parcellation) -> None:
    for arguments, message in (
        ({}, "needs n_people, unless behavior_from is given"),
        ({"n_people": 0}, "n_people must be at least 1, found 0"),
        ({"n_people": 2, "seed": -1}, "seed must be at least 0, found -1"),
        ({"n_people": 2, "share": 1.5}, r"must lie in \[0, 1\], found 1\.5"),
        ({"n_people": 2, "n_factors": 4}, "At least 5 connectome factors are needed"),
        ({"n_people": 2, "n_rest_runs": 5}, "1 to 4 runs of at least 20 frames, found 5 of 488"),
        ({"n_people": 2, "n_rest_frames": 3}, "found 4 of 3"),
        ({"n_people": 2, "factor_strength": -1.0}, "factor_strength must be at least 0"),
    ):
        with pytest.raises(UsageError, match=message):
            SimulatedCohort(small_parcellation, **arguments)


def test_maps_of_other_regions_are_refused(
    small_parcellation: Parcellation, medium_parcellation: Parcellation
) -> None:
    maps = synthetic_maps(medium_parcellation)
    with pytest.raises(CohortError, match=r"122 regions that are not those of .*'small26' \(26\)"):
        SimulatedCohort(small_parcellation, 2, response_maps=maps)


def test_an_unknown_participant_is_refused(few: SimulatedCohort) -> None:
    with pytest.raises(UsageError, match=r"no participant 'sub-x'; its ids look like 'sub-NDARINV"):
        few.rest_runs("sub-x")


def test_simulation_needs_no_torch() -> None:
    code = (
        "import sys, dtb_models.simulation; "
        "print(*{'torch', 'onnx', 'onnxruntime', 'h5py', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
