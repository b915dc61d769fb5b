"""Sections measured one after the other, and their figures kept from run to run."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from page_section import Section
from results_data import REPOSITORY

FOLDER = "benchmarks/results"
"""Of all files of figures, below the root."""
T = TypeVar("T")


def measured(
    sections: Sequence[Section[T]],
    inputs: T,
    only: Sequence[str],
    about: Mapping[str, Any],
    stamp: Mapping[str, Any],
    known: Mapping[str, Any] | None,
) -> Iterator[dict[str, Any]]:
    """Yield the figures after each section: of all sections, or of some with those already known.

    Parameters
    ----------
    sections : sequence of Section
    inputs : object
        What they are measured on.
    only : sequence of str
        Names of sections; empty for all.
    about : mapping
        What figures must share to stand on one page: sizes, bundle, machine.
    stamp : mapping
        What else is said of a run, such as its date. One stands for all: that of the oldest
        section.
    known : mapping or None
        What was measured before; its other sections are kept if it is about the same.
    """
    figures = {**stamp, **about}
    kept: dict[str, Any] = {}
    if only and known is not None:
        if all(known.get(name) == of for name, of in about.items()):
            kept = dict(known["sections"])
            figures |= {name: known[name] for name in stamp if name in known}
        else:
            _say("measured with something else than before: only these sections are kept")
    names = [section.name for section in sections]
    for section in sections:
        if only and section.name not in only:
            continue
        begin_s = time.perf_counter()
        _say(f"{section.name} ...")
        kept[section.name] = section.measure(inputs)
        _say(f"{section.name}: {time.perf_counter() - begin_s:.0f} s")
        yield figures | {"sections": {name: kept[name] for name in names if name in kept}}


def read_figures(root: Path, file: str) -> dict[str, Any] | None:
    """Return the figures of the last run; None without any."""
    path = root / FOLDER / file
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def indented(figures: Mapping[str, Any]) -> bytes:
    """Return a file of figures, a value a line."""
    return (json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parser_of(description: str | None, names: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser of the options that all such programs have."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=names, help="may be given again")
    parser.add_argument("--render", action="store_true", help="only write the page again")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="below which to write")
    return parser


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the options, after refusing tiny sizes where figures in earnest lie."""
    arguments = parser.parse_args()
    if arguments.quick and arguments.root.resolve() == REPOSITORY:
        parser.error("--quick makes figures that mean nothing: give --root DIR for them.")
    return arguments


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
