"""Whom a cohort holds: a folder of connectomes, a BIDS derivatives tree, or a table.

Nothing here opens a connectome. What makes a person impossible to score (no id, two files) stays
with that person as a `problem`, so that it costs one row and not the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from .errors import CohortError, UsageError
from .participants import checked_participant_id
from .readers import READERS
from .tables import one_line, read_table

MAX_ENTRIES = 2_000_000
"""Most rows of a cohort that are held in memory at once."""
CONNECTOME_SUFFIXES = ("connectome", "relmat", "conmat")
"""Last part of a BIDS file name, before the ending, that says it is a connectome."""
SERIES_SUFFIXES = ("timeseries",)
"""The same for time series."""

_DELIMITERS = MappingProxyType({".tsv": "\t", ".csv": ","})
_ENTITY = re.compile(r"(?:^|_)([A-Za-z]+)-([A-Za-z0-9]+)")
_BIDS_NAME = re.compile(r"sub-[A-Za-z0-9]+(?:_[A-Za-z]+-[A-Za-z0-9+]+)*_([A-Za-z0-9]+)")
_KNOWN_COLUMNS = ("participant_id", "path", "session", "session_id")


@dataclass(frozen=True, slots=True)
class CohortEntry:
    """One connectome to be scored."""

    participant_id: str
    """``sub-<label>``; where there is none, what stands in its place, as one line."""
    session: str | None
    """``ses-<label>``; None without sessions."""
    path: Path | None
    """The connectome's file; None where there is not exactly one."""
    own: Mapping[str, str] = field(default_factory=dict)
    """Cells of a table's other columns, as they stand there."""
    problem: str | None = None
    """Why this one cannot be scored, None if nothing is known against it."""

    @property
    def key(self) -> tuple[str, str]:
        """What it is sorted by, and what must be different for every entry."""
        return self.participant_id, self.session or ""

    @property
    def label(self) -> str:
        """Who it is, in messages."""
        return self.participant_id if self.session is None else "_".join(self.key)


@dataclass(frozen=True, slots=True)
class CohortListing:
    """Everybody who is to be scored."""

    source: str
    """Where it was listed from, for messages."""
    entries: tuple[CohortEntry, ...]
    """In the order of participant id and session, which no two share."""
    own_columns: tuple[str, ...] = ()
    """A table's other columns, in its order."""

    @property
    def has_sessions(self) -> bool:
        """Whether any entry has a session."""
        return any(entry.session is not None for entry in self.entries)


def list_cohort(
    source: str | Path, *, parcellation: str | None = None, timeseries: bool = False
) -> CohortListing:
    """List a cohort.

    Parameters
    ----------
    source : str or pathlib.Path
        A table (``.tsv``, ``.csv``) with the columns ``participant_id`` and ``path`` (relative to
        the table), optionally ``session``; a BIDS derivatives tree, with folders ``sub-<label>``;
        or a folder of files, named ``sub-<label>...`` or with nothing but a label.
    parcellation : str, optional
        Of several connectomes of one person, the one whose ``atlas-`` or ``seg-`` is this.
    timeseries : bool
        The files hold time series.

    Raises
    ------
    CohortError
        There is no such table or folder, it cannot be read, or holds nobody.
    """
    source = Path(source).absolute()  # the same people wherever a run goes on
    if source.is_dir():
        return _of_folder(source, parcellation, SERIES_SUFFIXES if timeseries else None)
    if source.suffix.lower() not in _DELIMITERS:
        raise CohortError(
            f"{source} is neither a folder nor a table (.tsv, .csv). Give a folder of "
            "connectomes, a BIDS derivatives tree, or a table with the columns participant_id "
            "and path."
        )
    return _of_table(source)


def entries_of(
    people: Iterable[CohortEntry | str | Path], *, timeseries: bool = False
) -> Iterable[CohortEntry]:
    """Entries of bare paths, named by their files; entries stay as they are."""
    for each in people:
        yield each if isinstance(each, CohortEntry) else _of_file(Path(each).absolute())


def _of_table(path: Path) -> CohortListing:
    table = read_table(path, _DELIMITERS[path.suffix.lower()], CohortError)
    for name in ("participant_id", "path"):
        if name not in table.columns:
            raise CohortError(
                f"{table.source} has no column {name!r}. A cohort's table needs participant_id and "
                "path, and may have session and columns of its own."
            )
    sessions = table.columns.get("session") or table.columns.get("session_id")
    own_columns = tuple(name for name in table.columns if name not in _KNOWN_COLUMNS)
    entries = []
    for row in range(table.n_rows):
        own = {name: table.columns[name][row] for name in own_columns}
        given, cell = table.columns["participant_id"][row], table.columns["path"][row]
        session = sessions[row] if sessions else ""
        entry = _checked(given, session or None)
        if entry.problem is None and not cell:
            entry = replace(entry, problem="The table gives no path. Fill it in.")
        file = path.parent / cell if cell else None
        entries.append(replace(entry, path=file, own=own))
    return CohortListing(table.source, _told_apart(entries, str(path)), own_columns)


