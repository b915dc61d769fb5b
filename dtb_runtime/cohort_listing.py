"""Whom a cohort holds: a folder of connectomes, a BIDS derivatives tree, or a table.

Nothing here opens a connectome. What makes a person impossible to score (no id, two files) stays
with that person as a `problem`, so that it costs one row and not the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from .cohort_entry import CohortEntry, checked_entry
from .cohort_folder import entries_of_folder, kinds_text
from .errors import CohortError
from .participants_table import KNOWS_NOBODY, PARTICIPANTS_FILE, column_named, rows_of
from .tables import one_line, read_table

MAX_ENTRIES = 2_000_000
"""Most rows of a cohort that are held in memory at once."""

_DELIMITERS = MappingProxyType({".tsv": "\t", ".csv": ","})
_DEMOGRAPHICS = ("age", "sex")
_KNOWN_COLUMNS = ("participant_id", "path", "session", "session_id")


@dataclass(frozen=True, slots=True)
class Sealed:
    """What outputs say of a cohort whose ids are hidden."""

    cohort: str
    """Tells it from another one: in place of its path, which may name somebody."""
    key: str
    """Tells the key from another one."""


@dataclass(frozen=True, slots=True)
class CohortListing:
    """Everybody who is to be scored."""

    path: Path
    """The table or folder."""
    source: str
    """Where it was listed from, for messages."""
    entries: tuple[CohortEntry, ...]
    """In the order of participant id and session, which no two share."""
    own_columns: tuple[str, ...] = ()
    """A table's other columns, in its order; of a folder age and sex, as its table calls them."""
    sealed: Sealed | None = None
    """What stands for the cohort in outputs that hide whom it holds; see `hashed_ids`."""
    kinds_left_out: Mapping[str, int] = field(default_factory=dict)
    """Of a folder: kind of file to how many there are that are not taken, as their names say."""
    notes: tuple[str, ...] = ()
    """What people should know, one sentence each; they name nobody."""

    @property
    def left_out(self) -> str | None:
        """How many files of a folder are not taken, and of which kinds; None where there are none.

        Without the kinds where ids are hidden: an ending may be part of a name.
        """
        if not self.kinds_left_out:
            return None
        if self.sealed is not None:
            n = sum(self.kinds_left_out.values())
            return f"{n} file{'s' * (n != 1)} of the folder, by their names."
        return f"{kinds_text(self.kinds_left_out)} of the folder, by their names."

    @property
    def has_sessions(self) -> bool:
        """Whether any entry has a session."""
        return any(entry.session is not None for entry in self.entries)

    def digest(self) -> str:
        """Tells it from a listing of other entries."""
        people = hashlib.sha256()
        for entry in self.entries:
            people.update(entry.digest().encode())
        return people.hexdigest()

    def about(self) -> dict[str, str]:
        """Which cohort it is, for files: a run goes on with the same one."""
        if self.sealed is None:
            return {"cohort": str(self.path)}
        return {"cohort": self.sealed.cohort, "ids_hashed_with": self.sealed.key}

    @property
    def hashed_with(self) -> str | None:
        """What tells the key of hashed ids from another one; None where they are as they are."""
        return None if self.sealed is None else self.sealed.key

    def place(self, entry: CohortEntry) -> str | None:
        """An entry's file, as seen from the table or folder; None without one, or if hidden."""
        if entry.path is None or entry.hidden is not None:
            return None
        root = self.path if self.path.is_dir() else self.path.parent
        is_inside = entry.path.is_relative_to(root)
        return one_line((entry.path.relative_to(root) if is_inside else entry.path).as_posix())


