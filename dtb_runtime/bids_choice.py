"""Which of several files of one person and session is meant, and what is said where none is.

Files of rest are meant, of these the one of the bundle's parcellation, of matrices those whose
names say no other measure than correlations, and of scans those that the parcellation can be
averaged over. Where that is not exactly one file, a sentence says in what they differ, and a filter
that would choose one of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any

from .bids_query import SUFFIXES, BidsFilters, FoundFile, FoundFiles, Wanted
from .meant_files import (
    is_beside_a_table,
    is_of_another_measure,
    is_of_grayordinates,
    is_of_rest,
    names_of,
)
from .readers import READERS, stem_of
from .tables import one_line

_ATLAS_ENTITIES = ("atlas", "segmentation")
_NOT_TOLD = frozenset({"subject", "session", "datatype"})
_SHOWN = 6  # files or values in a message
_MOST_ENTITIES = 3  # in a filter that is proposed


@dataclass(frozen=True, slots=True)
class Choice:
    """The file that is meant, or why there is none."""

    file: FoundFile | None
    problem: str = ""
    """A sentence or more; empty where there is a file."""
    is_by_atlas: bool = False
    """Whether scans were passed over that the parcellation cannot be averaged over."""


def chosen_file(
    several: Sequence[FoundFile],
    *,
    wanted: Wanted,
    asked: Mapping[str, Any],
    parcellation: str | None = None,
    atlas: str | None = None,
) -> Choice:
    """Choose among the files of one person and session.

    Parameters
    ----------
    several : sequence of FoundFile
        At least one.
    wanted : {"connectome", "timeseries", "bold"}
    asked : mapping
        What the filter file says of them.
    parcellation : str, optional
        That of the bundle.
    atlas : str, optional
        Name of the file that scans are averaged over.
    """
    fitting = list(several)
    if "task" not in asked:
        fitting = [file for file in several if is_of_rest(file.entities.get("task"))]
        if not fitting:
            tasks = sorted({file.entities["task"] for file in several})
            return Choice(
                None,
                f"There are files of the task {', '.join(map(one_line, tasks))} only, and a twin "
                "is made from rest. If one of them is meant, name its task in a "
                "--bids-filter-file.",
            )
    n_of_rest = len(fitting)
    if wanted == "bold" and atlas is not None:
        wants = is_of_grayordinates(atlas)
        of_kind = [file for file in fitting if is_of_grayordinates(file.path.name) == wants]
        fitting = of_kind or fitting
    is_by_atlas = len(fitting) < n_of_rest
    of_atlas = [file for file in fitting if _is_of_parcellation(file, parcellation)]
    fitting = of_atlas or fitting
    of_measure = [file for file in fitting if not is_of_another_measure(stem_of(file.path))]
    fitting = of_measure or fitting
    # What XCP-D writes as CIFTI-2 beside its tables.
    tables = [file for file in fitting if not is_beside_a_table(file.path.name)]
    fitting = tables or fitting
    if len(fitting) == 1:
        return Choice(fitting[0], is_by_atlas=is_by_atlas)
    names = ", ".join(one_line(str(file.inside)) for file in fitting[:_SHOWN])
    more = f" and {len(fitting) - _SHOWN} more" if len(fitting) > _SHOWN else ""
    differing = _differing(fitting)
    told = f" They differ in {_values(fitting, differing)}." if differing else ""
    return Choice(
        None,
        f"There are {len(fitting)} files that may be meant: {names}{more}.{told} "
        f"{_advice(fitting, differing, wanted, asked)}",
    )


_OTHERS: Mapping[Wanted, str] = MappingProxyType(
    {"connectome": " Of time series pass --timeseries, of scans --atlas."}
)


def no_file(own: FoundFiles, wanted: Wanted, filters: BidsFilters) -> str:
    """What is said of somebody of whom no file is meant: what there is, and why it is not.

    Parameters
    ----------
    own : FoundFiles
        All of one person; files that the filter asks for are of other sessions than are meant.
    wanted : {"connectome", "timeseries", "bold"}
    filters : BidsFilters
    """
    if own.files:
        return (
            "There is no file of this person of the session that --session-label asks for. "
            f"{sessions_of(own.files)} Check the label."
        )
    if own.excluded:
        return f"Of this person: {all_excluded(own.excluded, wanted, filters)}"
    return (
        f"There is no file of this person. Expected one ending in {', '.join(READERS)}, with the "
        f"suffix {' or '.join(SUFFIXES[wanted])}.{_OTHERS.get(wanted, '')}"
    )


def all_excluded(files: Sequence[FoundFile], wanted: Wanted, filters: BidsFilters) -> str:
    """That a filter leaves all files out, and what they have of the entities that it names."""
    asked = [name for name in filters.of(wanted) if name != "subject"]  # messages name nobody
    there = f"1 {wanted} file is" if len(files) == 1 else f"{len(files)} {wanted} files are"
    which = "it" if len(files) == 1 else "all of them"
    found = f": found {_values(files, asked)}" if asked else ""
    return f"{there} there, but {filters.source} excludes {which}{found}. Change the filter."


def sessions_of(files: Sequence[FoundFile]) -> str:
    """How many files there are, and of which sessions."""
    there = "1 file is" if len(files) == 1 else f"{len(files)} files are"
    return f"{there} there, with {_values(files, ['session'])}."


def _values(files: Sequence[FoundFile], names: Iterable[str]) -> str:
    """The values that files have of some entities: ``desc (none, x), run (1, 2)``."""
    told = []
    for name in names:
        values = sorted({file.entities.get(name, "none") for file in files})
        more = ", ..." if len(values) > _SHOWN else ""
        told.append(f"{name} ({', '.join(map(one_line, values[:_SHOWN]))}{more})")
    return ", ".join(told)


def _is_of_parcellation(file: FoundFile, parcellation: str | None) -> bool:
    said = {file.entities[key].lower() for key in _ATLAS_ENTITIES if key in file.entities}
    return bool(said & names_of(parcellation))


def _differing(files: Sequence[FoundFile]) -> list[str]:
    """Entities in which files differ."""
    names = sorted({name for file in files for name in file.entities} - _NOT_TOLD)
    return [name for name in names if len({file.entities.get(name) for file in files}) > 1]


def _advice(
    files: Sequence[FoundFile], differing: Sequence[str], wanted: Wanted, asked: Mapping[str, Any]
) -> str:
    """How to choose one of them, with the filter of fewest entities that does."""
    for n in range(1, min(len(differing), _MOST_ENTITIES) + 1):
        for names in combinations(differing, n):
            values = [tuple(file.entities.get(name) for name in names) for file in files]
            counts = Counter(values)
            for file, own in zip(files, values, strict=True):
                if counts[own] == 1:
                    query = {**asked, **dict(zip(names, own, strict=True))}
                    return (
                        f"Say which in a --bids-filter-file: {json.dumps({wanted: query})} would "
                        f"take {one_line(str(file.inside))}."
                    )
    return "No filter tells them apart: keep one of them there."
