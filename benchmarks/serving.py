"""Measure what the service does under load and under attack, and write `docs/SERVING.md`.

    python benchmarks/serving.py
    python benchmarks/serving.py --only load --only overhead
    python benchmarks/serving.py --render
    python benchmarks/serving.py --quick --root DIR

Clients ask from a second process on the same machine. A section that is measured again joins the
others only if machine, libraries and bundle are the same.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from results_data import write
from section_runs import FOLDER, indented, measured, parsed, parser_of, read_figures
from serving_inputs import FULL, QUICK, Inputs
from serving_page import render
from serving_sections import NAMES, SECTIONS
from speed_machine import load, machine

FILE = "serving.json"
DOCS, PAGE = "docs", "SERVING.md"
_PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "fastapi", "uvicorn", "uvloop", "httptools")


def figures_of(
    inputs: Inputs, only: list[str], known: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """Yield the figures after each section; see `section_runs.measured`."""
    about = {
        "sizes": inputs.sizes.name,
        "bundle": inputs.loaded.name,
        "bundle_digest": inputs.loaded.digest,
        "machine": machine(),
        "versions": _versions(),
    }
    stamp = {"date": date.today().isoformat(), "load": load()}
    yield from measured(SECTIONS, inputs, only, about, stamp, known)


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
    parser = parser_of(__doc__, NAMES)
    parser.add_argument("--bundle", default="tcp434", help="a bundle with a twin")
    arguments = parsed(parser)
    root: Path = arguments.root
    if not arguments.render:
        with tempfile.TemporaryDirectory() as folder:
            inputs = Inputs(FULL if not arguments.quick else QUICK, arguments.bundle, Path(folder))
            known = read_figures(root, FILE)
            for figures in figures_of(inputs, arguments.only or [], known):
                write(root / FOLDER / FILE, indented(figures))  # after each: a later one may fail
    write(root / DOCS / PAGE, render(read_figures(root, FILE)).encode())
    print(f"Wrote {root / DOCS / PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
