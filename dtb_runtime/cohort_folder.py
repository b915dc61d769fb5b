"""Whom a folder of connectomes or a BIDS derivatives tree holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .bids_hints import entities_of
from .cohort_entry import CohortEntry, checked_entry, entry_of_file
from .errors import CohortError
from .meant_files import (
    MATRIX_SUFFIXES,
    SERIES_SUFFIXES,
    has_regions,
    is_beside_a_table,
    is_of_another_measure,
    is_of_rest,
    may_be_matrix,
    names_of,
)
from .readers import READERS, ending_of, stem_of
from .tables import one_line

_BIDS_NAME = re.compile(r"sub-[A-Za-z0-9]+(?:_[A-Za-z]+-[A-Za-z0-9+]+)*_([A-Za-z0-9]+)")
_LABEL_NAME = re.compile(rf"([A-Za-z0-9]+)_({'|'.join((*MATRIX_SUFFIXES, *SERIES_SUFFIXES))})")
_CONN_NAME = re.compile(r"resultsROI_(Subject\d+)_Condition(\d+)")
# What CONN has beside these: all people in one file, maps of seeds, lists of conditions.
_OTHER_OF_CONN = re.compile(r"resultsROI_Condition\d+|\w+_Subject\d+_Condition\d+\w*|_list_\w+")
_CIFTI = re.compile(r"\.[a-z]+\Z")  # of .pscalar.nii, whose ending with a reader is .nii
_NOBODY = ("participants", "samples", "sessions", "readme", "changes", "license")
"""Files that BIDS knows beside the folders of people, in lower case and without the ending."""
_SIDECAR = ".json"  # says of another file what it is, and holds no connectome
_ENDING = re.compile(r"\.[a-z0-9]{1,8}")  # anything else may be part of somebody's name
_KINDS_SHOWN = 6
_NO_DATA = frozenset({"log", "logs", "figures"})
"""Folders of fMRIPrep and others in a person's: their texts are nobody's connectome."""


@dataclass(frozen=True, slots=True)
class FolderCohort:
    """Whom a folder holds, and what else."""

    entries: tuple[CohortEntry, ...]
    left_out: Mapping[str, int]
    """Kind of file (``_timeseries.tsv``, ``.html``) to how many there are that are not taken."""


def entries_of_folder(
    folder: Path, *, parcellation: str | None = None, timeseries: bool = False
) -> FolderCohort:
    """Whom a folder of files or a BIDS derivatives tree holds; see `list_cohort`.

    Raises
    ------
    CohortError
        Nobody.
    """
    wanted = SERIES_SUFFIXES if timeseries else MATRIX_SUFFIXES
    subjects = sorted(path for path in folder.glob("sub-*") if path.is_dir())
    # Beside folders of subjects lie tables of all kinds.
    beside = [
        path for path in _files(folder.iterdir()) if not subjects or path.name.startswith("sub-")
    ]
    taken, others = _parted(beside, wanted)
    found, left_out = [_entry_of(path) for path in taken], Counter(map(_kind_of, others))
    for subject in subjects:
        taken, others = _parted(_files(_below(subject)), wanted)
        found += _of_subject(subject, taken, wanted)
        left_out.update(map(_kind_of, others))
    left_out.pop(_SIDECAR, None)
    if not any(entry.path is not None for entry in found):
        has = f" It holds {kinds_text(left_out)}." if left_out else ""
        series = any(kind.startswith("_timeseries.") for kind in left_out) and not timeseries
        hint = " For time series pass --timeseries." if series else ""
        raise CohortError(
            f"{folder} holds no connectomes: expected files ending in {', '.join(READERS)}; with "
            f"BIDS names (sub-<label>_...), those with the suffix {' or '.join(wanted)}.{has}{hint}"
            " Give another folder, or a table with the columns participant_id and path."
        )
    by_key: dict[tuple[str, str], list[CohortEntry]] = {}
    for entry in found:
        by_key.setdefault(entry.key, []).append(entry)
    entries = tuple(_the_one(several, parcellation, folder) for several in by_key.values())
    return FolderCohort(entries, dict(left_out))


def kinds_text(kinds: Mapping[str, int]) -> str:
    """How many files there are, and of which kinds: ``3 files (2 .html, 1 _timeseries.tsv)``."""
    n = sum(kinds.values())
    most = sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))
    told = [f"{count} {kind}" for kind, count in most[:_KINDS_SHOWN]]
    others = sum(count for _, count in most[_KINDS_SHOWN:])
    return (
        f"{n} file{'s' * (n != 1)} ({', '.join([*told, *([f'{others} others'] * bool(others))])})"
    )


def _files(paths: Iterator[Path]) -> list[Path]:
    """Files whose names are not hidden, and that may be of a person, in order."""
    return sorted(
        path
        for path in paths
        if not path.name.startswith(".")
        and stem_of(path).lower() not in _NOBODY
        and not path.is_dir()
    )


def _parted(files: Sequence[Path], wanted: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Files that may hold what is wanted, and the others."""
    parts: tuple[list[Path], list[Path]] = [], []
    for path in files:
        parts[not _is_wanted(path, wanted)].append(path)
    return parts


