"""Atlases of grayordinates (``.dlabel.nii``): which region each grayordinate of a scan is in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cifti_axes import AXIS_WORDS, read_axes
from .connectome_checks import listed
from .errors import ConnectomeError
from .nibabel_images import open_nifti
from .raw_array import check_bytes, size_text
from .region_names import side_of
from .tables import check_is_file, one_line, shown

_UNASSIGNED = "???"
_GRID_TOLERANCE_MM = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class DenseAtlas:
    """Which region each grayordinate is in."""

    source: str
    """Name of the file, for messages."""
    labels: tuple[str, ...]
    """Names of the regions, in the order of their numbers."""
    regions: NDArray[np.intp]
    """Shape (n_grayordinates,): position in `labels`, -1 for none."""
    axis: Any
    """The grayordinates: nibabel's BrainModelAxis."""
    notes: tuple[str, ...]


def read_dense_atlas(path: Path) -> DenseAtlas:
    """Read a ``.dlabel.nii``.

    The number 0 and the name ``???`` are no region.

    Raises
    ------
    ConnectomeError
        It is no such file, has several maps, or grayordinates whose number has no name.
    """
    check_is_file(path, ConnectomeError)
    with open_nifti(path) as file:
        if not file.is_cifti:
            raise ConnectomeError(
                f"{file.source} is a label image of voxels, but the scan is one of grayordinates "
                "(CIFTI-2). Give its atlas as .dlabel.nii."
            )
        rows, axis = read_axes(file)
        kinds = type(rows).__name__, type(axis).__name__
        if kinds != ("LabelAxis", "BrainModelAxis") or len(rows) != 1:
            raise ConnectomeError(
                f"{file.source} holds {file.shape[0]} {AXIS_WORDS[kinds[0]]} by "
                f"{AXIS_WORDS[kinds[1]]}, expected 1 map of labels by grayordinates. Give a "
                ".dlabel.nii with one map."
            )
        check_bytes(file.shape, 8, file.source)
        keys = file.read()[0]
        file.check_end()
    names = {int(key): str(name or "").strip() for key, (name, _) in rows.label[0].items()}
    used = np.unique(keys)
    unnamed = [f"{key:g}" for key in used if key not in names and key != 0]
    if unnamed:
        raise ConnectomeError(
            f"{file.source} has grayordinates with numbers that its table does not name: "
            f"{listed(unnamed)}. Write it again with the program that made it."
        )
    notes: tuple[str, ...] = ()
    background = names.pop(0, _UNASSIGNED)
    if background != _UNASSIGNED and 0 in used:
        notes = (f"Label 0 of {file.source} ({one_line(background)}) was taken for no region.",)
    ids = np.array(sorted(key for key, name in names.items() if name != _UNASSIGNED), np.int64)
    if len(ids) == 0:
        raise ConnectomeError(f"{file.source} names no region. Give the atlas of the bundle.")
    place = np.minimum(np.searchsorted(ids, keys), len(ids) - 1)
    regions = np.where(ids[place] == keys, place, -1)
    labels = tuple(names[int(i)] for i in ids)
    structures = [axis.name[regions == region] for region in range(len(labels))]
    notes += check_sides(labels, structures, file.source)
    return DenseAtlas(file.source, labels, regions, axis, notes)


def check_sides(
    labels: Sequence[str], structures: Sequence[Iterable[str]], source: str
) -> tuple[str, ...]:
    """See whether names of hemispheres fit where the regions lie.

    Parameters
    ----------
    labels : sequence of str
        Names of regions.
    structures : sequence of iterable of str
        CIFTI-2's words for the structures that each has grayordinates in.
    source : str
        The file, for messages.

    Returns
    -------
    tuple of str
        A note where some regions lie in the other hemisphere than their names say.

    Raises
    ------
    ConnectomeError
        All regions that are named after a side lie in the other one: the sides are exchanged.
    """
    fitting, other = 0, []
    for label, its in zip(labels, structures, strict=True):
        side, found = side_of(label), set(map(str, its))
        if side is None or not found:
            continue
        own, opposite = ("_LEFT", "_RIGHT") if side == "l" else ("_RIGHT", "_LEFT")
        fitting += any(structure.endswith(own) for structure in found)
        if all(structure.endswith(opposite) for structure in found):
            other.append(label)
    if not other:
        return ()
    if not fitting:
        raise ConnectomeError(
            f"{source}: the hemispheres are exchanged. All regions that are named after a side "
            f"lie in the other one ({listed(other)}). Give the atlas, or what was made with it, as "
            "its makers wrote it."
        )
    return (
        f"In {source}, {len(other)} regions lie in the other hemisphere than their names say, such "
        f"as {shown(other[0])}.",
    )


