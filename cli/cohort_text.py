"""What commands on whole cohorts print in the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import terminal


def print_ending(
    result: Mapping[str, Any], out: Path, *, n_failed: int, table: str, done: str
) -> None:
    """Print who failed and why, what was left out, warnings, and what was written.

    Parameters
    ----------
    result : mapping
        With ``first_error``, ``left_out``, ``warnings``, ``files`` and ``was_ended``.
    out : pathlib.Path
        The folder.
    n_failed : int
    table : str
        The file that says why each of them did.
    done : str
        What was done with everybody, as in "was scored".
    """
    if n_failed:
        terminal.message(f"The first of those that failed: {result['first_error']}")
        terminal.message(f"Who failed, and why, stands in {out / table}.")
    for sentence in result["left_out"]:
        terminal.message(f"Left out {sentence}")
    for warning in result["warnings"]:
        terminal.message(f"Warning: {warning}")
    names = ", ".join(Path(path).name for path in result["files"])
    if result["was_ended"]:
        terminal.message(f"Everybody {done} before: {names} in {out} stay as they are.")
    else:
        terminal.message(f"Wrote {names} to {out}.")


def rows_of(n_rows: int, n_people: int) -> str:
    """People, or sessions where somebody has several."""
    if n_rows == n_people:
        return people(n_people)
    return f"{n_rows} sessions of {people(n_people)}"


def people(n: int) -> str:
    """So many people, in words."""
    return "1 person" if n == 1 else f"{n} people"
