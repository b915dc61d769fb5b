"""NIfTI scans of voxels, averaged over the regions of a label image."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .cifti_files import read_open_cifti
from .errors import ConnectomeError
from .fmriprep_confounds import scan_series
from .label_tables import names_of_regions
from .nibabel_images import NiftiFile, open_nifti
from .raw_array import RawArray, check_bytes, size_text
from .reading import Reading
from .region_averages import RegionAverages
from .tables import check_is_file

GRID_TOLERANCE_MM = 1e-3
"""Largest distance between the same voxel of two images that is put down to rounding."""


def read_nifti(path: Path, reading: Reading) -> RawArray:
    """Read a scan: a four-dimensional NIfTI file with a label image as `reading.atlas`.

    One frame is in memory at a time. Names of regions are those of `reading.atlas_labels`; without
    it, their numbers as text: which numbers are which regions differs between versions of one
    atlas. A file that is CIFTI-2 by its content is read as such.

    Raises
    ------
    ConnectomeError
        The file is damaged or no scan; the label image is missing, no label image, on another grid
        (unless `reading.resample`) or has numbers without a name; confounds are missing.
    MissingDependencyError
        nibabel, or for denoising nilearn, is not installed.
    """
    with open_nifti(path) as file:
        if file.is_cifti:
            return read_open_cifti(file, path, reading)
        if len(file.shape) != 4:
            raise ConnectomeError(
                f"{file.source} is {size_text(file.shape)} ({len(file.shape)}-dimensional), "
                "expected a scan of four dimensions: voxels by time."
            )
        check_bytes(file.shape[:3], 8, f"A frame of {file.source}")
        if reading.atlas is None:
            raise ConnectomeError(
                f"{file.source} is a scan of voxels. Say which regions they are averaged over with "
                "--atlas (a label image) and --atlas-labels (a table of their names)."
            )
        image = read_label_image(Path(reading.atlas))
        image, notes = _on_grid_of(file, image, reading.resample)
        ids, labels = _named(image, reading.atlas_labels)
        return _averaged(file, path, image, ids, labels, notes, reading)


@dataclass(frozen=True, slots=True, eq=False)
class LabelImage:
    """Which region each voxel is in."""

    source: str
    """Name of the file, for messages."""
    numbers: NDArray[np.int64]
    """Shape (x, y, z): the number of the region, 0 for none."""
    affine: NDArray[np.float64]
    """From voxel indices to mm, shape (4, 4)."""
    has_orientation: bool
    """Whether the file says where its voxels are."""


def read_label_image(path: Path) -> LabelImage:
    """Read a label image: whole numbers in three dimensions.

    Raises
    ------
    ConnectomeError
        It is no such image.
    """
    check_is_file(path, ConnectomeError)
    with open_nifti(path) as file:
        if file.is_cifti:
            raise ConnectomeError(
                f"{file.source} is an atlas of grayordinates (CIFTI-2), but the scan is one of "
                "voxels. Give a label image (.nii.gz) in the space of the scan, or the scan as "
                ".dtseries.nii."
            )
        if len(file.shape) != 3:
            raise ConnectomeError(
                f"{file.source} is {size_text(file.shape)} ({len(file.shape)}-dimensional), "
                "expected a label image of three dimensions. Atlases of probabilities are not read."
            )
        check_bytes(file.shape, 8, file.source)
        affine = file.affine()
        values = file.read()
        file.check_end()
    in_range = (values >= 0) & (values < 2**31)  # neither is true of NaN
    if not in_range.all() or (values != np.floor(values)).any():
        bad = values[~in_range] if not in_range.all() else values[values != np.floor(values)]
        raise ConnectomeError(
            f"{file.source} holds {bad[0]:g}, expected the whole numbers of a label image: 0 for "
            "the background, a number from 1 on for each region."
        )
    numbers = values.astype(np.int64)
    if not numbers.any():
        raise ConnectomeError(f"{file.source} has no region: all its voxels are 0.")
    return LabelImage(file.source, numbers, affine, file.has_orientation)


def _on_grid_of(
    file: NiftiFile, image: LabelImage, resample: bool
) -> tuple[LabelImage, tuple[str, ...]]:
    """The label image on the grid of the scan, and what was done for it."""
    shape, affine = file.shape[:3], file.affine()
    is_known = file.has_orientation and image.has_orientation
    apart = _largest_distance_mm(affine, image.affine, shape)
    if shape == image.numbers.shape and apart <= GRID_TOLERANCE_MM:
        if is_known:
            return image, ()
        return image, (
            f"{file.source} or {image.source} does not say where its voxels are; both were taken "
            "to be in the same place.",
        )
    if not is_known:
        without = image.source if file.has_orientation else file.source
        raise ConnectomeError(
            f"{without} does not say where its voxels are (sform and qform codes are 0), and the "
            f"voxels of {file.source} and {image.source} differ, so they cannot be brought "
            "together. Write it again with its orientation."
        )
    if not resample:
        differ = f"up to {apart:.3g} mm apart"
        if shape != image.numbers.shape:
            differ = f"{size_text(image.numbers.shape)} and {size_text(shape)} voxels"
        raise ConnectomeError(
            f"{image.source} and {file.source} are on different grids ({differ}). Pass --resample "
            "to bring the label image to the grid of the scan, if both are in the same space; or "
            "give the label image on that grid, as nilearn.image.resample_to_img with "
            "interpolation='nearest' makes it."
        )
    numbers = resampled(image.numbers, image.affine, shape, affine)
    note = (
        f"{image.source} was brought from {size_text(image.numbers.shape)} voxels to the grid of "
        f"{file.source} ({size_text(shape)}), each voxel taking its nearest label."
    )
    return replace(image, numbers=numbers, affine=affine), (note,)


def _largest_distance_mm(
    one: NDArray[np.float64], other: NDArray[np.float64], shape: tuple[int, ...]
) -> float:
    """How far apart two affines put the same voxel of an image: most in one of its corners."""
    corners = np.array([(*c, 1) for c in itertools.product(*((0, n - 1) for n in shape))])
    with np.errstate(all="ignore"):  # absurd affines are infinitely far apart
        return float(np.linalg.norm((corners @ (one - other).T)[:, :3], axis=1).max())


def resampled(
    numbers: NDArray[np.int64],
    affine: NDArray[np.float64],
    shape: tuple[int, ...],
    to_affine: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Labels on another grid, each voxel taking the nearest label; 0 outside the image.

    As `nilearn.image.resample_img` with nearest-neighbor interpolation, but that voxels halfway
    between two labels all take the same side, and that labels reach to the edge of their voxel.

    Parameters
    ----------
    numbers : numpy.ndarray of int, shape (x, y, z)
    affine, to_affine : numpy.ndarray, shape (4, 4)
        From voxel indices to mm, of the labels and of the other grid.
    shape : tuple of int
        Of the other grid.
    """
    with np.errstate(all="ignore"):
        between = np.linalg.inv(affine) @ to_affine
    out = np.zeros(shape, dtype=np.int64)
    i, j = np.indices(shape[:2], sparse=True)
    for k in range(shape[2]):
        with np.errstate(all="ignore"):
            # Rounded first, so that the last digit does not choose the side.
            points = [
                np.floor(np.round(row[0] * i + row[1] * j + (row[2] * k + row[3]), 6) + 0.5)
                for row in between[:3]
            ]
        inside = np.logical_and.reduce(
            [(at >= 0) & (at < n) for at, n in zip(points, numbers.shape, strict=True)]
        )
        x, y, z = (at[inside].astype(np.intp) for at in points)
        out[:, :, k][inside] = numbers[x, y, z]
    return out


