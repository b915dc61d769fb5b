"""Parts of a cohort: some of its people, or the first half of everybody's runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.events import Events
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.tasks import STEPS_PER_TR, TASKS, TR_S

from .cohorts import Bold, Cohort, CohortKind, Participant, Run, contributors
from .protocols import HALF_S, first_half, run_of_task

HALF_FRAMES = round(HALF_S / TR_S)
"""BOLD frames of the first half: 246."""


class CohortView:
    """Somebody else's cohort, seen through `participants` alone.

    Connectomes and BOLD are still made, or read, when they are asked for.

    Parameters
    ----------
    cohort : Cohort
        The cohort that is seen.
    part : str
        What part of it this is, as a sentence for model cards.
    """

    def __init__(self, cohort: Cohort, part: str) -> None:
        self._cohort = cohort
        self._part = part

    @property
    def participants(self) -> Sequence[Participant]:
        """Everybody in the view, in the cohort's order."""
        return self._cohort.participants

    @property
    def parcellation(self) -> Parcellation | None:
        """Regions of the cohort."""
        return self._cohort.parcellation

    @property
    def kind(self) -> CohortKind:
        """Whether the cohort's people are real."""
        return self._cohort.kind

    @property
    def description(self) -> str:
        """The cohort's sentence, and what part of it this is."""
        return f"{self._cohort.description} {self._part}"

    @property
    def warning(self) -> str | None:
        """The cohort's warning."""
        return self._cohort.warning

    @property
    def contributors(self) -> tuple[str, ...]:
        """People who are no participants of the cohort, but whose data are in it."""
        return contributors(self._cohort)

    def rest_runs(self, participant_id: str) -> Mapping[str, Bold]:
        """Return a participant's resting scans by run name, each (n_frames, n_regions).

        Raises
        ------
        UsageError
            If the participant is not in the view.
        """
        if all(person.participant_id != participant_id for person in self.participants):
            raise UsageError(f"This part of the cohort has no participant {participant_id!r}.")
        return self._cohort.rest_runs(participant_id)


class SomePeople(CohortView):
    """A cohort restricted to some of its people.

    Parameters
    ----------
    cohort : Cohort
    ids : collection of str
        Whom to keep.

    Raises
    ------
    UsageError
        If somebody is not in the cohort, or nobody is left.
    """

    def __init__(self, cohort: Cohort, ids: Collection[str]) -> None:
        everybody = cohort.participants
        kept = frozenset(ids)
        unknown = sorted(kept - {person.participant_id for person in everybody})
        if unknown or not kept:
            found = f"found {unknown[0]!r}" if unknown else "found nobody"
            raise UsageError(
                f"A part of a cohort must be of its {len(everybody)} people, at least one, {found}."
            )
        super().__init__(cohort, f"{len(kept)} of these {len(everybody)} people.")
        self._kept = kept

    @cached_property
    def participants(self) -> Sequence[Participant]:
        """Those who were to be kept, in the cohort's order."""
        return tuple(p for p in self._cohort.participants if p.participant_id in self._kept)


class FirstHalves(CohortView):
    """A cohort whose people stopped after the first 196.8 s of each task's first run.

    Trials, responses and BOLD after that are not there, and neither are later runs: this is what
    the temporal protocol trains on.
    """

    def __init__(self, cohort: Cohort) -> None:
        super().__init__(cohort, f"Only the first {HALF_S:g} s of each task's first run.")

    @cached_property
    def participants(self) -> Sequence[Participant]:
        """Everybody, with what is left of their runs; those without any are left out."""
        halved = [_halved(person) for person in self._cohort.participants]
        return tuple(person for person in halved if person.runs)


def _halved(person: Participant) -> Participant:
    runs = [run_of_task(person, task) for task in TASKS]
    halves = [first_half_of_run(run) for run in runs if run is not None]
    return replace(person, runs=tuple(half for half in halves if half is not None))


def first_half_of_run(run: Run) -> Run | None:
    """Return a run that ends after its first 196.8 s; None if no trial begins before.

    The last trial may last longer; its frames are part of the run, but BOLD is not.
    """
    rows = np.flatnonzero(first_half(run.events))
    if not len(rows):
        return None
    events = _rows_of(run.events, rows)
    arrays = {
        name: getattr(run.responses, name)[rows]
        for name in ("response_time_s", "correct", "usable")
    }
    for array in arrays.values():
        array.setflags(write=False)

    def bold() -> Bold:
        series = run.bold
        if series is None:
            raise CohortError(f"The BOLD of run {run.run} was there before and is not any more.")
        return series[:HALF_FRAMES]

    source = bold if run.has_bold else None
    return Run(run.task, run.run, events, Responses(**arrays), source)


def without_brain(person: Participant) -> Participant:
    """Return a person of whom nothing but trials is known."""
    runs = tuple(replace(run, bold_source=None) for run in person.runs)
    return replace(person, runs=runs, connectome_source=None)


def _rows_of(events: Events, rows: NDArray[np.int64]) -> Events:
    """Return a run of only these trials, which ends where they do but not before the half."""
    whole_trials = -(-int(events.offset_step[rows[-1]]) // STEPS_PER_TR)
    arrays = {
        name: getattr(events, name)[rows]
        for name in ("onset_s", "duration_s", "correct_option", "onset_step", "offset_step")
    }
    for array in arrays.values():
        array.setflags(write=False)
    return replace(
        events,
        **arrays,
        trial_type=tuple(events.trial_type[i] for i in rows),
        trial_group=tuple(events.trial_group[i] for i in rows),
        columns=MappingProxyType(
            {name: tuple(column[i] for i in rows) for name, column in events.columns.items()}
        ),
        n_frames=max(HALF_FRAMES, whole_trials),
        source=f"{events.source} (first {HALF_S:g} s)",
    )
