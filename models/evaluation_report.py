"""What an evaluation found, as JSON values: the content of ``metrics.json``."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dtb_runtime.bundle import Bundle
from dtb_runtime.inference import import_onnxruntime
from dtb_runtime.manifest_sections import participant_digest
from dtb_runtime.summary import package_version

from .bootstrap import Figure
from .evaluated_people import EvaluatedPerson
from .evaluation import Evaluation
from .judged_trials import JudgedTrials
from .metrics import differences, figures
from .reliability import Reliability, reliabilities

SHUFFLED = "control/shuffled"


@dataclass(frozen=True, slots=True)
class Facts:
    """What an evaluation was of, as far as its tables do not say."""

    data: Mapping[str, Any]
    """``kind``, ``description``, ``n_people`` and more about the people."""
    bundle: str | None
    """Name of the bundle that was judged; None where bundles were trained for it."""
    training: Mapping[str, Any] | None
    """How they were trained."""
    folds: int | None
    """Parts by person; None without."""
    seed: int
    warnings: tuple[str, ...]
    """Sentences that belong to every use of the figures."""


def report(
    evaluation: Evaluation,
    facts: Facts,
    *,
    maps: Mapping[str, Any] | None = None,
    planted: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return every figure of an evaluation of people with trials.

    Parameters
    ----------
    evaluation : Evaluation
    facts : Facts
    maps, planted : mapping, optional
        See `evaluation_maps` and `evaluation_planted`.

    Returns
    -------
    dict
        JSON values; null stands for a number that is not there.
    """
    tables = evaluation.tables
    twin = tables["twin"]
    others = {name: [table] for name, table in tables.items() if name != "twin"}
    if evaluation.shuffled:
        others[SHUFFLED] = list(evaluation.shuffled)
    methods = {"twin": [twin], **{name: others[name] for name in sorted(others)}}
    bundles = {person.bundle.digest: person.bundle for person in evaluation.persons}
    found: dict[str, Any] = {
        "data": dict(facts.data),
        "protocol": evaluation.protocol.name,
        "bundle": facts.bundle,
        "training": None if facts.training is None else dict(facts.training),
        "folds": facts.folds,
        "seed": facts.seed,
        "judged": {task: counts["judged"] for task, counts in _counts(evaluation).items()},
        "left_out": {
            task: {reason: n for reason, n in counts.items() if reason != "judged"}
            for task, counts in _counts(evaluation).items()
        },
        "in_sample": in_sample(evaluation, facts),
        "methods": {
            name: {
                "meaning": evaluation.meaning(name),
                "figures": _json(_mean([figures(table) for table in several])),
            }
            for name, several in methods.items()
        },
        "differences": {
            name: _json(_mean([differences(twin, table) for table in several]))
            for name, several in methods.items()
            if name != "twin"
        },
        "reliability": {
            name: _reliability(found) for name, found in reliabilities(evaluation.people).items()
        },
        "planted": planted,
        "maps": maps,
        "calibration": learning_figures(evaluation.persons),
        "warnings": list(facts.warnings),
        "notes": list(evaluation.notes),
        "versions": versions(list(bundles.values())),
    }
    values: dict[str, Any] = json_values(found)
    return values


def json_values(value: Any) -> Any:
    """Return the same with null for every number that is not finite: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {str(name): json_values(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def in_sample(evaluation: Evaluation, facts: Facts) -> int | None:
    """Return how many judged people their bundle was trained on; None if that is not known."""
    persons = evaluation.persons
    if facts.training is not None:  # as the protocol says
        return len(persons) if evaluation.protocol.trains_on_judged else 0
    if facts.data.get("kind") == "simulated":  # others may have had the same ids
        return None
    return n_known((person.bundle, person.participant_id) for person in persons)


def n_known(judged: Iterable[tuple[Bundle, str]]) -> int | None:
    """Return how many of these people are known to their bundle; None if one does not say.

    Parameters
    ----------
    judged : iterable of tuple of Bundle and str
        Each person's bundle and participant id.
    """
    n = 0
    for bundle, participant_id in judged:
        known = bundle.manifest.training.participants
        if known is None:
            return None
        n += participant_digest(participant_id) in known
    return n


def learning_figures(persons: Sequence[EvaluatedPerson]) -> dict[str, float | int] | None:
    """Return how long twins took to learn from trials, and how well; None where none did."""
    found = [person.learning for person in persons if person.learning is not None]
    if not found:
        return None
    seconds = [each.seconds for each in found]
    return {
        "seconds_median": round(float(np.median(seconds)), 3),
        "seconds_max": round(max(seconds), 3),
        "n_trials_median": float(np.median([each.n_trials for each in found])),
        "not_converged": sum(not each.converged for each in found),
        "effective_draws_median": float(np.median([each.effective_draws for each in found])),
    }


def versions(bundles: Sequence[Bundle]) -> dict[str, Any]:
    """Return what made the figures."""
    return {
        "dtb_runtime": package_version(),
        "bundle_digests": sorted(bundle.digest for bundle in bundles),
        "onnxruntime": str(import_onnxruntime().__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def method_tables(evaluation: Evaluation) -> dict[str, JudgedTrials]:
    """Return every table by the name of its file without ending."""
    named = {name.replace("/", "-"): table for name, table in evaluation.tables.items()}
    for number, table in enumerate(evaluation.shuffled, start=1):
        named[f"control-shuffled_{number:02d}"] = table
    return named


def _counts(evaluation: Evaluation) -> dict[str, dict[str, int]]:
    return evaluation.people.counts()


def _mean(found: Sequence[Mapping[str, Figure]]) -> dict[str, Figure]:
    """Return the mean of each figure, and of its interval's ends, over several tables."""
    names = [name for name in found[0] if all(name in each for each in found)]
    return {
        name: Figure(
            value=float(np.mean([each[name].value for each in found])),
            low=float(np.mean([each[name].low for each in found])),
            high=float(np.mean([each[name].high for each in found])),
            n=found[0][name].n,
        )
        for name in names
    }


def _json(found: Mapping[str, Figure]) -> dict[str, dict[str, float | int | None]]:
    return {name: figure.to_json() for name, figure in found.items()}


def _reliability(found: Reliability) -> dict[str, Any]:
    parts = ("seen", "judged", "whole", "between_halves", "whole_from_halves")
    bounds = {
        "bound_of_seen": found.bound_of_seen,
        "bound_of_truth": found.bound_of_truth,
    }
    return {part: getattr(found, part).to_json() for part in parts} | {
        name: value if np.isfinite(value) else None for name, value in bounds.items()
    }
