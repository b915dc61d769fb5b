"""What was aimed at on a page that is written from figures, and whether it was reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from results_claims import Verdict, table

Figures = Mapping[str, Any]
"""What one section found: JSON values."""
Sections = Mapping[str, Figures]
"""Figures by the name of their section."""
Aim = tuple[str, Verdict]
"""What it is about, and the verdict; the measured number is the verdict's detail."""
AimRow = tuple[str, str, str, Callable[[Figures], Verdict]]
"""What it is about, its section, the aim in words, and what judges it by the section's figures."""


def judged(rows: Sequence[AimRow], sections: Sections) -> list[Aim]:
    """Return every aim with its verdict; without figures, nothing is said to be reached."""
    return [
        (what, judge(sections[section]) if section in sections else Verdict(aim, None, ""))
        for what, section, aim, judge in rows
    ]


def aims_markdown(found: Sequence[Aim], measured: str = "measured") -> str:
    """Return the table of aims, and how many are reached.

    Parameters
    ----------
    found : sequence of Aim
    measured : str
        Heading of what was measured.
    """
    n_reached = sum(verdict.is_reached is True for _, verdict in found)
    n_measured = sum(verdict.is_reached is not None for _, verdict in found)
    n_more = len(found) - n_measured
    said = f"{n_reached} of {n_measured} measured aims are reached"
    said += f"; {n_more} were not measured." if n_more else "."
    rows = [[what, verdict.aim, verdict.detail, verdict.word] for what, verdict in found]
    return f"{said}\n\n{table(['', 'aim', measured, 'reached?'], rows)}"
