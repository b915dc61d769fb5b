"""The part of a twin's file that says what was learned: the trials, and what was made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .calibration import Calibration
from .errors import DataError, TwinError, UsageError
from .events import events_from_columns
from .json_object import JsonObject
from .latent import LatentDistribution
from .observed_run import ObservedRun, cells, own_columns
from .recorded_responses import Responses
from .run_joining import MAX_PARTS, canonical_order
from .tables import one_line
from .tasks import TASKS

_Arrays = dict[str, NDArray[Any]]
_NUMBERS = ("onset", "duration", "response_time")
_FLAGS = ("correct", "usable")


def observed_documents(observed: Sequence[ObservedRun]) -> list[dict[str, str]]:
    """What is said of each run beside its arrays."""
    return [{"task": run.task, "source": run.events.source} for run in observed]


def observed_arrays(observed: Sequence[ObservedRun]) -> _Arrays:
    """The trials as arrays, one a column of each run."""
    return {
        f"observed_{i}_{name}": array
        for i, run in enumerate(observed)
        for name, array in _run_arrays(run).items()
    }


def _rates(document: JsonObject, path: Path) -> Mapping[str, float]:
    """Shares by task."""
    rates = {task: document.number(task) for task in document.remaining_keys()}
    for task, rate in rates.items():
        if not 0 <= rate < 1:
            raise TwinError(
                f"{path}: a rate of lapses or slips must lie in [0, 1), found {rate} for "
                f"{one_line(task)}. Calibrate again."
            )
    return MappingProxyType(rates)


def read_calibration(
    document: JsonObject,
    posterior: LatentDistribution,
    observed: tuple[ObservedRun, ...],
    path: Path,
) -> Calibration:
    """How the posterior was found, checked against the trials; raises `TwinError`."""
    calibration = Calibration(
        posterior=posterior,
        n_trials=document.integer("n_trials", minimum=0),
        n_answered=document.integer("n_answered", minimum=0),
        log_likelihood=document.number("log_likelihood"),
        prior_log_likelihood=document.number("prior_log_likelihood"),
        steps=document.integer("steps", minimum=0),
        converged=_flag(document, "converged"),
        effective_draws=document.number("effective_draws"),
        lapse_rates=_rates(document.child("lapse_rates"), path),
        slip_rates=_rates(document.child("slip_rates"), path),
        misfits=document.texts("misfits"),
    )
    document.close()
    if calibration.effective_draws < 0:
        raise TwinError(
            f"{path}: effective_draws must be 0 or more, found {calibration.effective_draws}. "
            "Calibrate again."
        )
    counts = (sum(run.n_observed for run in observed), sum(run.n_answered for run in observed))
    if counts != (calibration.n_trials, calibration.n_answered):
        raise TwinError(
            f"{path} says that it learned from {calibration.n_trials} trials with "
            f"{calibration.n_answered} answers, but holds {counts[0]} with {counts[1]}. Calibrate "
            "again."
        )
    tasks = {run.task for run in observed if run.n_observed}
    if not set(calibration.lapse_rates) == set(calibration.slip_rates) == tasks:
        raise TwinError(
            f"{path} must have a rate of lapses and of slips for {' and '.join(sorted(tasks))}, of "
            "which it holds trials, and for no other task. Calibrate again."
        )
    return calibration


def _flag(document: JsonObject, key: str) -> bool:
    value = document.take(key)
    if not isinstance(value, bool):
        raise TwinError(f"{document.where}, {key}: expected true or false. Calibrate again.")
    return value


def _run_arrays(run: ObservedRun) -> _Arrays:
    events, responses = run.events, run.responses
    columns: _Arrays = {name: np.array(cells(run, name)) for name in own_columns(run.task)}
    return columns | {
        "onset": events.onset_s,
        "duration": events.duration_s,
        "response_time": responses.response_time_s,
        "correct": responses.correct,
        "usable": responses.usable,
    }


def read_observed_runs(documents: object, arrays: _Arrays, path: Path) -> tuple[ObservedRun, ...]:
    """The trials that the twin learned from, taken out of the arrays; raises `TwinError`."""
    if not isinstance(documents, list) or len(documents) > MAX_PARTS:
        raise TwinError(
            f"{path}, observed: expected a list of at most {MAX_PARTS} runs. Calibrate again."
        )
    runs = []
    for i, value in enumerate(documents):
        document = JsonObject(value, f"{path}, observed run {i}", TwinError)
        task, source = document.one_of("task", tuple(TASKS)), document.text("source")
        document.close()
        own = {
            name: arrays.pop(f"observed_{i}_{name}", None)
            for name in (*_NUMBERS, *_FLAGS, *own_columns(task))
        }
        runs.append(_run(own, task, source, document.where))
    try:
        return canonical_order(runs)
    except UsageError as cause:
        raise TwinError(f"{path}: {cause}") from cause


def _run(
    arrays: Mapping[str, NDArray[Any] | None], task: str, source: str, where: str
) -> ObservedRun:
    known: _Arrays = {}
    for name, array in arrays.items():
        kind = "f" if name in _NUMBERS else "b" if name in _FLAGS else "U"
        if array is None or array.dtype.kind != kind or array.ndim != 1:
            raise TwinError(f"{where}: {name!r} is missing or of another kind. Calibrate again.")
        known[name] = array
    responses = Responses(
        response_time_s=known.pop("response_time").astype(np.float64),
        correct=known.pop("correct"),
        usable=known.pop("usable"),
    )
    try:
        columns = {name: array.tolist() for name, array in known.items()}
        return ObservedRun(events_from_columns(columns, task, source), responses)
    except DataError as cause:
        raise TwinError(f"{where}: its trials cannot be used. {cause}") from cause
