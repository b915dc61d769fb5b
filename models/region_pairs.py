"""Which regions of a parcellation mirror each other across the hemispheres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.parcellation import Parcellation

_MIRRORED_WORDS = (("_LH_", "_RH_"), ("L_", "R_"), ("-lh", "-rh"), ("left", "right"))

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
    labels = parcellation.labels
    place = {label: i for i, label in enumerate(labels)}
    partner: dict[int, int] = {}
    for label, left in place.items():
        right = place.get(_mirrored(label))
        if right is not None and _near_mirror(parcellation, left, right):
            partner[left] = right
            partner[right] = left
    _pair_by_coordinates(parcellation, partner)
    hemisphere = parcellation.hemisphere
    pairs = sorted(
        (i, j) for i, j in partner.items() if (hemisphere[i] == "L" or hemisphere[j] != "L")
    )
    seen: set[int] = set()
    kept = []
    for i, j in pairs:
        if i not in seen and j not in seen:
            kept.append((i, j))
            seen.update((i, j))
    return np.array(kept, np.int64).reshape(-1, 2)


def _mirrored(label: str) -> str:
    for left, right in _MIRRORED_WORDS:
        # "L_" counts at the start only: "17networks_LH_..." must not become "17networks_RH".
        if left == "L_":
            if label.startswith(left):
                return right + label[len(left) :]
            continue
        if left in label:
            return label.replace(left, right, 1)
    return ""


def _near_mirror(parcellation: Parcellation, left: int, right: int) -> bool:
    mirrored = parcellation.coordinates[left] * (-1.0, 1.0, 1.0)
    distance = float(np.linalg.norm(mirrored - parcellation.coordinates[right]))
    return not distance > _FURTHEST_MM  # NaN: no coordinates, so the labels alone decide


def _pair_by_coordinates(parcellation: Parcellation, partner: dict[int, int]) -> None:
    xyz = np.asarray(parcellation.coordinates, np.float64)
    free = [
        i
        for i in range(len(parcellation.labels))
        if i not in partner and np.all(np.isfinite(xyz[i]))
    ]
    left = [i for i in free if xyz[i, 0] < 0]
    right = [i for i in free if xyz[i, 0] > 0]
    if not left or not right:
        return
    mirrored = xyz[left] * (-1.0, 1.0, 1.0)
    distance = np.linalg.norm(mirrored[:, None] - xyz[right][None], axis=2)
    nearest_right = distance.argmin(1)
    nearest_left = distance.argmin(0)
    for a, b in enumerate(nearest_right):
        if nearest_left[b] == a and distance[a, b] <= _FURTHEST_MM:
            partner[left[a]] = right[b]
            partner[right[b]] = left[a]
