"""Controls beside the twins, on the same people and trials.

``control/shuffled``: twins made from other people's connectomes. ``control/population``: one twin
for everybody, of whom no trial was seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.forecast import Forecast
from dtb_runtime.twin import Twin

from .evaluated_people import EvaluatedPerson, Schedule, judge_run, trials_seen
from .in_threads import MadeOnce, Steps, in_threads
from .judged_trials import JudgedTrials
from .map_statistics import map_r
from .metric_definitions import FEWEST_FOR_R
from .protocols import JudgedPeople, JudgedRun

N_SHUFFLES = 10
"""Derangements whose figures are averaged where no trial is seen: one alone has an r of +-0.1."""
N_LEARNING_SHUFFLES = 1
"""The same where every twin has to learn from trials again, which takes seconds a person."""


def derangement(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a random permutation in which nobody keeps their place (one cycle; Sattolo).

    Parameters
    ----------
    n : int
        At least 2.
    rng : numpy.random.Generator
    """
    order = np.arange(n)
    for last in range(n - 1, 0, -1):
        other = int(rng.integers(last))
        order[[last, other]] = order[[other, last]]
    return order


def donors(
    people: Sequence[EvaluatedPerson], n_shuffles: int, seed: int
) -> list[dict[str, EvaluatedPerson]]:
    """Return for several shuffles whose connectome each person gets.

    Connectomes are exchanged among people of the same bundle, so that it is new to all of them.
    People without a connectome, or alone with their bundle, get none.
    """
    groups: dict[str, list[EvaluatedPerson]] = {}
    for person in people:
        if person.edges is not None:
            groups.setdefault(person.bundle.digest, []).append(person)
    shuffles = []
    for shuffle in range(n_shuffles):
        given: dict[str, EvaluatedPerson] = {}
        for number, group in enumerate(groups.values()):
            if len(group) > 1:
                order = derangement(len(group), np.random.default_rng((seed, shuffle, number)))
                given |= {
                    person.participant_id: group[other]
                    for person, other in zip(group, order, strict=True)
                }
        shuffles.append(given)
    return shuffles


def donor_rows(
    ids: Sequence[str], donors: Sequence[Mapping[str, EvaluatedPerson]]
) -> list[NDArray[np.int64]]:
    """Return for several shuffles in which row everybody's donor is.

    Parameters
    ----------
    ids : sequence of str
        Whose rows there are.
    donors : sequence of mapping of str to EvaluatedPerson
        Whose connectome each person gets, for each shuffle.

    Returns
    -------
    list of numpy.ndarray, shape (n_people,)
        -1 for somebody without a donor among them.
    """
    place = {one: row for row, one in enumerate(ids)}
    return [
        np.array(
            [place.get(given[one].participant_id, -1) if one in given else -1 for one in ids],
            dtype=np.int64,
        )
        for given in donors
    ]


def shuffled_r(
    ids: Sequence[str],
    forecast: NDArray[np.float64],
    measured: NDArray[np.float64],
    donors: Sequence[Mapping[str, EvaluatedPerson]],
) -> float | None:
    """Return r over people of what was measured in them with what is forecast of their donors.

    Parameters
    ----------
    ids : sequence of str
        Whose values these are.
    forecast, measured : numpy.ndarray, shape (n_people,)
        NaN where not known.
    donors : sequence of mapping of str to EvaluatedPerson
        Whose connectome each person gets, for each shuffle.

    Returns
    -------
    float or None
        Mean over the shuffles; None without one in which five people can be compared and differ.
    """
    found = []
    for rows in donor_rows(ids, donors):
        exchanged = np.where(rows >= 0, forecast[rows], np.nan)
        if np.sum(np.isfinite(exchanged) & np.isfinite(measured)) >= FEWEST_FOR_R:
            found.append(float(map_r(exchanged, measured)))
    finite = [r for r in found if np.isfinite(r)]
    return float(np.mean(finite)) if finite else None


