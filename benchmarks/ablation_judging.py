"""What variants forecast of people whom none of them saw, and rules and controls on the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ablation_variants import BUNDLE, CHECKPOINT, Variant

from dtb_models.checkpoint import load_checkpoint
from dtb_models.cohort_views import without_brain
from dtb_models.cohorts import Participant
from dtb_models.direct_input import direct_input_trials
from dtb_models.evaluated_people import EvaluatedPerson, evaluate_person
from dtb_models.evaluation_controls import PopulationForecasts, in_order, shuffled_tables
from dtb_models.in_threads import Steps
from dtb_models.judged_trials import JudgedTrials
from dtb_models.protocols import PROTOCOLS, JudgedPeople, JudgedRun, judged_people
from dtb_models.rules import all_rules
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle

CALIBRATED, NO_TRIALS, CONNECTOME = "calibrated", "no_trials", "connectome"
"""What a twin knows of its person: own trials, nothing, a connectome."""
SHUFFLED = "shuffled"
RULES = {
    CALIBRATED: ("own_mean", "loo_regression", "own_mean_trial_type", "own_accuracy"),
    NO_TRIALS: ("trial_type_mean", "position_mean", "demographics"),
    CONNECTOME: ("trial_type_mean", "position_mean", "demographics"),
}
"""Rules that know no more of a person than the twin beside them."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The people that variants are judged on."""

    people: JudgedPeople
    everybody: JudgedPeople
    """Those that were trained on as well, for rules that know other people."""
    parts: tuple[tuple[str, ...], ...]
    """Ids of everybody by fold, the judged ones first."""

    @classmethod
    def of(cls, participants: Sequence[Participant], parts: Sequence[Sequence[str]]) -> Judged:
        """Return the people of the first part as judged."""
        known = set(parts[0])
        judged = [person for person in participants if person.participant_id in known]
        return cls(
            judged_people(judged),
            judged_people(participants),
            tuple(tuple(part) for part in parts),
        )


def judge(variant: Variant, folder: Path, judged: Judged, seed: int) -> dict[str, JudgedTrials]:
    """Return what a trained variant forecasts, by what its twins know.

    Parameters
    ----------
    variant : Variant
    folder : Path
        Where it was trained.
    judged : Judged
    seed : int
        Of the shuffles.
    """
    people = judged.people
    if variant.preset == "direct":
        checkpoint = load_checkpoint(folder / CHECKPOINT)
        tables = direct_input_trials(checkpoint, people, people.participant_ids)
        return {CONNECTOME: in_order(people, tables)}
    bundle = load_bundle(folder / BUNDLE, device="cpu")
    persons = _twins(_with_trials_only_where(people, keep_brain=True), bundle, "new-people")
    found = {CONNECTOME: _table(people, persons)}
    shuffled = shuffled_tables(people, persons, seed, 1, Steps(len(persons), None))
    if shuffled:
        found[SHUFFLED] = shuffled[0]
    population = PopulationForecasts(persons)
    nothing = {person.participant_id: population.tables(person) for person in persons}
    known = {one: tables for one, tables in nothing.items() if tables is not None}
    if known:
        found[NO_TRIALS] = in_order(people, known)
    if variant.learns:
        without = _with_trials_only_where(people, keep_brain=False)
        found[CALIBRATED] = _table(people, _twins(without, bundle, "calibrated"))
    return found


def rules(judged: Judged) -> dict[str, dict[str, JudgedTrials]]:
    """Return what rules forecast of the judged people, by what twins beside them know."""
    everybody = judged.everybody.trials()
    rows = np.isin(everybody.participant_id, judged.people.participant_ids)
    ids = set(judged.everybody.participant_ids)
    parts = [[one for one in part if one in ids] for part in judged.parts]
    tables = all_rules(judged.everybody, PROTOCOLS["calibrated"], parts)
    return {
        mode: {f"rule/{name}": tables[name].select(rows) for name in names if name in tables}
        for mode, names in RULES.items()
    }


def _with_trials_only_where(people: JudgedPeople, *, keep_brain: bool) -> list[list[JudgedRun]]:
    """Return each person's judged runs, without BOLD, and without connectome where asked for."""
    runs: dict[str, list[JudgedRun]] = {}
    persons: dict[str, Participant] = {}
    for each in people.runs:
        one = each.participant_id
        if one not in persons:
            bare = without_brain(each.participant)
            source = each.participant.connectome_source if keep_brain else None
            persons[one] = replace(bare, connectome_source=source)
        run = replace(each.run, bold_source=None)
        runs.setdefault(one, []).append(replace(each, participant=persons[one], run=run))
    return list(runs.values())


def _twins(
    runs: Sequence[Sequence[JudgedRun]], bundle: Bundle, protocol: str
) -> list[EvaluatedPerson]:
    rule = PROTOCOLS["calibrated" if protocol == "calibrated" else "new-people"]
    return [evaluate_person(each, bundle, rule) for each in runs]


def _table(people: JudgedPeople, persons: Sequence[EvaluatedPerson]) -> JudgedTrials:
    tables: Mapping[str, tuple[JudgedTrials, ...]] = {
        person.participant_id: person.tables["twin"] for person in persons
    }
    return in_order(people, tables)
