"""Observed trials: read, joined to runs, turned into targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtb_runtime.events import Events, Responses
from dtb_runtime.tasks import get_task
from dtb_runtime.trials_seen import press_targets


def answers(events: Events, time_s: float = 0.7, correct: bool = True) -> Responses:
    n = events.n_trials
    return Responses(
        response_time_s=np.full(n, time_s),
        correct=np.full(n, correct),
        usable=np.ones(n, np.bool_),
    )


@pytest.fixture
def stroop() -> Events:
    return get_task("stroop").schedule()


@pytest.fixture
def hammer() -> Events:
    return get_task("hammer").schedule()


def test_press_lands_in_the_step_that_holds_it_and_masks_until_the_next_trial(
    hammer: Events,
) -> None:
    targets, counted = press_targets(hammer, answers(hammer), 3, masked=True)
    for trial in range(hammer.n_trials):
        pressed_s = hammer.onset_s[trial] + 0.7
        steps = np.flatnonzero(targets[hammer.onset_step[trial] :].sum(1))
        step = int(steps[0] + hammer.onset_step[trial])
        assert step * 0.08 <= pressed_s + 1e-5
        assert pressed_s < (step + 1) * 0.08 + 1e-5
        assert targets[step].argmax() == hammer.correct_option[trial]
        end = hammer.n_steps if trial + 1 == hammer.n_trials else hammer.onset_step[trial + 1]
        assert counted[hammer.onset_step[trial] : step + 1].all()
        assert not counted[step + 1 : end].any()
    assert targets.sum() == hammer.n_trials


def test_a_wrong_press_is_shared_between_the_options_it_can_have_been(stroop: Events) -> None:
    targets, _ = press_targets(stroop, answers(stroop, correct=False), 3, masked=True)
    pressed = targets[targets.sum(1) > 0]
    assert len(pressed) == stroop.n_trials
    np.testing.assert_array_equal(np.sort(pressed, 1), np.tile([0, 0.5, 0.5], (len(pressed), 1)))
    rows = np.flatnonzero(targets.sum(1) > 0)
    assert (targets[rows, stroop.correct_option] == 0).all()


def test_a_wrong_press_of_two_options_is_the_other_one(hammer: Events) -> None:
    targets, _ = press_targets(hammer, answers(hammer, correct=False), 3, masked=True)
    rows = np.flatnonzero(targets.sum(1) > 0)
    np.testing.assert_array_equal(targets[rows, 1 - hammer.correct_option], 1)


def test_no_response_counts_every_step_and_presses_none(stroop: Events) -> None:
    targets, counted = press_targets(stroop, answers(stroop, np.nan), 3, masked=True)
    assert targets.sum() == 0
    assert counted.all()


def test_an_unusable_response_hides_its_trial(stroop: Events) -> None:
    responses = replace(answers(stroop), usable=np.arange(stroop.n_trials) != 3)
    targets, counted = press_targets(stroop, responses, 3, masked=True)
    trial = slice(int(stroop.onset_step[3]), int(stroop.onset_step[4]))
    assert not counted[trial].any()
    assert targets[trial].sum() == 0


def test_the_papers_form_counts_every_step(stroop: Events) -> None:
    responses = replace(answers(stroop), usable=np.arange(stroop.n_trials) != 3)
    targets, counted = press_targets(stroop, responses, 3, masked=False)
    assert counted.all()
    assert targets.sum() == stroop.n_trials - 1
