"""Measuring programs run to their end, and the figures they leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "bundles" / "tiny"


def run_quickly(program: str, root: Path, *words: object, **environment: str) -> None:
    """Run a program of `benchmarks/` with tiny sizes and one thread."""
    command = [sys.executable, ROOT / "benchmarks" / program, "--quick", "--root", root, *words]
    done = subprocess.run(
        [str(word) for word in command],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def figures_in(root: Path, file: str) -> dict[str, Any]:
    """What a program left behind."""
    figures: dict[str, Any] = json.loads((root / "benchmarks" / "results" / file).read_text())
    return figures
