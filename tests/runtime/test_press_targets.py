"""Trials as targets of the action outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dtb_runtime.events import Events
from dtb_runtime.press_targets import press_targets
from dtb_runtime.recorded_responses import Responses

Answers = Callable[..., Responses]


def test_press_lands_in_the_step_that_holds_it_and_masks_until_the_next_trial(
    hammer: Events, answers: Answers
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


def test_a_wrong_press_is_shared_between_the_options_it_can_have_been(
    stroop: Events, answers: Answers
) -> None:
    targets, _ = press_targets(stroop, answers(stroop, correct=False), 3, masked=True)
    pressed = targets[targets.sum(1) > 0]
    assert len(pressed) == stroop.n_trials
    np.testing.assert_array_equal(np.sort(pressed, 1), np.tile([0, 0.5, 0.5], (len(pressed), 1)))
    rows = np.flatnonzero(targets.sum(1) > 0)
    assert (targets[rows, stroop.correct_option] == 0).all()


def test_a_wrong_press_of_two_options_is_the_other_one(hammer: Events, answers: Answers) -> None:
    targets, _ = press_targets(hammer, answers(hammer, correct=False), 3, masked=True)
    rows = np.flatnonzero(targets.sum(1) > 0)
    np.testing.assert_array_equal(targets[rows, 1 - hammer.correct_option], 1)


def test_no_response_counts_every_step_and_presses_none(stroop: Events, answers: Answers) -> None:
    targets, counted = press_targets(stroop, answers(stroop, np.nan), 3, masked=True)
    assert targets.sum() == 0
    assert counted.all()


def test_an_unusable_response_hides_its_trial(stroop: Events, answers: Answers) -> None:
    responses = replace(answers(stroop), usable=np.arange(stroop.n_trials) != 3)
    targets, counted = press_targets(stroop, responses, 3, masked=True)
    trial = slice(int(stroop.onset_step[3]), int(stroop.onset_step[4]))
    assert not counted[trial].any()
    assert targets[trial].sum() == 0


def test_the_papers_form_counts_every_step(stroop: Events, answers: Answers) -> None:
    responses = replace(answers(stroop), usable=np.arange(stroop.n_trials) != 3)
    targets, counted = press_targets(stroop, responses, 3, masked=False)
    assert counted.all()
    assert targets.sum() == stroop.n_trials - 1
