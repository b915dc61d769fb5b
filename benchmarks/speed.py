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

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from results_data import REPOSITORY, write
from speed_gpu import read_gpu
from speed_inputs import Inputs
from speed_machine import load, machine, versions
from speed_page import PLOT, render
from speed_plan import FULL, QUICK, Plan
from speed_plot import draw
from speed_scoring import cost_model
from speed_sections import NAMES, SECTIONS

FOLDER, FILE = "benchmarks/results", "speed.json"
DOCS, PAGE = "docs", "PERFORMANCE.md"
CLUSTER_PAGE = "cluster.md"
COST_BEGIN, COST_END = "<!-- from make bench -->", "<!-- until here -->"


def measure(
    plan: Plan, only: list[str], environment: Path, known: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """Yield the figures after each section: of all sections, or of some with those already known.

    Parameters
    ----------
    plan : Plan
    only : list of str
        Names of sections; empty for all.
    environment : Path
        Virtual environment whose `dtb-run` is started cold.
    known : mapping or None
        What was measured before. Its other sections are kept if it is of the same machine,
        libraries and sizes.
    """
    about = {"plan": plan.name, "machine": machine(), "versions": versions()}
    figures = {"date": date.today().isoformat(), "load": load(), **about}
    kept: dict[str, Any] = {}
    if only and known is not None:
        if all(known.get(name) == value for name, value in about.items()):
            kept = dict(known["sections"])
            # One date and load stand for all: those of the oldest section.
            figures |= {name: known[name] for name in ("date", "load")}
        else:
            _say("another machine, library or size than before: only these sections are kept")
    with tempfile.TemporaryDirectory() as temporary:
        inputs = Inputs(plan, Path(temporary), environment)
        for section in SECTIONS:
            if not only or section.name in only:
                start_s = time.perf_counter()
                _say(f"{section.name} ...")
                kept[section.name] = section.measure(inputs)
                _say(f"{section.name}: {time.perf_counter() - start_s:.0f} s")
                yield figures | {"sections": {name: kept[name] for name in NAMES if name in kept}}


def read_figures(root: Path) -> dict[str, Any] | None:
    """Return the figures of the last run; None without any."""
    file = root / FOLDER / FILE
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def write_page(root: Path) -> None:
    """Write page and plot from the figures that there are."""
    figures = read_figures(root)
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=NAMES, help="may be given again")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="below which to write")
    parser.add_argument(
        "--venv", type=Path, default=Path(sys.prefix), help="environment that is started cold"
    )
    arguments = parser.parse_args()
    root = arguments.root
    if arguments.quick and root.resolve() == REPOSITORY:
        parser.error("--quick makes figures that mean nothing: give --root DIR for them.")
    if not arguments.render:
        plan = QUICK if arguments.quick else FULL
        for figures in measure(plan, arguments.only or [], arguments.venv, read_figures(root)):
            text = json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
            write(root / FOLDER / FILE, text.encode())  # after each: a later one may fail
    write_page(root)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
