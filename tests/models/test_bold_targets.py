"""What BOLD outputs and hidden units are asked for, against designs built by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtb_models.bold_targets import (
    N_DESIGN_SIGNALS,
    design_signals,
    interpolated_bold,
    task_part,
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
@pytest.mark.parametrize("is_shown", [False, True])
def test_task_part_is_what_trials_explain(
    task: str, is_shown: bool, rng: np.random.Generator
) -> None:
    events = get_task(task).schedule()
    design = design_matrix(shown(events) if is_shown else events, events.n_frames, 0.8)
    of_task = [i for i, c in enumerate(design.columns) if not c.startswith(("drift", "constant"))]
    response = design.matrix[:, of_task] @ rng.normal(size=(len(of_task), 2))
    drift = design.matrix[:, [i for i, c in enumerate(design.columns) if c.startswith("drift")]]
    bold = (response + 3 * drift[:, :2] + 5).astype(np.float32)
    found = task_part(bold, events)
    expected = response - response.mean(0) + bold.mean(0)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_task_part_of_noise_is_small(stroop: Events, rng: np.random.Generator) -> None:
    noise = rng.normal(size=(stroop.n_frames, 50)).astype(np.float32)
    assert task_part(noise, stroop).var() < 0.03


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