def _kind_of(path: Path) -> str:
    """What a file's name says that it is, without whose: its BIDS suffix and its ending."""
    ending = ending_of(path) or path.suffix
    if ending == _SIDECAR:
        return _SIDECAR
    if _ENDING.fullmatch(ending) is None and ending_of(path) is None:
        return "without a known ending"
    if ending == ".nii" and (cifti := _CIFTI.search(stem_of(path))):
        ending = f"{cifti[0]}{ending}"
    _, suffix = _said_of(path)
    kind = f"_{suffix}{ending}"
    return kind if suffix and path.name.lower().endswith(kind.lower()) else ending


def _said_of(path: Path) -> tuple[str | None, str | None]:
    """Label and suffix that a file's name says, where it is no BIDS name that has both.

    None for a label that `entry_of_file` finds; None for a suffix where the name says nothing of
    what the file holds, and an empty one where it says that it is of nobody.
    """
    stem = _CIFTI.sub("", stem_of(path)) if ending_of(path) == ".nii" else stem_of(path)
    if bids := _BIDS_NAME.fullmatch(stem):
        return None, bids[1]
    if own := _LABEL_NAME.fullmatch(stem):
        return own[1], own[2]
    if conn := _CONN_NAME.fullmatch(stem):
        return conn[1], MATRIX_SUFFIXES[0]
    return None, "" if _OTHER_OF_CONN.fullmatch(stem) else None


def _entry_of(path: Path) -> CohortEntry:
    label, _ = _said_of(path)
    return entry_of_file(path) if label is None else _with_file(checked_entry(label, None), path)


def _of_subject(folder: Path, files: Sequence[Path], wanted: Sequence[str]) -> list[CohortEntry]:
    """The files of one ``sub-<label>`` folder; a folder without any is a person without a file."""
    found = []
    for path in files:
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


def _below(subject: Path) -> Iterator[Path]:
    """Everything in a person's folder but what programs write there of their runs."""
    for path in subject.rglob("*"):
        if _NO_DATA.isdisjoint(path.relative_to(subject).parts[:-1]):
            yield path


def _with_file(entry: CohortEntry, path: Path) -> CohortEntry:
    return entry if entry.problem else replace(entry, path=path)


def _is_wanted(path: Path, suffixes: Sequence[str]) -> bool:
    if ending_of(path) is None:
        return False
    _, suffix = _said_of(path)
    if suffix is None:  # a name that says nothing of what it holds
        return True
    if suffix in SERIES_SUFFIXES and not has_regions(_entities(path).get("desc")):
        return False
    return suffix in suffixes and may_be_matrix(suffix, path.name)


def _entities(path: Path) -> Mapping[str, str]:
    entities, _ = entities_of(stem_of(path))
    return entities


def _task(entry: CohortEntry) -> str | None:
    """The ``task-`` of an entry's file, where its name is BIDS'."""
    if entry.path is None:
        return None
    entities = _entities(entry.path)
    return entities.get("task") if "sub" in entities else None


def _is_map(entry: CohortEntry) -> bool:
    """Whether the file is what XCP-D writes as CIFTI-2 beside a table."""
    return entry.path is not None and is_beside_a_table(entry.path.name)


def _is_of_another_measure(entry: CohortEntry) -> bool:
    return entry.path is not None and is_of_another_measure(stem_of(entry.path))


def _the_one(several: Sequence[CohortEntry], parcellation: str | None, folder: Path) -> CohortEntry:
    """The entry of rest, of this parcellation and of correlations among those of one person."""
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
    fitting = [entry for entry in of_rest if entry.atlases & names_of(parcellation)] or of_rest
    fitting = [entry for entry in fitting if not _is_of_another_measure(entry)] or fitting
    fitting = [entry for entry in fitting if not _is_map(entry)] or fitting
    if len(fitting) == 1:
        return fitting[0]
    problems = [entry.problem for entry in fitting if entry.problem is not None]
    if problems:
        return replace(fitting[0], path=None, problem=problems[0])
    paths = [entry.path for entry in fitting if entry.path is not None]
    names = tuple(one_line(str(path.relative_to(folder))) for path in paths)
    conditions = [conn[2] for path in paths if (conn := _CONN_NAME.fullmatch(stem_of(path)))]
    keep = "Keep one"
    if len(conditions) == len(paths):
        keep = (
            f"They are of CONN's conditions {', '.join(conditions)}. Keep those of rest in a "
            "folder of their own"
        )
    problem = (
        f"There are {len(fitting)} files: {', '.join(names)}. {keep}, or say which in a table "
        "with the columns participant_id and path."
    )
    return replace(fitting[0], path=None, problem=problem, named=names)
