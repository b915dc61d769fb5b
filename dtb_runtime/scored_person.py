"""What scoring gives of one person: one row, with numbers or with the reason why there are none."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .cohort_listing import CohortEntry
from .errors import CohortError
from .json_object import JsonObject

Status = Literal["ok", "failed"]


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

    @property
    def key(self) -> tuple[str, str]:
        """As `CohortEntry.key`."""
        return self.participant_id, self.session or ""

    @property
    def is_ok(self) -> bool:
        """Whether there are numbers."""
        return self.status == "ok"

    @classmethod
    def failed(cls, entry: CohortEntry, error: str) -> ScoredPerson:
        """The row of somebody who could not be scored."""
        return cls(entry.participant_id, entry.session, "failed", error=error)

    @classmethod
    def ok(
        cls, entry: CohortEntry, values: Mapping[str, float], notes: tuple[str, ...] = ()
    ) -> ScoredPerson:
        """The row of somebody who was; values that are not finite are left out."""
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        return cls(entry.participant_id, entry.session, "ok", finite, "", notes)

    def to_line(self) -> str:
        """One line of JSON, with all digits of the numbers."""
        document: dict[str, Any] = {
            "participant_id": self.participant_id,
            "session": self.session,
            "status": self.status,
            "values": dict(self.values),
            "error": self.error or None,
            "notes": list(self.notes),
        }
        return json.dumps(document, allow_nan=False)

    @classmethod
    def from_line(cls, line: str, where: str) -> ScoredPerson:
        """Read what `to_line` wrote; raises `CohortError` if it did not."""
        document = JsonObject.parse(line, where, CohortError)
        values = document.child("values")
        person = cls(
            participant_id=document.text("participant_id"),
            session=document.optional_text("session"),
            status=document.one_of("status", ("ok", "failed")),
            values={name: values.number(name) for name in values.remaining_keys()},
            error=document.optional_text("error") or "",
            notes=document.texts("notes"),
        )
        document.close()
        return person
