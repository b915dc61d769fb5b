"""What simulated people's connectomes can tell at best, since what is planted in them is known.

A twin of a new person reads a noisy scan. The ceiling beside its figures reads the same scan with
knowledge that no twin has, the patterns along which connectomes depart from the group's: least
squares on these patterns gives each person's factors as seen through the noise, and a linear
regression learned from training people takes these to what is to be predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtb_runtime.errors import UsageError
from dtb_runtime.glm import structure_bold
from dtb_runtime.tasks import get_task

from .cohorts import Participant, Run
from .contrast_maps import run_contrast
from .explained_variance import correlation, regress
from .planted_patterns import PlantedPatterns
from .simulated_people import TRAITS
from .simulation import SimulatedCohort

Floats = NDArray[np.float64]

SCALES = ("response_gain", "face_shape_scale", "incongruent_congruent_scale")
"""What `Participant.truth` knows of how strongly a brain answers."""
AMYGDALA = "right_amygdala"
AMYGDALA_TASK = "hammer"
"""Conflict does nothing to the amygdala, planted or real."""


@dataclass(frozen=True, slots=True, eq=False)
class PlantedPeople:
    """What ceilings need to know of simulated people, row by row."""

    participant_ids: tuple[str, ...]
    true_factors: Floats
    """What was planted, shape (n_people, n_factors)."""
    seen_factors: Floats
    """The same, estimated from each person's scan."""
    targets: Mapping[str, Floats]
    """What is to be predicted, by name, each of shape (n_people,), NaN where a person's run does
    not tell.

    Measured: ``reaction_time:<task>`` (mean of right trials, s) and ``reaction_time`` (mean over
    the tasks), ``contrast_score:<task>`` (the measured contrast map projected onto the group's
    planted one), ``amygdala:hammer`` (contrast estimate of the mean series of the right amygdala,
    where there is one).

    True: ``true_contrast_scale:<task>`` (the gain times the contrast's scale), the three scales
    themselves, and the traits."""


@dataclass(frozen=True, slots=True, eq=False)
class Ceiling:
    """How well one thing about new people can be predicted at best."""

    r: float
    """Correlation over new people of what was predicted from the factors seen in their scans with
    what was observed. NaN where either is constant."""
    r_true_factors: float
    """The same from the true factors, as if scans had no noise."""
    predicted: Floats
    """Prediction for each new person, shape (n_new,)."""
    observed: Floats
    """What was observed, shape (n_new,)."""


def planted_people(
    cohort: SimulatedCohort,
    participants: Sequence[Participant] | None = None,
    *,
    window_s: tuple[float, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PlantedPeople:
    """Measure simulated people, and put beside it what was planted in them.

    Parameters
    ----------
    cohort : SimulatedCohort
    participants : sequence of Participant, optional
        Some of its people; by default everybody.
    window_s : tuple of two float, optional
        Only trials with an onset in this part of the runs count, and only its BOLD.
    progress : callable, optional
        Called with how many people are done and how many there are.

    Raises
    ------
    UsageError
        If there is nobody, or somebody's truth is not known.
    """
    people = cohort.participants if participants is None else participants
    patterns = PlantedPatterns.of(cohort.connectome_model)
    n_factors = cohort.connectome_model.n_factors
    true, seen, rows = [], [], []
    for done, person in enumerate(people):
        truth, connectome = person.truth, person.connectome
        if truth is None or connectome is None:
            raise UsageError(
                f"{person.participant_id} has no planted truth or no connectome, so there is no "
                "ceiling for it. Ceilings are of simulated people."
            )
        true.append([truth[f"factor_{k + 1}"] for k in range(n_factors)])
        seen.append(patterns.factors(connectome.edges()))
        row = {name: truth[name] for name in (*TRAITS, *SCALES)}
        for run in person.runs:
            row |= _measured(cohort, run, window_s)
            scale = truth[f"{get_task(run.task).contrast_name}_scale"]
            row[f"true_contrast_scale:{run.task}"] = truth["response_gain"] * scale
        times_s = [value for name, value in row.items() if name.startswith("reaction_time:")]
        if len(times_s) == len(person.runs):
            row["reaction_time"] = float(np.mean(times_s))
        rows.append(row)
        if progress is not None:
            progress(done + 1, len(people))
    if not rows:
        raise UsageError("Ceilings need at least one participant, found none.")
    names = sorted(set().union(*rows))
    return PlantedPeople(
        participant_ids=tuple(person.participant_id for person in people),
        true_factors=np.array(true),
        seen_factors=np.array(seen),
        targets=MappingProxyType(
            {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}
        ),
    )


def ceilings(training: PlantedPeople, new: PlantedPeople) -> dict[str, Ceiling]:
    """Return the ceiling of everything that both groups were measured for.

    Raises
    ------
    DataError
        If a target is known of too few training people for a regression on the factors.
    """
    found = {}
    for name in sorted(set(training.targets) & set(new.targets)):
        observed = new.targets[name]
        predicted, from_truth = (
            regress(ours, training.targets[name], theirs)
            for ours, theirs in (
                (training.seen_factors, new.seen_factors),
                (training.true_factors, new.true_factors),
            )
        )
        found[name] = Ceiling(
            correlation(predicted, observed), correlation(from_truth, observed), predicted, observed
        )
    return found


def contrast_score(maps: ArrayLike, group_map: ArrayLike) -> Floats:
    """Return how much of the group's map is in each map: 1 for the group's own, 2 for its double.

    Parameters
    ----------
    maps : array_like, shape (..., n_regions)
    group_map : array_like, shape (n_regions,)
    """
    direction = np.asarray(group_map, np.float64)
    return np.asarray(np.asarray(maps, np.float64) @ direction / (direction @ direction))


def _measured(
    cohort: SimulatedCohort, run: Run, window_s: tuple[float, float] | None
) -> dict[str, float]:
    start_s, end_s = (-np.inf, np.inf) if window_s is None else window_s
    onset_s, responses = run.events.onset_s, run.responses
    right = responses.usable & responses.correct & (onset_s >= start_s) & (onset_s < end_s)
    found = {}
    if right.any():
        found[f"reaction_time:{run.task}"] = float(responses.response_time_s[right].mean())
    bold = run.bold
    if bold is None:
        return found
    structures = cohort.parcellation.structures
    deep = structure_bold(bold, cohort.parcellation.labels, structures).get(AMYGDALA)
    series = bold if deep is None else np.column_stack([bold, deep])
    contrast = run_contrast(run.events, series, window_s)
    if contrast is not None:
        planted = cohort.response_maps.contrast(*get_task(run.task).contrast)
        score = contrast_score(contrast.estimate[: bold.shape[1]], planted)
        found[f"contrast_score:{run.task}"] = float(score)
        if deep is not None and run.task == AMYGDALA_TASK:
            found[f"amygdala:{run.task}"] = float(contrast.estimate[-1])
    return found
