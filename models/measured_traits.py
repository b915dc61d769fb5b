"""Traits of real people, measured from their trials, as normal scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import CohortError
from dtb_runtime.tasks import TASKS

from .cohorts import Participant, Run
from .simulated_people import TRAITS
from .tcp import TcpCohort

MIN_CORRECT_TRIALS = 8
"""Fewer correct trials of a type give no mean response time worth using."""
MIN_PEOPLE = 20
"""Normal scores of fewer people say little about anybody."""


@dataclass(frozen=True, slots=True)
class RealBehavior:
    """Real people's trials and what these say about their traits."""

    people: Mapping[str, Participant]
    """By participant id; without connectomes and BOLD."""
    scores: Mapping[str, NDArray[np.float64]]
    """Normal score of each trait, in the order of ``TRAITS``; NaN where not measured."""
    correlations: NDArray[np.float64]
    """(n_traits, n_traits) correlations of the traits."""
    is_real: bool
    """False if the folder's own description says that its people are simulated."""

    @classmethod
    def from_bids(cls, folder: str | Path) -> RealBehavior:
        """Read a BIDS folder of events.

        Raises
        ------
        CohortError
            If the folder cannot be used or holds fewer than 20 people.
        """
        cohort = TcpCohort(folder)
        people = {person.participant_id: person for person in cohort.participants}
        scores = measured_traits(cohort.participants)
        return cls(
            people=people,
            scores=dict(zip(people, scores, strict=True)),
            correlations=trait_correlations(scores),
            is_real=cohort.kind == "real",
        )


def measured_traits(participants: Sequence[Participant]) -> NDArray[np.float64]:
    """Return what behavior says about each person's traits, compared with the others.

    Speed is minus the mean response time of correct trials, averaged over the tasks; interference
    the incongruent minus congruent response time; accuracy minus the share of wrong answers;
    lapses the share of trials without a response. Each becomes a normal score (rank based), so
    that one very slow person does not decide a trait.

    Returns
    -------
    numpy.ndarray, shape (n_people, n_traits)
        In the order of ``TRAITS``; NaN where a person's trials do not tell, and for affective
        reactivity, of which behavior tells nothing.

    Raises
    ------
    CohortError
        If there are fewer than 20 people.
    """
    if len(participants) < MIN_PEOPLE:
        raise CohortError(
            f"Traits are measured by comparing people, which needs at least {MIN_PEOPLE} of them "
            f"with events, found {len(participants)}. Give a folder with more participants."
        )
    by_task = np.stack(
        [
            normal_scores([-_mean_rt(person, task, None) for person in participants])
            for task in TASKS
        ]
    )
    has_task = np.isfinite(by_task)
    n_tasks = np.where(has_task.any(0), has_task.sum(0), np.nan)
    speed = np.where(has_task, by_task, 0).sum(0) / n_tasks
    effect = [
        _mean_rt(person, "stroop", "incongruent") - _mean_rt(person, "stroop", "congruent")
        for person in participants
    ]
    scores = {
        "processing_speed": normal_scores(speed),
        "interference": normal_scores(effect),
        "accuracy": normal_scores([-_wrong_share(person) for person in participants]),
        "lapses": normal_scores([_missed_share(person) for person in participants]),
    }
    nothing = np.full(len(participants), np.nan)
    return np.stack([scores.get(trait, nothing) for trait in TRAITS], axis=1)


def trait_correlations(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlations of measured traits, valid as a correlation matrix.

    Unmeasured traits are uncorrelated with all others. Pairs of traits use the people who have
    both; a tenth of shrinkage keeps the matrix positive.

    Parameters
    ----------
    scores : numpy.ndarray, shape (n_people, n_traits)
        NaN where not measured.

    Returns
    -------
    numpy.ndarray, shape (n_traits, n_traits)
    """
    n_traits = scores.shape[1]
    matrix = np.eye(n_traits)
    for i in range(n_traits):
        for j in range(i):
            both = np.isfinite(scores[:, i]) & np.isfinite(scores[:, j])
            if both.sum() >= MIN_PEOPLE:
                r = np.corrcoef(scores[both, i], scores[both, j])[0, 1]
                matrix[i, j] = matrix[j, i] = 0.9 * r
    values, vectors = np.linalg.eigh(matrix)
    matrix = (vectors * np.maximum(values, 0.05)) @ vectors.T
    scale = np.sqrt(np.diagonal(matrix))
    return np.asarray(matrix / np.outer(scale, scale))


def normal_scores(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rank-based normal scores with mean 0 and SD 1; ties share theirs, NaN stays NaN."""
    array = np.asarray(values, np.float64)
    scores = np.full(len(array), np.nan)
    known = np.isfinite(array)
    n_known = int(known.sum())
    if n_known < 2:
        return scores
    _, member, counts = np.unique(array[known], return_inverse=True, return_counts=True)
    middle_rank = np.cumsum(counts) - (counts - 1) / 2
    quantile = (middle_rank - 0.5) / n_known
    by_rank = np.array([NormalDist().inv_cdf(q) for q in quantile])[member]
    sd = by_rank.std()
    scores[known] = (by_rank - by_rank.mean()) / sd if sd > 0 else 0.0
    return scores


def _runs(person: Participant, task: str | None) -> list[Run]:
    return [run for run in person.runs if task is None or run.task == task]


def _mean_rt(person: Participant, task: str, trial_type: str | None) -> float:
    times: list[float] = []
    for run in _runs(person, task):
        counts = run.responses.correct & run.responses.usable
        if trial_type is not None:
            counts = counts & (np.array(run.events.trial_group) == trial_type)
        times.extend(run.responses.response_time_s[counts].tolist())
    return float(np.mean(times)) if len(times) >= MIN_CORRECT_TRIALS else float("nan")


def _wrong_share(person: Participant) -> float:
    answered = [~np.isnan(run.responses.response_time_s) for run in person.runs]
    correct = [run.responses.correct for run in person.runs]
    n_answered = sum(int(a.sum()) for a in answered)
    n_correct = sum(int(c.sum()) for c in correct)
    if n_answered < MIN_CORRECT_TRIALS:
        return float("nan")
    return 1 - n_correct / n_answered


def _missed_share(person: Participant) -> float:
    missed = [np.isnan(run.responses.response_time_s) for run in person.runs]
    return float(np.mean(np.concatenate(missed))) if missed else float("nan")
