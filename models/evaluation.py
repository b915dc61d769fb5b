"""Twins of judged people beside rules and controls: one table of judged trials for each method.

`evaluated_people` judges one person, `rules` and `evaluation_controls` what stands beside them,
`evaluation_report` makes figures of it all. PyTorch is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from dtb_runtime.bundle import Bundle
from dtb_runtime.errors import UsageError
from dtb_runtime.parcellation import Parcellation

from .cohorts import Participant
from .connectome_trials import TrainingPeople, linear_tables
from .evaluated_people import (
    EvaluatedPerson,
    OnPerson,
    evaluate_person,
    learns_from_trials,
)
from .evaluation_controls import PopulationForecasts, in_order, shuffled_tables
from .in_threads import Steps, in_threads
from .judged_trials import JudgedTrials
from .progress import OnProgress
from .protocols import HALF_S, JudgedPeople, JudgedRun, Protocol, judged_people
from .rules import RULES, all_rules
from .twin_contrasts import Window


class Meaning(NamedTuple):
    """A method in words."""

    label: str
    """What tables call it."""
    meaning: str
    """What it is."""


MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        "twin": Meaning("twin", "the person's twin"),
        "control/connectome_alone": Meaning(
            "connectome alone", "the same twin before it learned from trials"
        ),
        "control/population": Meaning(
            "population", "one twin for everybody: nothing is known of the person"
        ),
        "control/shuffled": Meaning("shuffled", "twins made from other people's connectomes"),
        "connectome/edge_sums": Meaning(
            "CPM", "linear model of the sums of significant edges (CPM)"
        ),
        "connectome/components": Meaning(
            "ridge", "ridge regression on principal components of the edges"
        ),
        "control/direct_input": Meaning(
            "direct input", "a network that takes the connectome as additional input"
        ),
    }
)
"""Each method but the rules, in the order of columns."""


@dataclass(frozen=True, slots=True, eq=False)
class BundlePart:
    """People who are judged with one bundle."""

    bundle: Bundle
    participant_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything that figures are computed from."""

    protocol: Protocol
    people: JudgedPeople
    persons: tuple[EvaluatedPerson, ...]
    """The judged people, in their order."""
    tables: Mapping[str, JudgedTrials]
    """Method to what it forecast; all with the rows of ``people.trials()``."""
    shuffled: tuple[JudgedTrials, ...]
    """The tables of ``control/shuffled``, one a derangement."""
    window_s: Window
    """Part of the runs in which BOLD is compared; None for all of them."""
    notes: tuple[str, ...] = field(default=())
    """What could not be done, and why."""

    def meaning(self, method: str) -> str:
        """What a method is, in a few words."""
        name = method.removeprefix("rule/")
        return RULES[name].meaning if name in RULES else MEANINGS[method].meaning


def judged_by(
    participants: Sequence[Participant], bundles: Sequence[Bundle], protocol: Protocol
) -> JudgedPeople:
    """Return whom these bundles can be judged on.

    Parameters
    ----------
    participants : sequence of Participant
        With a connectome only where twins may begin with it.
    bundles : sequence of Bundle
    protocol : Protocol

    Raises
    ------
    UsageError
        If nobody can be judged, or the bundles or the people cannot do what the protocol asks.
    """
    people = judged_people(participants)
    known = set.intersection(*(set(bundle.manifest.tasks) for bundle in bundles))
    people = replace(
        people,
        runs=tuple(each for each in people.runs if each.run.task in known),
        left_out={task: ids for task, ids in people.left_out.items() if task in known},
    )
    if not people.runs:
        reasons = {reason for ids in people.left_out.values() for reason in ids.values()}
        raise UsageError(
            f"None of the {len(participants)} people can be judged in "
            f"{' or '.join(sorted(known)) or 'any task'}: {'; '.join(sorted(reasons)) or 'no task'}"
            ". Give people whose runs these bundles know."
        )
    learns = all(learns_from_trials(bundle) for bundle in bundles)
    if protocol.name == "calibrated" and not learns:
        raise UsageError(
            f"Bundle {bundles[0].name!r} cannot learn from trials, so there is nothing to "
            "calibrate. Take --protocol new-people or temporal (PROTOCOLS['new-people'] or "
            "PROTOCOLS['temporal']), or a bundle of the compact preset."
        )
    needs_connectomes = not (protocol.sees_first_half and learns)
    judged = {each.participant_id: each.participant for each in people.runs}
    without = [name for name, person in judged.items() if person.connectome_source is None]
    if needs_connectomes and without:
        raise UsageError(
            f"Under this protocol twins are made from connectomes alone, but {len(without)} of "
            f"{len(judged)} people have none, first {without[0]}. Give the derivatives with their "
            "resting scans; or take --protocol calibrated (PROTOCOLS['calibrated']), where "
            "control/population is what is known without any."
        )
    return people


