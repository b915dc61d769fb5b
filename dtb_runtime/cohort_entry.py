"""One connectome of a cohort that is to be scored, and whose it is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .errors import UsageError
from .hidden_names import HiddenNames
from .participants import checked_participant_id
from .readers import stem_of
from .tables import one_line

_ATLAS = re.compile(r"(?:^|_)(?:atlas|seg)-([A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True)
class CohortEntry:
    """One connectome to be scored.

    Its `repr` says nothing of it: a cluster's log has the arguments of a call that failed.
    """

    participant_id: str = field(repr=False)
    """``sub-<label>``; where there is none, what stands in its place, as one line."""
    session: str | None = field(repr=False)
    """``ses-<label>``; None without sessions."""
    path: Path | None = field(repr=False)
    """The connectome's file; None where there is not exactly one."""
    own: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Cells of a table's other columns, as they stand there."""
    problem: str | None = field(default=None, repr=False)
    """Why this one cannot be scored, None if nothing is known against it."""
    named: tuple[str, ...] = field(default=(), repr=False)
    """Files and folders that `problem` names."""
    hidden: HiddenNames | None = field(default=None, repr=False)
    """What no output may say of it; None where nothing is hidden. See `hashed_ids`."""

    @property
    def key(self) -> tuple[str, str]:
        """What it is sorted by, and what must be different for every entry."""
        return self.participant_id, self.session or ""

    @property
    def label(self) -> str:
        """Who it is, in messages."""
        return self.participant_id if self.session is None else "_".join(self.key)

    @property
    def atlases(self) -> frozenset[str]:
        """What the file's name says of the parcellation (``atlas-``, ``seg-``), in lower case."""
        stem = "" if self.path is None else stem_of(self.path)
        return frozenset(value.lower() for value in _ATLAS.findall(stem))

    def told(self, text: str) -> str:
        """A sentence about it as outputs may have it: without names, where they are hidden."""
        return text if self.hidden is None else self.hidden.told(text)

    def digest(self) -> str:
        """Tells it from any other entry: who, which file, which own cells, which problem."""
        file = str(self.path)
        if self.hidden is not None:  # else who can guess the file's name could try it
            file = self.hidden.sealed_text(file)
        cells = [*self.key, file, self.problem, sorted(self.own.items())]
        return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def entries_of(people: Iterable[CohortEntry | str | Path]) -> Iterable[CohortEntry]:
    """Entries of bare paths, named by their files; entries stay as they are.

    Raises
    ------
    UsageError
        One path is given instead of several, or something that is no path.
    """
    if isinstance(people, str | Path):
        raise UsageError(
            f"Expected several people, found one path, {one_line(str(people))!r}. Give a list of "
            "paths, or what list_cohort(...).entries holds."
        )
    return map(_entry_of, people)


def _entry_of(person: CohortEntry | str | Path) -> CohortEntry:
    if isinstance(person, CohortEntry):
        return person
    if not isinstance(person, str | Path):
        raise UsageError(
            f"Expected the path of a connectome, found {type(person).__name__}. Give paths, or "
            "what list_cohort(...).entries holds."
        )
    return entry_of_file(Path(person).absolute())


def entry_of_file(path: Path) -> CohortEntry:
    """The entry of a connectome's file, whose it is by its name."""
    parts = stem_of(path).split("_")
    subject = next((part for part in parts if part.startswith("sub-")), None)
    session = next((part for part in parts if part.startswith("ses-")), None)
    entry = (
        checked_entry(stem_of(path), None) if subject is None else checked_entry(subject, session)
    )
    return entry if entry.problem else replace(entry, path=path)


def checked_entry(given: str, session: str | None) -> CohortEntry:
    """An entry without a file yet; ids that are none are its problem."""
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
