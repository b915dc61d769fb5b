"""What scoring gives of one person: one row, with numbers or with the reason why there are none."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from .cohort_entry import CohortEntry
from .confounds_files import files_beside
from .errors import CohortError
from .json_object import JsonObject

Status = Literal["ok", "failed"]
Stamp: TypeAlias = tuple[int, int]
"""A file's size in bytes and the time of its last change in nanoseconds; of several files that
belong together, or where they are hidden, two numbers that change with these."""


@dataclass(frozen=True, slots=True)
class ScoredPerson:
    """One person's row."""

    participant_id: str
    """As in the cohort."""
    session: str | None
    """As in the cohort."""
    status: Status
    """``ok`` or ``failed``."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Column to number, of those that there are; empty where it failed."""
    error: str = ""
    """Why it failed, as one line; empty where it did not."""
    notes: tuple[str, ...] = ()
    """What was set or is doubtful about the connectome."""
    stamp: Stamp | None = field(default=None, compare=False)
    """Its files when they were read; None where there is none, or where to try again may help."""

    @property
    def key(self) -> tuple[str, str]:
        """As `CohortEntry.key`."""
        return self.participant_id, self.session or ""

    @property
    def is_ok(self) -> bool:
        """Whether there are numbers."""
        return self.status == "ok"

    @classmethod
    def failed(cls, entry: CohortEntry, error: str, *, stamp: Stamp | None = None) -> ScoredPerson:
        """The row of somebody who could not be scored."""
        told = entry.told(error)
        return cls(entry.participant_id, entry.session, "failed", error=told, stamp=stamp)

    @classmethod
    def ok(
        cls,
        entry: CohortEntry,
        values: Mapping[str, float],
        notes: tuple[str, ...] = (),
        *,
        stamp: Stamp | None = None,
    ) -> ScoredPerson:
        """The row of somebody who was; values that are not finite are left out."""
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        told = tuple(map(entry.told, notes))
        return cls(entry.participant_id, entry.session, "ok", finite, "", told, stamp)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, with all digits of the numbers."""
        return {
            "participant_id": self.participant_id,
            "session": self.session,
            "status": self.status,
            "values": dict(self.values),
            "error": self.error or None,
            "notes": list(self.notes),
            "stamp": None if self.stamp is None else list(self.stamp),
        }

    @classmethod
    def from_json(cls, document: JsonObject) -> ScoredPerson:
        """Read what `to_json` gave; raises the document's error if it is something else."""
        values = document.child("values")
        person = cls(
            participant_id=document.text("participant_id"),
            session=document.optional_text("session"),
            status=document.one_of("status", ("ok", "failed")),
            values={name: values.number(name) for name in values.remaining_keys()},
            error=document.optional_text("error") or "",
            notes=document.texts("notes"),
            stamp=_stamp(document),
        )
        document.close()
        return person

    def to_line(self) -> str:
        """`to_json` as one line."""
        return json.dumps(self.to_json(), allow_nan=False)

    @classmethod
    def from_line(cls, line: str, where: str) -> ScoredPerson:
        """Read what `to_line` wrote; raises `CohortError` if it did not."""
        return cls.from_json(JsonObject.parse(line, where, CohortError))


def stamp_of(entry: CohortEntry) -> Stamp | None:
    """What an entry's file is now, and a scan's confounds beside it; None if it is not there.

    Sealed where the entry hides which file it is.
    """
    stamp = None if entry.path is None else _with_confounds(entry.path)
    if stamp is None or entry.hidden is None:
        return stamp
    return entry.hidden.sealed_numbers(*stamp)


def file_stamp(path: Path) -> Stamp | None:
    """What a file is now; None if there is none, or it cannot be looked at."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        return None
    return found.st_size, found.st_mtime_ns


def _with_confounds(path: Path) -> Stamp | None:
    """A file's stamp; of one with confounds beside it two numbers that change with any of them."""
    own = file_stamp(path)
    if own is None:
        return None
    try:
        beside = [(each.name, file_stamp(each)) for each in files_beside(path)]
    except OSError:  # a folder that cannot be looked into
        return own
    if not beside:
        return own
    digest = hashlib.sha256(json.dumps([own, beside]).encode()).digest()
    one, other = (int.from_bytes(digest[i : i + 8], "big") >> 2 for i in (0, 8))
    return one, other


def _stamp(document: JsonObject) -> Stamp | None:
    stamp = document.take("stamp")
    if stamp is None:
        return None
    match stamp:
        case [int(size), int(changed_ns)] if max(size, abs(changed_ns)) < 2**63:
            return size, changed_ns
    raise CohortError(f"{document.where}: the stamp is not a size and a time in nanoseconds.")
