"""Task BOLD of simulated people: convolved responses to trials on top of ongoing activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.events import Events
from dtb_runtime.hrf import glover_hrf
from dtb_runtime.tasks import DT_S, STEPS_PER_TR, get_task

from .response_maps import ResponseMaps
from .simulated_connectome import PersonBrain
from .simulated_people import TRAITS

TASK_AUTOCORRELATION = 0.5
"""Lag-1 autocorrelation of ongoing activity during a task, at TR 0.8 s."""
STIMULUS_S = 2.0
"""A trial drives the brain this long at most; Stroop's trials go on into a varying pause."""
GAIN_SD = 0.2
"""SD between people of the log of how strongly their vessels answer anything."""
CONTRAST_SCALE_SD = 0.5
"""SD between people of the scale of a task's contrast, around 1."""
INTERFERENCE_SHARE = 0.5
"""Correlation of the Stroop contrast's scale with interference in behavior."""


@dataclass(frozen=True, slots=True)
class ResponseScales:
    """How strongly one person's brain answers, compared with the group's maps."""

    gain: float
    """Scale of every response."""
    face_shape: float
    """Scale of the face > shape difference, which is affective reactivity."""
    incongruent_congruent: float
    """Scale of the incongruent > congruent difference."""

    @classmethod
    def from_traits(cls, traits: NDArray[np.float64], rng: np.random.Generator) -> ResponseScales:
        """Return the scales of a person with these traits, in the order of ``TRAITS``."""
        of = dict(zip(TRAITS, traits.tolist(), strict=True))
        gain, own = rng.standard_normal(2)
        conflict = INTERFERENCE_SHARE * of["interference"]
        conflict += np.sqrt(1 - INTERFERENCE_SHARE**2) * own
        return cls(
            gain=float(np.exp(GAIN_SD * gain)),
            face_shape=1 + CONTRAST_SCALE_SD * of["affective_reactivity"],
            incongruent_congruent=float(1 + CONTRAST_SCALE_SD * conflict),
        )

    def responses(self, maps: ResponseMaps, task: str) -> Mapping[str, NDArray[np.float64]]:
        """Return this person's own map of each of a task's trial types, shape (n_regions,).

        The two maps of a contrast keep their mean; only their difference is scaled.
        """
        definition = get_task(task)
        positive, negative = definition.contrast
        scale = getattr(self, definition.contrast_name)
        middle = (maps.responses[positive] + maps.responses[negative]) / 2
        half = scale * maps.contrast(positive, negative) / 2
        return {positive: self.gain * (middle + half), negative: self.gain * (middle - half)}


def task_regressors(events: Events) -> Mapping[str, NDArray[np.float64]]:
    """Return each trial type's boxcar convolved with the Glover response, at TR.

    Returns
    -------
    mapping of str to numpy.ndarray, shape (n_frames,)
    """
    key = (
        events.trial_group,
        tuple(events.onset_s.tolist()),
        tuple(events.duration_s.tolist()),
        events.n_frames,
    )
    return _regressors(*key)


def simulate_bold(
    events: Events,
    brain: PersonBrain,
    responses: Mapping[str, NDArray[np.float64]],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return one run's BOLD, shape (n_frames, n_regions), read-only.

    Ongoing activity has unit variance, the person's own connectome and first-order
    autocorrelation; responses are added in the same unit.
    """
    return _with_responses(
        brain.series(events.n_frames, rng, TASK_AUTOCORRELATION), events, responses
    )


def planted_bold(
    events: Events, responses: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float32]:
    """Return one run's responses to trials and nothing else, shape (n_frames, n_regions)."""
    n_regions = len(next(iter(responses.values())))
    silence = np.zeros((events.n_frames, n_regions), np.float32)
    return _with_responses(silence, events, responses)


def _with_responses(
    bold: NDArray[np.float32], events: Events, responses: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float32]:
    """Add responses to a new array, and return it read-only."""
    for trial_type, regressor in task_regressors(events).items():
        bold += np.outer(regressor, responses[trial_type]).astype(np.float32)
    bold.setflags(write=False)
    return bold


@lru_cache(maxsize=32)
def _regressors(
    groups: tuple[str, ...],
    onset_s: tuple[float, ...],
    duration_s: tuple[float, ...],
    n_frames: int,
) -> Mapping[str, NDArray[np.float64]]:
    edges = np.arange(n_frames * STEPS_PER_TR + 1) * DT_S
    kernel = glover_hrf(DT_S)
    regressors = {}
    for group in dict.fromkeys(groups):
        box = np.zeros(len(edges) - 1)
        for name, onset, duration in zip(groups, onset_s, duration_s, strict=True):
            if name == group:  # the share of each step that the stimulus is on
                end = onset + min(duration, STIMULUS_S)
                box += np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], onset), 0, None)
        series = np.convolve(box / DT_S, kernel)[: len(box) : STEPS_PER_TR]
        series.setflags(write=False)
        regressors[group] = series
    return regressors
