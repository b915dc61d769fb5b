"""What a forecast rests on: a connectome or none, and how many of the person's own trials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from .tasks import TASKS

if TYPE_CHECKING:
    from .twin import Twin


LEAST_TO_DOUBT = 8
"""Trials without an answer below which this may be chance."""
UNLIKELY = 0.01
"""Chance of so few right answers by pressing anything, below which they are doubted."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known of the person that a twin stands for."""

    prior: Literal["connectome", "population"]
    """What was known before any trial was seen; bare edges are a connectome too."""
    has_distribution: bool
    """Whether the twin says how sure it is of the person."""
    n_trials: Mapping[str, int]
    """Trials that it learned from, by task; empty for none. Read-only."""
    n_answered: Mapping[str, int]
    """Those of them that have an answer."""
    n_right: Mapping[str, int]
    """Those of these that are right."""
    n_left_out: Mapping[str, int]
    """Trials given that could not be used, by task."""
    unseen: tuple[str, ...]
    """Tasks of the bundle without an answered trial."""

    @classmethod
    def of(cls, twin: Twin) -> Basis:
        """What this twin rests on."""
        tasks = [task for task in TASKS if any(run.task == task for run in twin.observed)]

        def total(name: str) -> Mapping[str, int]:
            return MappingProxyType(
                {
                    task: sum(getattr(run, name) for run in twin.observed if run.task == task)
                    for task in tasks
                }
            )

        answered = total("n_answered")
        return cls(
            prior="population" if twin.origin == "population" else "connectome",
            has_distribution=twin.posterior is not None,
            n_trials=total("n_observed"),
            n_answered=answered,
            n_right=total("n_right"),
            n_left_out=total("n_left_out"),
            unseen=tuple(task for task in twin.bundle.manifest.tasks if not answered.get(task, 0)),
        )

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.n_trials:
            learned = " and ".join(
                f"{n} trials of {task} ({self._details(task)})" for task, n in self.n_trials.items()
            )
            known = "the connectome" if self.prior == "connectome" else "no connectome"
            sentence = f"This twin learned from {learned}, and from {known}."
            if not any(self.n_answered.values()):
                sentence = (
                    f"This twin rests on {known}; {learned} told it how often this person lets "
                    "trials pass, and nothing else."
                )
            if self.unseen:
                sentence += (
                    f" Of {' and '.join(self.unseen)} no answered trial was seen; what other tasks "
                    "tell holds there only in part."
                )
            return sentence
        if self.prior == "population":
            return (
                "Neither a connectome nor a trial of this person was seen: this is a forecast of "
                "anybody, and its intervals are as wide as people differ."
            )
        if not self.has_distribution:
            return (
                "This forecast rests on the connectome alone, no trial of this person was seen; "
                "the bundle does not say how far off a person may be."
            )
        return (
            "This forecast rests on the connectome alone, no trial of this person was seen; its "
            "intervals are as wide as people with such a connectome differ."
        )

    @property
    def doubts(self) -> tuple[str, ...]:
        """What makes it doubtful that the trials tell of this person, a sentence each."""
        found = []
        for task, n_answered in self.n_answered.items():
            if self.n_trials[task] >= LEAST_TO_DOUBT and n_answered == 0:
                found.append(
                    f"None of {self.n_trials[task]} trials of {task} has an answer: they tell "
                    "nothing of this person's speed or choices. Check that answers were recorded."
                )
            elif _chance_of(self.n_right[task], n_answered, task) < UNLIKELY:
                found.append(
                    f"Of {n_answered} answers in {task} {self.n_right[task]} are right, fewer than "
                    "by chance. Check accuracy_binarized, and that the task was understood."
                )
        for task, n_left_out in self.n_left_out.items():
            if 2 * n_left_out > n_left_out + self.n_trials[task]:
                found.append(
                    f"{n_left_out} of {n_left_out + self.n_trials[task]} trials of {task} could "
                    "not be used: answered before 0.2 s, after 5 s or after the trial's end, or "
                    "without accuracy_binarized. Check both columns."
                )
        return tuple(found)

    def _details(self, task: str) -> str:
        left_out = self.n_left_out[task]
        more = f", {left_out} more not usable" if left_out else ""
        return f"{self.n_answered[task]} answered{more}"

    def to_json(self) -> dict[str, Any]:
        """Counts, and the sentence, as JSON values."""
        return {
            "prior": self.prior,
            "trials": sum(self.n_trials.values()),
            "answered": sum(self.n_answered.values()),
            "not_usable": sum(self.n_left_out.values()),
            "trials_by_task": dict(self.n_trials),
            "sentence": self.sentence,
        }


def _chance_of(n_right: int, n_answered: int, task: str) -> float:
    """Chance that a person who presses anything is right so seldom or more so (binomial).

    1 for those who are right as often as chance has it.
    """
    others = len(TASKS[task].options) - 1
    if n_right * (others + 1) >= n_answered:
        return 1.0  # no fewer than by chance, and nothing to look closer at
    # Whole numbers to the end: of thousands of trials, the terms are beyond any float.
    ways = sum(math.comb(n_answered, n) * others ** (n_answered - n) for n in range(n_right + 1))
    return float(ways / (others + 1) ** n_answered)
