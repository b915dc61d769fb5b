"""The GLM against nilearn, to rounding, and what it says when a contrast cannot be had."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime import glm
from dtb_runtime.errors import DataError, EventsError
from dtb_runtime.events import Events, events_from_columns, read_events
from dtb_runtime.glm import Design, design_matrix, fit_contrast, structure_bold
from dtb_runtime.hrf import glover_derivative, glover_hrf
from dtb_runtime.tasks import TASKS, TR_S, get_task

pandas = pytest.importorskip("pandas", reason="nilearn takes its events as a pandas table")
first_level = pytest.importorskip("nilearn.glm.first_level", reason="nilearn is the reference")
nilearn_contrasts = pytest.importorskip("nilearn.glm.contrasts", reason="nilearn is the reference")

Matrix = NDArray[np.float64]
EVERY_TASK = pytest.mark.parametrize("task_name", list(TASKS))


def stroop_run(
    onsets_s: list[float], durations_s: list[float], trial_types: list[str], source: str = "x.tsv"
) -> Events:
    """Stroop trials of these types; the word is red, in red or in blue."""
    return events_from_columns(
        {
            "onset": onsets_s,
            "duration": durations_s,
            "trial_type": trial_types,
            "stimulus_text": ["red"] * len(onsets_s),
            "stimulus_color": ["red" if x == "congruent" else "blue" for x in trial_types],
        },
        "stroop",
        source,
    )


def jittered_run(rng: np.random.Generator, n_trials: int = 40) -> Events:
    """Trials of irregular spacing and length."""
    onsets_s = np.cumsum(rng.uniform(2.0, 9.0, n_trials))
    trial_types = rng.choice(["congruent", "incongruent"], n_trials)
    durations_s = rng.uniform(0.01, 1.9, n_trials)
    return stroop_run(onsets_s.tolist(), durations_s.tolist(), trial_types.tolist())


def nilearn_design(events: Events, n_frames: int, tr_s: float) -> tuple[list[str], Matrix]:
    """The same design by nilearn."""
    table = pandas.DataFrame(
        {
            "onset": events.onset_s,
            "duration": events.duration_s,
            "trial_type": events.trial_group,
        }
    )
    design = first_level.make_first_level_design_matrix(
        np.arange(n_frames) * tr_s,
        table,
        hrf_model="glover + derivative",
        drift_model="cosine",
        high_pass=0.01,
    )
    return list(design.columns), design.to_numpy()


def nilearn_contrast(
    bold: Matrix, columns: list[str], matrix: Matrix, contrast: tuple[str, str]
) -> tuple[Matrix, Matrix]:
    """Estimate and t of the same contrast by nilearn's ordinary least squares."""
    labels, results = first_level.run_glm(bold, matrix, noise_model="ols")
    weights = np.zeros(len(columns))
    weights[columns.index(contrast[0])] = 1.0
    weights[columns.index(contrast[1])] = -1.0
    fitted = nilearn_contrasts.compute_contrast(labels, results, weights, stat_type="t")
    return fitted.effect.ravel(), fitted.stat().ravel()


# ---- the hemodynamic response


@pytest.mark.parametrize("tr_s", [0.8, 0.72, 2.0, 1.37])
def test_the_response_and_its_derivative_are_nilearns(tr_s: float) -> None:
    expected = first_level.glover_hrf(tr_s, 50)
    np.testing.assert_allclose(glover_hrf(tr_s / 50), expected, atol=1e-15)
    expected = first_level.glover_time_derivative(tr_s, 50)
    np.testing.assert_allclose(glover_derivative(tr_s / 50), expected, atol=1e-14)


def test_the_response_peaks_at_five_seconds_and_sums_to_one() -> None:
    response = glover_hrf(0.016)
    assert response.sum() == pytest.approx(1.0)
    assert response.argmax() * 0.016 == pytest.approx(5.02, abs=0.01)
    assert response.min() < 0.0  # the undershoot


# ---- the design


