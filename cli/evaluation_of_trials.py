"""`evaluate` on people with trials: train what is asked for, judge everybody, write everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from . import terminal
from .evaluation_people import DataKind
from .evaluation_request import Request
from .evaluation_warnings import trial_warnings
from .fold_training import Fold, FoldTraining

if TYPE_CHECKING:
    from dtb_models.cohorts import Cohort, Participant
    from dtb_models.connectome_trials import TrainingPeople
    from dtb_models.evaluation import BundlePart, Evaluation
    from dtb_models.judged_trials import JudgedTrials
    from dtb_models.protocols import JudgedPeople, Protocol


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Everybody an evaluation has to do with."""

    cohort: Cohort
    judged: tuple[Participant, ...]
    """With a connectome only where twins may begin with it."""
    learned_from: tuple[Participant, ...]
    """Simulated people to train on, of whom nobody is judged."""
    made_up_brains: bool
    """Whether brains were simulated around real behavior."""

    @property
    def connectomes(self) -> str:
        """What the judged people's connectomes are."""
        if all(person.connectome_source is None for person in self.judged):
            return "none"
        return "real" if self.cohort.kind == "real" else "simulated"


def judge_trials(request: Request) -> dict[str, Any]:
    """Return what ``metrics.json`` holds."""
    from dtb_models.evaluation import evaluate_people, judged_by, n_steps
    from dtb_models.evaluation_files import (
        Predictions,
        check_resumed,
        clear,
        write_judged,
        write_report,
    )
    from dtb_models.evaluation_report import report

    protocol = request.chosen_protocol()
    group = _group(request, protocol)
    training = _training(request, group, protocol)
    if request.out is not None and request.resume:
        bundle = None if training is not None else request.people.trained_bundle().name
        check_resumed(
            request.out,
            data=request.kind.value,
            protocol=protocol.name,
            bundle=bundle,
            seed=request.seed,
        )
    if training is not None:
        training.begin(resume=request.resume, force=request.force)
        training.run(min(request.jobs, len(training.folds)))
    parts = _parts(request, group, training)
    people = judged_by(group.judged, [part.bundle for part in parts], protocol)
    learned_from = _training_people(group)
    if request.out is not None:
        clear(request.out)
    with terminal.progress("Judging", n_steps(people)) as progress:
        evaluation = evaluate_people(
            people,
            parts,
            protocol,
            has_folds=request.folds_wanted() is not None,
            training=learned_from,
            parcellation=group.cohort.parcellation,
            seed=request.seed,
            jobs=request.jobs,
            on_person=None if request.out is None else Predictions(request.out),
            on_progress=lambda done, _total, sentence: progress.advance(done, sentence),
        )
    if training is not None and training.direct_epochs is not None:
        evaluation = _with_direct_input(evaluation, training, parts)
    if request.out is not None:
        write_judged(request.out, evaluation)
    planted, notes = _planted(request, group, evaluation, learned_from)
    left_out = _who_is_left_out(group.cohort)
    evaluation = replace(evaluation, notes=(*evaluation.notes, *notes, *left_out))
    found = report(
        evaluation,
        _facts(request, group, training, parts, people, protocol),
        maps=_maps(request, evaluation),
        planted=planted,
    )
    if request.out is not None:
        write_report(request.out, found)
    return found


def _group(request: Request, protocol: Protocol) -> _Group:
    from dtb_models.cohort_views import without_brain

    people = request.people
    made_up = request.is_trained and people.has_made_up_brains
    cohort = people.training_cohort() if made_up else people.judged_cohort()
    for sentence in _who_is_left_out(cohort):
        terminal.message(sentence)
    judged = tuple(cohort.participants)
    learned_from: tuple[Participant, ...] = ()
    if request.kind is DataKind.SIMULATED and not protocol.trains_on_judged:
        learned_from, judged = judged[: people.n_people], judged[people.n_people :]
    # Simulated brains carry traits that were measured in all trials, the judged ones included: a
    # twin that begins with such a connectome would know of them.
    if made_up and protocol.sees_first_half and request.training.learns_from_trials:
        judged = tuple(without_brain(person) for person in judged)
    return _Group(cohort, judged, learned_from, made_up)


def _who_is_left_out(cohort: Cohort) -> list[str]:
    """Return whom and what a cohort could not use; reasons of many people as counts."""
    skipped: Mapping[str, str] = getattr(cohort, "skipped", {})
    found = []
    for reason, n in Counter(skipped.values()).items():
        first = next(one for one, why in skipped.items() if why == reason)
        found.append(f"Left out {first if n == 1 else f'{n} people'}: {reason}")
    return [*found, *getattr(cohort, "notes", ())]


def _training(request: Request, group: _Group, protocol: Protocol) -> FoldTraining | None:
    """Return the trainings that the evaluation needs; None where a bundle is judged."""
    from dtb_models.protocols import folds
    from dtb_runtime.errors import UsageError

    if not request.is_trained:
        return None
    if request.direct_epochs is not None and group.connectomes == "none":
        raise UsageError(
            "--direct-input is a control that takes connectomes, but under this protocol there "
            "are none of these people. Leave it out, or take --protocol new-people."
        )
    wanted: tuple[Fold, ...]
    n_folds = request.folds_wanted()
    if n_folds is not None:
        everybody = [person.participant_id for person in group.judged]
        parts = folds(everybody, n_folds, request.seed)
        wanted = tuple(
            Fold(f"fold-{number}", tuple(one for one in everybody if one not in set(part)))
            for number, part in enumerate(parts, start=1)
        )
    elif protocol.trains_on_judged:
        wanted = (Fold("first-halves", first_halves=True),)
    else:
        ids = tuple(person.participant_id for person in group.learned_from)
        wanted = (Fold("training-people", ids),)
    return FoldTraining(
        folds=wanted,
        folder=request.trained_in(),
        people=request.people,
        choice=request.training,
        direct_epochs=request.direct_epochs,
    )


