"""A person's trials as targets of the action outputs, step by step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .events import Events
from .recorded_responses import Responses
from .tasks import DT_S, get_task


def press_targets(
    events: Events, responses: Responses, n_actions: int, *, masked: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Action targets and the steps that count, for one run.

    Parameters
    ----------
    events, responses : Events, Responses
        The trials and what the person did in them.
    n_actions : int
        Columns of the targets; options beyond the task's stay 0.
    masked : bool
        True for the hazard form: steps after a press, up to the next trial, do not count, and
        neither do trials whose response cannot be used. False for the paper's form: all count.

    Returns
    -------
    targets : ndarray, shape (n_steps, n_actions)
        1 at the step of the press. After a wrong answer among three options the pressed one is
        not known; each of the two others gets 0.5, the expected loss over which it was.
    counted : ndarray, shape (n_steps,)
    """
    n_options = len(get_task(events.task).options)
    targets = np.zeros((events.n_steps, n_actions), np.float32)
    counted = np.ones(events.n_steps, np.bool_)
    starts = np.append(events.onset_step, events.n_steps)
    for trial in range(events.n_trials):
        first, following = int(starts[trial]), int(starts[trial + 1])
        if not responses.usable[trial]:
            if masked:
                counted[first:following] = False
            continue
        time_s = responses.response_time_s[trial]
        if np.isnan(time_s):
            continue
        press = int((events.onset_s[trial] + time_s) / DT_S + 1e-6)
        press = min(max(press, first), following - 1, events.n_steps - 1)
        right = int(events.correct_option[trial])
        if responses.correct[trial]:
            targets[press, right] = 1.0
        else:
            others = [option for option in range(n_options) if option != right]
            targets[press, others] = 1.0 / len(others)
        if masked:
            counted[press + 1 : following] = False
    return targets, counted
