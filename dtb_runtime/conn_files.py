"""First-level results of the CONN toolbox: ``resultsROI_Subject001_Condition001.mat``.

CONN writes one file for each person and condition. ``Z`` has a row for each source and a column
for each target; the sources are the first targets, in the same order, and behind them stand further
targets such as the averages of white matter. What CONN calls correlations is written as Fisher z,
with NaN on the diagonal; its regressions and gPPI are not symmetric, and a connectome must be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .array_choice import Stored
from .errors import ConnectomeError
from .raw_array import RawArray, real_matrix, size_text

_Z, _SOURCES, _TARGETS = "Z", "names", "names2"


class MatlabFile(Protocol):
    """A MATLAB file of any version."""

    found: tuple[Stored, ...]

    def numbers(self, stored: Stored) -> NDArray[np.generic]:
        """A variable that holds numbers."""
        ...

    def texts(self, stored: Stored) -> tuple[str, ...]:
        """A variable that holds text."""
        ...

    def fields(self, stored: Stored) -> tuple[Stored, ...]:
        """The fields of a variable that is a struct."""
        ...


def is_conn(found: Sequence[Stored], variable: str | None) -> bool:
    """Whether the variables are those of CONN, and the connectivity is what is asked for."""
    holds = {each.name: each.holds for each in found}
    expected = {_Z: "numbers", _SOURCES: "text", _TARGETS: "text"}
    return variable in (None, _Z) and expected.items() <= holds.items()


def read_conn(file: MatlabFile, source: str) -> RawArray:
    """Read the connectivity between the sources of a CONN file.

    Parameters
    ----------
    file : MatlabFile
        For which `is_conn` holds.
    source : str
        Its name, for messages.

    Returns
    -------
    RawArray
        Fisher z, (sources, sources); names as CONN has them, such as ``atlas.FP r (Frontal Pole
        Right)``.

    Raises
    ------
    ConnectomeError
        Names and numbers do not fit, or the first targets are not the sources.
    """
    by_name = {each.name: each for each in file.found}
    shape = by_name[_Z].shape
    if len(shape) == 3:
        raise ConnectomeError(
            f"{source}[{_Z}] is {size_text(shape)}, as in CONN's file of a whole group. Give one "
            "person's, such as resultsROI_Subject001_Condition001.mat."
        )
    values = real_matrix(file.numbers(by_name[_Z]), f"{source}[{_Z}]")
    sources, targets = file.texts(by_name[_SOURCES]), file.texts(by_name[_TARGETS])
    n = len(sources)
    if values.shape != (n, len(targets)):
        raise ConnectomeError(
            f"{source}[{_Z}] is {size_text(values.shape)}, but the file names {n} sources and "
            f"{len(targets)} targets. Compute the first level again in CONN."
        )
    if targets[:n] != sources:
        raise ConnectomeError(
            f"{source}: the first {n} targets ({_TARGETS}) are not the {n} sources ({_SOURCES}), "
            f"so {_Z} is no matrix of regions by regions. Compute ROI-to-ROI connectivity in CONN "
            "with the same regions as sources and targets."
        )
    notes: tuple[str, ...] = ()
    if len(targets) > n:
        notes = (
            f"{source} has {len(targets)} targets for {n} sources; the further "
            f"{len(targets) - n} were left out.",
        )
    return RawArray(
        np.ascontiguousarray(values[:, :n]),
        sources,
        kind="connectome",
        scale="z",
        why=f"CONN writes Fisher z in {_Z}",
        notes=notes,
    )
