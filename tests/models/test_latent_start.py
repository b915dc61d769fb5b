"""Where the population fit begins, against statistics computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_models.cohorts import Participant
from dtb_models.latent_start import UNTOLD_SD, latent_start, trial_statistics
from dtb_runtime.recorded_responses import Responses

AnsweringPeople = Callable[..., list[Participant]]
PeopleOfSpeed = Callable[..., list[Participant]]


def by_hand(person: Participant, task: str) -> list[float]:
    """Mean, SD and effect (first minus second trial type) of the log times of right trials."""
    (run,) = (run for run in person.runs if run.task == task)
    own = run.responses
    groups = ("", "face", "shape", "incongruent", "congruent")
    times: dict[str, list[float]] = {group: [] for group in groups}
    for trial, group in enumerate(run.events.trial_group):
        time_s = own.response_time_s[trial]
        if own.usable[trial] and own.correct[trial] and time_s == time_s:
            times[""].append(np.log(time_s))
            times[group].append(np.log(time_s))
    first, second = ("face", "shape") if task == "hammer" else ("incongruent", "congruent")
    return [np.mean(times[""]), np.std(times[""]), np.mean(times[first]) - np.mean(times[second])]


def test_statistics_are_those_computed_by_hand(answering_people: AnsweringPeople) -> None:
    people = answering_people(7)
    expected = np.array([by_hand(p, "hammer") + by_hand(p, "stroop") for p in people])
    expected = (expected - expected.mean(0)) / expected.std(0)
    np.testing.assert_allclose(trial_statistics(people), expected, atol=1e-9)


def with_trials(person: Participant, keep: NDArray[np.bool_]) -> Participant:
    """Return a person who did not answer the other trials of the first run."""
    run = person.runs[0]
    times = np.where(keep, run.responses.response_time_s, np.nan)
    silent = Responses(times, run.responses.correct & keep, run.responses.usable)
    return replace(person, runs=(replace(run, responses=silent), *person.runs[1:]))


def test_what_a_person_does_not_tell_is_the_mean_of_the_others(
    answering_people: AnsweringPeople,
) -> None:
    people = answering_people(6)
    n_trials = people[0].runs[0].events.n_trials
    is_face = np.array(people[0].runs[0].events.trial_group) == "face"
    people[1] = replace(people[1], runs=people[1].runs[1:])  # no Hammer at all
    people[2] = with_trials(people[2], np.arange(n_trials) < 3)  # too few answers
    people[3] = with_trials(people[3], is_face)  # no effect to be had
    found = trial_statistics(people)
    assert np.isfinite(found).all()
    assert not found[1:3, :3].any()
    assert found[3, :2].all()
    assert found[3, 2] == 0
    others = np.array([by_hand(people[i], "hammer") for i in (0, 4, 5)])
    expected = (others[:, 2] - others[:, 2].mean()) / others[:, 2].std()
    np.testing.assert_allclose(found[[0, 4, 5], 2], expected, atol=1e-9)


def test_nobody_differs_in_what_nobody_did(people_of_speed: PeopleOfSpeed) -> None:
    statistics = trial_statistics(people_of_speed([0.0, 0.3, -0.2, 0.1]))  # Stroop only
    assert not statistics[:, :3].any()
    assert np.isfinite(statistics).all()


def test_the_start_has_components_of_unit_variance(answering_people: AnsweringPeople) -> None:
    people = answering_people(20)
    start = latent_start(people, 8, seed=1).double().numpy()
    statistics = trial_statistics(people)
    told, rest = start[:, :6], start[:, 6:]
    np.testing.assert_allclose(told.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(told.T @ told / 20, np.eye(6), atol=1e-5)
    # All that the statistics say is in them, most of it in the first.
    np.testing.assert_allclose(told @ (told.T @ statistics) / 20, statistics, atol=1e-5)
    explained = np.square(told.T @ statistics).sum(1)
    assert (np.diff(explained) < 0).all()
    assert 0.3 * UNTOLD_SD < rest.std() < 3 * UNTOLD_SD


def test_the_first_two_components_hold_speed_and_effect_of_both_tasks(
    answering_people: AnsweringPeople,
) -> None:
    people = answering_people(40)
    both = np.array([np.add(by_hand(p, "hammer"), by_hand(p, "stroop")) for p in people])
    start = latent_start(people, 2, seed=1).double().numpy()
    for common in (both[:, 0], both[:, 2]):
        r = [np.corrcoef(common, component)[0, 1] for component in start.T]
        assert np.sum(np.square(r)) > 0.8


@pytest.mark.parametrize("n_latents", [1, 4, 12])
def test_the_seed_draws_what_statistics_do_not_tell(
    answering_people: AnsweringPeople, n_latents: int
) -> None:
    people = answering_people(4)
    first, again, other = (latent_start(people, n_latents, seed).numpy() for seed in (1, 1, 2))
    assert first.shape == (4, n_latents)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[:, :3], other[:, :3])  # 3 components of 4 people
    assert n_latents <= 3 or (first[:, 3:] != other[:, 3:]).all()
