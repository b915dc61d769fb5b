"""`evaluate --data hcp`: forecast maps of real connectomes beside real activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import terminal
from .evaluation_request import Request
from .evaluation_warnings import map_warnings
from .fold_training import Fold, FoldTraining

if TYPE_CHECKING:
    from dtb_models.evaluation_hcp import HcpBundles


def judge_maps(request: Request) -> dict[str, Any]:
    """Return what ``metrics.json`` holds."""
    from dtb_models.evaluation_files import Predictions, clear, write_report
    from dtb_models.evaluation_hcp import evaluate_hcp
    from dtb_models.evaluation_report import Facts

    cohort = request.people.hcp_cohort()
    ids = [person.participant_id for person in cohort.participants]
    training = _training(request, ids)
    if training is not None:
        training.begin(resume=request.resume, force=request.force)
        training.run(min(request.jobs, len(training.folds)))
    bundles = _bundles(request, ids, training)
    if request.out is not None:
        clear(request.out)
    facts = Facts(
        data={
            "kind": cohort.kind,
            "source": request.kind.value,
            "description": cohort.description,
            "n_people": len(ids),
            "connectomes": "real",
        },
        bundle=next(iter(bundles.own.values())).name if training is None else None,
        training=None if training is None else training.facts(request.people.training_cohort()),
        folds=None if training is None else len(ids),
        seed=request.seed,
        warnings=map_warnings(bundles, ids),
    )
    with terminal.progress("Judging", len(ids) * len(set(bundles.own.values()))) as progress:
        found = evaluate_hcp(
            cohort,
            bundles,
            facts,
            on_person=None if request.out is None else Predictions(request.out),
            on_progress=lambda done, _total, sentence: progress.advance(done, sentence),
        )
    if request.out is not None:
        write_report(request.out, found)
    return found


def _training(request: Request, ids: list[str]) -> FoldTraining | None:
    """Return a training without each person, and one without each half; None for a bundle."""
    if not request.is_trained:
        return None
    return FoldTraining(
        folds=(
            *(Fold(f"without-{one}", without=(one,)) for one in ids),
            *(
                Fold(f"without-half-{number}", without=half)
                for number, half in enumerate(_halves(request, ids), start=1)
            ),
        ),
        folder=request.trained_in(),
        people=request.people,
        choice=request.training,
        direct_epochs=None,
    )


def _halves(request: Request, ids: list[str]) -> tuple[tuple[str, ...], ...]:
    order = np.random.default_rng(request.seed).permutation(len(ids))
    halves = order[: len(ids) // 2], order[len(ids) // 2 :]
    return tuple(tuple(ids[i] for i in sorted(half)) for half in halves)


def _bundles(request: Request, ids: list[str], training: FoldTraining | None) -> HcpBundles:
    from dtb_models.evaluation_hcp import HalfBundle, HcpBundles
    from dtb_runtime.bundle_loading import load_bundle

    if training is None:
        return HcpBundles(dict.fromkeys(ids, request.people.trained_bundle()), is_left_out=False)
    loaded = [load_bundle(training.bundle(fold), device="cpu") for fold in training.folds]
    halves = zip(loaded[len(ids) :], training.folds[len(ids) :], strict=True)
    return HcpBundles(
        dict(zip(ids, loaded, strict=False)),
        is_left_out=True,
        halves=tuple(HalfBundle(bundle, fold.without) for bundle, fold in halves),
    )
