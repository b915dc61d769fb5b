"""One run with what a person did in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dtb_runtime.errors import EventsError
from dtb_runtime.events import Events
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.recorded_responses import Responses

Answers = Callable[..., Responses]
Same = Callable[[ObservedRun, ObservedRun], None]


def test_trials_and_responses_must_go_together(stroop: Events, answers: Answers) -> None:
    short = answers(stroop)
    with pytest.raises(EventsError, match="has 78 trials, but there are responses to 77 or 78"):
        ObservedRun(stroop, replace(short, usable=short.usable[1:]))
    for bad in (np.inf, -0.1, 1e7):
        with pytest.raises(EventsError, match="response times must be seconds after the onset"):
            ObservedRun(stroop, answers(stroop, bad))
        unusable = replace(answers(stroop, bad), usable=np.zeros(stroop.n_trials, np.bool_))
        assert ObservedRun(stroop, unusable).n_observed == 0


def test_until_keeps_the_trials_that_begin_before(
    stroop: Events, assert_same_run: Same, answers: Answers
) -> None:
    run = ObservedRun(stroop, answers(stroop))
    half = run.until(196.8)
    assert half is not None
    n = half.events.n_trials
    assert half.events.onset_s[-1] < 196.8 <= stroop.onset_s[n]
    assert half.n_observed == n
    assert run.until(0.0) is None
    assert run.until(float(stroop.onset_s[0])) is None
    whole = run.until(1e6)
    assert whole is not None
    assert_same_run(whole, run)
