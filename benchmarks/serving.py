"""Measure what the service does under load and under attack, and write `docs/SERVING.md`.

    python benchmarks/serving.py
    python benchmarks/serving.py --only load --only overhead
    python benchmarks/serving.py --render
    python benchmarks/serving.py --quick --root DIR

Clients ask from a second process on the same machine. A section that is measured again joins the
others only if machine, libraries and bundle are the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from results_data import REPOSITORY, write
from serving_inputs import FULL, QUICK, Inputs
from serving_page import render
from serving_sections import NAMES, SECTIONS
from speed_machine import load, machine

FOLDER, FILE = "benchmarks/results", "serving.json"
DOCS, PAGE = "docs", "SERVING.md"
_PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "fastapi", "uvicorn", "uvloop", "httptools")


def measure(
    inputs: Inputs, only: list[str], known: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """Yield the figures after each section: of all sections, or of some with those already known.

    Parameters
    ----------
    inputs : Inputs
    only : list of str
        Names of sections; empty for all.
    known : mapping or None
        What was measured before; its other sections are kept if it is of the same machine,
        libraries, bundle and sizes.
    """
    about = {
        "sizes": inputs.sizes.name,
        "bundle": inputs.loaded.name,
        "bundle_digest": inputs.loaded.digest,
        "machine": machine(),
        "versions": _versions(),
    }
    figures = {"date": date.today().isoformat(), "load": load(), **about}
    kept: dict[str, Any] = {}
    if only and known is not None and all(known.get(name) == of for name, of in about.items()):
        kept = dict(known["sections"])
        # One date and load stand for all: those of the oldest section.
        figures |= {name: known[name] for name in ("date", "load")}
    for section in SECTIONS:
        if only and section.name not in only:
            continue
        begin_s = time.perf_counter()
        print(f"{section.name} ...", file=sys.stderr, flush=True)
        kept[section.name] = section.measure(inputs)
        taken_s = time.perf_counter() - begin_s
        print(f"{section.name}: {taken_s:.0f} s", file=sys.stderr, flush=True)
        yield figures | {"sections": {name: kept[name] for name in NAMES if name in kept}}


def read_figures(root: Path) -> dict[str, Any] | None:
    """Return the figures of the last run; None without any."""
    file = root / FOLDER / FILE
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except ModuleNotFoundError:  # either of ONNX Runtime's, or what Windows lacks
            continue
    return found


def main() -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=NAMES, help="may be given again")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--bundle", default="tcp434", help="a bundle with a twin")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="below which to write")
    arguments = parser.parse_args()
    root: Path = arguments.root
    if arguments.quick and root.resolve() == REPOSITORY:
        parser.error("--quick makes figures that mean nothing: give --root DIR for them.")
    if not arguments.render:
        with tempfile.TemporaryDirectory() as folder:
            inputs = Inputs(FULL if not arguments.quick else QUICK, arguments.bundle, Path(folder))
            for figures in measure(inputs, arguments.only or [], read_figures(root)):
                text = json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
                write(root / FOLDER / FILE, text.encode())  # after each: a later one may fail
    write(root / DOCS / PAGE, render(read_figures(root)).encode())
    print(f"Wrote {root / DOCS / PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
