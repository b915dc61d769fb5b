"""Whose data: BIDS participant ids, in file names and as users give them."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import UsageError
from .tables import shown

_PARTICIPANT = re.compile(r"(?:sub-)?([A-Za-z0-9]+)")


def participant_id_from(path: str | Path) -> str | None:
    """The ``sub-<label>`` in a file's name, or None."""
    found = re.search(r"(?<![A-Za-z0-9])sub-[A-Za-z0-9]+", Path(path).name)
    return found.group() if found else None


def is_participant_id(text: str) -> bool:
    """Whether a text is ``sub-`` with letters and digits after it, as in the names of files."""
    return text.startswith("sub-") and _PARTICIPANT.fullmatch(text) is not None


def checked_participant_id(participant_id: str | None) -> str | None:
    """``sub-<label>`` from a label with or without ``sub-``; None stays None.

    Raises
    ------
    UsageError
        The label is not made of letters and digits alone, as BIDS asks. It becomes part of file
        names.
    """
    if participant_id is None:
        return None
    match = _PARTICIPANT.fullmatch(participant_id)
    if match is None:
        raise UsageError(
            "A participant label must be letters and digits, as in sub-01, found "
            f"{shown(participant_id)}."
        )
    return f"sub-{match[1]}"
