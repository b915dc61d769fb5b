"""What a forecast rests on: a connectome or none, and how many of the person's own trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from .tasks import TASKS

if TYPE_CHECKING:
    from .twin import Twin


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

    @classmethod
    def of(cls, twin: Twin) -> Basis:
        """What this twin rests on."""
        n_trials, n_answered = dict[str, int](), dict[str, int]()
        for task in TASKS:
            runs = [run for run in twin.observed if run.task == task]
            if runs:
                n_trials[task] = sum(run.n_observed for run in runs)
                n_answered[task] = sum(run.n_answered for run in runs)
        return cls(
            prior="population" if twin.origin == "population" else "connectome",
            has_distribution=twin.posterior is not None,
            n_trials=MappingProxyType(n_trials),
            n_answered=MappingProxyType(n_answered),
        )

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.n_trials:
            learned = " and ".join(
                f"{n} trials of {task} ({self.n_answered[task]} answered)"
                for task, n in self.n_trials.items()
            )
            known = "the connectome" if self.prior == "connectome" else "no connectome"
            return f"This twin learned from {learned}, and from {known}."
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

    def to_json(self) -> dict[str, Any]:
        """Counts, and the sentence, as JSON values."""
        return {
            "prior": self.prior,
            "trials": sum(self.n_trials.values()),
            "answered": sum(self.n_answered.values()),
            "trials_by_task": dict(self.n_trials),
            "sentence": self.sentence,
        }
