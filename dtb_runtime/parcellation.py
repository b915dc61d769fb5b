"""A parcellation: the regions of a connectome, where they lie and what they belong to."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .json_object import JsonObject
from .raw_array import MAX_REGIONS
from .tables import Table, is_missing, listed_names, read_table

_COORDINATES = ("x", "y", "z")
_HEMISPHERES = {"L": "left", "R": "right"}

# Deep structures and what Tian's labels (S1 to S4) call them, where a lower-case letter may stand
# before for the part (lAMY, aHIP) and words after (THA-DP). FreeSurfer writes the word in full.
_ABBREVIATIONS = {
    "amygdala": "AMY",
    "hippocampus": "HIP",
    "thalamus": "THA",
    "accumbens": "NAc",
    "pallidum": "GP",
    "putamen": "PUT",
    "caudate": "CAU",
    "cerebellum": "CER",
}
_STRUCTURES = {
    structure: re.compile(rf"(?<![A-Za-z])([almp]?{short}|(?i:{structure}))(?![A-Za-z])")
    for structure, short in _ABBREVIATIONS.items()
}


@dataclass(frozen=True, slots=True, eq=False)
class Parcellation:
    """The regions in the order of a connectome's rows. Checks itself."""

    name: str
    """Short name, e.g. ``"tcp434"``."""
    labels: tuple[str, ...]
    """Name of each region, all different."""
    network: tuple[str, ...]
    """Functional network of each region; ``""`` where unknown."""
    hemisphere: tuple[str, ...]
    """``"L"``, ``"R"``, or ``""`` for both or unknown."""
    coordinates: NDArray[np.float64]
    """Shape (n_regions, 3): MNI x, y, z in mm; a row of NaN where unknown. Read-only."""
    structures: Mapping[str, tuple[str, ...]]
    """Anatomical structure to the labels of its regions, e.g. ``"right_amygdala"``."""

    def __post_init__(self) -> None:
        n_regions = len(self.labels)
        if not n_regions:
            raise DataError(f"Parcellation {self.name!r} has no regions. Give it at least two.")
        if n_regions > MAX_REGIONS:
            raise DataError(
                f"Parcellation {self.name!r} has {n_regions} regions, expected at most "
                f"{MAX_REGIONS}. Check that this is the table you meant."
            )
        for label in self.labels:
            if not label:
                raise DataError(f"Parcellation {self.name!r} has a region without a label.")
        if len(set(self.labels)) != n_regions:
            repeated = sorted({label for label in self.labels if self.labels.count(label) > 1})
            raise DataError(
                f"Parcellation {self.name!r} has more than one region labeled {repeated[0]!r}. "
                "Give each region its own label."
            )
        for field, values in (("network", self.network), ("hemisphere", self.hemisphere)):
            if len(values) != n_regions:
                raise DataError(
                    f"Parcellation {self.name!r} has {n_regions} labels but {len(values)} entries "
                    f"of {field}. Give one for each region."
                )
        for label, hemisphere in zip(self.labels, self.hemisphere, strict=True):
            if hemisphere not in ("L", "R", ""):
                raise DataError(
                    f"Parcellation {self.name!r}: hemisphere of {label!r} is {hemisphere!r}, "
                    "expected L, R or nothing."
                )
        coordinates = np.array(self.coordinates, dtype=np.float64)
        if coordinates.shape != (n_regions, 3):
            raise DataError(
                f"Parcellation {self.name!r} has {n_regions} labels but coordinates of shape "
                f"{coordinates.shape}, expected ({n_regions}, 3)."
            )
        n_unknown = np.isnan(coordinates).sum(axis=1)
        bad = np.flatnonzero(
            np.isinf(coordinates).any(axis=1) | ((n_unknown > 0) & (n_unknown < 3))
        )
        if len(bad):
            raise DataError(
                f"Parcellation {self.name!r}: the coordinates of {self.labels[bad[0]]!r} are "
                f"{coordinates[bad[0]].tolist()}, expected three numbers or none."
            )
        known = set(self.labels)
        for structure, members in self.structures.items():
            unknown = [label for label in members if label not in known]
            if unknown:
                raise DataError(
                    f"Parcellation {self.name!r}: structure {structure!r} names {unknown[0]!r}, "
                    "which is none of its regions."
                )
        coordinates.setflags(write=False)
        # A frozen dataclass is set through object; this is its own constructor.
        object.__setattr__(self, "coordinates", coordinates)
        members_of = {name: tuple(members) for name, members in self.structures.items()}
        object.__setattr__(self, "structures", MappingProxyType(members_of))

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.labels)

    def indices(self, labels: Sequence[str]) -> NDArray[np.int64]:
        """Row of each of these labels, shape (len(labels),).

        Raises
        ------
        DataError
            A label is none of this parcellation's.
        """
        position = {label: index for index, label in enumerate(self.labels)}
        unknown = [label for label in labels if label not in position]
        if unknown:
            raise DataError(
                f"Parcellation {self.name!r} has no region {unknown[0]!r}. Its labels look like "
                f"{self.labels[0]!r}."
            )
        return np.array([position[label] for label in labels], dtype=np.int64)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values, coordinates as three lists with null where unknown."""
        x, y, z = (
            [None if math.isnan(value) else value for value in axis]
            for axis in self.coordinates.T.tolist()
        )
        return {
            "name": self.name,
            "labels": list(self.labels),
            "network": list(self.network),
            "hemisphere": list(self.hemisphere),
            "x": x,
            "y": y,
            "z": z,
            "structures": {name: list(labels) for name, labels in self.structures.items()},
        }

    @classmethod
    def from_json(cls, values: object, where: str = "parcellation") -> Parcellation:
        """Read what `to_json` gave.

        Parameters
        ----------
        values : object
            A JSON object.
        where : str
            What messages call it.

        Raises
        ------
        DataError
            A key is missing, unknown or of the wrong type, or the fields do not fit together.
        """
        document = JsonObject(values, where, DataError)
        name, labels = document.text("name"), document.texts("labels")
        network, hemisphere = (document.texts(key, blank=True) for key in ("network", "hemisphere"))
        axes = [document.numbers(axis, null_is_nan=True) for axis in _COORDINATES]
        structures = document.child("structures")
        members = {key: structures.texts(key) for key in structures.remaining_keys()}
        document.close()
        for axis, numbers in zip(_COORDINATES, axes, strict=True):
            if len(numbers) != len(labels):
                raise DataError(
                    f"{where} has {len(labels)} labels but {len(numbers)} values of {axis}, "
                    "expected one for each."
                )
        return cls(name, labels, network, hemisphere, np.array(axes).T, members)


def read_regions_table(path: str | Path, name: str | None = None) -> Parcellation:
    """Read a parcellation from a table of its regions.

    Parameters
    ----------
    path : str or pathlib.Path
        Comma- or tab-separated, one row a region in the order of the connectome, with the columns
        ``label``, ``network``, ``hemisphere``, ``x``, ``y``, ``z``. The last three may be blank.
        ``index``, where present, must count from 0.
    name : str, optional
        The parcellation's name; by default the file's name up to the first ``_`` or ``.``.

    Raises
    ------
    DataError
        The file cannot be read, a column is missing, or a cell holds what it must not.
    """
    path = Path(path)
    table = read_table(path, "\t" if path.suffix.lower() == ".tsv" else ",", DataError)
    required = ("label", "network", "hemisphere", *_COORDINATES)
    missing = [column for column in required if column not in table.columns]
    if missing:
        raise DataError(
            f"{table.source} has no column {', '.join(map(repr, missing))}, which a regions table "
            f"needs; found {listed_names(table.columns)}. Add what is missing."
        )
    _check_index(table)
    labels, hemisphere = table.columns["label"], table.columns["hemisphere"]
    hemisphere = tuple("" if is_missing(cell) else cell for cell in hemisphere)
    return Parcellation(
        name=name or path.name.split(".")[0].split("_")[0],
        labels=labels,
        network=tuple("" if is_missing(cell) else cell for cell in table.columns["network"]),
        hemisphere=hemisphere,
        coordinates=np.array([_coordinate(table, row) for row in range(table.n_rows)]),
        structures=find_structures(labels, hemisphere),
    )


def find_structures(labels: Sequence[str], hemisphere: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Deep structures that region labels name, by side.

    Parameters
    ----------
    labels, hemisphere : sequence of str
        As in `Parcellation`.

    Returns
    -------
    dict of str to tuple of str
        ``"<side>_<structure>"`` to labels, e.g. ``"right_amygdala"`` to
        ``("lAMY-rh", "mAMY-rh")``. Only structures that are there, and regions of one side.
    """
    found: dict[str, list[str]] = {}
    for label, side in zip(labels, hemisphere, strict=True):
        for structure, form in _STRUCTURES.items():
            if side in _HEMISPHERES and form.search(label):
                found.setdefault(f"{_HEMISPHERES[side]}_{structure}", []).append(label)
    return {name: tuple(members) for name, members in found.items()}


def _check_index(table: Table) -> None:
    for row, cell in enumerate(table.columns.get("index", ())):
        if cell != str(row):
            raise DataError(
                f"{table.source}, row {row + 1}: index is {cell!r}, expected {row}. "
                "Rows must stand in the order of the connectome, counted from 0."
            )


def _coordinate(table: Table, row: int) -> list[float]:
    numbers = []
    for axis in _COORDINATES:
        cell = table.columns[axis][row]
        try:
            numbers.append(np.nan if is_missing(cell) else float(cell))
        except ValueError:
            raise DataError(
                f"{table.source}, row {row + 1}: {axis} is {cell!r}, expected a number in mm or "
                "nothing. Correct this cell."
            ) from None
    return numbers
