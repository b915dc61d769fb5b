"""A connectome's file: read, and its numbers taken for what format, name or caller say they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .connectome import AS_R, AS_Z, Connectome
from .connectome_checks import check_same_order
from .errors import ConnectomeError, UsageError
from .raw_array import RawArray
from .readers import read_array
from .reading import Reading
from .tables import file_label


def read_connectome(
    path: str | Path,
    reading: Reading | None = None,
    *,
    fisher_z: bool = False,
    timeseries: bool = False,
) -> Connectome:
    """Read a connectome, or the resting time series it is computed from.

    Parameters
    ----------
    path : str or pathlib.Path
        A file whose ending is in `readers.READERS`. With region labels where the format has them.
    reading : Reading, optional
        What the file does not say itself.
    fisher_z, timeseries : bool
        Short for `Reading(fisher_z=...)` and `Reading(timeseries=...)`.

    Raises
    ------
    ConnectomeError
        The file cannot be read, or is not what it should be.
    MissingDependencyError
        The package that reads this format is not installed.
    UsageError
        Both flags are given, or one beside `reading`.
    """
    path = Path(path)
    if reading is None:
        reading = Reading(fisher_z=fisher_z, timeseries=timeseries)
    elif fisher_z or timeseries:
        raise UsageError(
            "fisher_z and timeseries were given beside a Reading, which has both. Set them there."
        )
    raw = read_array(path, reading)
    source = file_label(path)
    if raw.kind == "connectome" and reading.timeseries:
        raise ConnectomeError(
            f"{source} says that it holds a connectome. Drop --timeseries (timeseries=False)."
        )
    if reading.timeseries or raw.kind == "timeseries":
        if reading.fisher_z:
            raise ConnectomeError(
                f"{source} holds time series, which have no correlations yet. Drop --fisher-z "
                "(fisher_z=False)."
            )
        return _of_series(raw, source, reading)
    if raw.scale == "r" and reading.fisher_z:
        raise ConnectomeError(
            f"{source} holds correlations ({raw.why}), but was said to hold Fisher z. Drop "
            "--fisher-z (fisher_z=False)."
        )
    if raw.scale == "maybe z" and not reading.fisher_z:
        raise ConnectomeError(
            f"{source}: {raw.why}, which Fisher z and z statistics are called. Pass --fisher-z "
            "(fisher_z=True) if it holds arctanh of correlations; z statistics are larger, and no "
            "connectome."
        )
    is_z = reading.fisher_z or raw.scale == "z"
    found = Connectome.from_matrix(
        raw.values,
        labels=_matrix_labels(raw, source),
        fisher_z=is_z,
        source=source,
        may_impute=reading.impute,
    )
    return replace(
        found,
        taken_for=f"{AS_Z if is_z else AS_R} ({raw.why})" if raw.why else found.taken_for,
        notes=(*raw.notes, *found.notes),
        mean_fd_mm=raw.mean_fd_mm,
    )


def _of_series(raw: RawArray, source: str, reading: Reading) -> Connectome:
    found = Connectome.from_timeseries(
        raw.values, labels=raw.labels, source=source, may_impute=reading.impute
    )
    return replace(found, notes=(*raw.notes, *found.notes), mean_fd_mm=raw.mean_fd_mm)


def _matrix_labels(raw: RawArray, source: str) -> tuple[str, ...] | None:
    if raw.labels is None or raw.row_labels is None:
        return raw.labels or raw.row_labels
    check_same_order(raw.row_labels, raw.labels, source)
    return raw.labels
