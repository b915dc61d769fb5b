"""Confounds that fMRIPrep writes beside a scan: how the head moved, and regressing them out."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .bids_hints import entities_of
from .confounds_files import confounds_of, what_is_missing
from .connectome_checks import listed
from .errors import ConnectomeError, MissingDependencyError, UnreadConnectomeError
from .library_failures import library_failures
from .raw_array import RawArray
from .reading import Reading
from .region_averages import RegionAverages
from .tables import file_label, one_line
from .xcp_d_motion import mean_fd_of

_MIN_LEFT = 3  # frames more than regressors: with fewer, every correlation is 1 or -1
_MAX_SHOWN = 300  # characters of a warning
_MAX_ENTITIES = 20  # nilearn tries every subset of them as a name; BIDS knows 15 of a scan


def scan_series(scan: Path, averages: RegionAverages, reading: Reading) -> RawArray:
    """What a reader gives of a scan that was averaged over regions: denoised where it is asked for.

    Parameters
    ----------
    scan : pathlib.Path
    averages : RegionAverages
        To which all of the scan was added.
    reading : Reading

    Raises
    ------
    ConnectomeError
        What `RegionAverages.result` and `denoised` raise.
    """
    series, notes = averages.result()
    if reading.denoise is None:
        done: tuple[str, ...] = (
            f"The series of {file_label(scan)} were used as they are: no confounds were regressed "
            "out (--denoise).",
        )
    else:
        series, done = denoised(scan, series, reading.denoise)
    mean_fd_mm, unknown = mean_fd(scan)
    return RawArray(
        series,
        averages.labels,
        kind="timeseries",
        mean_fd_mm=mean_fd_mm,
        notes=(*notes, *done, *unknown),
    )


def mean_fd(scan: Path) -> tuple[float | None, tuple[str, ...]]:
    """Mean framewise displacement in mm, from the confounds table beside a scan.

    Parameters
    ----------
    scan : pathlib.Path
        Of fMRIPrep by its name; no other has such a table.

    Returns
    -------
    float or None
        Over all frames that have one; None without a table, or without the column.
    notes : tuple of str
        Why a table that is there does not tell it.
    """
    table = confounds_of(scan)
    return (None, ()) if table is None else mean_fd_of(table)


def denoised(
    scan: Path, series: NDArray[np.float64], strategy: str
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Series of regions without what fMRIPrep's confounds explain, and without censored frames.

    The confounds are those of `nilearn.interfaces.fmriprep.load_confounds_strategy`, regressed out
    as `nilearn.maskers.NiftiLabelsMasker` does with its defaults: no filter and no detrending but
    those that the confounds bring (fMRIPrep's cosines are a high-pass filter).

    Parameters
    ----------
    scan : pathlib.Path
        Named as fMRIPrep does, with its confounds beside it.
    series : numpy.ndarray, shape (n_timepoints, n_regions)
        Averages of its regions; NaN throughout for a region without data, which stays so.
    strategy : str
        Of `reading.DENOISING`.

    Returns
    -------
    series : numpy.ndarray, shape (n_kept, n_regions)
    notes : tuple of str
        What was done.

    Raises
    ------
    ConnectomeError
        The confounds are missing, do not have what the strategy needs, or do not fit the scan.
    MissingDependencyError
        nilearn is not installed.
    """
    source = file_label(scan)
    said: list[warnings.WarningMessage]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            from nilearn import __version__ as version
            from nilearn import signal
            from nilearn.interfaces.fmriprep import load_confounds_strategy
        except ImportError as cause:
            raise MissingDependencyError(
                f"Denoising needs nilearn ({cause}): pip install 'dtb-runtime[imaging]'"
            ) from cause
        said.clear()
        if len(entities_of(scan.name)[0]) > _MAX_ENTITIES:
            raise ConnectomeError(
                f"{source} is not named as fMRIPrep does, so its confounds cannot be found. Drop "
                "--denoise, or restore the name."
            )
        try:
            with library_failures(
                f"The confounds of {source} for the strategy {strategy!r} cannot be read",
                "Give the scan with its ..._desc-confounds_timeseries.tsv and .json as fMRIPrep "
                "wrote them, choose another strategy, or drop --denoise.",
            ):
                confounds, kept = load_confounds_strategy(str(scan), denoise_strategy=strategy)
                regressors = np.asarray(confounds, dtype=np.float64)
        except UnreadConnectomeError:
            raise
        except ConnectomeError as cause:
            missing = what_is_missing(scan, strategy)
            if missing is None:
                raise
            raise ConnectomeError(missing) from cause
        names = list(map(str, confounds.columns))
        n_kept = _check_fit(source, regressors, names, kept, len(series))
        there = ~np.isnan(series).any(axis=0)
        cleaned = np.full((n_kept, series.shape[1]), np.nan)
        cleaned[:, there] = signal.clean(
            series[:, there],
            confounds=regressors,
            sample_mask=kept,
            detrend=False,
            standardize=None,
            standardize_confounds=True,
        )
    n_removed = len(series) - n_kept
    done = (
        f"{len(names)} confounds of fMRIPrep were regressed out of {source} (nilearn {version}, "
        f"strategy {strategy}), and {n_removed} of {len(series)} frames left out."
    )
    return cleaned, (done, *_meant_for_people(said))


def _check_fit(
    source: str,
    regressors: NDArray[np.float64],
    names: list[str],
    kept: NDArray[np.intp] | None,
    n_timepoints: int,
) -> int:
    """How many frames are kept; raises where the confounds do not fit the scan."""
    if len(regressors) != n_timepoints:
        raise ConnectomeError(
            f"{source} has {n_timepoints} time points, but its confounds {len(regressors)}. Give "
            "the scan as fMRIPrep wrote it, with its own confounds beside it."
        )
    gaps = [
        name
        for name, column in zip(names, regressors.T, strict=True)
        if not np.isfinite(column).all()
    ]
    if gaps:
        raise ConnectomeError(
            f"The confounds of {source} have values that are no numbers in "
            f"{one_line(listed(gaps))}. Choose another strategy, or drop --denoise."
        )
    n_kept = n_timepoints if kept is None else len(kept)
    if n_kept - len(names) < _MIN_LEFT:
        raise ConnectomeError(
            f"{source} has {n_kept} of {n_timepoints} time points left for {len(names)} confounds, "
            "expected many more. Choose a strategy that keeps more frames, or another scan."
        )
    return n_kept


def _meant_for_people(said: list[warnings.WarningMessage]) -> tuple[str, ...]:
    """What nilearn warned of, without what it says to programmers about its own future."""
    texts = [
        " ".join(str(each.message).split())
        for each in said
        if isinstance(each.message, UserWarning | RuntimeWarning)
    ]
    return tuple(
        f"nilearn on these confounds: {one_line(text)[:_MAX_SHOWN]}"
        for text in dict.fromkeys(texts)
    )