def _named(
    image: LabelImage, atlas_labels: str | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Numbers of the regions, ascending, and their names."""
    ids = np.unique(image.numbers)
    ids = ids[ids > 0]
    if atlas_labels is None:
        return ids, tuple(map(str, ids.tolist()))
    table = names_of_regions(ids.tolist(), Path(atlas_labels), image.source)
    return np.array(list(table), dtype=np.int64), tuple(table.values())


def _averaged(
    file: NiftiFile,
    path: Path,
    image: LabelImage,
    ids: NDArray[np.int64],
    labels: tuple[str, ...],
    notes: tuple[str, ...],
    reading: Reading,
) -> RawArray:
    flat = image.numbers.ravel(order="F")  # the order of voxels in the file
    voxels = np.flatnonzero(flat)
    voxels = voxels[np.argsort(flat[voxels], kind="stable")]
    averages = RegionAverages(
        file.source, labels, np.searchsorted(ids, flat[voxels]), n_timepoints=file.shape[3]
    )
    for t in range(file.shape[3]):
        frame = file.read(slice(None), slice(None), slice(None), t).ravel(order="F")
        averages.add(slice(t, t + 1), slice(None), frame[None, voxels])
    file.check_end()
    raw = scan_series(path, averages, reading)
    return replace(raw, notes=(*notes, *raw.notes))