def regions_of(axis: Any, atlas: DenseAtlas, source: str) -> NDArray[np.intp]:
    """Region of each grayordinate of a scan, shape (n_grayordinates,); -1 for none.

    Grayordinates of the atlas that the scan does not have, such as those of the medial wall, are
    left out; what it has of their structure is not.

    Parameters
    ----------
    axis : nibabel.cifti2.cifti2_axes.BrainModelAxis
        The scan's grayordinates.
    atlas : DenseAtlas
    source : str
        The scan, for messages.

    Raises
    ------
    ConnectomeError
        A structure with regions is not in the scan, or on another surface or grid of voxels; a
        grayordinate stands twice.
    """
    regions = np.full(len(axis), -1, dtype=np.intp)
    in_region = atlas.regions >= 0
    for structure, n_vertices in atlas.axis.nvertices.items():
        wanted = in_region & (atlas.axis.name == structure) & atlas.axis.surface_mask
        if not wanted.any():
            continue
        word = structure.removeprefix("CIFTI_STRUCTURE_")
        if structure not in axis.nvertices:
            raise ConnectomeError(
                f"{atlas.source} has regions in {word}, which {source} does not have. Give an "
                "atlas of what was scanned."
            )
        if axis.nvertices[structure] != n_vertices:
            raise ConnectomeError(
                f"{source} has {axis.nvertices[structure]} vertices in {word}, but {atlas.source} "
                f"{n_vertices}. Give the atlas for the surface of the scan."
            )
        here = np.flatnonzero((axis.name == structure) & axis.surface_mask)
        at = _once(axis.vertex[here], source)
        wanted_at = _once(atlas.axis.vertex[wanted], atlas.source)
        _assign(regions, here, at, wanted_at, atlas.regions[wanted])
    wanted = in_region & ~atlas.axis.surface_mask
    if wanted.any():
        _check_grids(axis, atlas, source)
        here = np.flatnonzero(~axis.surface_mask)
        at = _flat_voxels(axis, here, source)
        wanted_at = _flat_voxels(atlas.axis, np.flatnonzero(wanted), atlas.source)
        _assign(regions, here, at, wanted_at, atlas.regions[wanted])
    return regions


def _check_grids(axis: Any, atlas: DenseAtlas, source: str) -> None:
    if axis.affine is None:
        raise ConnectomeError(
            f"{atlas.source} has regions below the cortex, but {source} has only surfaces. Give an "
            "atlas of what was scanned."
        )
    same_shape = tuple(axis.volume_shape) == tuple(atlas.axis.volume_shape)
    if not same_shape or not np.allclose(
        axis.affine, atlas.axis.affine, rtol=0, atol=_GRID_TOLERANCE_MM
    ):
        raise ConnectomeError(
            f"The voxels of {atlas.source} are on another grid than those of {source} "
            f"({size_text(tuple(atlas.axis.volume_shape))}, {size_text(tuple(axis.volume_shape))}, "
            "or elsewhere in space). Give the atlas for the grid of the scan."
        )


def _flat_voxels(axis: Any, elements: NDArray[np.intp], source: str) -> NDArray[np.intp]:
    """One number for each voxel of an axis."""
    shape = tuple(axis.volume_shape)
    voxels = axis.voxel[elements]
    if len(shape) != 3 or math.prod(shape) >= 2**62 or (voxels >= np.array(shape)).any():
        raise ConnectomeError(
            f"{source} has voxels outside of its volume of {size_text(shape)}. Write it again with "
            "the program that made it."
        )
    return _once((voxels[:, 0] * shape[1] + voxels[:, 1]) * shape[2] + voxels[:, 2], source)


def _once(places: NDArray[np.intp], source: str) -> NDArray[np.intp]:
    if len(np.unique(places)) != len(places):
        raise ConnectomeError(
            f"{source} has the same grayordinate twice. Write it again with the program that made "
            "it."
        )
    return places


def _assign(
    regions: NDArray[np.intp],
    here: NDArray[np.intp],
    at: NDArray[np.intp],
    wanted_at: NDArray[np.intp],
    wanted: NDArray[np.intp],
) -> None:
    """Give the elements `here`, which are `at` some places, the region that is wanted there."""
    order = np.argsort(wanted_at, kind="stable")
    place = np.minimum(np.searchsorted(wanted_at[order], at), len(order) - 1)
    found = wanted_at[order][place] == at
    regions[here[found]] = wanted[order][place[found]]
