"""A change of a connectome that can be given in doses, and to other people.

Three kinds. ``edges``: Fisher z of single edges, or of all, is shifted. ``networks``: Fisher z
between all regions of two networks is shifted by one number a pair. ``regions``: the coupling of
whole regions with the rest is scaled, as stimulation of a region would: ``r_ij`` becomes
``g_i g_j r_ij``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from .edges import fisher_z
from .json_object import JsonObject
from .parcellation import Parcellation

Floats: TypeAlias = NDArray[np.float64]
MOST_GAIN = 100.0
"""Of a region, at any dose: beyond that a connectome is far outside the possible anyway."""
LARGEST_SIZE = 50.0
"""Of a change at dose 1: Fisher z of correlations differs by less than 40 in float64."""
ChangeKind = Literal["edges", "regions", "networks"]


@dataclass(frozen=True, slots=True, eq=False)
class ConnectomeChange:
    """What is done to a connectome at dose 1. Arrays are read-only."""

    kind: ChangeKind
    places: NDArray[np.int64]
    """``edges``: pairs of regions, shape (n, 2), row before column. ``networks``: pairs of
    positions in `network_names`, shape (n, 2). ``regions``: regions, shape (n, 1)."""
    sizes: Floats
    """Shape (n,): shifts of Fisher z; for ``regions`` the logarithm of each gain."""

    def __post_init__(self) -> None:
        for array in (self.places, self.sizes):
            array.setflags(write=False)

    @property
    def n(self) -> int:
        """How many edges, regions or pairs of networks it changes."""
        return len(self.sizes)

    def apply(self, correlations: Floats, parcellation: Parcellation, dose: float = 1.0) -> Floats:
        """The connectome after a dose; it may not be a possible one.

        Parameters
        ----------
        correlations : numpy.ndarray, shape (n_regions, n_regions)
        parcellation : Parcellation
            Of these regions.
        dose : float
            0 changes nothing, 1 is the change itself. No region's gain leaves ``1 / MOST_GAIN`` to
            `MOST_GAIN`.
        """
        if dose == 0.0:  # the way to Fisher z and back would touch the last digits
            return correlations.copy()
        if self.kind == "regions":
            gain = np.ones(len(correlations))
            most = np.log(MOST_GAIN)
            gain[self.places[:, 0]] = np.exp(np.clip(dose * self.sizes, -most, most))
            changed = correlations * np.outer(gain, gain)
        else:
            shift = np.zeros_like(correlations)
            if self.kind == "edges":
                rows, columns = self.places.T
                shift[rows, columns] = shift[columns, rows] = self.sizes
            else:
                member = membership(parcellation)
                for (one, other), size in zip(self.places, self.sizes, strict=True):
                    shift[np.ix_(member == one, member == other)] = size
                    shift[np.ix_(member == other, member == one)] = size
            # Only what is shifted: the way to Fisher z and back would touch the last digits.
            moved = np.tanh(fisher_z(correlations) + dose * shift)
            changed = np.where(shift == 0.0, correlations, moved)
        np.fill_diagonal(changed, 1.0)
        result: Floats = changed
        return result

    def to_json(self, parcellation: Parcellation) -> dict[str, Any]:
        """The fields as JSON values, with places by name."""
        names: Sequence[str] = parcellation.labels
        if self.kind == "networks":
            names = network_names(parcellation)
        n_regions = len(parcellation.labels)
        if self.kind == "edges" and self.n == n_regions * (n_regions - 1) // 2:
            return {"kind": self.kind, "of": "all", "sizes": _digits(self.sizes)}
        of = [[names[i] for i in place] for place in self.places.tolist()]
        return {"kind": self.kind, "of": of, "sizes": _digits(self.sizes)}

    @classmethod
    def from_json(cls, document: JsonObject, parcellation: Parcellation) -> ConnectomeChange:
        """Read what `to_json` gave.

        Raises
        ------
        DataError
            Of the document's class: it is something else, or names what the parcellation lacks.
        """
        kind: ChangeKind = document.one_of("kind", get_args(ChangeKind))
        sizes = np.array(document.numbers("sizes"))
        of = document.take("of")
        names: Sequence[str] = parcellation.labels
        if kind == "networks":
            names = network_names(parcellation)
        if of == "all" and kind == "edges":
            places = np.stack(np.triu_indices(len(names), 1), axis=1)
        else:
            places = _places(of, {name: i for i, name in enumerate(names)}, document, kind)
        document.close()
        if len(sizes) != len(places):
            raise document.error(
                f"{document.where}: {len(places)} places have {len(sizes)} sizes. Give one each."
            )
        largest = float(np.abs(sizes).max())
        if largest > LARGEST_SIZE:
            raise document.error(
                f"{document.where}, sizes: {largest:g} is far beyond any connectome, expected at "
                f"most {LARGEST_SIZE:g} (Fisher z, or the logarithm of a gain). Make the plan "
                "again."
            )
        return cls(kind, places.astype(np.int64), sizes)


def network_names(parcellation: Parcellation) -> tuple[str, ...]:
    """Names of the networks, in alphabetical order; regions of none are in that of no name."""
    return tuple(sorted(set(parcellation.network)))


def network_pairs(parcellation: Parcellation) -> NDArray[np.int64]:
    """Every pair of networks with an edge between them, or inside one, shape (pairs, 2)."""
    member = membership(parcellation)
    n = int(member.max()) + 1
    pairs = [
        (i, j) for i in range(n) for j in range(i, n) if i != j or np.count_nonzero(member == i) > 1
    ]
    return np.array(pairs, np.int64)


def membership(parcellation: Parcellation) -> NDArray[np.int64]:
    """Position in `network_names` of each region's network."""
    position = {name: i for i, name in enumerate(network_names(parcellation))}
    return np.array([position[name] for name in parcellation.network], np.int64)


def _places(
    of: object, position: Mapping[str, int], document: JsonObject, kind: ChangeKind
) -> NDArray[np.int64]:
    width = 1 if kind == "regions" else 2
    if not isinstance(of, list) or not of:
        raise document.error(f"{document.where}, of: expected a list of what is changed.")
    places = np.zeros((len(of), width), np.int64)
    for row, names in enumerate(of):
        if not isinstance(names, list) or len(names) != width:
            raise document.error(
                f"{document.where}, of: entry {row + 1} must hold {width} names of {kind}."
            )
        for column, name in enumerate(names):
            if not isinstance(name, str) or name not in position:
                what = "network" if kind == "networks" else "region"
                raise document.error(
                    f"{document.where}, of: there is no {what} {name!r} in this parcellation. Use "
                    "the bundle that the plan was made with."
                )
            places[row, column] = position[name]
    if width == 2:
        places = np.sort(places, axis=1)
    if kind == "edges" and (places[:, 0] == places[:, 1]).any():
        raise document.error(f"{document.where}, of: an edge goes from a region to itself.")
    if len(np.unique(places, axis=0)) != len(places):
        raise document.error(f"{document.where}, of: something is named twice.")
    return places


def _digits(sizes: Floats) -> list[float]:
    return [float(f"{size:.7g}") for size in sizes]
