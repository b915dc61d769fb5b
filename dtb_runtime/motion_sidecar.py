"""How much the head moved, from the sidecar that giga_connectome writes beside its series."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from .errors import ConnectomeError
from .json_object import MAX_JSON_BYTES, JsonObject
from .raw_array import RawArray
from .tables import file_label, read_text

_KEY = "MeanFramewiseDisplacement"
_OF_ONE_TABLE = ("seg", "atlas", "meas")
"""Entities of tables that the sidecar, which is of a whole run, does not have; others keep them."""
_SUFFIX = "timeseries.json"


def sidecar_of(path: Path) -> Path | None:
    """The sidecar of the series that a file holds or was made from; None without one.

    Parameters
    ----------
    path : pathlib.Path
        ``sub-01_task-rest_seg-A_meas-PearsonCorrelation_desc-denoiseSimple_relmat.tsv`` has
        ``sub-01_task-rest_desc-denoiseSimple_timeseries.json``, or one with its ``seg-`` as well.
    """
    *parts, suffix = path.name.split("_")
    if suffix not in ("relmat.tsv", "timeseries.tsv") or not path.name.startswith("sub-"):
        return None
    for dropped in (_OF_ONE_TABLE, ("meas",)):
        kept = [part for part in parts if part.partition("-")[0] not in dropped]
        sidecar = path.with_name("_".join([*kept, _SUFFIX]))
        if sidecar.is_file():
            return sidecar
    return None


def mean_fd_in(sidecar: Path) -> tuple[float | None, tuple[str, ...]]:
    """Mean framewise displacement in mm, and why it is not known where the sidecar is damaged.

    Parameters
    ----------
    sidecar : pathlib.Path
        With the key ``MeanFramewiseDisplacement``; without it, nothing is known and nothing said.
    """
    name = file_label(sidecar)
    try:
        text = read_text(sidecar, ConnectomeError, MAX_JSON_BYTES)
        document = JsonObject.parse(text, name, ConnectomeError)
        if _KEY not in document.remaining_keys():
            return None, ()
        mean = document.number(_KEY)
    except ConnectomeError as cause:
        return None, (f"How much the head moved is not known: {name} ({cause}).",)
    if not 0.0 <= mean < math.inf:
        said = f"{name} says that {_KEY} is {mean:g}"
        return None, (f"How much the head moved is not known: {said}.",)
    return mean, ()


def with_sidecars_fd(raw: RawArray, path: Path) -> RawArray:
    """What a file holds, with how much the head moved where only its sidecar tells it."""
    sidecar = sidecar_of(path) if raw.mean_fd_mm is None else None
    if sidecar is None:
        return raw
    mean_fd_mm, notes = mean_fd_in(sidecar)
    return replace(raw, mean_fd_mm=mean_fd_mm, notes=(*raw.notes, *notes))
