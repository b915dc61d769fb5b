"""Trials of simulated people: ex-Gaussian response times, errors and missed trials.

The levels are those of the real participants of the Transdiagnostic Connectome Project (212 people
with all runs, correct trials, 0.2 to 5 s): means and SDs between people of each trial type, the
spread within people, the correlation of the two tasks' mean response times, error rates, missed
trials. Spreads below are of the true values, so that they come out right once the trials' own
noise is added to people's means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.events import Events
from dtb_runtime.recorded_responses import MAX_RESPONSE_TIME_S, MIN_RESPONSE_TIME_S, Responses

from .simulated_people import TRAITS

MEAN_RT_S: Mapping[str, float] = MappingProxyType(
    {"face": 0.905, "shape": 0.793, "congruent": 0.804, "incongruent": 0.989}
)
"""Mean response time over people and trials in seconds, before trials that come too late for
their deadline are lost: this takes 0.01 s off the mean of faces."""

TASK_RT_SD_S: Mapping[str, float] = MappingProxyType({"hammer": 0.151, "stroop": 0.160})
"""SD between people of the true mean of both trial types (Hammer), of congruent trials (Stroop)."""

COMMON_SPEED = 0.83
"""Share of a task's true mean that is speed in general; it makes the two tasks correlate 0.65."""

EFFECT_SD_S: Mapping[str, float] = MappingProxyType({"hammer": 0.088, "stroop": 0.080})
"""SD between people of the true effect (face minus shape, incongruent minus congruent)."""

RELATIVE_TRIAL_SD: Mapping[str, float] = MappingProxyType(
    {"face": 0.255, "shape": 0.235, "congruent": 0.26, "incongruent": 0.24}
)
"""SD of a person's trials of one type, as a share of the mean: slower people vary more."""
TRIAL_SD_SPREAD = 0.22
"""SD between people of the log of that share."""
TAIL_SHARE = 0.93
"""Exponential part of a trial's SD (tau / SD), set by the skewness of real response times."""
ITEM_SD_S = 0.08
"""SD of what one trial adds for everybody by what is shown in it and was before, in seconds."""

ERROR_LOGIT: Mapping[str, float] = MappingProxyType(
    {"face": -4.02, "shape": -3.57, "congruent": -3.41, "incongruent": -2.63}
)
"""Log odds of a wrong answer of a person of average accuracy."""
ERROR_LOGIT_SD = 0.9
ERROR_SLOWING = 1.07
"""Wrong answers take this much longer."""
MISS_LOGIT = -4.5
"""Log odds of no response of a person of average lapses; most people miss next to nothing."""
MISS_LOGIT_SD = 1.45

_MIN_MEAN_S = 0.4


@dataclass(frozen=True, slots=True)
class Temperament:
    """What decides a person's trials, beyond chance in each trial."""

    mean_s: Mapping[str, float]
    """True mean response time of each trial type, in seconds."""
    sd_s: Mapping[str, float]
    """SD of the response times of each trial type."""
    error_rate: Mapping[str, float]
    """Chance of a wrong answer, given an answer."""
    miss_rate: float
    """Chance that a trial is missed."""

    @classmethod
    def from_traits(cls, traits: NDArray[np.float64], rng: np.random.Generator) -> Temperament:
        """Return the temperament of a person with these traits.

        Parameters
        ----------
        traits : numpy.ndarray, shape (n_traits,)
            z scores in the order of `simulated_people.TRAITS`.
        rng : numpy.random.Generator
            Draws what no trait decides: the difference of the two tasks' speeds, the face minus
            shape effect, how variable the person is.
        """
        of = dict(zip(TRAITS, traits.tolist(), strict=True))
        between_tasks, face_cost, variability = rng.standard_normal(3)
        common, apart = np.sqrt(COMMON_SPEED), np.sqrt(1 - COMMON_SPEED)
        slow = {
            "hammer": -common * of["processing_speed"] + apart * between_tasks,
            "stroop": -common * of["processing_speed"] - apart * between_tasks,
        }
        mean_of_hammer = (MEAN_RT_S["face"] + MEAN_RT_S["shape"]) / 2
        hammer = mean_of_hammer + TASK_RT_SD_S["hammer"] * slow["hammer"]
        # Slow people pay a little more for faces: it is why faces spread wider than shapes.
        cost = 0.12 * slow["hammer"] + np.sqrt(1 - 0.12**2) * face_cost
        difference = MEAN_RT_S["face"] - MEAN_RT_S["shape"] + EFFECT_SD_S["hammer"] * cost
        congruent = MEAN_RT_S["congruent"] + TASK_RT_SD_S["stroop"] * slow["stroop"]
        effect = MEAN_RT_S["incongruent"] - MEAN_RT_S["congruent"]
        mean_s = {
            "face": hammer + difference / 2,
            "shape": hammer - difference / 2,
            "congruent": congruent,
            "incongruent": congruent + effect + EFFECT_SD_S["stroop"] * of["interference"],
        }
        mean_s = {name: max(float(value), _MIN_MEAN_S) for name, value in mean_s.items()}
        factor = float(np.exp(TRIAL_SD_SPREAD * variability))
        return cls(
            mean_s=mean_s,
            sd_s={name: mean_s[name] * RELATIVE_TRIAL_SD[name] * factor for name in mean_s},
            error_rate={
                name: _logistic(logit - ERROR_LOGIT_SD * of["accuracy"])
                for name, logit in ERROR_LOGIT.items()
            },
            miss_rate=_logistic(MISS_LOGIT + MISS_LOGIT_SD * of["lapses"]),
        )


