"""A twin on disk: one .npz file without pickled objects, read as if it were hostile."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFileError, load_npz
from .connectome_facts import ConnectomeFacts
from .errors import DataError, TwinError
from .json_object import JsonObject, kind_of
from .latent import LatentDistribution
from .participants import is_participant_id
from .strangeness import Strangeness
from .tables import check_is_file, file_label, one_line, read_bytes, shown
from .twin import Origin, Twin
from .twin_file_trials import (
    observed_arrays,
    observed_documents,
    read_calibration,
    read_observed_runs,
)

if TYPE_CHECKING:
    from .bundle import Bundle

FORMAT_VERSION = 4
"""Version of the file. Version 1 had neither prior, posterior nor trials, version 2 one lapse rate
for all tasks and no slips, version 3 no facts of the connectome."""
MAX_FILE_BYTES = 64 * 1024**2
"""Limit for a saved twin, packed or unpacked; 400 hidden units and no latent take 0.7 MB."""

_Arrays = dict[str, NDArray[Any]]
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
        "facts": None if twin.facts is None else twin.facts.to_json(),
        "observed": observed_documents(twin.observed),
        "calibration": None if calibration is None else calibration.to_json(),
    }
    key, values = ("weights", twin.weights) if twin.latent is None else ("latent", twin.latent)
    arrays: _Arrays = {"about": np.array(json.dumps(about)), key: values}
    if twin.prior is not None:
        arrays |= _distribution_arrays("prior", twin.prior)
    if calibration is not None:
        arrays |= _distribution_arrays("posterior", calibration.posterior)
    arrays |= observed_arrays(twin.observed)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read_twin(path: Path, bundle: Bundle) -> Twin:
    """Read what `Twin.save` wrote; raises `TwinError`, see `Bundle.load_twin`."""
    check_is_file(path, TwinError)  # a device could be read forever
    try:
        size, data = read_bytes(path, MAX_FILE_BYTES)
    except OSError as cause:
        place = one_line(str(path))
        raise TwinError(f"{place} cannot be read: {cause.strerror or cause}.") from cause
    return _twin_of(data, size, path, bundle)


def twin_of_bytes(data: bytes, name: str, bundle: Bundle) -> Twin:
    """The same of a file's content that is in memory; `name` is what messages call it."""
    return _twin_of(data, len(data), Path(name), bundle)


def _twin_of(data: bytes, size: int, path: Path, bundle: Bundle) -> Twin:
    """The twin that a file of this size holds, and this path."""
    about, arrays = _content(data, size, path)
    path = Path(one_line(str(path)))  # from here on for messages alone
    version = about.take("twin_version")
    if version != FORMAT_VERSION:
        raise TwinError(
            f"{path} is a twin of version {kind_of(version)}, this dtb-runtime reads version "
            f"{FORMAT_VERSION}. Update dtb-runtime, or personalize again."
        )
    name, digest = about.text("bundle"), about.text("bundle_digest")
    if digest != bundle.digest:
        raise TwinError(
            f"{path} was made with bundle {shown(name)} (digest {one_line(digest[:12])}), but this "
            f"is bundle {bundle.name!r} (digest {bundle.digest[:12]}). Load it with its own "
            "bundle, or personalize the connectome again."
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
    facts = _facts(about.optional_child("facts"))
    observed = read_observed_runs(about.take("observed"), arrays, path)
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
        learned = read_calibration(calibration, posterior, observed, path)
    elif observed:
        raise TwinError(f"{path} has trials that it did not learn from. Calibrate again.")
    expected = prior if learned is None else learned.posterior
    if expected is not None and not np.array_equal(expected.mean.astype(np.float32), values):
        raise TwinError(f"{path}: the latent is not the mean of its distribution. Calibrate again.")
    if arrays:
        raise TwinError(f"{path} holds an unknown array {shown(min(arrays))}. Personalize again.")
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
        facts=facts,
    )


def _content(data: bytes, size: int, path: Path) -> tuple[JsonObject, _Arrays]:
    """What is said about the twin, and the other arrays of its file."""
    place = one_line(str(path))
    if size > MAX_FILE_BYTES:
        raise TwinError(f"{place} is larger than any twin. Give a file that Twin.save wrote.")
    try:
        arrays = load_npz(io.BytesIO(data), file_label(path), MAX_FILE_BYTES)
    except ArrayFileError as cause:
        raise TwinError(
            f"{place} is not a saved twin, or it is damaged ({cause.problem}). Personalize again."
        ) from cause
    about = arrays.pop("about", None)
    if about is None or about.dtype.kind != "U" or about.ndim:
        raise TwinError(f"{place} is not a saved twin. Give a file that Twin.save wrote.")
    return JsonObject.parse(str(about), place, TwinError), arrays


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


def _facts(document: JsonObject | None) -> ConnectomeFacts | None:
    if document is None:
        return None
    n_timepoints = document.optional_number("n_timepoints")
    facts = ConnectomeFacts(
        taken_for=document.text("taken_for"),
        regions=document.text("regions"),
        mean_r=document.number("mean_r"),
        sd_r=document.number("sd_r"),
        n_timepoints=None if n_timepoints is None else int(n_timepoints),
        mean_fd_mm=document.optional_number("mean_fd_mm"),
        imputed=document.texts("imputed"),
    )
    document.close()
    return facts


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
