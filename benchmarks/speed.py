"""Measure how fast everything is, and write `docs/PERFORMANCE.md`.

    python benchmarks/speed.py
    python benchmarks/speed.py --only person --only threads
    python benchmarks/speed.py --render
    python benchmarks/speed.py --quick --root DIR

Everything is measured in one run on the same inputs, and methods that are compared take turns. A
section that is measured again joins the others only if machine and libraries are the same. It all
takes about 25 minutes, needs PyTorch, and writes the page, its plot and the cost model in
`docs/cluster.md`, unless `--root` names another folder.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from results_data import write
from section_runs import FOLDER, indented, measured, parsed, parser_of, read_figures
from speed_gpu import read_gpu
from speed_inputs import Inputs
from speed_machine import load, machine, versions
from speed_page import PLOT, render
from speed_plan import FULL, QUICK, Plan
from speed_plot import draw
from speed_scoring import cost_model
from speed_sections import NAMES, SECTIONS

FILE = "speed.json"
DOCS, PAGE = "docs", "PERFORMANCE.md"
CLUSTER_PAGE = "cluster.md"
COST_BEGIN, COST_END = "<!-- from make bench -->", "<!-- until here -->"


def figures_of(
    plan: Plan, only: list[str], environment: Path, known: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """Yield the figures after each section; see `section_runs.measured`.

    Parameters
    ----------
    plan : Plan
    only : list of str
        Names of sections; empty for all.
    environment : Path
        Virtual environment whose `dtb-run` is started cold.
    known : mapping or None
        What was measured before.
    """
    about = {"plan": plan.name, "machine": machine(), "versions": versions()}
    stamp = {"date": date.today().isoformat(), "load": load()}
    with tempfile.TemporaryDirectory() as temporary:
        inputs = Inputs(plan, Path(temporary), environment)
        yield from measured(SECTIONS, inputs, only, about, stamp, known)


def write_page(root: Path) -> None:
    """Write page and plot from the figures that there are."""
    figures = read_figures(root, FILE)
    write(root / DOCS / PAGE, render(figures, read_gpu(root / FOLDER)).encode())
    if figures is None:
        return
    if "scoring" in figures["sections"]:
        _write_cost_model(root / DOCS / CLUSTER_PAGE, cost_model(figures["sections"]["scoring"]))
    if "curves" in figures["sections"]:
        write(root / DOCS / PLOT, draw(figures["sections"]["curves"]).encode())


def _write_cost_model(page: Path, text: str) -> None:
    """Put the cost model between its marks; a page without marks is left as it is."""
    if page.is_file():
        found = page.read_text(encoding="utf-8")
        before, mark, rest = found.partition(COST_BEGIN)
        _, end, after = rest.partition(COST_END)
        if mark and end:
            write(page, f"{before}{mark}\n{text}\n{end}{after}".encode())


def main() -> int:
    """Run the program."""
    parser = parser_of(__doc__, NAMES)
    parser.add_argument(
        "--venv", type=Path, default=Path(sys.prefix), help="environment that is started cold"
    )
    arguments = parsed(parser)
    root: Path = arguments.root
    if not arguments.render:
        plan = QUICK if arguments.quick else FULL
        known = read_figures(root, FILE)
        for figures in figures_of(plan, arguments.only or [], arguments.venv, known):
            write(root / FOLDER / FILE, indented(figures))  # after each: a later one may fail
    write_page(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