def _parts(
    request: Request, group: _Group, training: FoldTraining | None
) -> tuple[BundlePart, ...]:
    """Return who is judged with which bundle."""
    from dtb_models.evaluation import BundlePart
    from dtb_runtime.bundle_loading import load_bundle

    everybody = [person.participant_id for person in group.judged]
    if training is None:
        return (BundlePart(request.people.trained_bundle(), tuple(everybody)),)
    parts = []
    for fold in training.folds:
        # Whoever was not trained on is judged; everybody where all were, or none of the judged.
        known = set(fold.train_on or ())
        judged = tuple(one for one in everybody if one not in known)
        parts.append(BundlePart(load_bundle(training.bundle(fold), device="cpu"), judged))
    return tuple(parts)


def _training_people(group: _Group) -> TrainingPeople | None:
    """Return simulated training people with their edges, for linear models; None without."""
    from dtb_models.connectome_trials import TrainingPeople
    from dtb_models.protocols import judged_people

    if not group.learned_from:
        return None
    edges = {}
    with terminal.progress("Connectomes", len(group.learned_from)) as progress:
        for done, person in enumerate(group.learned_from, start=1):
            connectome = person.connectome
            if connectome is not None:
                edges[person.participant_id] = connectome.edges()
            progress.advance(done, person.participant_id)
    return TrainingPeople(judged_people(group.learned_from), MappingProxyType(edges))


def _with_direct_input(
    evaluation: Evaluation, training: FoldTraining, parts: Sequence[BundlePart]
) -> Evaluation:
    from dtb_models.checkpoint import load_checkpoint
    from dtb_models.direct_input import direct_input_trials
    from dtb_models.evaluation_controls import in_order

    tables: dict[str, tuple[JudgedTrials, ...]] = {}
    with terminal.progress("Direct input", len(parts)) as progress:
        for number, (fold, part) in enumerate(zip(training.folds, parts, strict=True), start=1):
            checkpoint = load_checkpoint(training.direct_input(fold))
            tables |= direct_input_trials(checkpoint, evaluation.people, part.participant_ids)
            progress.advance(number, fold.name)
    table = in_order(evaluation.people, tables)
    return replace(evaluation, tables={**evaluation.tables, "control/direct_input": table})


def _maps(request: Request, evaluation: Evaluation) -> dict[str, Any] | None:
    from dtb_models.evaluation_controls import N_SHUFFLES, donors
    from dtb_models.evaluation_maps import map_figures

    return map_figures(
        evaluation.persons,
        donors(evaluation.persons, N_SHUFFLES, request.seed),
        evaluation.window_s,
        seed=request.seed,
    )


def _planted(
    request: Request,
    group: _Group,
    evaluation: Evaluation,
    learned_from: TrainingPeople | None,
) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return what is found of what was planted, and why nothing is."""
    from dtb_models.evaluation_controls import N_SHUFFLES, donors
    from dtb_models.evaluation_planted import PlantedGroups, planted_figures
    from dtb_models.simulation import SimulatedCohort
    from dtb_runtime.errors import DataError

    if learned_from is None or not isinstance(group.cohort, SimulatedCohort):
        return None, ()
    ids = [person.participant_id for person in group.learned_from]
    total = len(ids) + len(evaluation.persons)
    with terminal.progress("Truth", total) as progress:
        try:
            groups = PlantedGroups.of(
                group.cohort,
                group.learned_from,
                evaluation.persons,
                evaluation.window_s,
                training_edges=np.stack([learned_from.edges[one] for one in ids]),
                on_progress=lambda done, _total, sentence: progress.advance(done, sentence),
            )
            found = planted_figures(
                groups,
                evaluation.persons,
                donors(evaluation.persons, N_SHUFFLES, request.seed),
                evaluation.window_s,
                seed=request.seed,
            )
        except DataError as error:  # too few people for a regression
            return None, (f"What was planted is not looked for: {error}",)
    return found, ()


def _facts(
    request: Request,
    group: _Group,
    training: FoldTraining | None,
    parts: Sequence[BundlePart],
    people: JudgedPeople,
    protocol: Protocol,
) -> Any:
    from dtb_models.evaluation_report import Facts

    kind, description = group.cohort.kind, group.cohort.description
    if kind == "semi-synthetic" and group.connectomes == "none":
        kind = "real"  # what was simulated went into the training and is not judged
        description = f"Trials of {len(group.judged)} real people, and nothing else of them."
    return Facts(
        data={
            "kind": kind,
            "source": request.kind.value,
            "description": description,
            "n_people": len(group.judged),
            "connectomes": group.connectomes,
        },
        bundle=parts[0].bundle.name if training is None else None,
        training=None if training is None else training.facts(group.cohort),
        folds=request.folds_wanted(),
        seed=request.seed,
        warnings=trial_warnings(
            parts,
            people,
            protocol,
            is_trained=request.is_trained,
            kind=group.cohort.kind,
            without_scans=request.people.folder if group.made_up_brains else None,
            connectomes=group.connectomes,
            cohort_warning=group.cohort.warning,
        ),
    )