@EVERY_TASK
def test_the_default_schedules_give_nilearns_design(task_name: str) -> None:
    events = get_task(task_name).schedule()
    design = design_matrix(events, events.n_frames, TR_S)
    columns, matrix = nilearn_design(events, events.n_frames, TR_S)
    assert list(design.columns) == columns
    np.testing.assert_allclose(design.matrix, matrix, atol=1e-12)


@pytest.mark.parametrize(
    ("n_frames", "tr_s"),
    [(300, 0.8), (500, 0.8), (357, 0.72), (100, 2.0), (211, 1.37), (40, 0.8)],
)
def test_any_trials_and_any_repetition_time_give_nilearns_design(
    n_frames: int, tr_s: float, rng: np.random.Generator
) -> None:
    # Some of these runs are over before the last trials begin.
    events = jittered_run(rng)
    design = design_matrix(events, n_frames, tr_s)
    columns, matrix = nilearn_design(events, n_frames, tr_s)
    assert list(design.columns) == columns
    np.testing.assert_allclose(design.matrix, matrix, atol=1e-12)


def test_real_runs_give_nilearns_design(shared_data: Path) -> None:
    people = sorted((shared_data / "tcp").glob("sub-*"))[:4]
    runs = [path for person in people for path in sorted(person.glob("func/*_events.tsv"))]
    assert len(runs) >= 8
    for path in runs:
        events = read_events(path, "hammer" if "task-hammer" in path.name else "stroop")
        design = design_matrix(events, events.n_frames, TR_S)
        columns, matrix = nilearn_design(events, events.n_frames, TR_S)
        assert list(design.columns) == columns
        np.testing.assert_allclose(design.matrix, matrix, atol=1e-12)