def n_steps(people: JudgedPeople) -> int:
    """Return how many steps the progress of judging these people counts."""
    has_connectomes = any(run.participant.connectome_source is not None for run in people.runs)
    return (3 if has_connectomes else 2) * len(people.participant_ids)


def evaluate_people(
    people: JudgedPeople,
    parts: Sequence[BundlePart],
    protocol: Protocol,
    *,
    has_folds: bool = False,
    training: TrainingPeople | None = None,
    parcellation: Parcellation | None = None,
    seed: int = 0,
    jobs: int = 1,
    on_person: OnPerson | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Judge people's twins, and everything beside them.

    Parameters
    ----------
    people : JudgedPeople
        From `judged_by`.
    parts : sequence of BundlePart
        Everybody in exactly one.
    protocol : Protocol
    has_folds : bool
        Whether the parts are folds, so that group rules see the people of the others only.
    training : TrainingPeople, optional
        For linear models of the connectome; without it they learn from other judged people.
    parcellation : Parcellation, optional
        Regions of the runs' BOLD, to compare contrasts.
    seed : int
        Of shuffles and linear models' folds.
    jobs : int
        People judged at a time, in threads; it changes no number.
    on_person : callable, optional
        Called with each judged person's twin and forecasts, from several threads.
    on_progress : callable, optional

    Raises
    ------
    UsageError
        If somebody is in no part.
    """
    bundle_of = {one: part.bundle for part in parts for one in part.participant_ids}
    runs_of: dict[str, list[JudgedRun]] = {}
    for each in people.runs:
        runs_of.setdefault(each.participant_id, []).append(each)
    missing = [one for one in runs_of if one not in bundle_of]
    if missing:
        raise UsageError(f"{missing[0]} is judged, but with no bundle. Put everybody in one part.")
    window_s = (HALF_S, 2 * HALF_S) if protocol.sees_first_half else None
    steps = Steps(n_steps(people), on_progress)

    def judge(one: str) -> EvaluatedPerson:
        return evaluate_person(
            runs_of[one],
            bundle_of[one],
            protocol,
            parcellation=parcellation,
            window_s=window_s,
            on_person=on_person,
        )

    persons = []
    for person in in_threads(judge, list(runs_of), jobs):
        persons.append(person)
        steps.add(f"twins: {person.participant_id}")
    tables = {
        name: in_order(
            people, {p.participant_id: p.tables[name] for p in persons if name in p.tables}
        )
        for name in sorted({name for person in persons for name in person.tables})
    }
    notes: list[str] = []
    population = PopulationForecasts(persons)
    anybody = {}
    for person, found in zip(persons, in_threads(population.tables, persons, jobs), strict=True):
        if found is not None:
            anybody[person.participant_id] = found
        steps.add("one twin for everybody")
    if anybody:
        tables["control/population"] = in_order(people, anybody)
    else:
        notes.append("control/population is left out: the bundle does not know its population.")
    shuffled = shuffled_tables(people, persons, seed, jobs, steps)
    rule_folds = [part.participant_ids for part in parts] if has_folds else None
    rules = all_rules(people, protocol, rule_folds)
    edges = {person.participant_id: person.edges for person in persons if person.edges is not None}
    linear, reasons = linear_tables(people, edges, rule_folds, training, seed)
    return Evaluation(
        protocol=protocol,
        people=people,
        persons=tuple(persons),
        tables=MappingProxyType(
            tables | linear | {f"rule/{name}": table for name, table in rules.items()}
        ),
        shuffled=shuffled,
        window_s=window_s,
        notes=(*notes, *reasons),
    )
