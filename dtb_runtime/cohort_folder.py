"""Whom a folder of connectomes or a BIDS derivatives tree holds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .bids_hints import entities_of
from .cohort_entry import CohortEntry, checked_entry, entry_of_file
from .errors import CohortError
from .meant_files import has_regions, is_of_rest, names_of
from .readers import READERS, ending_of, stem_of
from .tables import one_line

CONNECTOME_SUFFIXES = ("connectome", "relmat", "conmat")
"""Last part of a BIDS file name, before the ending, that says it is a connectome."""
SERIES_SUFFIXES = ("timeseries",)
"""The same for time series."""

_BIDS_NAME = re.compile(r"sub-[A-Za-z0-9]+(?:_[A-Za-z]+-[A-Za-z0-9+]+)*_([A-Za-z0-9]+)")
_NOBODY = ("participants", "samples", "sessions", "readme", "changes", "license")
"""Files that BIDS knows beside the folders of people, in lower case and without the ending."""


def entries_of_folder(
    folder: Path, *, parcellation: str | None = None, timeseries: bool = False
) -> list[CohortEntry]:
    """Whom a folder of files or a BIDS derivatives tree holds; see `list_cohort`.

    Raises
    ------
    CohortError
        Nobody.
    """
    wanted = SERIES_SUFFIXES if timeseries else CONNECTOME_SUFFIXES
    subjects = sorted(path for path in folder.glob("sub-*") if path.is_dir())
    beside = (path for path in sorted(folder.iterdir()) if _is_wanted(path, wanted))
    # Beside folders of subjects lie tables of all kinds.
    found = [entry_of_file(path) for path in beside if not subjects or path.name.startswith("sub-")]
    for subject in subjects:
        found += _of_subject(subject, wanted)
    if not any(entry.path is not None for entry in found):
        raise CohortError(
            f"{folder} holds no connectomes: expected files ending in {', '.join(READERS)}; with "
            f"BIDS names (sub-<label>_...), those with the suffix {' or '.join(wanted)}. Give "
            "another folder, or a table with the columns participant_id and path."
        )
    by_key: dict[tuple[str, str], list[CohortEntry]] = {}
    for entry in found:
        by_key.setdefault(entry.key, []).append(entry)
    return [_the_one(several, parcellation, folder) for several in by_key.values()]


def _of_subject(folder: Path, wanted: Sequence[str]) -> list[CohortEntry]:
    """The files of one ``sub-<label>`` folder; a folder without any is a person without a file."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not _is_wanted(path, wanted):
            continue
        inside = path.relative_to(folder).parts[:-1]
        session = next((part for part in inside if part.startswith("ses-")), None)
        entry = entry_of_file(path)
        if not any(part.startswith("sub-") for part in stem_of(path).split("_")):
            found.append(_with_file(checked_entry(folder.name, session), path))
        elif entry.participant_id == folder.name and session in (None, entry.session):
            found.append(entry)
        elif entry.participant_id == folder.name and entry.session is None:
            found.append(_with_file(checked_entry(folder.name, session), path))
        else:
            where = one_line(str(Path(folder.name, *inside)))
            problem = (
                f"{one_line(path.name)} lies in the folder {where}, but names another person or "
                "session. Rename one of them."
            )
            entry = replace(checked_entry(folder.name, session), path=None, problem=problem)
            found.append(replace(entry, named=(path.name, where)))
    if not found:
        problem = (
            f"The folder {one_line(folder.name)} holds no connectome. Expected files ending in "
            f"{', '.join(READERS)}, with the suffix {' or '.join(wanted)} if the name is BIDS'."
        )
        entry = checked_entry(folder.name, None)
        found.append(entry if entry.problem else replace(entry, problem=problem))
    return found


def _with_file(entry: CohortEntry, path: Path) -> CohortEntry:
    return entry if entry.problem else replace(entry, path=path)


def _is_wanted(path: Path, suffixes: Sequence[str]) -> bool:
    if path.name.startswith(".") or ending_of(path) is None or path.is_dir():
        return False
    bids = _BIDS_NAME.fullmatch(stem_of(path))
    # A name that is no BIDS name says nothing of what it holds.
    if bids is None:
        return stem_of(path).lower() not in _NOBODY
    if bids[1] in SERIES_SUFFIXES and not _has_regions(path):
        return False
    return bids[1] in suffixes


def _has_regions(path: Path) -> bool:
    entities, _ = entities_of(stem_of(path))
    return has_regions(entities.get("desc"))


def _task(entry: CohortEntry) -> str | None:
    """The ``task-`` of an entry's file, where its name is BIDS'."""
    if entry.path is None:
        return None
    entities, _ = entities_of(stem_of(entry.path))
    return entities.get("task") if "sub" in entities else None


def _the_one(several: Sequence[CohortEntry], parcellation: str | None, folder: Path) -> CohortEntry:
    """The entry of rest and of this parcellation among those of one person."""
    of_rest = [entry for entry in several if is_of_rest(_task(entry))]
    if not of_rest:
        tasks = sorted({one_line(_task(entry) or "") for entry in several})
        names = tuple(entry.path.name for entry in several if entry.path is not None)
        problem = (
            f"There are files of the task {', '.join(tasks)} only, and a twin is made from rest. "
            "If one of them is meant, say which in a table with the columns participant_id and "
            "path."
        )
        return replace(several[0], path=None, problem=problem, named=names)
    several = of_rest
    if len(several) == 1:
        return several[0]
    fitting = [entry for entry in several if entry.atlases & names_of(parcellation)]
    if len(fitting) == 1:
        return fitting[0]
    problems = [entry.problem for entry in several if entry.problem is not None]
    if problems:
        return replace(several[0], path=None, problem=problems[0])
    names = tuple(
        one_line(str(entry.path.relative_to(folder))) for entry in several if entry.path is not None
    )
    problem = (
        f"There are {len(several)} files: {', '.join(names)}. Keep one, or say which in a table "
        "with the columns participant_id and path."
    )
    return replace(several[0], path=None, problem=problem, named=names)
