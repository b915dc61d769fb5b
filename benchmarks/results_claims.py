"""What the results page says of a twin: no figure without a rule and a control beside it.

A `Claim` is one row of a table. It cannot be made without at least one rule and one control that
have a number, and tables are made of claims, so nothing else gets onto the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dtb_models.bootstrap import Figure

NOT_THERE = ""
"""A cell of what a method does not forecast."""
_Test = Callable[[float], bool]


class ClaimError(ValueError):
    """A figure was to be shown without its rule or without its control."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one aim was reached, computed from the numbers."""

    aim: str
    """The aim in words."""
    is_reached: bool | None
    """None where the figure was not measured."""
    detail: str
    """The numbers that it rests on, where the row does not have them."""

    @property
    def word(self) -> str:
        """What the page says."""
        if self.is_reached is None:
            return "not measured"
        return "reached" if self.is_reached else "not reached"

    def __str__(self) -> str:
        return f"{self.word} ({self.detail})" if self.detail else self.word


@dataclass(frozen=True, slots=True)
class Claim:
    """One figure of a twin with everything that belongs beside it, as cells of a table.

    Raises
    ------
    ClaimError
        If there is a number of the twin and none of any rule, or of any control.
    """

    figure: str
    """What the figure is, and of which task where the table does not say."""
    n: str
    """People it is computed from."""
    twin: str
    """Empty where it was not measured; then nothing is claimed."""
    rules: Mapping[str, str]
    """Name of a column to its cell."""
    controls: Mapping[str, str]
    verdicts: tuple[Verdict, ...] = ()
    reference: str = NOT_THERE
    """What the paper reports, where there is no aim."""
    bound: str = NOT_THERE
    """What the noise of the measurement allows."""
    beside_best: str = NOT_THERE
    """The difference from the best rule."""

    def __post_init__(self) -> None:
        for kind, cells in (("rule", self.rules), ("control", self.controls)):
            if self.twin and not any(cell.strip() for cell in cells.values()):
                raise ClaimError(
                    f"{self.figure!r} was to be shown without a {kind} beside it. Evaluate the "
                    f"{kind} on the same people, or leave the figure out."
                )

    @property
    def aim(self) -> str:
        """What was aimed at, or what the paper reports."""
        return "; ".join(verdict.aim for verdict in self.verdicts) or self.reference

    @property
    def verdict(self) -> str:
        """Whether it was reached, aim by aim."""
        return "; ".join(str(verdict) for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class ClaimTable:
    """Claims about the same people."""

    claims: tuple[Claim, ...]
    twin: str = "twin [95 %]"
    """Heading of the twin's column."""

    def markdown(self) -> str:
        """Return the table; columns without a number are left out."""
        rules = _columns([claim.rules for claim in self.claims])
        controls = _columns([claim.controls for claim in self.claims])
        header = ["figure", "n", "aim", self.twin, *rules, *controls]
        header += ["bound", "minus the best rule", "reached?"]
        rows = [
            [
                claim.figure,
                claim.n,
                claim.aim,
                claim.twin,
                *(claim.rules.get(name, NOT_THERE) for name in rules),
                *(claim.controls.get(name, NOT_THERE) for name in controls),
                claim.bound,
                claim.beside_best,
                claim.verdict,
            ]
            for claim in self.claims
        ]
        return table(header, rows)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; columns without any cell are left out."""
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)]
    lines = [[line[i].replace("|", "\\|") for i in kept] for line in (header, *rows)]
    lines.insert(1, ["---"] * len(kept))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """A cell with one number; empty where there is none."""
    if value is None or not np.isfinite(value):
        return NOT_THERE
    return f"{value + 0.0:.{digits}f}"


def interval(figure: Figure | None) -> str:
    """A cell with a number and its 95 % interval over people."""
    if figure is None or not np.isfinite(figure.value):
        return NOT_THERE
    if not np.isfinite([figure.low, figure.high]).all():
        return number(figure.value)
    return f"{number(figure.value)} [{number(figure.low)}, {number(figure.high)}]"


def at_least(value: float | None, least: float, what: str = "") -> Verdict:
    """Judge an aim that is a number to be reached."""
    return _judged(value, f"{what}at least {least:g}", lambda x: x >= least)


def within(value: float | None, low: float, high: float) -> Verdict:
    """Judge an aim that is a range."""
    return _judged(value, f"{low:g} to {high:g}", lambda x: low <= x <= high)


def close_to_zero(value: float | None, limit: float, what: str) -> Verdict:
    """Judge an aim that a size stays below a limit."""
    return _judged(value, f"{what}below {limit:g}", lambda x: abs(x) < limit)


def beside_rules(
    side: str, differences: Mapping[str, Figure | None], than: str = "that of"
) -> Verdict:
    """Judge an aim that is a rule's figure, from paired differences.

    Parameters
    ----------
    side : {"above", "below", "not above", "not below"}
        Where the twin is to be of every one of the rules.
    differences : mapping of str to Figure or None
        Name of a rule to the twin's figure minus the rule's.
    than : str
        Words between side and names.
    """
    tests: dict[str, _Test] = {
        "above": lambda x: x > 0,
        "below": lambda x: x < 0,
        "not above": lambda x: x <= 1e-9,
        "not below": lambda x: x >= -1e-9,
    }
    is_reached = tests[side]
    aim = f"{side} {than} {' and '.join(differences)}"
    known = {name: figure for name, figure in differences.items() if figure is not None}
    if len(known) < len(differences) or not differences:
        return Verdict(aim, None, NOT_THERE)
    detail = ", ".join(f"minus {name}: {interval(figure)}" for name, figure in known.items())
    return Verdict(aim, all(is_reached(figure.value) for figure in known.values()), detail)


def _judged(value: float | None, aim: str, is_reached: _Test) -> Verdict:
    if value is None or not np.isfinite(value):
        return Verdict(aim, None, NOT_THERE)
    return Verdict(aim, bool(is_reached(value)), NOT_THERE)


def _columns(cells: Sequence[Mapping[str, str]]) -> list[str]:
    """Names of all columns that have a number somewhere, in the order of their first row."""
    names = dict.fromkeys(name for row in cells for name in row)
    return [name for name in names if any(row.get(name) for row in cells)]
