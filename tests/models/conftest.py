"""Fixtures of the training side's tests: parcellations small enough to simulate in no time."""

from __future__ import annotations

import numpy as np
import pytest

from dtb_runtime.parcellation import Parcellation, find_structures

FAMILIES = ("VisCent", "SomMotA", "ContA", "DefaultB")


def made_parcellation(name: str, per_network: int, *, with_amygdala: bool = True) -> Parcellation:
    """Return networks in both hemispheres, each region with its mirror image."""
    rng = np.random.default_rng(5)
    labels, network, hemisphere, places = [], [], [], []
    for family in FAMILIES:
        center = rng.uniform((25, -70, -10), (50, 40, 50))
        for k in range(per_network):
            place = center + rng.uniform(-15, 15, 3)
            for side, sign in (("L", -1), ("R", 1)):
                labels.append(f"net_{side}H_{family}_{k + 1}")
                network.append(family)
                hemisphere.append(side)
                places.append(place * (sign, 1, 1))
    if with_amygdala:
        labels += ["lAMY-lh", "lAMY-rh"]
        network += ["medial_temporal_lobe"] * 2
        hemisphere += ["L", "R"]
        places += [np.full(3, np.nan)] * 2
    return Parcellation(
        name=name,
        labels=tuple(labels),
        network=tuple(network),
        hemisphere=tuple(hemisphere),
        coordinates=np.array(places),
        structures=find_structures(labels, hemisphere),
    )


@pytest.fixture(scope="session")
def small_parcellation() -> Parcellation:
    """26 regions: 4 networks of 3 pairs, and both amygdalae (without coordinates)."""
    return made_parcellation("small26", 3)


@pytest.fixture(scope="session")
def medium_parcellation() -> Parcellation:
    """122 regions, enough for patterns over edges to stand out from the noise of a scan."""
    return made_parcellation("medium122", 15)
