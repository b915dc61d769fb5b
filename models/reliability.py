"""How well a half's mean response time is measured at all, and so how well it can be forecast.

A forecast cannot correlate higher with a noisy measurement than the measurement's reliability
allows: at most the root of the product of both reliabilities (Spearman).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtb_runtime.tasks import get_task

from . import metric_sums
from .bootstrap import Figure, bootstrap
from .judged_trials import JudgedTrials
from .metric_definitions import FEWEST_FOR_R
from .metric_sums import People, Values
from .protocols import JudgedPeople

Trait = Literal["mean_rt", "effect"]


@dataclass(frozen=True, slots=True)
class Reliability:
    """How reliable one number of a person is, and what that allows."""

    seen: Figure
    """Of the seen half: r between its odd and even trials, by Spearman-Brown."""
    judged: Figure
    """Of the judged half."""
    whole: Figure
    """Of both halves together: odd and even trials, by Spearman-Brown."""
    between_halves: Figure
    """r of the seen half with the judged half, as it is."""
    whole_from_halves: Figure
    """The same by Spearman-Brown; lower than `whole` as far as people change from half to half."""

    @property
    def bound_of_truth(self) -> float:
        """Highest r with the judged half that any forecast can have."""
        return highest_r(1.0, self.judged.value)

    @property
    def bound_of_seen(self) -> float:
        """Highest r for a forecast of the seen half alone, of people who do not change."""
        return highest_r(self.seen.value, self.judged.value)


def spearman_brown(r: ArrayLike, lengthening: float = 2.0) -> NDArray[np.float64]:
    """Return the reliability of a test of several such parts, given the r of one with another.

    Parameters
    ----------
    r : array-like
        Correlation of two parts, in (-1, 1].
    lengthening : float
        How many parts the whole has.

    Examples
    --------
    >>> round(float(spearman_brown(0.5)), 3)
    0.667
    """
    part = np.asarray(r, np.float64)
    below = 1 + (lengthening - 1) * part
    whole = np.full_like(part, np.nan)
    return np.asarray(np.divide(lengthening * part, below, out=whole, where=below > 0))


def highest_r(reliability: float, other: float) -> float:
    """Return the r that two numbers of such reliability have when their true values agree.

    0 where one of them is no more reliable than chance; NaN where one is not known.
    """
    if not np.isfinite([reliability, other]).all():
        return float("nan")
    return float(np.sqrt(max(reliability, 0.0) * max(other, 0.0)))


def reliabilities(people: JudgedPeople) -> dict[str, Reliability]:
    """Return the reliability of response times, from right trials.

    Parameters
    ----------
    people : JudgedPeople

    Returns
    -------
    dict of str to Reliability
        ``mean_rt:<task>`` and ``effect:<task>`` (the task's contrast, e.g. incongruent minus
        congruent). Tasks with fewer than 5 people are left out.
    """
    found: dict[str, Reliability] = {}
    seen, judged = people.trials("seen"), people.trials("judged")
    for task in judged.tasks:
        halves = seen.of_task(task), judged.of_task(task)
        whole = JudgedTrials.concatenate(halves)
        traits: tuple[Trait, ...] = ("mean_rt", "effect")
        for trait in traits:
            figures = (
                *(_odd_even(table, trait) for table in (*halves, whole)),
                *(_halves(halves, trait, lengthening=n) for n in (1.0, 2.0)),
            )
            known = [figure for figure in figures if figure is not None]
            if len(known) == len(figures):
                found[f"{trait}:{task}"] = Reliability(*known)
    return found


def _odd_even(trials: JudgedTrials, trait: Trait) -> Figure | None:
    """Correlate odd with even right trials of each type, so that both parts are alike."""
    right = trials.select(trials.right)
    names = np.char.add(np.char.add(right.participant_id, "/"), right.trial_group)
    _, key = np.unique(names, return_inverse=True)
    order = np.lexsort((right.trial, key))
    number = np.bincount(key)
    place = np.empty(len(right), np.int64)
    place[order] = np.arange(len(right)) - np.repeat(np.cumsum(number) - number, number)
    parts = right.select(place % 2 == 0), right.select(place % 2 == 1)
    return _halves(parts, trait, lengthening=2.0)


def _halves(
    parts: tuple[JudgedTrials, JudgedTrials], trait: Trait, *, lengthening: float
) -> Figure | None:
    """Correlate a trait between two parts of the trials, over people who have it in both."""
    x, y = (_traits(part.select(part.right), trait) for part in parts)
    both = sorted(set(x) & set(y))
    if len(both) < FEWEST_FOR_R:
        return None
    everybody = People(np.array(both, np.str_), np.arange(len(both)))
    sums = metric_sums.pair_products(
        np.array([x[name] for name in both]), np.array([y[name] for name in both]), everybody
    )
    return bootstrap(
        sums, lambda total: spearman_brown(metric_sums.correlation(total), lengthening)
    )


def _traits(right: JudgedTrials, trait: Trait) -> dict[str, float]:
    """Return each person's mean response time, or contrast, where their trials tell."""
    if trait == "mean_rt":
        return _means(right)
    if not len(right):
        return {}
    positive, negative = (
        _means(right.select(right.trial_group == name))
        for name in get_task(right.tasks[0]).contrast
    )
    return {name: positive[name] - negative[name] for name in positive.keys() & negative.keys()}


def _means(trials: JudgedTrials) -> dict[str, float]:
    people = People.of(trials)
    values: Values = people.mean(trials.response_time_s)
    return dict(zip(people.ids.tolist(), values.tolist(), strict=True))
