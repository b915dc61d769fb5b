"""Files with an array of numbers, read as they are: one reader for each file name ending.

A reader turns a path into a `RawArray` and judges only the file: whether the numbers are a
connectome is decided in `connectome`. Another format is one more function in `READERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from . import cifti_files, nifti_files, plain_files
from .bids_hints import hints_of
from .errors import ConnectomeError
from .isolated_reading import read_isolated
from .motion_sidecar import with_sidecars_fd
from .raw_array import RawArray
from .reading import Reading
from .resting_series import turned
from .tables import check_is_file, file_label, one_line
from .xcp_d_motion import with_mean_fd

__all__ = ["READERS", "RawArray", "Reader", "ending_of", "read_array"]

Reader = Callable[[Path, Reading], RawArray]


def ending_of(path: str | Path) -> str | None:
    """The ending of a file's name that has a reader, the longest that fits; None without one."""
    name = Path(path).name.lower()
    return max((end for end in READERS if name.endswith(end)), key=len, default=None)


def stem_of(path: str | Path) -> str:
    """A file's name without that ending (without its last one where none has a reader)."""
    path = Path(path)
    ending = ending_of(path)
    return path.stem if ending is None else path.name[: -len(ending)]


def read_array(path: str | Path, reading: Reading | None = None) -> RawArray:
    """Read a file with the reader of its name's ending.

    Parameters
    ----------
    path : str or pathlib.Path
        The file; its ending must be in `READERS`.
    reading : Reading, optional
        What the caller says of it.

    Returns
    -------
    RawArray
        Where the file does not say what it holds and its BIDS name does, as that says. Time series
        are time by regions where names tell which is which.

    Raises
    ------
    ConnectomeError
        No reader has this ending; the file is missing, a folder, empty or damaged; it does not
        hold one two-dimensional array of real numbers.
    MissingDependencyError
        The package that reads this format is not installed.
    """
    path = Path(path)
    check_is_file(path, ConnectomeError)
    ending = ending_of(path)
    if ending is None:
        _check_unpacked(path)
        raise ConnectomeError(
            f"{file_label(path)} has the ending {path.suffix or '(none)'!r}, expected one of "
            f"{', '.join(READERS)}. Save the connectome in one of these formats."
        )
    if path.stat().st_size == 0:
        raise ConnectomeError(
            f"{file_label(path)} is empty. Check how it was written, or pick another file."
        )
    reading = reading or Reading()
    _check_options(reading, ending, file_label(path))
    raw = READERS[ending](path, reading)
    kind, scale, why = hints_of(stem_of(path), file_label(path))
    if raw.kind is None and kind is not None:
        raw = replace(raw, kind=kind)
    if raw.scale is None and scale is not None and raw.kind != "timeseries":
        raw = replace(raw, scale=scale, why=why)
    is_series = raw.kind == "timeseries" or (raw.kind is None and reading.timeseries)
    found = turned(raw, file_label(path)) if is_series else raw
    return with_sidecars_fd(with_mean_fd(found, path), path)


def _check_unpacked(path: Path) -> None:
    """Say of a packed file that it is one, where what is in it would be read."""
    if path.suffix.lower() in _PACKED and ending_of(path.stem) is not None:
        raise ConnectomeError(
            f"{file_label(path)} is compressed ({one_line(path.suffix)}), and of compressed files "
            f"only .nii.gz is read. Unpack it: {one_line(path.stem)}."
        )


def _check_options(reading: Reading, ending: str, source: str) -> None:
    """Refuse what does nothing with such a file, so that nobody believes that it did."""
    given = {
        "--variable": reading.variable is not None and ending not in _WITH_VARIABLES,
        "--atlas": reading.atlas is not None and ending not in _SCANS,
        "--atlas-labels": reading.atlas_labels is not None and ending not in _SCANS,
        "--denoise": reading.denoise is not None and ending not in _SCANS,
        "--resample": reading.resample and ending not in _SCANS,
    }
    for option, is_idle in given.items():
        if is_idle:
            wants = _WITH_VARIABLES if option == "--variable" else _SCANS
            raise ConnectomeError(
                f"{source}: {option} does nothing with a file that ends in {ending}; it is for "
                f"{', '.join(wants)}. Drop it, or give such a file."
            )


_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_WITH_VARIABLES = (".npz", ".mat", ".h5", ".hdf5")
_SCANS = (".dtseries.nii", ".nii", ".nii.gz")

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        ".npy": plain_files.read_npy,
        ".npz": plain_files.read_npz,
        ".tsv": plain_files.read_tsv,
        ".csv": plain_files.read_csv,
        ".txt": plain_files.read_txt,
        ".parquet": partial(read_isolated, ending=".parquet"),
        ".pconn.nii": cifti_files.read_cifti,
        ".ptseries.nii": cifti_files.read_cifti,
        ".dtseries.nii": cifti_files.read_cifti,
        ".nii": nifti_files.read_nifti,
        ".nii.gz": nifti_files.read_nifti,
        ".mat": partial(read_isolated, ending=".mat"),
        ".h5": partial(read_isolated, ending=".h5"),
        ".hdf5": partial(read_isolated, ending=".hdf5"),
    }
)
"""The reader of each file name ending, in lower case; where several fit, the longest is taken."""