def test_onsets_on_the_sampling_grid_fall_on_nilearns_side() -> None:
    # Multiples of the 16-ms grid, where the last bit decides the sample.
    onsets_s = [round(0.016 * k, 3) for k in range(125, 12000, 397)]
    trial_types = ["congruent", "incongruent"] * (len(onsets_s) // 2)
    events = stroop_run(onsets_s, [0.8] * len(onsets_s), trial_types)
    design = design_matrix(events, 260, TR_S)
    np.testing.assert_allclose(design.matrix, nilearn_design(events, 260, TR_S)[1], atol=1e-12)


def test_a_trial_shorter_than_one_sample_still_counts_as_nilearns() -> None:
    onsets_s = [3.001, 20.001, 40.001, 60.001]
    events = stroop_run(onsets_s, [0.001] * 4, ["congruent", "incongruent"] * 2)
    design = design_matrix(events, 120, TR_S)
    assert np.ptp(design.matrix[:, 0]) > 1e-4
    np.testing.assert_allclose(design.matrix, nilearn_design(events, 120, TR_S)[1], atol=1e-12)


def test_drifts_number_seven_for_hammer_and_eight_for_stroop() -> None:
    expected = {"hammer": (493, 7), "stroop": (510, 8)}
    for task_name, (n_frames, n_drifts) in expected.items():
        events = get_task(task_name).schedule()
        assert events.n_frames == n_frames
        columns = design_matrix(events, events.n_frames, TR_S).columns
        assert sum(name.startswith("drift_") for name in columns) == n_drifts
        assert len(columns) == 4 + n_drifts + 1
        assert columns[-1] == "constant"


def test_a_design_is_read_only_and_kept_for_the_same_trials() -> None:
    events = get_task("hammer").schedule()
    first = design_matrix(events, 493, TR_S)
    again = design_matrix(dataclasses.replace(events), 493, TR_S)
    assert again is first
    assert design_matrix(events, 492, TR_S) is not first
    with pytest.raises(ValueError, match="read-only"):
        first.matrix[0, 0] = 1.0


def test_one_frame_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(DataError, match=r"at least 2 BOLD frames, but x\.tsv gives 1\."):
        design_matrix(jittered_run(rng), 1, TR_S)


# ---- the fit


@EVERY_TASK
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_estimate_and_t_are_nilearns(
    task_name: str, dtype: type[np.floating], rng: np.random.Generator
) -> None:
    task = get_task(task_name)
    events = task.schedule()
    design = design_matrix(events, events.n_frames, TR_S)
    effects = rng.normal(size=(len(design.columns), 434))
    noise = rng.normal(size=(events.n_frames, 434)).cumsum(axis=0) * 0.1
    bold = (design.matrix @ effects + noise + 3.0).astype(dtype)
    found = fit_contrast(bold, design, task.contrast)
    columns, matrix = nilearn_design(events, events.n_frames, TR_S)
    estimate, t = nilearn_contrast(bold.astype(np.float64), columns, matrix, task.contrast)
    np.testing.assert_allclose(found.estimate, estimate, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.t, t, rtol=1e-9, atol=1e-9)
    assert found.degrees_of_freedom == events.n_frames - len(columns)
    assert (found.positive, found.negative) == task.contrast


def hammer_design() -> Design:
    """The design of hammer's default schedule."""
    events = get_task("hammer").schedule()
    return design_matrix(events, events.n_frames, TR_S)


def test_a_known_response_is_found_again(rng: np.random.Generator) -> None:
    design = hammer_design()
    face, shape = (design.columns.index(name) for name in ("face", "shape"))
    bold = 2.5 * design.matrix[:, [face]] + 1.0 * design.matrix[:, [shape]]
    bold = bold + rng.normal(scale=1e-3, size=bold.shape)
    found = fit_contrast(bold, design, ("face", "shape"))
    assert found.estimate[0] == pytest.approx(1.5, abs=2e-3)
    assert found.t[0] > 1000


def test_constant_and_drifts_do_not_move_a_contrast(rng: np.random.Generator) -> None:
    design = hammer_design()
    bold = rng.normal(size=(design.n_frames, 5))
    drift = design.matrix[:, 4:] @ rng.normal(size=(len(design.columns) - 4, 5)) * 10
    before = fit_contrast(bold, design, ("face", "shape"))
    after = fit_contrast(bold + drift, design, ("face", "shape"))
    np.testing.assert_allclose(after.estimate, before.estimate, atol=1e-12)
    np.testing.assert_allclose(after.t, before.t, atol=1e-9)


def test_the_unit_of_bold_scales_the_estimate_and_not_t(rng: np.random.Generator) -> None:
    design = hammer_design()
    bold = rng.normal(size=(design.n_frames, 5))
    small = fit_contrast(bold, design, ("face", "shape"))
    large = fit_contrast(bold * -250.0, design, ("face", "shape"))
    np.testing.assert_allclose(large.estimate, small.estimate * -250.0, rtol=1e-10)
    np.testing.assert_allclose(large.t, -small.t, rtol=1e-10)


def test_turning_the_contrast_round_turns_its_sign(rng: np.random.Generator) -> None:
    design = hammer_design()
    bold = rng.normal(size=(design.n_frames, 5))
    found = fit_contrast(bold, design, ("face", "shape"))
    turned = fit_contrast(bold, design, ("shape", "face"))
    np.testing.assert_allclose(turned.estimate, -found.estimate, rtol=1e-12)
    np.testing.assert_allclose(turned.t, -found.t, rtol=1e-12)


def test_a_series_that_the_design_explains_fully_has_no_t(rng: np.random.Generator) -> None:
    design = hammer_design()
    bold = rng.normal(size=(design.n_frames, 4)).astype(np.float32)
    bold[:, 0] = 0.0
    bold[:, 1] = -7.3
    explained = np.column_stack([bold[:, :2], design.matrix[:, 0], bold[:, 3]])
    found = fit_contrast(explained, design, ("face", "shape"))
    assert np.isnan(found.t).tolist() == [True, True, True, False]
    np.testing.assert_allclose(found.estimate[:3], [0.0, 0.0, 1.0], atol=1e-12)


def test_results_are_read_only(rng: np.random.Generator) -> None:
    design = hammer_design()
    found = fit_contrast(rng.normal(size=(design.n_frames, 2)), design, ("face", "shape"))
    for array in (found.estimate, found.t):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


# ---- what cannot be had


def test_a_contrast_without_trials_of_one_type_says_which() -> None:
    events = stroop_run([2.0, 10.0, 20.0], [2.0] * 3, ["congruent"] * 3, "sub-1_events.tsv")
    design = design_matrix(events, events.n_frames, TR_S)
    expected = (
        r"incongruent > congruent needs trials of both types, but sub-1_events\.tsv has no "
        r"incongruent trials\."
    )
    with pytest.raises(EventsError, match=expected):
        fit_contrast(np.zeros((events.n_frames, 2)), design, ("incongruent", "congruent"))


def test_a_contrast_needs_more_frames_than_columns() -> None:
    events = stroop_run([0.0, 1.6], [0.8, 0.8], ["congruent", "incongruent"])
    design = design_matrix(events, 5, TR_S)
    assert design.degrees_of_freedom == 0
    problem = design.why_no_contrast(("incongruent", "congruent"))
    assert problem is not None
    assert "needs more BOLD frames than the 5 columns of the design, but x.tsv gives 5" in problem


def test_a_trial_type_that_leaves_no_trace_cannot_be_contrasted() -> None:
    # The only incongruent trial begins with the last frame, when its response is still 0.
    events = stroop_run([2.0, 20.0, 40.0], [2.0] * 3, ["congruent"] * 2 + ["incongruent"])
    design = design_matrix(events, 51, TR_S)
    problem = design.why_no_contrast(("incongruent", "congruent"))
    assert problem is not None
    assert "cannot be told from the other regressors with the trials of x.tsv" in problem


@EVERY_TASK
def test_the_default_schedules_can_give_their_contrast(task_name: str) -> None:
    task = get_task(task_name)
    events = task.schedule()
    assert design_matrix(events, events.n_frames, TR_S).why_no_contrast(task.contrast) is None


@pytest.mark.parametrize("shape", [(492, 3), (493,), (1, 493, 3)])
def test_bold_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"shape \(493 frames, regions\) .* but has shape \("):
        fit_contrast(np.zeros(shape), hammer_design(), ("face", "shape"))


