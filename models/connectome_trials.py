"""Judged trials as linear models of the connectome forecast them, learned on other people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import MissingDependencyError

from .connectome_prediction import (
    METHODS,
    MIN_PEOPLE,
    Method,
    predict_from_connectomes,
    predict_held_out,
)
from .judged_trials import JudgedTrials
from .protocols import JudgedPeople, folds

Floats = NDArray[np.float64]
Edges = Mapping[str, NDArray[np.float32]]
"""Participant id to Fisher z of the connectome."""

TRAITS = ("mean_rt", "accuracy", "missed")
"""What is predicted of a person for each task."""
LEAST_SHARE = 1e-3
"""Predicted shares are kept this far from 0 and 1."""
N_PARTS = 10
"""Parts of the people where twins have no folds."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPeople:
    """People to learn from of whom nobody is judged."""

    people: JudgedPeople
    edges: Edges


def linear_tables(
    people: JudgedPeople,
    edges: Edges,
    parts: Sequence[Sequence[str]] | None,
    training: TrainingPeople | None,
    seed: int,
) -> tuple[dict[str, JudgedTrials], tuple[str, ...]]:
    """Return the judged trials as each kind of linear model forecasts them, and why there are none.

    Parameters
    ----------
    people : JudgedPeople
    edges : mapping of str to numpy.ndarray, shape (n_edges,)
        Participant id to Fisher z.
    parts : sequence of sequence of str, optional
        Folds of participant ids; by default ten.
    training : TrainingPeople, optional
        Whom to learn from instead of the people of the other parts.
    seed : int

    Returns
    -------
    dict of str to JudgedTrials
        By ``connectome/<method>``; empty where nobody has a connectome.
    tuple of str
        Sentences.
    """
    if not edges:
        return {}, ()
    if parts is None and len(edges) > 1:
        parts = folds(list(edges), min(N_PARTS, len(edges)), seed)
    tables = {}
    for method in METHODS:
        try:
            table = linear_model_trials(
                people, edges, parts or (), training=training, method=method, seed=seed
            )
        except MissingDependencyError as error:
            return {}, (f"Linear models of connectomes are left out. {error}",)
        if table is None:
            reason = f"fewer than {MIN_PEOPLE} people to learn from"
            return {}, (f"Linear models of connectomes are left out: {reason}.",)
        tables[f"connectome/{method}"] = table
    return tables, ()


def linear_model_trials(
    people: JudgedPeople,
    edges: Edges,
    parts: Sequence[Sequence[str]],
    *,
    training: TrainingPeople | None = None,
    method: Method,
    seed: int = 0,
) -> JudgedTrials | None:
    """Return the judged trials as a linear model of the connectome forecasts them.

    Each person's mean response time, share of right answers and share of missed trials is
    predicted from the edges; all of a person's trials get the same forecast.

    Parameters
    ----------
    people : JudgedPeople
    edges : mapping of str to numpy.ndarray, shape (n_edges,)
        Participant id to Fisher z; people without are not forecast.
    parts : sequence of sequence of str
        Folds of participant ids: everybody is predicted from the people of the other parts.
    training : TrainingPeople, optional
        Whom to learn from instead.
    method : "edge_sums" or "components"
    seed : int

    Returns
    -------
    JudgedTrials or None
        None where there are too few people to learn from.
    """
    ids = [one for one in people.participant_ids if one in edges]
    trials = people.trials()
    if not ids:
        return None
    tasks = trials.tasks
    if training is not None:
        known = [one for one in training.people.participant_ids if one in training.edges]
        values = person_traits(training.people.trials(), tasks, known)
        if len(known) < MIN_PEOPLE or _too_few(values):
            return None
        predicted = predict_from_connectomes(
            np.stack([training.edges[one] for one in known]),
            values,
            np.stack([edges[one] for one in ids]),
            seed,
            method=method,
        )
    else:
        place = {one: row for row, one in enumerate(ids)}
        rows = [[place[one] for one in part if one in place] for part in parts]
        rows = [part for part in rows if part]
        if len(rows) < 2:
            return None
        values = person_traits(trials, tasks, ids)
        largest = max(len(part) for part in rows)
        if len(ids) - largest < MIN_PEOPLE or _too_few(values, largest):
            return None
        predicted = predict_held_out(
            np.stack([edges[one] for one in ids]),
            values,
            rows,
            seed,
            method=method,
        )
    return _as_trials(trials, tasks, ids, predicted)


def person_traits(trials: JudgedTrials, tasks: Sequence[str], ids: Sequence[str]) -> Floats:
    """Return what linear models predict, measured: shape (n_people, n_tasks * 3).

    For each task the mean response time of right trials (s), the share of answers that are right,
    and the share of usable trials without an answer; NaN where a person has none of these trials.
    """
    table = np.full((len(ids), len(tasks) * len(TRAITS)), np.nan)
    place = {one: row for row, one in enumerate(ids)}
    for column, task in enumerate(tasks):
        part = trials.of_task(task)
        row = np.array([place.get(str(one), -1) for one in part.participant_id])
        for trait, values, counted in (
            (0, part.response_time_s, part.right),
            (1, part.correct.astype(np.float64), part.answered),
            (2, (~part.answered).astype(np.float64), part.usable),
        ):
            kept = counted & (row >= 0)
            number = np.bincount(row[kept], minlength=len(ids))
            total = np.bincount(row[kept], values[kept], minlength=len(ids))
            known = number > 0
            table[known, column * len(TRAITS) + trait] = total[known] / number[known]
    return table


def _too_few(values: Floats, left_out: int = 0) -> bool:
    known = np.isfinite(values).sum(axis=0)
    return bool((known - left_out < MIN_PEOPLE).any())


def _as_trials(
    trials: JudgedTrials, tasks: Sequence[str], ids: Sequence[str], predicted: Floats
) -> JudgedTrials:
    place = {one: row for row, one in enumerate(ids)}
    row = np.array([place.get(str(one), -1) for one in trials.participant_id])
    column = np.array([tasks.index(str(task)) for task in trials.task]) * len(TRAITS)
    rt, accuracy, missed = (
        np.where(row >= 0, predicted[row, column + trait], np.nan) for trait in range(len(TRAITS))
    )
    accuracy, missed = (np.clip(x, LEAST_SHARE, 1 - LEAST_SHARE) for x in (accuracy, missed))
    return trials.predicting(rt_s=rt, p_correct=accuracy * (1 - missed), p_no_response=missed)
