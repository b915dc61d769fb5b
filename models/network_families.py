"""What the names of brain networks in common parcellations stand for.

Parcellations call the same system different names (``ContA``, ``FPN``). Simulation needs to know
which systems work together and which a task switches on, so each name is put into one of a few
families, and each family has a place on two well-known axes of cortical organization.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

FAMILY_PREFIXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "visual": ("vis", "vmm", "pmm"),
        "somatomotor": ("sommot", "smn"),
        "auditory": ("aud",),
        "dorsal_attention": ("dorsattn", "dan"),
        "salience": ("salventattn", "con"),
        "control": ("cont", "fpn"),
        "language": ("temppar", "lan"),
        "limbic": ("limbic", "ora"),
        "default": ("default", "dmn"),
        "medial_temporal": ("medial_temporal", "hippocamp", "amygdala"),
        "striatum": ("striatum",),
        "thalamus": ("thalamus",),
        "cerebellum": ("cerebellum",),
    }
)
"""Families and the beginnings of network names that belong to them (lower case).

``con`` (cingulo-opercular) is a whole name while ``cont`` (control) is a beginning, so the longest
beginning that fits wins.
"""

FAMILY_POSITIONS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "visual": (-1.0, 1.0),
        "somatomotor": (-1.0, -1.0),
        "auditory": (-0.8, -0.8),
        "dorsal_attention": (-0.5, 0.5),
        "salience": (-0.2, -0.4),
        "control": (0.4, 0.3),
        "language": (0.6, -0.3),
        "limbic": (0.6, -0.1),
        "default": (1.0, 0.0),
        "medial_temporal": (0.5, -0.1),
        "striatum": (0.1, -0.1),
        "thalamus": (0.0, 0.0),
        "cerebellum": (0.1, 0.2),
    }
)
"""Place of each family: sensory (-1) to default (1), and somatomotor (-1) to visual (1)."""


def family_of(network: str) -> str | None:
    """Return the family of a network name, or None for a name that is not known.

    Examples
    --------
    >>> family_of("ContA"), family_of("CON"), family_of("DMN"), family_of("blob")
    ('control', 'salience', 'default', None)
    """
    name = network.strip().lower()
    best: tuple[int, str] | None = None
    for family, beginnings in FAMILY_PREFIXES.items():
        for beginning in beginnings:
            if name.startswith(beginning) and (best is None or len(beginning) > best[0]):
                best = (len(beginning), family)
    return best[1] if best else None


def network_positions(networks: Sequence[str]) -> NDArray[np.float64]:
    """Return where each network lies on the two axes of `FAMILY_POSITIONS`.

    A name of no known family gets a place of its own, always the same for the same name, so that
    any regions table can be simulated.

    Returns
    -------
    numpy.ndarray, shape (n_networks, 2), values in [-1, 1]
    """
    rows = []
    for network in networks:
        family = family_of(network)
        if family is None:
            digest = hashlib.sha256(network.encode()).digest()
            rows.append((digest[0] / 127.5 - 1, digest[1] / 127.5 - 1))
        else:
            rows.append(FAMILY_POSITIONS[family])
    return np.array(rows, np.float64).reshape(-1, 2)
