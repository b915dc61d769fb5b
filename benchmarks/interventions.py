"""Measure what plans do, in people whose truth is known, and write `docs/INTERVENTIONS.md`.

    python benchmarks/interventions.py
    python benchmarks/interventions.py --only direction --only trial
    python benchmarks/interventions.py --render
    python benchmarks/interventions.py --quick --root DIR

Everything but the real connectomes is simulated, and needs no data. People who are finished stay in
`runs/interventions`, so that a killed run goes on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import torch
from interventions_inputs import FULL, QUICK, Inputs
from interventions_page import render
from interventions_sections import NAMES, SECTIONS
from results_data import write
from section_runs import FOLDER, measured, parsed, parser_of, read_figures
from speed_machine import versions

FILE = "interventions.json"
DOCS, PAGE = "docs", "INTERVENTIONS.md"


def figures_of(
    inputs: Inputs, only: list[str], known: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """Yield the figures after each section; see `section_runs.measured`."""
    about = {
        "sizes": inputs.sizes.name,
        "bundle": inputs.loaded.name,
        "bundle_digest": inputs.loaded.digest,
    }
    stamp = {"date": date.today().isoformat(), "versions": versions()}
    yield from measured(SECTIONS, inputs, only, about, stamp, known)


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
    parser = parser_of(__doc__, NAMES)
    parser.add_argument("--bundle", default="tcp434", help="with the regions of simulated people")
    parser.add_argument("--real-bundle", default="glasser360", help="with those of real people")
    arguments = parsed(parser)
    root: Path = arguments.root
    if not arguments.render:
        torch.set_num_threads(1)
        inputs = Inputs(
            sizes=QUICK if arguments.quick else FULL,
            bundle=arguments.bundle,
            real_bundle=arguments.real_bundle,
            runs=root / "runs" / "interventions",
        )
        for figures in figures_of(inputs, arguments.only or [], read_figures(root, FILE)):
            write(root / FOLDER / FILE, _content(figures))
    write(root / DOCS / PAGE, render(read_figures(root, FILE)).encode())
    print(f"Wrote {root / DOCS / PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
