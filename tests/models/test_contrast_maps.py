"""Contrast maps of runs and of their halves, against nilearn."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from nilearn.glm import OLSModel
from nilearn.glm.first_level import make_first_level_design_matrix

from dtb_models.contrast_maps import paired_contrasts, run_contrast
from dtb_models.simulated_bold import task_regressors
from dtb_runtime.errors import UsageError
from dtb_runtime.events import Events
from dtb_runtime.glm import design_matrix, fit_contrast
from dtb_runtime.tasks import get_task

HALF_S = 196.8


@pytest.fixture
def events() -> Events:
    return get_task("hammer").schedule()


def nilearn_contrast(bold: np.ndarray, events: Events, start_s: float) -> np.ndarray:
    """Face > shape t of a part of a run, by nilearn with the trials' times moved."""
    table = pd.DataFrame(
        {
            "onset": events.onset_s - start_s,
            "duration": events.duration_s,
            "trial_type": events.trial_group,
        }
    )
    frames = np.arange(len(bold)) * 0.8
    here = (table.onset > -24) & (table.onset < frames[-1] + 0.8)
    design = make_first_level_design_matrix(
        frames, table[here], hrf_model="glover + derivative", drift_model="cosine", high_pass=0.01
    )
    results = OLSModel(design.to_numpy()).fit(bold.astype(np.float64))
    weights = np.zeros(design.shape[1])
    weights[design.columns.get_loc("face")] = 1
    weights[design.columns.get_loc("shape")] = -1
    return np.asarray(results.Tcontrast(weights).t).ravel()


def test_a_run_is_fitted_as_the_runtime_fits_it(events: Events, rng: np.random.Generator) -> None:
    bold = rng.standard_normal((400, 4)).astype(np.float32)
    found = run_contrast(events, bold)
    expected = fit_contrast(bold, design_matrix(events, 400, 0.8), ("face", "shape"))
    assert found is not None
    np.testing.assert_array_equal(found.t, expected.t)
    assert run_contrast(events, bold[:1]) is None
    assert run_contrast(events, bold[:20]) is None  # one trial type only


@pytest.mark.parametrize("start_s", [0.0, HALF_S])
def test_half_a_run_has_the_t_of_nilearn(
    start_s: float, events: Events, rng: np.random.Generator
) -> None:
    bold = rng.standard_normal((events.n_frames, 5)).astype(np.float32)
    found = run_contrast(events, bold, (start_s, start_s + HALF_S))
    first = round(start_s / 0.8)
    assert found is not None
    np.testing.assert_allclose(
        found.t, nilearn_contrast(bold[first : first + 246], events, start_s), rtol=1e-5, atol=1e-6
    )


def test_halves_of_a_run_find_what_was_planted_in_each(
    events: Events, rng: np.random.Generator
) -> None:
    maps = rng.standard_normal((2, 20))
    shown = task_regressors(events)
    course = shown["face"] - shown["shape"]
    bold = 0.2 * rng.standard_normal((len(course), 20))
    bold[:246] += np.outer(course[:246], maps[0])
    bold[246:] += np.outer(course[246:], maps[1])
    for window, planted in (((0, HALF_S), maps[0]), ((HALF_S, 2 * HALF_S), maps[1])):
        found = run_contrast(events, bold, window)
        assert found is not None
        assert np.corrcoef(2 * planted, found.estimate)[0, 1] > 0.98
    whole = run_contrast(events, bold)
    assert whole is not None
    assert np.corrcoef(maps.mean(0), whole.estimate)[0, 1] > 0.98


def test_a_pair_is_fitted_over_the_frames_both_have(
    events: Events, rng: np.random.Generator
) -> None:
    forecast = rng.standard_normal((493, 3)).astype(np.float32)
    measured = rng.standard_normal((300, 3)).astype(np.float32)
    pair = paired_contrasts(events, forecast, measured)
    assert pair is not None
    for found, bold in zip(pair, (forecast[:300], measured), strict=True):
        expected = run_contrast(events, bold)
        assert expected is not None
        np.testing.assert_array_equal(found.estimate, expected.estimate)
    assert paired_contrasts(events, forecast, measured[:10]) is None
    assert paired_contrasts(events, forecast, measured, (HALF_S, 2 * HALF_S)) is not None
    assert paired_contrasts(events, forecast, measured[:240], (HALF_S, 2 * HALF_S)) is None


def test_windows_that_are_none_are_refused(events: Events) -> None:
    bold = np.ones((493, 2), np.float32)
    for window in ((50.0, 50.0), (-1.0, 50.0)):
        with pytest.raises(UsageError, match="must start in the run and end after it starts"):
            run_contrast(events, bold, window)


def test_trials_after_the_scan_give_no_contrast(events: Events) -> None:
    late = replace(events, onset_s=events.onset_s + 1000)
    assert run_contrast(late, np.ones((9, 2))) is None


def test_maps_need_no_torch() -> None:
    code = (
        "import sys, dtb_models.contrast_maps, dtb_models.map_statistics; "
        "import dtb_models.identification; "
        "print(*{'torch', 'onnx', 'onnxruntime', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