def list_cohort(
    source: str | Path,
    *,
    parcellation: str | None = None,
    timeseries: bool = False,
    columns: Sequence[str] = (),
) -> CohortListing:
    """List a cohort.

    Parameters
    ----------
    source : str or pathlib.Path
        A table (``.tsv``, ``.csv``) with the columns ``participant_id`` and ``path`` (relative to
        the table), optionally ``session``; a BIDS derivatives tree, with folders ``sub-<label>``;
        or a folder of files, named ``sub-<label>...``, ``<label>_connectome`` or with nothing but
        a label, or as CONN does (``resultsROI_Subject001_Condition001.mat``). Of a folder's
        ``participants.tsv``, ``age`` and ``sex`` are taken, in any case.
    parcellation : str, optional
        Of several connectomes of one person, the one whose ``atlas-`` or ``seg-`` is this.
    timeseries : bool
        The files hold time series.
    columns : sequence of str
        Others that are taken of a folder's ``participants.tsv`` where it has them, in any case. A
        table's are taken all.

    Raises
    ------
    CohortError
        There is no such table or folder, it cannot be read, or holds nobody.
    """
    source = Path(source).absolute()  # the same people wherever a run goes on
    if source.is_dir():
        found = entries_of_folder(source, parcellation=parcellation, timeseries=timeseries)
        entries, own_columns, notes = _with_columns(
            found.entries, source / PARTICIPANTS_FILE, columns
        )
        return CohortListing(
            source,
            one_line(str(source)),
            _told_apart(entries, str(source)),
            own_columns,
            kinds_left_out=found.left_out,
            notes=notes,
        )
    if source.suffix.lower() not in _DELIMITERS:
        raise CohortError(
            f"{source} is neither a folder nor a table (.tsv, .csv). Give a folder of "
            "connectomes, a BIDS derivatives tree, or a table with the columns participant_id "
            "and path."
        )
    return _of_table(source)


def _of_table(path: Path) -> CohortListing:
    table = read_table(path, _DELIMITERS[path.suffix.lower()], CohortError)
    for name in ("participant_id", "path"):
        if name not in table.columns:
            raise CohortError(
                f"{table.source} has no column {name!r}. A cohort's table needs participant_id and "
                "path, and may have session and columns of its own."
            )
    if {"session", "session_id"} <= table.columns.keys():
        raise CohortError(
            f"{table.source} has the columns 'session' and 'session_id', which mean the same. "
            "Rename or leave out one of them."
        )
    sessions = table.columns.get("session") or table.columns.get("session_id")
    own_columns = tuple(name for name in table.columns if name not in _KNOWN_COLUMNS)
    for name in own_columns:
        if name != one_line(name) or not name:
            raise CohortError(
                f"{table.source} has a column named {one_line(name)!r}. Expected a name of "
                "printable characters in one line; rename it, or leave it out."
            )
    entries = []
    for row in range(table.n_rows):
        own = {name: one_line(table.columns[name][row]) for name in own_columns}
        given, cell = table.columns["participant_id"][row], table.columns["path"][row]
        session = sessions[row] if sessions else ""
        entry = checked_entry(given, session or None)
        if entry.problem is None and not cell:
            entry = replace(entry, problem="The table gives no path. Fill it in.")
        file = path.parent / cell if cell else None
        entries.append(replace(entry, path=file, own=own))
    return CohortListing(path, table.source, _told_apart(entries, str(path)), own_columns)


def _with_columns(
    entries: Sequence[CohortEntry], file: Path, wanted: Sequence[str]
) -> tuple[list[CohortEntry], tuple[str, ...], tuple[str, ...]]:
    """Everybody with age, sex and wanted columns of BIDS' table of participants.

    And which columns these are, and what is to be said of the table.
    """
    if not file.is_file():
        return list(entries), (), ()
    table = read_table(file, "\t", CohortError)
    lower = {name.lower() for name in wanted} - {"participant_id"}
    demographics = [column_named(table, name) for name in _DEMOGRAPHICS]
    others = [name for name in table.columns if name.lower() in lower]
    names = tuple(dict.fromkeys(name for name in (*demographics, *others) if name is not None))
    rows = rows_of(table, names)
    found = []
    for entry in entries:
        who = entry.participant_id
        problem = entry.problem or rows.problems.get(who)
        found.append(replace(entry, own=dict(rows.cells.get(who, {})), problem=problem))
    is_of_others = not rows.has_any(entry.participant_id for entry in entries)
    return found, names, (KNOWS_NOBODY,) if is_of_others else ()


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
