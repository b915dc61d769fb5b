"""Figures measured on held-out people, each beside what tells whether it means anything."""

from __future__ import annotations

from collections.abc import Mapping

from . import terminal

COLUMNS = {"": "twin", "shuffled/": "exchanged", "rule/": "rule"}
"""How the name of a figure begins, and the column it belongs into."""


def print_figures(measured: Mapping[str, float]) -> None:
    """Print one line per figure: of the twins, of exchanged connectomes, of a simple rule."""
    names = [name for name in measured if "/" not in name]
    columns = {
        prefix: column
        for prefix, column in COLUMNS.items()
        if any(prefix + name in measured for name in names)
    }
    if not columns:
        return
    rows = [(name, *(_cell(measured.get(prefix + name)) for prefix in columns)) for name in names]
    terminal.print_table(terminal.Table(("figure on held-out people", *columns.values()), rows))
    if len(columns) > 1:
        terminal.print_lines(
            "exchanged: the same twins with connectomes exchanged between people; rule: a simple "
            "rule that knows nothing of the person. The model card of the exported bundle says "
            "which.",
            "",
        )


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
