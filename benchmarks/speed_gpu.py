"""What is known of GPUs: the last real run, from a file of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from results_claims import table
from speed_words import Figures, digits

FILE = "speed_gpu.json"
"""Beside the figures of the CPU, which are measured on machines without one. An object with
``date`` (YYYY-MM-DD), ``device`` and ``figures``, a list of objects with ``what``, ``value`` and
``unit``."""


def read_gpu(folder: Path) -> dict[str, Any] | None:
    """Return the last run on a GPU; None if there never was one."""
    file = folder / FILE
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def write(figures: Figures | None) -> str:
    """Return the section about GPUs."""
    if figures is None:
        return "Last real run: never run."
    rows = [
        [each["what"], f"{digits(each['value'])} {each['unit']}"] for each in figures["figures"]
    ]
    said = f"Last real run: {figures['date']}, on {figures['device']}."
    return "\n\n".join((said, table(["", "measured"], rows))) if rows else said
