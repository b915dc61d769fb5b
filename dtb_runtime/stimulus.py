"""From events to what is on the screen: one encoder per task, 9 channels at 80-ms steps.

======== ==================================  ===========================
channel  hammer                              stroop
======== ==================================  ===========================
0        cue "match faces"                   ink is red
1        cue "match shapes"                  ink is green
2        top picture, first number           ink is blue
3        top picture, second number          word is "red"
4        left picture, first number          word is "green"
5        left picture, second number         word is "blue"
6        right picture, first number         0
7        right picture, second number        0
8        0 (the task flag)                   1 (the task flag)
======== ==================================  ===========================

The same events always give the same array: a face's two numbers come from its file name.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .tables import is_missing
from .tasks import DT_S, HAMMER, N_INPUTS, SHAPE_CODES, STROOP
from .trials import shape_name

if TYPE_CHECKING:
    from .events import Events

FACE_CODE_SEED = 3341
"""Smallest seed whose codes tell the two side faces of every default face trial apart."""

STROOP_WORD_S = 2.0
"""How long a Stroop word is shown, in seconds; the rest of the trial is a blank screen."""
_STROOP_BLANK_STEPS = 3
# The blank that the shortest trial of the study (2.25 s) leaves. Shorter trials of other studies
# keep it too: without a blank, a word shown twice in a row would be one long stimulus.


@cache
def face_code(file_name: str, seed: int = FACE_CODE_SEED) -> tuple[float, float]:
    """The two numbers that stand for a face, from its file name alone.

    Parameters
    ----------
    file_name : str
        Name of the picture as the events table has it.
    seed : int
        Picks one of many assignments; everything in this project uses the default.

    Returns
    -------
    tuple of two floats
        Each in [0, 0.1] or in [0.9, 1], with equal chance and uniform inside.
    """
    digest = hashlib.sha256(f"{seed}:{file_name}".encode()).digest()
    first, second = (int.from_bytes(digest[i : i + 8], "big") / 2.0**64 for i in (0, 8))
    return _near_0_or_1(first), _near_0_or_1(second)


def _near_0_or_1(uniform: float) -> float:
    return 0.2 * uniform if uniform < 0.5 else 0.8 + 0.2 * uniform


def encode(events: Events) -> NDArray[np.float32]:
    """Stimulus of a run as it is presented, read-only, shape (n_steps, 9)."""
    stimulus = np.zeros((events.n_steps, N_INPUTS), dtype=np.float32)
    if events.task == STROOP.name:
        _write_stroop(stimulus, events)
    else:
        _write_hammer(stimulus, events)
    stimulus.setflags(write=False)
    return stimulus


def _write_hammer(stimulus: NDArray[np.float32], events: Events) -> None:
    stimulus[:, 8] = HAMMER.flag
    cue_start, cue_end = events.columns["cueStartTime"], events.columns["cueEndTime"]
    pictures = [events.columns[f"stim{place}"] for place in ("Top", "Left", "Right")]
    for trial, names in enumerate(zip(*pictures, strict=True)):
        is_shape = events.trial_group[trial] == "shape"
        codes = [SHAPE_CODES[shape_name(n)] if is_shape else face_code(n) for n in names]
        shown = slice(events.onset_step[trial], events.offset_step[trial])
        stimulus[shown, 2:8] = np.concatenate(codes)
        if not is_missing(cue_start[trial]):
            first = math.floor(float(cue_start[trial]) / DT_S + 1e-6)
            last = math.ceil(float(cue_end[trial]) / DT_S - 1e-6)
            stimulus[first:last, int(is_shape)] = 1.0


def _write_stroop(stimulus: NDArray[np.float32], events: Events) -> None:
    stimulus[:, 8] = STROOP.flag
    n_colors = len(STROOP.options)
    shown_steps = round(STROOP_WORD_S / DT_S)
    next_onset = np.append(events.onset_step[1:], events.n_steps)
    for trial in range(events.n_trials):
        first = events.onset_step[trial]
        last = min(
            first + shown_steps,
            events.offset_step[trial],
            next_onset[trial] - _STROOP_BLANK_STEPS,
        )
        shown = slice(first, max(last, first + 1))
        word = STROOP.options.index(events.columns["stimulus_text"][trial].lower())
        stimulus[shown, events.correct_option[trial]] = 1.0
        stimulus[shown, n_colors + word] = 1.0


def network_input(stimulus: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the main network receives: the stimulus one step late, all zeros at step 0.

    Training and runtime both go through here, so that an answer at step t can depend on what
    was on the screen up to step t - 1 and never on its own step.

    Parameters
    ----------
    stimulus : numpy.ndarray, shape (n_steps, n_inputs)
        As presented.

    Returns
    -------
    numpy.ndarray, shape (n_steps, n_inputs), float32, C-contiguous
        Row 0 is zero (the task flag too); row t is ``stimulus[t - 1]``.
    """
    delayed = np.zeros(stimulus.shape, dtype=np.float32)
    delayed[1:] = stimulus[:-1]
    return delayed
