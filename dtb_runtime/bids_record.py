"""What was done with one person of a BIDS data set: whoever starts again knows who is done.

One file of JSON a person, since several processes write at the same time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .atomic import write_files
from .bids_places import RECORD_FILE, STATE_FOLDER, PersonPlaces
from .cohort_entry import CohortEntry
from .errors import CohortError
from .json_object import JsonObject
from .scored_person import ScoredPerson, stamp_of

FORMAT_VERSION = 1
"""Of records; one of another version is as none."""


@dataclass(frozen=True, slots=True)
class Record:
    """One person's record."""

    about: Mapping[str, Any]
    """Bundle and settings, as JSON values."""
    entry: str
    """`entry_digest` of what was asked for."""
    place: str | None
    """The file, as seen from the data set; None where there was not exactly one."""
    person: ScoredPerson
    """The row."""
    own: Mapping[str, str]
    """Age and sex, as they stand in the table of participants."""
    files: tuple[str, ...]
    """Results, as seen from the folder of all results."""
    made_with: Mapping[str, str]
    """Versions and provider, which make no result another one."""

    def is_current(
        self, out: Path, entry: CohortEntry, place: str | None, about: Mapping[str, Any]
    ) -> bool:
        """Whether the same would be done again.

        Parameters
        ----------
        out : pathlib.Path
        entry : CohortEntry
            What is asked for now.
        place : str or None
            Its file, as seen from the data set.
        about : mapping
            Bundle and settings now.
        """
        stamp = stamp_of(entry)
        return (
            self.about == about
            and self.entry == entry_digest(entry, place)
            and stamp is not None
            and self.person.stamp == stamp
            and all((out / file).is_file() for file in self.files)
        )

    def write(self, places: PersonPlaces) -> None:
        """Write it whole, in the place of an earlier one."""
        document = {
            "version": FORMAT_VERSION,
            "about": dict(self.about),
            "entry": self.entry,
            "place": self.place,
            "person": self.person.to_json(),
            "own": dict(self.own),
            "files": list(self.files),
            "made_with": dict(self.made_with),
        }
        data = json.dumps(document, indent=1, allow_nan=False).encode() + b"\n"
        write_files(places.state, {RECORD_FILE: data}, force=True)


def entry_digest(entry: CohortEntry, place: str | None) -> str:
    """Tells what is asked for of a person from anything else.

    Parameters
    ----------
    entry : CohortEntry
    place : str or None
        Its file as seen from the data set, which may lie elsewhere on another machine.
    """
    cells: Sequence[object] = [*entry.key, place, entry.problem, sorted(entry.own.items())]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def read_record(path: Path) -> Record | None:
    """Read one; None where there is none that can be read, or it is of another version."""
    try:
        document = JsonObject.parse(path.read_bytes(), str(path), CohortError)
        if document.integer("version", minimum=0) != FORMAT_VERSION:
            return None
        made_with, own = document.child("made_with"), document.child("own")
        return Record(
            about=document.child("about").rest(),
            entry=document.text("entry"),
            place=document.optional_text("place"),
            person=ScoredPerson.from_json(document.child("person")),
            own=dict(own.rest()),
            files=document.texts("files"),
            made_with=dict(made_with.rest()),
        )
    except (OSError, CohortError):
        return None


def record_of(places: PersonPlaces) -> Record | None:
    """The record of one person."""
    return read_record(places.record)


def all_records(out: Path) -> Iterator[Record]:
    """Every record in the results, in the order of their names."""
    for path in sorted(out.glob(f"{STATE_FOLDER}/*/{RECORD_FILE}")):
        record = read_record(path)
        if record is not None:
            yield record
