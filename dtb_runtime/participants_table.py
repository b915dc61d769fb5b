"""What BIDS' table of participants says of each person, of whom it should have one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .tables import Table, one_line

PARTICIPANTS_FILE = "participants.tsv"
"""BIDS' table of who the people of a folder are."""


@dataclass(frozen=True, slots=True)
class ParticipantRows:
    """Cells of some columns of the table."""

    cells: Mapping[str, Mapping[str, str]]
    """Participant id to column to cell, as one line; nothing of whom rows disagree about."""
    problems: Mapping[str, str]
    """Participant id to what is wrong with their rows."""


def rows_of(table: Table, columns: Sequence[str]) -> ParticipantRows:
    """Cells of everybody in a table.

    Several rows of one person that say the same in these columns are as one.

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
        who = one_line(given)
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