def test_bold_that_is_not_finite_is_refused_with_its_place() -> None:
    bold = np.zeros((493, 3), dtype=np.float32)
    bold[17, 2] = np.inf
    with pytest.raises(DataError, match="must be finite, but is inf in frame 17 of region 2"):
        fit_contrast(bold, hammer_design(), ("face", "shape"))


# ---- structures


def test_a_structures_series_is_the_mean_of_its_regions(rng: np.random.Generator) -> None:
    bold = rng.normal(size=(20, 4)).astype(np.float32)
    structures = {
        "right_amygdala": ["lAMY-rh", "mAMY-rh"],
        "left_amygdala": ["lAMY-lh", "mAMY-lh"],
        "nothing": [],
    }
    series = structure_bold(bold, ["V1", "mAMY-rh", "lAMY-lh", "lAMY-rh"], structures)
    assert list(series) == ["right_amygdala"]  # half of the left one is missing
    expected = (bold[:, 1].astype(np.float64) + bold[:, 3]) / 2
    np.testing.assert_allclose(series["right_amygdala"], expected, rtol=1e-15)


def test_a_long_run_of_many_trials_is_summed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {
        "onset": [2.0 * i for i in range(60)],
        "duration": [1.0] * 60,
        "trial_type": ["con1", "inc1"] * 30,
        "stimulus_text": ["red"] * 60,
        "stimulus_color": ["red", "blue"] * 30,
    }
    whole = design_matrix(events_from_columns(columns, "stroop", "whole"), 160, 0.8).matrix
    monkeypatch.setattr(glm, "_MAX_PART", 100)
    parts = design_matrix(events_from_columns(columns, "stroop", "parts"), 160, 0.8).matrix
    np.testing.assert_array_equal(parts, whole)
