"""Which regions of a parcellation stand for the paper's 20 BOLD outputs.

The paper reads BOLD of the left and right of ten areas (Methods; its Table S6 names parcels of its
own atlas). Here each area is a point in MNI space, and its output is the region of the same
hemisphere whose center is nearest; the amygdala, which cortical tables lack, is found by its
structure entry. Where a parcellation divides it, the first part of each side stands for it, and a
bundle's ``amygdala_response`` is then that part's.
"""

from __future__ import annotations

import numpy as np

from dtb_runtime.errors import UsageError
from dtb_runtime.parcellation import Parcellation

PAPER_AREAS: dict[str, tuple[float, float, float]] = {
    "anterior_pfc": (28.0, 56.0, 8.0),
    "ventrolateral_pfc": (50.0, 28.0, 4.0),
    "premotor": (30.0, -2.0, 58.0),
    "primary_motor": (38.0, -22.0, 58.0),
    "primary_sensory": (48.0, -24.0, 48.0),
    "superior_parietal": (24.0, -62.0, 58.0),
    "auditory": (52.0, -20.0, 8.0),
    "higher_visual": (42.0, -66.0, -8.0),
    "primary_visual": (9.0, -86.0, 3.0),
}
"""Right-hemisphere MNI points of the nine cortical areas, in mm; x is mirrored for the left."""


def paper_bold_regions(parcellation: Parcellation) -> tuple[str, ...]:
    """Return the labels of the paper's BOLD areas in a parcellation, left before right.

    Returns
    -------
    tuple of str
        20 labels where the parcellation has amygdalae, otherwise the 18 cortical ones.

    Raises
    ------
    UsageError
        If the parcellation has no coordinates of a hemisphere, or two areas fall into one region.
    """
    coordinates = np.asarray(parcellation.coordinates, np.float64)
    labels: list[str] = []
    for area, (x, y, z) in PAPER_AREAS.items():
        for side, sign in (("L", -1.0), ("R", 1.0)):
            distance = np.linalg.norm(coordinates - np.array([sign * x, y, z]), axis=1)
            elsewhere = np.array([h != side for h in parcellation.hemisphere])
            distance[elsewhere | np.isnan(distance)] = np.inf
            if not np.isfinite(distance).any():
                raise UsageError(
                    f"The paper preset finds {area} by MNI coordinates, but parcellation "
                    f"'{parcellation.name}' has none for hemisphere {side}. Add x, y, z to its "
                    "region table, or name the BOLD regions yourself."
                )
            labels.append(parcellation.labels[int(distance.argmin())])
    for structure in ("left_amygdala", "right_amygdala"):
        labels.extend(parcellation.structures.get(structure, ())[:1])
    if len(set(labels)) != len(labels):
        twice = sorted({label for label in labels if labels.count(label) > 1})
        raise UsageError(
            f"Parcellation '{parcellation.name}' is too coarse for the paper's BOLD areas: "
            f"{', '.join(twice)} stand for two of them. Name the BOLD regions yourself."
        )
    return tuple(labels)
