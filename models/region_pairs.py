"""Which regions of a parcellation mirror each other across the hemispheres."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.parcellation import Parcellation

_MIRRORED_PARTS = (
    (re.compile(r"^L_"), "R_"),
    (re.compile(r"_LH_"), "_RH_"),
    (re.compile(r"([-_])L$"), r"\1R"),
    (re.compile(r"([-_])lh$"), r"\1rh"),
    (re.compile(r"left"), "right"),
)

_FURTHEST_MM = 20.0
"""Two regions further from each other's mirror image are not called a pair."""


def homotopic_pairs(parcellation: Parcellation) -> NDArray[np.int64]:
    """Return the positions of mirrored regions, left then right.

    Labels decide where they can (``L_V1`` and ``R_V1``, ``aHIP-lh`` and ``aHIP-rh``); the rest is
    paired by MNI coordinates, each with the other's nearest mirror image. Regions without a
    partner are left out.

    Returns
    -------
    numpy.ndarray, shape (n_pairs, 2), int64
    """
    place = {label: i for i, label in enumerate(parcellation.labels)}
    pairs = [
        (left, place[mirrored])
        for label, left in place.items()
        if (mirrored := _mirrored(label)) in place
        and _near_mirror(parcellation, left, place[mirrored])
    ]
    pairs += _pairs_by_coordinates(parcellation, {i for pair in pairs for i in pair})
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def _mirrored(label: str) -> str:
    for left, right in _MIRRORED_PARTS:
        mirrored, n_changed = left.subn(right, label, count=1)
        if n_changed:
            return mirrored
    return ""


def _near_mirror(parcellation: Parcellation, left: int, right: int) -> bool:
    mirrored = parcellation.coordinates[left] * (-1.0, 1.0, 1.0)
    distance = float(np.linalg.norm(mirrored - parcellation.coordinates[right]))
    return not distance > _FURTHEST_MM  # NaN: no coordinates, so the labels alone decide


def _pairs_by_coordinates(parcellation: Parcellation, taken: set[int]) -> list[tuple[int, int]]:
    xyz = parcellation.coordinates
    free = [i for i in range(len(xyz)) if i not in taken and np.all(np.isfinite(xyz[i]))]
    left = [i for i in free if xyz[i, 0] < 0]
    right = [i for i in free if xyz[i, 0] > 0]
    if not left or not right:
        return []
    mirrored = xyz[left] * (-1.0, 1.0, 1.0)
    distance = np.linalg.norm(mirrored[:, None] - xyz[right][None], axis=2)
    nearest_right = distance.argmin(1)
    nearest_left = distance.argmin(0)
    return [
        (left[a], right[b])
        for a, b in enumerate(nearest_right)
        if nearest_left[b] == a and distance[a, b] <= _FURTHEST_MM
    ]
