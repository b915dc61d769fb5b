"""Fixtures of the training side's tests: parcellations small enough to simulate in no time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from dtb_models.cohorts import Participant, Run
from dtb_runtime.events import Events
from dtb_runtime.parcellation import Parcellation, find_structures
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.tasks import TASKS, get_task

FAMILIES = ("VisCent", "SomMotA", "ContA", "DefaultB")


def made_parcellation(name: str, per_network: int, *, with_amygdala: bool = True) -> Parcellation:
    """Return networks in both hemispheres, each region with its mirror image."""
    rng = np.random.default_rng(5)
    labels, network, hemisphere, places = [], [], [], []
    for family in FAMILIES:
        center = rng.uniform((25, -70, -10), (50, 40, 50))
        for k in range(per_network):
            place = center + rng.uniform(-15, 15, 3)
            for side, sign in (("L", -1), ("R", 1)):
                labels.append(f"net_{side}H_{family}_{k + 1}")
                network.append(family)
                hemisphere.append(side)
                places.append(place * (sign, 1, 1))
    if with_amygdala:
        labels += ["lAMY-lh", "lAMY-rh"]
        network += ["medial_temporal_lobe"] * 2
        hemisphere += ["L", "R"]
        places += [np.full(3, np.nan)] * 2
    return Parcellation(
        name=name,
        labels=tuple(labels),
        network=tuple(network),
        hemisphere=tuple(hemisphere),
        coordinates=np.array(places),
        structures=find_structures(labels, hemisphere),
    )


@pytest.fixture(scope="session")
def small_parcellation() -> Parcellation:
    """26 regions: 4 networks of 3 pairs, and both amygdalae (without coordinates)."""
    return made_parcellation("small26", 3)


@pytest.fixture(scope="session")
def medium_parcellation() -> Parcellation:
    """122 regions, enough for patterns over edges to stand out from the noise of a scan."""
    return made_parcellation("medium122", 15)


def short_events(task: str, n_trials: int) -> Events:
    """Return the first trials of the default schedule and two seconds after them."""
    events = get_task(task).schedule()
    offset_step = events.offset_step[:n_trials]
    return replace(
        events,
        onset_s=events.onset_s[:n_trials],
        duration_s=events.duration_s[:n_trials],
        trial_type=events.trial_type[:n_trials],
        trial_group=events.trial_group[:n_trials],
        correct_option=events.correct_option[:n_trials],
        columns={name: cells[:n_trials] for name, cells in events.columns.items()},
        onset_step=events.onset_step[:n_trials],
        offset_step=offset_step,
        n_frames=-(-int(offset_step[-1]) // 10) + 3,
    )


PeopleOfSpeed = Callable[..., list[Participant]]


@pytest.fixture(scope="session")
def people_of_speed() -> PeopleOfSpeed:
    """Makes people who are always right in a few trials and differ in the log of their times."""

    def make(
        slowness: Sequence[float], *, task: str = "stroop", n_trials: int = 24, seed: int = 4
    ) -> list[Participant]:
        rng = np.random.default_rng(seed)
        events = short_events(task, n_trials)
        everything = np.ones(n_trials, np.bool_)
        people = []
        for number, own in enumerate(slowness, 1):
            times = 0.9 * np.exp(own + rng.normal(0, 0.15, n_trials))
            run = Run(task, f"{task}AP_run-01", events, Responses(times, everything, everything))
            people.append(Participant(f"sub-{number:02d}", (run,)))
        return people

    return make


AnsweringPeople = Callable[..., list[Participant]]


@pytest.fixture(scope="session")
def answering_people() -> AnsweringPeople:
    """Makes people who answer the default schedules, each with a speed of their own."""

    def make(
        n_people: int, *, tasks: tuple[str, ...] = tuple(TASKS), seed: int = 3
    ) -> list[Participant]:
        rng = np.random.default_rng(seed)
        return [_answering(f"sub-{i:02d}", tasks, rng) for i in range(1, n_people + 1)]

    return make


def _answering(
    participant_id: str, tasks: tuple[str, ...], rng: np.random.Generator
) -> Participant:
    speed_s, effect_s = rng.uniform(0.6, 1.2), rng.normal(0.12, 0.05)
    p_wrong, p_missed = rng.uniform(0.02, 0.15), rng.uniform(0.0, 0.1)
    runs = []
    for task in tasks:
        events = get_task(task).schedule()
        n = events.n_trials
        is_slow = np.array(events.trial_group) == get_task(task).contrast[0]
        times = (speed_s + effect_s * is_slow) * np.exp(rng.normal(0, 0.2, n))
        missed = rng.random(n) < p_missed
        responses = Responses(
            response_time_s=np.where(missed, np.nan, times),
            correct=~missed & (rng.random(n) > p_wrong),
            usable=rng.random(n) > 0.03,
        )
        runs.append(Run(task, f"{task}AP_run-01", events, responses))
    phenotype = {
        "age": f"{rng.uniform(18, 70):.1f}",
        "sex": str(rng.choice(["F", "M"])),
        "Site": str(rng.choice(["1", "2"])),
        "Group": str(rng.choice(["Patient", "GenPop"])),
    }
    return Participant(participant_id, tuple(runs), phenotype=phenotype)
