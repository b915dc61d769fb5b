"""Who is judged on which trials, and what a twin may have seen of them.

Every protocol judges the same trials: of each person's first run of a task, those that begin in
the second 196.8 s. What differs is what came before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.events import Events
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.tasks import TASKS, get_task

from .cohorts import Participant, Run
from .judged_trials import JudgedTrials

HALF_S = 196.8
"""The paper trains on this much of a run and tests on as much after it, in seconds."""
MIN_RIGHT_TRIALS = 8
"""Of fewer right answers in either half no mean response time is taken."""
ProtocolName: TypeAlias = Literal["temporal", "new-people", "calibrated"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a twin, or a rule, knows of the people it is judged on."""

    name: ProtocolName
    """As on the command line."""
    sees_first_half: bool
    """Whether the person's own trials of the first half were seen."""
    trains_on_judged: bool
    """Whether the judged people were in the training; else they are held out, fold by fold."""
    description: str
    """One sentence for tables."""


PROTOCOLS: Mapping[ProtocolName, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            Protocol(
                "temporal",
                True,
                True,
                "Trained on everybody's first half of a run, judged on the second: the paper's.",
            ),
            Protocol(
                "new-people",
                False,
                False,
                "Judged on people held out of the training, of whom no trial was seen.",
            ),
            Protocol(
                "calibrated",
                True,
                False,
                "Judged on people held out of the training, after their own first half was seen.",
            ),
        )
    }
)
"""Every protocol by its name."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedRun:
    """One person's run that is judged."""

    participant: Participant
    """The person."""
    run: Run
    """The run."""
    seen: NDArray[np.bool_]
    """Trials of the first half, shape (n_trials,)."""
    judged: NDArray[np.bool_]
    """Trials of the second half, shape (n_trials,)."""

    @property
    def participant_id(self) -> str:
        """The person's BIDS id."""
        return self.participant.participant_id


@dataclass(frozen=True, slots=True, eq=False)
class JudgedPeople:
    """Whose runs are judged and whose are not."""

    runs: tuple[JudgedRun, ...]
    """By person in the cohort's order, then by task."""
    left_out: Mapping[str, Mapping[str, str]]
    """Task to participant id to the reason why this person is not judged in it."""

    @property
    def participant_ids(self) -> tuple[str, ...]:
        """People judged in at least one task, each once."""
        return tuple(dict.fromkeys(run.participant_id for run in self.runs))

    def of_task(self, task: str) -> tuple[JudgedRun, ...]:
        """Return the judged runs of one task."""
        return tuple(run for run in self.runs if run.run.task == task)

    def trials(self, half: Literal["seen", "judged"] = "judged") -> JudgedTrials:
        """Return what people did in the seen or the judged half, with nothing forecast.

        Raises
        ------
        UsageError
            If nobody is judged.
        """
        return JudgedTrials.concatenate(
            [
                JudgedTrials.observed(
                    run.participant_id, run.run, run.seen if half == "seen" else run.judged
                )
                for run in self.runs
            ]
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return, by task, how many people are ``judged`` and how many are left out, by reason."""
        counts = {}
        for task, reasons in self.left_out.items():
            counts[task] = {"judged": len(self.of_task(task))}
            for reason in sorted(set(reasons.values())):
                counts[task][reason] = sum(each == reason for each in reasons.values())
        return counts


def first_half(events: Events) -> NDArray[np.bool_]:
    """Return which trials begin in the first 196.8 s, shape (n_trials,)."""
    return np.asarray(events.onset_s < HALF_S)


def second_half(events: Events) -> NDArray[np.bool_]:
    """Return which trials begin in the next 196.8 s, shape (n_trials,)."""
    return np.asarray((events.onset_s >= HALF_S) & (events.onset_s < 2 * HALF_S))


def accuracy(responses: Responses) -> float:
    """Return the share of usable trials answered rightly; no answer is not right.

    The study's own accuracy column says 0 for no answer, too. NaN without a usable trial.
    """
    n_usable = int(responses.usable.sum())
    return float((responses.usable & responses.correct).sum() / n_usable) if n_usable else np.nan


def run_of_task(participant: Participant, task: str) -> Run | None:
    """Return the run of a task that is judged, the first with phase encoding AP; None without."""
    return next((run for run in participant.runs if run.run.startswith(f"{task}AP_")), None)


def judged_people(participants: Sequence[Participant]) -> JudgedPeople:
    """Return the runs that are judged, and for everybody else the reason why not.

    Judged is a task's first run with phase encoding AP, e.g. ``stroopAP_run-01``. A person is left
    out of a task whose accuracy over the whole run is at or below chance, or who has fewer than
    `MIN_RIGHT_TRIALS` right answers in either half.

    Parameters
    ----------
    participants : sequence of Participant
    """
    runs: list[JudgedRun] = []
    left_out: dict[str, dict[str, str]] = {task: {} for task in TASKS}
    for participant in participants:
        for task in TASKS:
            run = run_of_task(participant, task)
            found = None if run is None else _judged_run(participant, run)
            reason = f"no run {task}AP" if found is None else _why_not(found)
            if reason is not None:
                left_out[task][participant.participant_id] = reason
            elif found is not None:
                runs.append(found)
    frozen = {task: MappingProxyType(reasons) for task, reasons in left_out.items()}
    return JudgedPeople(tuple(runs), MappingProxyType(frozen))


def folds(ids: Sequence[str], k: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """Split people into `k` parts of nearly equal size, each person in exactly one.

    The same people and seed always give the same parts, whatever order the ids come in.

    Parameters
    ----------
    ids : sequence of str
        Participant ids, each once.
    k : int
        At least 2 and at most the number of people.
    seed : int

    Returns
    -------
    tuple of tuple of str
        Each part's ids, sorted.

    Raises
    ------
    UsageError
        If `k` is out of range.
    CohortError
        If an id stands twice.

    Examples
    --------
    >>> folds(["a", "b", "c", "d", "e"], 2, seed=0)
    (('b', 'c', 'd'), ('a', 'e'))
    """
    ordered = sorted(set(ids))
    if len(ordered) < len(ids):
        raise CohortError(
            "Every participant must stand once in the folds, found "
            f"{len(ids) - len(ordered)} repeated. Remove them."
        )
    if not 2 <= k <= len(ordered):
        raise UsageError(
            f"People can be split into 2 to {len(ordered)} folds (there are {len(ordered)} of "
            f"them), but {k} were asked for."
        )
    shuffled = np.random.default_rng(seed).permutation(len(ordered))
    return tuple(tuple(sorted(ordered[i] for i in shuffled[part::k])) for part in range(k))


def _judged_run(participant: Participant, run: Run) -> JudgedRun:
    return JudgedRun(participant, run, first_half(run.events), second_half(run.events))


def _why_not(judged: JudgedRun) -> str | None:
    """Return why a run is not judged, None if it is."""
    responses = judged.run.responses
    chance = 1 / len(get_task(judged.run.task).options)
    right = responses.usable & responses.correct
    # Written so that NaN, of a run without a usable trial, is left out too.
    if not accuracy(responses) > chance + 1e-9:
        return "accuracy at or below chance"
    if min(int((right & half).sum()) for half in (judged.seen, judged.judged)) < MIN_RIGHT_TRIALS:
        return f"fewer than {MIN_RIGHT_TRIALS} right answers in a half"
    return None
