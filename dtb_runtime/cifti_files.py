"""CIFTI-2: matrices of parcels, their series, and series of grayordinates with an atlas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cifti_axes import AXIS_WORDS, read_axes
from .connectome_checks import listed
from .dense_atlas import check_sides, read_dense_atlas, regions_of
from .errors import ConnectomeError
from .fmriprep_confounds import scan_series
from .nibabel_images import NiftiFile, library_calls, open_nifti
from .raw_array import RawArray, check_bytes, real_matrix, size_text
from .reading import Reading
from .region_averages import RegionAverages
from .tables import one_line

_PART_BYTES = 2**25  # of a dense series that is in memory at once


def read_cifti(path: Path, reading: Reading) -> RawArray:
    """Read a CIFTI-2 file: ``.pconn.nii``, ``.ptseries.nii``, or ``.dtseries.nii`` with an atlas.

    Names of regions are those of the parcels or of the atlas. Whether a matrix holds correlations
    or Fisher z is not written in it.

    Raises
    ------
    ConnectomeError
        The file is damaged or something else; rows and columns of a matrix are different parcels;
        the atlas is missing or does not fit; options do not apply to such a file.
    MissingDependencyError
        nibabel, or for denoising nilearn, is not installed.
    """
    with open_nifti(path) as file:
        if not file.is_cifti:
            raise ConnectomeError(
                f"{file.source} is a NIfTI file, but no CIFTI-2 file, as its name says. If it is a "
                "scan of voxels, name it .nii or .nii.gz."
            )
        return read_open_cifti(file, path, reading)


def read_open_cifti(file: NiftiFile, path: Path, reading: Reading) -> RawArray:
    """The same of a file that is open already."""
    rows, columns = read_axes(file)
    kinds = type(rows).__name__, type(columns).__name__
    if kinds[0] == "SeriesAxis" and rows.unit != "SECOND":
        raise ConnectomeError(
            f"{file.source} is a series in {one_line(str(rows.unit)).lower()}, expected one in "
            "time (SeriesUnit SECOND)."
        )
    if kinds == ("SeriesAxis", "BrainModelAxis"):
        return _dense_series(file, path, columns, reading)
    if kinds == ("ParcelsAxis", "ParcelsAxis"):
        _refuse_options(file, reading)
        return _parcel_matrix(file, rows, columns)
    if kinds == ("SeriesAxis", "ParcelsAxis"):
        _refuse_options(file, reading)
        labels = _names(columns)
        notes = _check_parcels(columns, labels, file.source)
        return RawArray(_all_numbers(file), labels, kind="timeseries", notes=notes)
    raise ConnectomeError(
        f"{file.source} holds {AXIS_WORDS[kinds[0]]} by {AXIS_WORDS[kinds[1]]} "
        f"({size_text(file.shape)}), expected parcels by parcels (.pconn.nii), time points by "
        "parcels (.ptseries.nii), or time points by grayordinates (.dtseries.nii)."
    )


def _refuse_options(file: NiftiFile, reading: Reading) -> None:
    for option, value in (("--atlas", reading.atlas), ("--denoise", reading.denoise)):
        if value is not None:
            raise ConnectomeError(
                f"{file.source} holds parcels already, so {option} does nothing there. Drop it, or "
                "give the scan that the parcels were made from."
            )


def _all_numbers(file: NiftiFile) -> NDArray[np.float64]:
    check_bytes(file.shape, 8, file.source)
    values = real_matrix(file.read(), file.source)
    file.check_end()
    return values


def _names(parcels: Any) -> tuple[str, ...]:
    return tuple(str(name).strip() for name in parcels.name)


def _parcel_matrix(file: NiftiFile, rows: Any, columns: Any) -> RawArray:
    row_labels, labels = _names(rows), _names(columns)
    other = [name for name, its in zip(row_labels, labels, strict=False) if name != its]
    if other or len(row_labels) != len(labels):
        raise ConnectomeError(
            f"{file.source} is {size_text(file.shape)}: its rows and columns are different parcels "
            f"({one_line(listed(other)) or 'not as many'}). Give a connectome: the same parcels in "
            "the same order."
        )
    with library_calls(file.source, "its parcels"):
        is_same = bool(rows == columns)
    if not is_same:
        raise ConnectomeError(
            f"{file.source} has parcels of the same names in its rows and columns that cover "
            "different grayordinates. Give a connectome: the same parcels twice."
        )
    notes = _check_parcels(columns, labels, file.source)
    return RawArray(_all_numbers(file), labels, row_labels, kind="connectome", notes=notes)


def _check_parcels(parcels: Any, labels: tuple[str, ...], source: str) -> tuple[str, ...]:
    """See whether names fit the sides; voxels are in no structure that the file names."""
    structures = [
        () if len(voxels) else tuple(vertices)
        for vertices, voxels in zip(parcels.vertices, parcels.voxels, strict=True)
    ]
    return check_sides(labels, structures, source)


def _dense_series(file: NiftiFile, path: Path, axis: Any, reading: Reading) -> RawArray:
    n_timepoints, n_grayordinates = file.shape
    if reading.atlas is None:
        raise ConnectomeError(
            f"{file.source} is a scan of {n_grayordinates} grayordinates. Say which regions they "
            "are averaged over with --atlas (a .dlabel.nii), or give a .ptseries.nii."
        )
    if reading.atlas_labels is not None:
        raise ConnectomeError(
            f"{file.source} is averaged over a .dlabel.nii, which names its regions itself. Drop "
            "--atlas-labels."
        )
    atlas = read_dense_atlas(Path(reading.atlas))
    regions = regions_of(axis, atlas, file.source)
    sizes = np.bincount(atlas.regions[atlas.regions >= 0], minlength=len(atlas.labels))
    averages = RegionAverages(file.source, atlas.labels, regions, n_timepoints, sizes)
    step = max(1, _PART_BYTES // (8 * n_timepoints))
    # Numbers of a grayordinate stand together in the file, so parts of grayordinates read fastest.
    for begin in range(0, n_grayordinates, step):
        part = slice(begin, min(begin + step, n_grayordinates))
        averages.add(slice(None), part, file.read(slice(None), part))
    file.check_end()
    raw = scan_series(path, averages, reading)
    return replace(raw, notes=(*atlas.notes, *raw.notes))
