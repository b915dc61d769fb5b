"""What BOLD outputs and slow units are asked for, against designs built by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtb_models.bold_targets import (
    N_DESIGN_SIGNALS,
    design_signals,
    interpolated_bold,
    trial_type_effects,
)
from dtb_runtime.events import Events
from dtb_runtime.glm import design_matrix
from dtb_runtime.tasks import get_task


@pytest.fixture
def stroop() -> Events:
    return get_task("stroop").schedule()


@pytest.fixture
def hammer() -> Events:
    return get_task("hammer").schedule()


def shown(events: Events) -> Events:
    """Trials as long as their word is on the screen."""
    return replace(events, duration_s=np.minimum(events.duration_s, 2.0))


def test_interpolated_bold_passes_through_the_volumes(rng: np.random.Generator) -> None:
    bold = rng.normal(size=(20, 3)).astype(np.float32)
    steps = interpolated_bold(bold, 200)
    np.testing.assert_allclose(steps[::10], bold, atol=1e-5)
    np.testing.assert_allclose(steps[190:], np.tile(bold[-1], (10, 1)), atol=1e-5)


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_trial_type_effects_are_those_that_made_the_bold(
    task: str, rng: np.random.Generator
) -> None:
    events = get_task(task).schedule()
    design = design_matrix(shown(events), events.n_frames, 0.8)
    coefficients = rng.normal(size=(len(design.columns), 2))
    found = trial_type_effects((design.matrix @ coefficients).astype(np.float32), events)
    assert set(found) == set(get_task(task).trial_types)
    for name, effects in found.items():
        np.testing.assert_allclose(
            effects, coefficients[design.columns.index(name)], rtol=1e-3, atol=1e-3
        )


def test_trial_type_effects_are_numpys_least_squares(
    stroop: Events, rng: np.random.Generator
) -> None:
    noise = rng.normal(size=(stroop.n_frames, 5)).astype(np.float32)
    design = design_matrix(shown(stroop), stroop.n_frames, 0.8)
    expected = np.linalg.lstsq(design.matrix, noise.astype(np.float64), rcond=None)[0]
    found = trial_type_effects(noise, stroop)
    for name in ("congruent", "incongruent"):
        np.testing.assert_allclose(found[name], expected[design.columns.index(name)], atol=1e-8)


@pytest.mark.parametrize("n_frames", [0, 8])
def test_a_scan_that_broke_off_has_no_effects(
    stroop: Events, n_frames: int, rng: np.random.Generator
) -> None:
    assert trial_type_effects(rng.normal(size=(n_frames, 2)).astype(np.float32), stroop) == {}


def test_design_signals_are_sum_and_difference_of_the_trial_types(stroop: Events) -> None:
    signals = design_signals(stroop, stroop.n_frames)
    assert signals.shape == (stroop.n_frames, N_DESIGN_SIGNALS)
    np.testing.assert_allclose(signals.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(signals.std(0), 1, rtol=1e-4)

    def columns(events: Events, kind: str = "") -> list[np.ndarray]:
        design = design_matrix(events, events.n_frames, 0.8)
        names = ("incongruent" + kind, "congruent" + kind)
        return [design.matrix[:, design.columns.index(name)] for name in names]

    a, b = columns(shown(stroop))
    da, db = columns(shown(stroop), "_derivative")
    whole_a, whole_b = columns(stroop)
    for found, expected in zip(
        signals.T, (a + b, a - b, da + db, da - db, whole_a - whole_b), strict=True
    ):
        assert np.corrcoef(found, expected)[0, 1] == pytest.approx(1, abs=1e-6)


def test_a_trial_type_that_a_run_lacks_gives_no_signal(hammer: Events) -> None:
    faces = [i for i, group in enumerate(hammer.trial_group) if group == "face"]
    only = replace(
        hammer,
        onset_s=hammer.onset_s[faces],
        duration_s=hammer.duration_s[faces],
        trial_group=("face",) * len(faces),
    )
    signals = design_signals(only, hammer.n_frames)
    assert np.isfinite(signals).all()
    np.testing.assert_allclose(signals[:, 0], signals[:, 1], atol=1e-6)
