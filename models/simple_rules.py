"""What rules that know nothing of a person's connectome reach, beside every figure of a twin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from .cohorts import Participant
from .measurement import FEWEST_FOR_R, contrast_map
from .tensors import TrainingData

RULE_PREFIX = "rule/"
SHUFFLED_PREFIX = "shuffled/"
"""Begin the names of figures that a rule, or twins of other people's connectomes, reach."""

RULES = {
    "reaction_time_rmse_s": "the training people's mean of the trial type",
    "choice_concordance": "always the correct option",
    "group_contrast_r": "the training people's mean measured contrast",
    "bold_mse": "always the training people's mean of the region",
}
"""The rule beside each kind of figure."""


def shuffled(data: TrainingData) -> TrainingData:
    """Return the same people with each other's connectomes: everybody gets the next one's."""
    return TrainingData(data.edges.roll(1, 0), data.blocks)


def rule_figures(
    held_out: Sequence[Participant],
    held_out_data: TrainingData,
    training: Sequence[Participant],
    training_data: TrainingData,
) -> dict[str, float]:
    """Return the figures of `RULES` on the held-out people, without any prefix.

    Parameters
    ----------
    held_out, training : sequence of Participant
    held_out_data, training_data : TrainingData
        Made from them, with measured BOLD at TR in SDs of the training people.
    """
    figures: dict[str, float] = {}
    means = _trial_type_means(training)
    for task in sorted({run.task for person in held_out for run in person.runs}):
        errors, correct = [], []
        for person in held_out:
            observed, expected = [], []
            for run in person.runs:
                if run.task != task:
                    continue
                responses = run.responses
                answered = responses.usable & ~np.isnan(responses.response_time_s)
                correct.append(responses.correct[answered])
                right = answered & responses.correct
                groups = np.array(run.events.trial_group)[right]
                observed.append(responses.response_time_s[right])
                expected.append(np.array([means.get((task, g), np.nan) for g in groups]))
            mean_observed, mean_expected = (
                np.concatenate(x).mean() if sum(map(len, x)) else np.nan
                for x in (observed, expected)
            )
            errors.append(mean_expected - mean_observed)
        known = np.array([e for e in errors if np.isfinite(e)])
        if len(known):
            figures[f"reaction_time_rmse_s:{task}"] = float(np.sqrt(np.mean(np.square(known))))
        if sum(map(len, correct)):
            figures[f"choice_concordance:{task}"] = float(np.concatenate(correct).mean())
        ours = _mean_map(held_out, held_out_data, task)
        theirs = _mean_map(training, training_data, task)
        if ours is not None and theirs is not None and len(ours) >= FEWEST_FOR_R:
            figures[f"group_contrast_r:{task}"] = float(np.corrcoef(ours, theirs)[0, 1])
    squares = [block.bold[block.bold_counted].square() for block in held_out_data.blocks]
    if squares:
        figures["bold_mse"] = float(torch.cat(squares).mean())
    return figures


def _trial_type_means(people: Sequence[Participant]) -> dict[tuple[str, str], float]:
    """Return the mean response time of all people's correct trials, by task and trial type."""
    times: dict[tuple[str, str], list[float]] = {}
    for person in people:
        for run in person.runs:
            responses = run.responses
            right = responses.usable & responses.correct & ~np.isnan(responses.response_time_s)
            for trial in np.flatnonzero(right):
                key = (run.task, run.events.trial_group[trial])
                times.setdefault(key, []).append(float(responses.response_time_s[trial]))
    return {key: float(np.mean(values)) for key, values in times.items()}


def _mean_map(
    people: Sequence[Participant], data: TrainingData, task: str
) -> NDArray[np.float64] | None:
    """Return the mean measured contrast of a task over everybody's runs; None if nobody has one."""
    maps = list(_maps(people, data, task))
    return np.mean(maps, axis=0) if maps else None


def _maps(
    people: Sequence[Participant], data: TrainingData, task: str
) -> Iterator[NDArray[np.float64]]:
    for block in data.blocks:
        if block.task != task:
            continue
        for row, i in enumerate(block.people):
            n_measured = int(block.bold_counted[row].sum())
            if n_measured == 0:
                continue
            estimate = contrast_map(people[i].run(block.run), block.bold[row, :n_measured].numpy())
            if estimate is not None:
                yield estimate