def _of_folder(
    folder: Path, parcellation: str | None, suffixes: Sequence[str] | None
) -> CohortListing:
    wanted = suffixes or CONNECTOME_SUFFIXES
    subjects = sorted(path for path in folder.glob("sub-*") if path.is_dir())
    beside = (path for path in sorted(folder.iterdir()) if _is_wanted(path, wanted))
    # Beside folders of subjects lie tables of all kinds.
    found = [_of_file(path) for path in beside if not subjects or path.name.startswith("sub-")]
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
    entries = [_the_one(several, parcellation) for several in by_key.values()]
    return CohortListing(one_line(str(folder)), _told_apart(entries, str(folder)))


def _of_subject(folder: Path, wanted: Sequence[str]) -> list[CohortEntry]:
    """The files of one ``sub-<label>`` folder; a folder without any is a person without a file."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not _is_wanted(path, wanted):
            continue
        inside = path.relative_to(folder).parts[:-1]
        session = next((part for part in inside if part.startswith("ses-")), None)
        named = next((part for part in path.stem.split("_") if part.startswith("sub-")), None)
        if named is None:  # the folders say whose it is
            found.append(replace(_checked(folder.name, session), path=path))
        elif named == folder.name:
            found.append(_of_file(path))
        else:
            problem = (
                f"{one_line(path.name)} lies in the folder {one_line(folder.name)}, but names "
                "another person. Rename one of them."
            )
            found.append(replace(_checked(folder.name, session), path=None, problem=problem))
    if not found:
        problem = (
            f"The folder {one_line(folder.name)} holds no connectome. Expected files ending in "
            f"{', '.join(READERS)}, with the suffix {' or '.join(wanted)} if the name is BIDS'."
        )
        entry = _checked(folder.name, None)
        found.append(entry if entry.problem else replace(entry, problem=problem))
    return found


def _is_wanted(path: Path, suffixes: Sequence[str]) -> bool:
    if path.name.startswith(".") or path.suffix.lower() not in READERS or path.is_dir():
        return False
    bids = _BIDS_NAME.fullmatch(path.stem)
    # A name that is no BIDS name says nothing of what it holds; participants.tsv is one.
    return bids[1] in suffixes if bids else path.stem != "participants"


def _of_file(path: Path) -> CohortEntry:
    parts = path.stem.split("_")
    subject = next((part for part in parts if part.startswith("sub-")), None)
    if subject is None:
        entry = _checked(path.stem, None)
    else:
        entry = _checked(subject, next((part for part in parts if part.startswith("ses-")), None))
    return entry if entry.problem else replace(entry, path=path)


def _checked(given: str, session: str | None) -> CohortEntry:
    """An entry without a file; ids that are none are its problem."""
    try:
        participant_id = checked_participant_id(given) or ""
    except UsageError:
        problem = (
            f"{one_line(given)!r} is no participant id. Expected letters and digits, with or "
            "without sub- before them; rename it, or give a table with participant_id and path."
        )
        return CohortEntry(one_line(given) or "n/a", session, None, problem=problem)
    if session is not None:
        label = session.removeprefix("ses-")
        if re.fullmatch(r"[A-Za-z0-9]+", label) is None:
            problem = f"{one_line(session)!r} is no session. Expected letters and digits."
            return CohortEntry(participant_id, one_line(session), None, problem=problem)
        session = f"ses-{label}"
    return CohortEntry(participant_id, session, None)


def _the_one(several: Sequence[CohortEntry], parcellation: str | None) -> CohortEntry:
    """The entry of this parcellation among those of one person."""
    if len(several) == 1:
        return several[0]
    fitting = [
        entry
        for entry in several
        if entry.path is not None and parcellation is not None
        if parcellation.lower()
        in {v.lower() for k, v in _ENTITY.findall(entry.path.stem) if k in ("atlas", "seg")}
    ]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(one_line(entry.path.name) for entry in several if entry.path is not None)
    problem = (
        f"There are {len(several)} files: {names}. Keep one, or say which in a table with the "
        "columns participant_id and path."
    )
    return replace(several[0], path=None, problem=problem)


def _told_apart(entries: Sequence[CohortEntry], source: str) -> tuple[CohortEntry, ...]:
    """The entries in order, without two of one key: what stands twice is a problem of one row."""
    if not entries:
        raise CohortError(f"{source} holds nobody. Give a cohort with at least one person.")
    if len(entries) > MAX_ENTRIES:
        raise CohortError(
            f"{source} holds {len(entries)} people, at most {MAX_ENTRIES} are scored at once. "
            "Divide it."
        )
    by_key: dict[tuple[str, str], list[CohortEntry]] = {}
    for entry in entries:
        by_key.setdefault(entry.key, []).append(entry)
    told = []
    for key in sorted(by_key):
        first, *more = by_key[key]
        if more and first.problem is None:
            problem = (
                f"{first.label} stands {len(more) + 1} times in the cohort. Keep one, or give each "
                "its own session."
            )
            first = replace(first, path=None, problem=problem)
        told.append(first)
    return tuple(told)
