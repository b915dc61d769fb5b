"""`dtb-run predict` in a fresh process: how long it takes, and how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from cold_start import LIMIT_S, example_connectome
from results_claims import table
from speed_inputs import Inputs
from speed_timing import Spread, Timing, rounded
from speed_words import Figures, digits, left_out

from dtb_runtime.bundle_loading import DEFAULT_BUNDLE

PROGRAM = Path(__file__).with_name("cold_start.py")
__all__ = ["LIMIT_S", "measure", "write"]


def measure(inputs: Inputs) -> dict[str, Any]:
    """Start `dtb-run predict` again and again, with both presets."""
    if not (inputs.environment / "bin" / "dtb-run").is_file():
        return {
            "left_out": "`dtb-run` is not installed as a command in the environment that was given."
        }
    connectome = inputs.folder / "sub-01_connectome.npy"
    np.save(connectome, inputs.paper_connectomes[0])
    return {
        "compact": _cold(inputs, DEFAULT_BUNDLE, example_connectome(DEFAULT_BUNDLE)),
        "paper": _cold(inputs, str(inputs.paper_folder), connectome),
    }


def _cold(inputs: Inputs, bundle: str, connectome: Path) -> dict[str, Any]:
    command = [sys.executable, str(PROGRAM), "--venv", str(inputs.environment), "--json"]
    command += ["--bundle", bundle, "--connectome", str(connectome)]
    command += ["--repeats", str(inputs.plan.cold_starts)]
    # Not from here: a process's peak memory holds that of the one that started it, and this one
    # has loaded PyTorch and every network.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(f"{PROGRAM.name} failed: {done.stderr.strip()}")
    runs = json.loads(done.stdout)["runs"]
    return {
        "wall": Timing(tuple(run["wall_s"] for run in runs)).to_json(),
        "peak_mb": [rounded(run["peak_mb"]) for run in runs],
    }


def write(figures: Figures) -> str:
    """Return the section about cold starts."""
    reason = left_out(figures)
    if reason:
        return reason
    rows = []
    for preset in ("compact", "paper"):
        found = figures[preset]
        wall, peak = Timing.from_json(found["wall"]).spread, Spread.of(found["peak_mb"])
        rows.append([f"`{preset}`", _cell(wall), _cell(peak)])
    return "\n\n".join(
        (
            "A new process each time, from its start to its end: both tasks of one connectome, "
            "averaged over draws where the bundle has some, printed as JSON. Memory is the "
            "process's peak resident size. Files are in the page cache.",
            table(["", "s [quartiles]", "peak MB [quartiles]"], rows),
        )
    )


def _cell(spread: Spread) -> str:
    return f"{digits(spread.median)} [{digits(spread.low)}, {digits(spread.high)}]"
