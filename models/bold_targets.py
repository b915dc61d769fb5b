"""What training asks BOLD outputs and slow hidden units for, and what it measures in BOLD."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import MissingDependencyError
from dtb_runtime.events import Events
from dtb_runtime.glm import Design, design_matrix
from dtb_runtime.stimulus import STROOP_WORD_S
from dtb_runtime.tasks import STEPS_PER_TR, TR_S, get_task

N_DESIGN_SIGNALS = 5
"""Columns of `design_signals`."""


def interpolated_bold(bold: NDArray[np.float32], n_steps: int) -> NDArray[np.float32]:
    """Return BOLD at every 80-ms step by cubic interpolation (the paper's x10 resampling).

    Steps after the last volume hold its value, since a cubic has nothing to lean on there.
    """
    try:
        from scipy.interpolate import CubicSpline
    except ImportError as error:
        raise MissingDependencyError(
            "Training on interpolated BOLD needs scipy, which is not installed: "
            'pip install "dtb-runtime[imaging]".'
        ) from error

    at_s = np.arange(len(bold)) * STEPS_PER_TR
    wanted = np.minimum(np.arange(n_steps), at_s[-1])
    return np.asarray(CubicSpline(at_s, bold, axis=0)(wanted), np.float32)


def trial_type_effects(bold: NDArray[np.float32], events: Events) -> dict[str, NDArray[np.float64]]:
    """Return how strongly every region answers each trial type, by least squares.

    Trials count for the time that their stimulus was shown. A trial type that the scan breaks off
    before, or that cannot be told from the others, is left out.

    Parameters
    ----------
    bold : ndarray, shape (n_frames, n_regions)
        As far as the scan went.
    events : Events

    Returns
    -------
    dict of str to ndarray, shape (n_regions,)
        By trial type.
    """
    if not len(bold):
        return {}
    _, shown = _designs(events, len(bold))
    if shown.why_no_contrast(get_task(events.task).contrast) is not None:
        return {}
    effects = shown.solver @ (shown.basis.T @ bold.astype(np.float64))
    return {
        name: effects[shown.columns.index(name)]
        for name in get_task(events.task).trial_types
        if name in shown.columns
    }


def design_signals(events: Events, n_frames: int) -> NDArray[np.float32]:
    """Return what trials should leave in slow hidden units, whatever the person's BOLD is like.

    Sum and difference of the task's two trial types, as Glover response and derivative to the
    time that the stimulus was shown; last the difference of the responses to whole trials, which
    is what the indicators' contrast looks for. Each has mean 0 and SD 1 over the run, so a
    difference that is a thousandth of BOLD's variance has the same weight as everything else.

    Parameters
    ----------
    events : Events
    n_frames : int

    Returns
    -------
    ndarray, shape (n_frames, N_DESIGN_SIGNALS)
        0 for a trial type that the run does not have.
    """
    whole, shown = _designs(events, n_frames)
    positive, negative = get_task(events.task).contrast

    def pair(design: Design, kind: str = "") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        a, b = (
            design.matrix[:, design.columns.index(name + kind)]
            if name + kind in design.columns
            else np.zeros(n_frames)
            for name in (positive, negative)
        )
        return a + b, a - b

    signals = np.stack([*pair(shown), *pair(shown, "_derivative"), pair(whole)[1]], 1)
    centered = signals - signals.mean(0)
    sd = centered.std(0)
    return np.asarray(centered / np.where(sd > 0, sd, 1), np.float32)


def _designs(events: Events, n_frames: int) -> tuple[Design, Design]:
    """Return the GLM's design of whole trials, and of the time that stimuli were shown."""
    shown = replace(events, duration_s=np.minimum(events.duration_s, STROOP_WORD_S))
    return design_matrix(events, n_frames, TR_S), design_matrix(shown, n_frames, TR_S)
