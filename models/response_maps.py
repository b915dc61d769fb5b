"""How strongly each region answers each type of trial, as maps for simulated BOLD.

Faces and shapes can come from real people: the group mean of ten participants' activations in the
Hammer paradigm (HCP emotion task). There are no real maps for Stroop here, nor for deep regions;
these have stated values by network family, which follow what the literature agrees on: more
control, attention and salience activity and less default-network activity in incongruent trials,
and an amygdala that answers faces more than shapes (Hariri et al. 2002).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import CohortError, DataError, UsageError
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.tables import read_table

from .network_families import family_of

TRIAL_TYPES = ("face", "shape", "congruent", "incongruent")

FAMILY_RESPONSES: Mapping[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        "visual": (1.10, 0.85, 0.80, 0.82),
        "somatomotor": (0.35, 0.35, 0.40, 0.42),
        "auditory": (-0.20, -0.25, -0.15, -0.15),
        "dorsal_attention": (0.70, 0.80, 0.55, 0.80),
        "salience": (0.25, 0.25, 0.25, 0.50),
        "control": (0.35, 0.35, 0.30, 0.55),
        "language": (0.10, -0.05, 0.20, 0.30),
        "limbic": (0.05, -0.10, -0.05, -0.10),
        "default": (-0.20, -0.35, -0.25, -0.45),
        "medial_temporal": (0.25, 0.05, 0.00, 0.00),
        "striatum": (0.15, 0.15, 0.15, 0.25),
        "thalamus": (0.35, 0.30, 0.25, 0.38),
        "cerebellum": (0.30, 0.30, 0.30, 0.42),
    }
)
"""Response of each network family to face, shape, congruent and incongruent trials."""

UNKNOWN_RESPONSE = (0.10, 0.10, 0.10, 0.10)
AMYGDALA_RESPONSE = (0.60, 0.20, 0.05, 0.05)
"""Positive for face > shape, as in every study of this paradigm."""
REGION_SPREAD = 0.12
"""SD of what sets a region apart from its family, the same in both trial types of a task..."""
CONTRAST_SPREAD = 0.05
"""...and of what sets its contrast apart."""
LARGEST_RESPONSE = 1.3
"""Real activations are scaled so that their 95th percentile has this size."""


@dataclass(frozen=True, slots=True, eq=False)
class ResponseMaps:
    """Response of every region to every trial type.

    The unit is one SD of a region's noise per unit of the trials' convolved boxcar, which reaches
    1 when a stimulus stays on.
    """

    labels: tuple[str, ...]
    """Regions, in the order of the maps."""
    responses: Mapping[str, NDArray[np.float64]]
    """Trial type to a map of shape (n_regions,), read-only."""
    source: str
    """One sentence for model cards: where the maps come from."""
    people: tuple[str, ...] = ()
    """Ids of the real people whose activations they are made of."""

    def __post_init__(self) -> None:
        copies = {}
        for name, values in self.responses.items():
            array = np.array(values, np.float64)
            if array.shape != (len(self.labels),) or not np.all(np.isfinite(array)):
                raise DataError(
                    f"The response map of {name!r} must hold {len(self.labels)} finite numbers, "
                    f"one per region, found shape {array.shape}."
                )
            array.setflags(write=False)
            copies[name] = array
        object.__setattr__(self, "responses", MappingProxyType(copies))

    def contrast(self, positive: str, negative: str) -> NDArray[np.float64]:
        """Return the map of one trial type minus that of another, shape (n_regions,)."""
        return self.responses[positive] - self.responses[negative]


def synthetic_maps(parcellation: Parcellation) -> ResponseMaps:
    """Return maps made of network families alone; needs no data.

    The same parcellation always gives the same maps: what sets a region apart is drawn from its
    label, and mirrored regions of the same name answer much alike by sharing their family.
    """
    amygdala = {
        label
        for name, labels in parcellation.structures.items()
        if name.endswith("amygdala")
        for label in labels
    }
    rows = []
    for label, network in zip(parcellation.labels, parcellation.network, strict=True):
        family = family_of(network)
        base = FAMILY_RESPONSES[family] if family else UNKNOWN_RESPONSE
        rows.append(AMYGDALA_RESPONSE if label in amygdala else base)
    values = np.array(rows, np.float64).reshape(-1, len(TRIAL_TYPES))
    rng = _generator_of(parcellation)
    own = REGION_SPREAD * rng.standard_normal((len(values), 2))
    values += own[:, [0, 0, 1, 1]]
    apart = CONTRAST_SPREAD * rng.standard_normal((len(values), 2))
    deep = np.array([label in amygdala for label in parcellation.labels])
    apart[deep] = 0  # keeps the sign of face > shape
    values += apart[:, [0, 0, 1, 1]] * (1, -1, 1, -1)
    return ResponseMaps(
        parcellation.labels,
        {name: values[:, i] for i, name in enumerate(TRIAL_TYPES)},
        "Response maps are synthetic: typical responses of each network to faces, shapes and the "
        "Stroop task, with amygdala responses to faces as the literature has them.",
    )


def maps_from_betas(
    hcp_rest_dir: str | Path, parcellation: Parcellation, *, without: Collection[str] = ()
) -> ResponseMaps:
    """Return maps whose faces and shapes are the group mean of real activations.

    Parameters
    ----------
    hcp_rest_dir : str or pathlib.Path
        Folder with ``sub-<id>/sub-<id>_task-emotion_*_betas.tsv`` (columns ``region_index``,
        ``faces``, ``shapes``; one row per region).
    parcellation : Parcellation
        The parcellation of these tables.
    without : collection of str
        Ids, such as ``"sub-100206"``, of people to leave out: those whom what is made of these maps
        will be judged on.

    Raises
    ------
    CohortError
        If there are no such tables, or one has another number of regions or is not numeric.
    UsageError
        If somebody to leave out is not there, or nobody is left.
    """
    folder = Path(hcp_rest_dir)
    paths = sorted(folder.glob("sub-*/sub-*_task-emotion_*_betas.tsv"))
    found = {path.parent.name for path in paths}
    if paths and (not set(without) <= found or found <= set(without)):
        raise UsageError(
            f"Activations are of {len(found)} people, {', '.join(sorted(found)[:3])}, ...; some of "
            f"them may be left out, found {', '.join(sorted(without))}."
        )
    paths = [path for path in paths if path.parent.name not in without]
    if not paths:
        raise CohortError(
            f"Expected activations as sub-<id>/sub-<id>_task-emotion_*_betas.tsv in {folder}, "
            "found none. Give the folder that holds the participants' folders."
        )
    people = np.stack([read_betas(path, parcellation.n_regions) for path in paths])
    mean = people.mean(0)
    mean *= LARGEST_RESPONSE / np.percentile(np.abs(mean), 95)
    synthetic = synthetic_maps(parcellation)
    responses = dict(synthetic.responses) | {"face": mean[:, 0], "shape": mean[:, 1]}
    return ResponseMaps(
        parcellation.labels,
        responses,
        f"Face and shape maps are the mean activations of {len(paths)} real people (Human "
        "Connectome Project, emotion task); Stroop maps are synthetic.",
        tuple(path.parent.name for path in paths),
    )


def read_betas(path: Path, n_regions: int) -> NDArray[np.float64]:
    """Read one person's activations by faces and by shapes.

    Parameters
    ----------
    path : pathlib.Path
        Tab-separated, with the columns ``faces`` and ``shapes``, one row per region.
        ``region_index``, where present, must count from 0.
    n_regions : int

    Returns
    -------
    numpy.ndarray, shape (n_regions, 2)
        Faces, shapes.

    Raises
    ------
    CohortError
        If a column is missing or not numeric, or rows are missing or in another order.
    """
    table = read_table(path, "\t", CohortError)
    missing = [name for name in ("faces", "shapes") if name not in table.columns]
    if missing:
        raise CohortError(
            f"{path.name} has no column {missing[0]!r}; found {', '.join(table.columns)}."
        )
    try:
        values = np.array([table.columns["faces"], table.columns["shapes"]], np.float64).T
    except ValueError as cause:
        raise CohortError(f"{path.name} must hold numbers: {cause}.") from cause
    if values.shape != (n_regions, 2) or not np.all(np.isfinite(values)):
        raise CohortError(
            f"{path.name} must hold {n_regions} finite rows, one per region, found {len(values)} "
            "rows. Give the parcellation that these activations belong to."
        )
    order = table.columns.get("region_index", tuple(map(str, range(n_regions))))
    if order != tuple(map(str, range(n_regions))):
        raise CohortError(
            f"{path.name} must have its regions in the order of the connectome, with region_index "
            f"0 to {n_regions - 1}, found {', '.join(order[:3])}, ... Sort its rows."
        )
    return values


def transfer_maps(
    maps: ResponseMaps, from_parcellation: Parcellation, to_parcellation: Parcellation
) -> ResponseMaps:
    """Return face and shape maps carried over to another parcellation by MNI coordinates.

    Each target region takes the mean of the source regions nearest to it and nearest to its
    mirror image: the two hemispheres answer alike in this paradigm, and the mean of both halves
    the noise of ten people. Regions without coordinates (subcortex, cerebellum), and the Stroop
    maps, keep the stated values of `synthetic_maps`.

    Raises
    ------
    CohortError
        If the maps are not of the source parcellation, or it has no coordinates.
    """
    if maps.labels != from_parcellation.labels:
        raise CohortError(
            f"The maps have {len(maps.labels)} regions that are not those of parcellation "
            f"{from_parcellation.name!r} ({from_parcellation.n_regions}). Pass their own."
        )
    known = np.all(np.isfinite(from_parcellation.coordinates), 1)
    if not known.any():
        raise CohortError(
            f"Maps are carried over by MNI coordinates, but parcellation "
            f"{from_parcellation.name!r} has none. Give a regions table with x, y, z."
        )
    source_xyz = from_parcellation.coordinates[known]
    xyz = to_parcellation.coordinates
    placed = np.flatnonzero(np.all(np.isfinite(xyz), 1))
    near = [
        np.linalg.norm(places[:, None] - source_xyz[None], axis=2).argmin(1)
        for places in (xyz[placed], xyz[placed] * (-1.0, 1.0, 1.0))
    ]
    responses = dict(synthetic_maps(to_parcellation).responses)
    for name in ("face", "shape"):
        values = responses[name].copy()
        source = maps.responses[name][known]
        values[placed] = (source[near[0]] + source[near[1]]) / 2
        responses[name] = values
    return ResponseMaps(
        to_parcellation.labels,
        responses,
        f"{maps.source} They were carried over from parcellation {from_parcellation.name!r} by "
        "nearest MNI coordinate, both hemispheres averaged; regions without coordinates have "
        "typical values from the literature (amygdala: faces more than shapes).",
        maps.people,
    )


def _generator_of(parcellation: Parcellation) -> np.random.Generator:
    digest = hashlib.sha256("\n".join(parcellation.labels).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))
