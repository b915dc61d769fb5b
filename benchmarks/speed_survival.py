"""What befalls a cohort while it is scored: broken files, kills, a cluster's worker that dies."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from results_claims import table
from speed_inputs import Inputs
from speed_words import Figures, left_out

KILLS = Path(__file__).with_name("score_kills.py")
CLUSTER = Path(__file__).with_name("score_cluster_kill.py")


def measure_kills(inputs: Inputs) -> dict[str, Any]:
    """Break files, kill the scoring again and again, and compare with a run left alone."""
    people, broken, kills = inputs.plan.kills
    options = {"--people": people, "--broken": broken, "--kills": kills, "--jobs": inputs.n_cores}
    return _found(KILLS, options)


def measure_cluster(inputs: Inputs) -> dict[str, Any]:
    """Score on two Dask workers, one of which is killed midway, and compare with processes."""
    if find_spec("distributed") is None:
        return {"left_out": "`distributed` is not installed."}
    return _found(CLUSTER, {"--people": inputs.plan.cluster_people})


def _found(program: Path, options: dict[str, int]) -> dict[str, Any]:
    words = [word for name, value in options.items() for word in (name, str(value))]
    done = subprocess.run(
        [sys.executable, str(program), *words], capture_output=True, text=True, check=False
    )
    if not done.stdout:
        raise RuntimeError(f"{program.name} failed: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write_kills(figures: Figures) -> str:
    """Return the section about kills and broken files."""
    same = figures["same_bytes"]
    rows = [
        ["SIGKILL to all processes, at random moments", f"{figures['kills']} times"],
        ["people done at the kills", ", ".join(str(n) for n in figures["done_at_kills"])],
        *([f"`{name}` as without a kill", "same bytes" if same[name] else "NO"] for name in same),
        ["good rows", f"{figures['good_rows']} of {figures['people'] - figures['broken']}"],
        [
            f"rows with the right reason, of files broken in {figures['ways']} ways",
            f"{figures['right_reasons']} of {figures['broken']}",
        ],
    ]
    said = (
        f"{figures['people']} people, {figures['broken']} of them broken on purpose "
        "(`benchmarks/score_kills.py`)."
    )
    return f"{said}\n\n{table(['', 'found'], rows)}"


def write_cluster(figures: Figures) -> str:
    """Return the section about a cluster that loses a worker."""
    reason = left_out(figures)
    if figures.get("left_out") is not None:
        return reason
    rows = [
        ["people", str(figures["people"])],
        ["people done when a worker was killed", str(figures["done_at_kill"])],
        ["good rows", str(figures["good_rows"])],
        *(
            [f"`{name}` as by processes of one machine", "same bytes" if is_same else "NO"]
            for name, is_same in figures["same_bytes"].items()
        ),
    ]
    said = (
        "A Dask `LocalCluster` of two processes, one killed midway with SIGKILL "
        "(`benchmarks/score_cluster_kill.py`)."
    )
    return f"{said}\n\n{table(['', 'found'], rows)}"
