"""What BIDS' table of participants says of each person, of whom it should have one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .tables import Table, one_line

PARTICIPANTS_FILE = "participants.tsv"
"""BIDS' table of who the people of a folder are."""

KNOWS_NOBODY = f"{PARTICIPANTS_FILE} has none of these people: check its participant_id."
"""What is said of a table of other people only."""


@dataclass(frozen=True, slots=True)
class ParticipantRows:
    """Cells of some columns of the table."""

    cells: Mapping[str, Mapping[str, str]]
    """Participant id to column to cell, as one line; nothing of whom rows disagree about."""
    problems: Mapping[str, str]
    """Participant id to what is wrong with their rows."""

    def has_any(self, participant_ids: Iterable[str]) -> bool:
        """Whether any of these people has a row."""
        return any(who in self.cells or who in self.problems for who in participant_ids)


def column_named(table: Table, name: str) -> str | None:
    """A table's column of a lower-case name, as it stands there; else one in another case."""
    if name in table.columns:
        return name
    return next((column for column in table.columns if column.lower() == name), None)


def rows_of(table: Table, columns: Sequence[str]) -> ParticipantRows:
    """Cells of everybody in a table.

    Several rows of one person that say the same in these columns are as one. An id may stand
    there without ``sub-``.

    Parameters
    ----------
    table : Table
        With the column ``participant_id``, or of nobody.
    columns : sequence of str
        Those that are taken, which the table has.
    """
    cells: dict[str, dict[str, str]] = {}
    differing: dict[str, dict[str, None]] = {}
    for row, given in enumerate(table.columns.get("participant_id", ())):
        who = f"sub-{given}" if given.isascii() and given.isalnum() else one_line(given)
        found = {name: one_line(table.columns[name][row]) for name in columns}
        first = cells.setdefault(who, found)
        for name in columns:
            if first[name] != found[name]:
                differing.setdefault(who, {})[name] = None
    for who in differing:
        del cells[who]
    problems = {
        who: f"{PARTICIPANTS_FILE} has several rows of this person, with different "
        f"{' and '.join(names)}. Keep one row, and what changes from session to session elsewhere."
        for who, names in differing.items()
    }
    return ParticipantRows(cells, problems)
