"""A twin on disk: one .npz file without pickled objects, read as if it were hostile."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFileError, load_npz
from .calibration import Calibration
from .errors import DataError, TwinError, UsageError
from .events import events_from_columns
from .json_object import JsonObject
from .latent import LatentDistribution
from .observed_run import ObservedRun, cells, own_columns
from .recorded_responses import Responses
from .run_joining import MAX_PARTS, canonical_order
from .strangeness import Strangeness
from .tables import check_is_file, one_line
from .tasks import TASKS
from .twin import Origin, Twin, is_participant_id

if TYPE_CHECKING:
    from .bundle import Bundle

FORMAT_VERSION = 3
"""Version of the file. Version 1 had neither prior, posterior nor trials, version 2 one lapse rate
for all tasks and no slips."""
MAX_FILE_BYTES = 64 * 1024**2
"""Limit for a saved twin, packed or unpacked; 400 hidden units and no latent take 0.7 MB."""

_Arrays = dict[str, NDArray[Any]]
_NUMBERS = ("onset", "duration", "response_time")
_FLAGS = ("correct", "usable")
_ORIGINS = {"connectome": "a connectome", "edges": "bare edges", "population": "no connectome"}


def twin_bytes(twin: Twin) -> bytes:
    """The content of a twin's file; the same twin gives the same bytes."""
    strangeness, calibration = twin.strangeness, twin.calibration
    about = {
        "twin_version": FORMAT_VERSION,
        "bundle": twin.bundle.name,
        "bundle_digest": twin.bundle.digest,
        "participant_id": twin.participant_id,
        "origin": twin.origin,
        "connectome_digest": twin.connectome_digest,
        "strangeness": None if strangeness is None else strangeness.to_json(),
        "notes": list(twin.notes),
        "observed": [{"task": run.task, "source": run.events.source} for run in twin.observed],
        "calibration": None if calibration is None else calibration.to_json(),
    }
    key, values = ("weights", twin.weights) if twin.latent is None else ("latent", twin.latent)
    arrays: _Arrays = {"about": np.array(json.dumps(about)), key: values}
    if twin.prior is not None:
        arrays |= _distribution_arrays("prior", twin.prior)
    if calibration is not None:
        arrays |= _distribution_arrays("posterior", calibration.posterior)
    for i, run in enumerate(twin.observed):
        arrays |= {f"observed_{i}_{name}": array for name, array in _run_arrays(run).items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read_twin(path: Path, bundle: Bundle) -> Twin:
    """Read what `Twin.save` wrote; raises `TwinError`, see `Bundle.load_twin`."""
    about, arrays = _read(path)
    version = about.take("twin_version")
    if version != FORMAT_VERSION:
        raise TwinError(
            f"{path} is a twin of version {version!r}, this dtb-runtime reads version "
            f"{FORMAT_VERSION}. Update dtb-runtime, or personalize again."
        )
    name, digest = about.text("bundle"), about.text("bundle_digest")
    if digest != bundle.digest:
        raise TwinError(
            f"{path} was made with bundle {name!r} (digest {digest[:12]}), but this is bundle "
            f"{bundle.name!r} (digest {bundle.digest[:12]}). Load it with its own bundle, or "
            "personalize the connectome again."
        )
    participant_id, connectome_digest = (
        about.optional_text(key) for key in ("participant_id", "connectome_digest")
    )
    if participant_id is not None and not is_participant_id(participant_id):
        raise TwinError(
            f"{path} is of the participant {one_line(participant_id)!r}, expected sub- with "
            "letters and digits after it, as Twin.save writes. Personalize again."
        )
    origin = about.one_of("origin", get_args(Origin))
    if (origin == "connectome") != (connectome_digest is not None):
        raise TwinError(
            f"{path} says that it was made from {_ORIGINS[origin]}, but holds "
            f"{'no digest of one' if connectome_digest is None else 'the digest of a connectome'}. "
            "Personalize again."
        )
    strangeness = _strangeness(about.optional_child("strangeness"))
    notes = about.texts("notes")
    observed = _observed(about.take("observed"), arrays, path)
    calibration = about.optional_child("calibration")
    about.close()
    has_latent = bundle.manifest.latent_size > 0
    key = "latent" if has_latent else "weights"
    length = bundle.manifest.latent_size if has_latent else bundle.manifest.n_weights
    values = arrays.pop(key, None)
    if values is None or values.shape != (length,):
        raise TwinError(f"{path} must hold {length} numbers named {key!r}. Personalize again.")
    if values.dtype != np.float32 or not np.isfinite(values).all():
        raise TwinError(f"{path}: {key} must be finite float32 numbers. Personalize again.")
    prior = None
    if has_latent and bundle.norms.prior is not None:
        prior = _distribution("prior", arrays, length, path)
    learned = None
    if calibration is not None:
        if prior is None:
            raise TwinError(f"{path} has learned from trials without a prior. Personalize again.")
        posterior = _distribution("posterior", arrays, length, path)
        learned = _calibration(calibration, posterior, observed, path)
    elif observed:
        raise TwinError(f"{path} has trials that it did not learn from. Calibrate again.")
    expected = prior if learned is None else learned.posterior
    if expected is not None and not np.array_equal(expected.mean.astype(np.float32), values):
        raise TwinError(f"{path}: the latent is not the mean of its distribution. Calibrate again.")
    if arrays:
        raise TwinError(f"{path} holds an unknown array {min(arrays)!r}. Personalize again.")
    return Twin(
        bundle=bundle,
        latent=values if has_latent else None,
        weights=bundle.decode(values) if has_latent else values,
        participant_id=participant_id,
        strangeness=strangeness,
        origin=origin,
        connectome_digest=connectome_digest,
        notes=notes,
        prior=prior,
        posterior=None if learned is None else learned.posterior,
        observed=observed,
        calibration=learned,
    )


def _read(path: Path) -> tuple[JsonObject, _Arrays]:
    """What is said about the twin, and the other arrays of its file."""
    check_is_file(path, TwinError)  # a device could be read forever
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise TwinError(f"{path} is larger than any twin. Give a file that Twin.save wrote.")
        data = path.read_bytes()
    except OSError as cause:
        raise TwinError(f"{path} cannot be read: {cause.strerror or cause}.") from cause
    try:
        arrays = load_npz(io.BytesIO(data), path.name, MAX_FILE_BYTES)
    except ArrayFileError as cause:
        raise TwinError(
            f"{path} is not a saved twin, or it is damaged ({cause.problem}). Personalize again."
        ) from cause
    if "about" not in arrays:
        raise TwinError(f"{path} is not a saved twin. Give a file that Twin.save wrote.")
    return JsonObject.parse(str(arrays.pop("about")), str(path), TwinError), arrays


def _strangeness(document: JsonObject | None) -> Strangeness | None:
    if document is None:
        return None
    strangeness = Strangeness(
        distance=document.optional_number("distance"),
        distance_percentile=document.optional_number("distance_percentile"),
        similarity_to_cohort=document.optional_number("similarity_to_cohort"),
        similarity_percentile=document.optional_number("similarity_percentile"),
        sentence=document.text("sentence"),
    )
    document.close()
    return strangeness


def _distribution_arrays(name: str, distribution: LatentDistribution) -> _Arrays:
    return {f"{name}_mean": distribution.mean, f"{name}_covariance": distribution.covariance}


def _distribution(name: str, arrays: _Arrays, size: int, path: Path) -> LatentDistribution:
    parts = []
    for part, shape in (("mean", (size,)), ("covariance", (size, size))):
        array = arrays.pop(f"{name}_{part}", None)
        if array is None or array.dtype != np.float64 or array.shape != shape:
            raise TwinError(
                f"{path} must hold float64 numbers of shape {shape} named '{name}_{part}'. "
                "Personalize again."
            )
        parts.append(array)
    try:
        return LatentDistribution(*parts)
    except DataError as cause:
        raise TwinError(f"{path}: the {name} cannot be used. {cause} Personalize again.") from cause


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


def _calibration(
    document: JsonObject,
    posterior: LatentDistribution,
    observed: tuple[ObservedRun, ...],
    path: Path,
) -> Calibration:
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


def _observed(documents: object, arrays: _Arrays, path: Path) -> tuple[ObservedRun, ...]:
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