def perform(
    temperament: Temperament, schedule: Events, rng: np.random.Generator
) -> tuple[Events, Responses]:
    """Let a person do one run.

    Parameters
    ----------
    temperament : Temperament
    schedule : Events
        The trials; recorded responses in it are replaced.
    rng : numpy.random.Generator

    Returns
    -------
    Events
        The schedule with the columns ``response_time`` and ``accuracy_binarized``.
    Responses
        The same, as read from these columns.
    """
    groups = schedule.trial_group
    n_trials = schedule.n_trials
    mean = np.array([temperament.mean_s[group] for group in groups]) + item_effects(schedule)
    sd = np.array([temperament.sd_s[group] for group in groups])
    error = np.array([temperament.error_rate[group] for group in groups])
    sd = np.sqrt(np.maximum(np.square(sd) - ITEM_SD_S**2, np.square(0.5 * sd)))
    wrong = rng.random(n_trials) < error
    missed = rng.random(n_trials) < temperament.miss_rate
    time_s = _ex_gaussian(mean, sd, rng) * np.where(wrong, ERROR_SLOWING, 1.0)
    # What comes too late for its trial is no response, as it was for real people.
    missed |= time_s > np.minimum(schedule.duration_s, MAX_RESPONSE_TIME_S)
    columns = dict(schedule.columns)
    columns["response_time"] = tuple(
        "n/a" if miss else f"{value:.6f}" for miss, value in zip(missed, time_s, strict=True)
    )
    columns["accuracy_binarized"] = tuple("1.0" if right else "0.0" for right in ~(wrong | missed))
    events = replace(schedule, columns=MappingProxyType(columns))
    return events, Responses.from_events(events)


def item_effects(schedule: Events) -> NDArray[np.float64]:
    """Return what each trial's pictures or words add to everybody's response time, in seconds.

    The same pictures after the same ones always add the same; within a trial type the effects of
    a run average 0.

    Returns
    -------
    numpy.ndarray, shape (n_trials,)
    """
    shown = [
        name
        for name in ("stimLeft", "stimTop", "stimRight", "stimulus_text", "stimulus_color")
        if name in schedule.columns
    ]
    rows = ["|".join(row) for row in zip(*(schedule.columns[name] for name in shown), strict=True)]
    keys = [f"{before} > {now}" for before, now in zip(["", *rows], rows, strict=False)]
    effects = np.array([_standard_normal_of(key) for key in keys]) * ITEM_SD_S
    groups = np.array(schedule.trial_group)
    for group in set(schedule.trial_group):
        effects[groups == group] -= effects[groups == group].mean()
    return effects


def _ex_gaussian(
    mean: NDArray[np.float64], sd: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    tau = TAIL_SHARE * sd
    sigma = np.sqrt(1 - TAIL_SHARE**2) * sd
    values = (
        mean - tau + sigma * rng.standard_normal(len(mean)) + tau * rng.exponential(size=len(mean))
    )
    return np.asarray(np.maximum(values, MIN_RESPONSE_TIME_S + 0.02))


def _standard_normal_of(text: str) -> float:
    """Return a number that looks drawn from a standard normal and depends on the text alone."""
    digest = hashlib.sha256(text.encode()).digest()
    uniform = [(int.from_bytes(digest[i : i + 4], "little") + 0.5) / 2**32 for i in (0, 4)]
    return float(np.sqrt(-2 * np.log(uniform[0])) * np.cos(2 * np.pi * uniform[1]))


def _logistic(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))
