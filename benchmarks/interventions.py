"""Measure what plans do, in people whose truth is known, and write `docs/INTERVENTIONS.md`.

    python benchmarks/interventions.py
    python benchmarks/interventions.py --only direction --only trial
    python benchmarks/interventions.py --render
    python benchmarks/interventions.py --quick --root DIR

Everything but the real connectomes is simulated, and needs no data. People who are finished stay in
`runs/interventions`, so that a killed run goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import torch
from interventions_inputs import FULL, QUICK, Inputs
from interventions_page import render
from interventions_sections import NAMES, SECTIONS
from results_data import REPOSITORY, write
from speed_machine import versions

FOLDER, FILE = "benchmarks/results", "interventions.json"
DOCS, PAGE = "docs", "INTERVENTIONS.md"


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
        What was measured before; its other sections are kept if it is of the same bundle and sizes.
    """
    about = {
        "sizes": inputs.sizes.name,
        "bundle": inputs.loaded.name,
        "bundle_digest": inputs.loaded.digest,
    }
    figures = {"date": date.today().isoformat(), "versions": versions(), **about}
    kept: dict[str, Any] = {}
    if only and known is not None and all(known.get(name) == of for name, of in about.items()):
        kept = dict(known["sections"])
    for section in SECTIONS:
        if only and section.name not in only:
            continue
        begin_s = time.perf_counter()
        print(f"{section.name} ...", file=sys.stderr, flush=True)
        kept[section.name] = section.measure(inputs)
        taken = (time.perf_counter() - begin_s) / 60
        print(f"{section.name}: {taken:.1f} min", file=sys.stderr, flush=True)
        found = {name: kept[name] for name in NAMES if name in kept}
        yield figures | {"sections": found}


def read_figures(root: Path) -> dict[str, Any] | None:
    """Return the figures of the last run; None without any."""
    file = root / FOLDER / FILE
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _content(figures: Mapping[str, Any]) -> bytes:
    """Return the file of figures: numbers in six digits, a line for each part of a section."""
    head = {name: of for name, of in figures.items() if name != "sections"}
    sections = ",\n".join(
        f' "{name}": {{\n'
        + ",\n".join(f"  {_json(key)}: {_json(of)}" for key, of in found.items())
        + "\n }"
        for name, found in figures["sections"].items()
    )
    return (_json(head)[:-1] + ',\n"sections": {\n' + sections + "\n}}\n").encode()


def _json(value: Any) -> str:
    return json.dumps(_six_digits(value), allow_nan=False)


def _six_digits(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {name: _six_digits(of) for name, of in value.items()}
    return [_six_digits(of) for of in value] if isinstance(value, list) else value


def main() -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=NAMES, help="may be given again")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--bundle", default="tcp434", help="with the regions of simulated people")
    parser.add_argument("--real-bundle", default="glasser360", help="with those of real people")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="below which to write")
    arguments = parser.parse_args()
    root: Path = arguments.root
    if not arguments.render:
        torch.set_num_threads(1)
        inputs = Inputs(
            sizes=QUICK if arguments.quick else FULL,
            bundle=arguments.bundle,
            real_bundle=arguments.real_bundle,
            runs=root / "runs" / "interventions",
        )
        for figures in measure(inputs, arguments.only or [], read_figures(root)):
            write(root / FOLDER / FILE, _content(figures))
    write(root / DOCS / PAGE, render(read_figures(root)).encode())
    print(f"Wrote {root / DOCS / PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