def shuffled_run_tables(
    person: EvaluatedPerson, donor: EvaluatedPerson
) -> tuple[JudgedTrials, ...]:
    """Return a person's judged trials as forecast by the twin of another person's connectome.

    It learns from the person's own trials where the person's own twin does.
    """
    twin = donor.start
    if person.learning is not None:
        twin = twin.calibrate(trials_seen(person.runs[0].participant, person.bundle))
    tables = []
    for each in person.runs:
        known = donor.unlearned.get(each.run.task)
        if person.learning is None and known and known[0] == Schedule.of(each.run.events):
            distributions = known[1]
        else:
            distributions = twin.forecast(each.run.task, each.run.events).distributions
        tables.append(judge_run(each, distributions))
    return tuple(tables)


def shuffled_tables(
    people: JudgedPeople,
    persons: Sequence[EvaluatedPerson],
    seed: int,
    jobs: int,
    steps: Steps,
) -> tuple[JudgedTrials, ...]:
    """Return the judged trials under several shuffles of the connectomes.

    Parameters
    ----------
    people : JudgedPeople
    persons : sequence of EvaluatedPerson
        The same people.
    seed : int
    jobs : int
        People forecast at a time.
    steps : Steps
        Told one step a person, over all shuffles.
    """
    learns = any(person.learning is not None for person in persons)
    n_shuffles = N_LEARNING_SHUFFLES if learns else N_SHUFFLES
    tables = []
    for given in donors(persons, n_shuffles, seed):
        exchanged = [person for person in persons if person.participant_id in given]

        def work(
            person: EvaluatedPerson, given: Mapping[str, EvaluatedPerson] = given
        ) -> tuple[JudgedTrials, ...]:
            return shuffled_run_tables(person, given[person.participant_id])

        found = {}
        for person, runs in zip(exchanged, in_threads(work, exchanged, jobs), strict=True):
            found[person.participant_id] = runs
            steps.add("shuffled connectomes", len(persons) / len(exchanged) / n_shuffles)
        if found:
            tables.append(in_order(people, found))
    return tuple(tables)


def in_order(people: JudgedPeople, tables: Mapping[str, Sequence[JudgedTrials]]) -> JudgedTrials:
    """Put people's runs into the order of the judged ones; of others nothing is forecast.

    Parameters
    ----------
    people : JudgedPeople
    tables : mapping of str to sequence of JudgedTrials
        Participant id to one table for each of the person's judged runs, in their order.
    """
    left = {one: list(runs) for one, runs in tables.items()}
    return JudgedTrials.concatenate(
        [
            left[each.participant_id].pop(0)
            if each.participant_id in left
            else JudgedTrials.observed(each.participant_id, each.run, each.judged)
            for each in people.runs
        ]
    )


class PopulationForecasts:
    """What is forecast for anybody, by bundle and schedule; each is made once, in any thread.

    Parameters
    ----------
    people : sequence of EvaluatedPerson
        Whose mean connectome stands for the population where a bundle does not know it: those of
        the other bundles, or all where there is one bundle.
    """

    def __init__(self, people: Sequence[EvaluatedPerson]) -> None:
        self._people = people
        self._twins: MadeOnce[str, Twin | None] = MadeOnce()
        self._made: MadeOnce[tuple[str, str, Schedule], Forecast] = MadeOnce()

    def tables(self, person: EvaluatedPerson) -> tuple[JudgedTrials, ...] | None:
        """Return a person's judged trials as forecast for anybody; None if nothing is known."""
        bundle = person.bundle
        twin = self._twins.get(bundle.digest, lambda: self._twin(bundle))
        return None if twin is None else tuple(self._judged(each, twin) for each in person.runs)

    def _judged(self, each: JudgedRun, twin: Twin) -> JudgedTrials:
        run = each.run
        key = (twin.bundle.digest, run.task, Schedule.of(run.events))
        made = self._made.get(key, lambda: twin.forecast(run.task, run.events))
        return judge_run(each, made)

    def _twin(self, bundle: Bundle) -> Twin | None:
        if bundle.norms.prior is not None:
            return bundle.population_twin()
        others = [p.edges for p in self._people if p.bundle.digest != bundle.digest]
        known = [edges for edges in others if edges is not None]
        known = known or [p.edges for p in self._people if p.edges is not None]
        if not known:
            return None
        mean = np.mean(np.stack(known), axis=0, keepdims=True, dtype=np.float64)
        return bundle.personalize_edges(mean.astype(np.float32))[0]
