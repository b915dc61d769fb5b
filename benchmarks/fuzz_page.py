"""The figures of fuzzing: a file that keeps the last run of each kind, and a table on a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from results_data import REPOSITORY, write

__all__ = ["FIGURES", "REPOSITORY", "render", "update_figures", "write_page"]

FIGURES = Path("benchmarks", "results", "fuzz.json")
PAGE = Path("docs", "SECURITY.md")
BEGIN, END = "<!-- from benchmarks/fuzz.py -->", "<!-- until here -->"


def update_figures(file: Path, figures: Mapping[str, Any]) -> None:
    """Put the figures of one kind of file in the place of older ones."""
    known = _read(file)
    known[figures["target"]] = dict(figures)
    text = json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False) + "\n"
    write(file, text.encode())


def write_page(root: Path) -> None:
    """Put the table between its marks on the page; a page without marks is left as it is."""
    page = root / PAGE
    if not page.is_file():
        return
    found = page.read_text(encoding="utf-8")
    before, mark, rest = found.partition(BEGIN)
    _, end, after = rest.partition(END)
    if mark and end:
        table = render(list(_read(root / FIGURES).values()))
        write(page, f"{before}{mark}\n{table}\n{end}{after}".encode())


def render(every: Sequence[Mapping[str, Any]]) -> str:
    """Write the table as Markdown."""
    if not every:
        return "Nothing was fuzzed yet."
    rows = [
        "| file | inputs | refused | taken | other errors | crashes | hangs | slowest (s) | "
        "most memory (MB) | minutes | date |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in every:
        cells = (
            each["target"],
            f"{each['inputs']:,}",
            f"{sum(each['refused'].values()):,}",
            f"{each['accepted']:,}",
            f"{sum(each['failed'].values()):,}",
            str(each["crashes"]),
            str(each["hangs"]),
            f"{each['slowest_s']:.1f}",
            str(each["peak_mb"]),
            f"{each['seconds'] / 60:.1f}",
            each["date"],
        )
        rows.append(f"| {' | '.join(cells)} |")
    total = sum(each["inputs"] for each in every)
    minutes = sum(each["seconds"] for each in every) / 60
    return f"{total:,} inputs in {minutes:.0f} minutes of one core.\n\n" + "\n".join(rows)


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
