"""No thread storm: one computing thread on one core, two processes that let each other be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cold_start import example_connectome
from results_claims import table
from speed_inputs import Inputs
from speed_timing import Spread, rounded
from speed_words import Figures, left_out, times

from dtb_runtime.bundle_loading import DEFAULT_BUNDLE

WATCHED = Path(__file__).with_name("speed_watched.py")
PINNED, FREE = "pinned", "free"


def measure(inputs: Inputs) -> dict[str, Any]:
    """Watch processes that forecast: pinned to a core, on all cores, two side by side."""
    if shutil.which("taskset") is None or not Path("/proc/self/task").is_dir():
        return {"left_out": "it needs `taskset` and `/proc`, so Linux."}
    plan, cores = inputs.plan, sorted(os.sched_getaffinity(0))
    pair = cores[:2]
    found: dict[str, Any] = {PINNED: [], FREE: [], "side_by_side": [[] for _ in pair]}
    for _ in range(plan.thread_rounds):
        # Alone and side by side by turns, each core beside itself.
        alone = [watch([core], plan.thread_s)[0] for core in pair]
        found[PINNED] += [each["computing"] for each in alone]
        found[FREE].append(watch([None], plan.thread_s)[0]["computing"])
        if len(pair) == 2 and inputs.n_cores > 1:
            together = watch(pair, plan.thread_s)
            for speeds, one, both in zip(found["side_by_side"], alone, together, strict=True):
                speeds.append(rounded(_speed(both) / _speed(one)))
    return found


def watch(cores: Sequence[int | None], seconds: float) -> list[dict[str, Any]]:
    """Let one process for each of these cores forecast at the same time.

    Parameters
    ----------
    cores : sequence of int or None
        None for a process that may use all cores.
    seconds : float
        How long.

    Returns
    -------
    list of dict
        What each process said of itself.

    Raises
    ------
    RuntimeError
        If one of them fails.
    """
    words = [str(WATCHED), str(example_connectome(DEFAULT_BUNDLE)), str(seconds)]
    processes = []
    try:
        for core in cores:
            pin = [] if core is None else ["taskset", "-c", str(core)]
            processes.append(
                subprocess.Popen(
                    [*pin, sys.executable, *words],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        # All of them have loaded and warmed up before any begins.
        for process in processes:
            assert process.stdout is not None  # a pipe was asked for
            process.stdout.readline()
        for process in processes:
            _begin(process)
        return [_said(process) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.communicate()


def _begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def _said(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{WATCHED.name} failed: {errors.strip()}")
    found: dict[str, Any] = json.loads(out)
    return found


def _speed(found: Figures) -> float:
    return float(found["forecasts"]) / float(found["seconds"])


def most_computing(figures: Figures) -> int | None:
    """Return the most threads that computed in a process pinned to one core; None without any."""
    counts = figures.get(PINNED, ())
    return max(counts) if counts else None


def slower_of_two(figures: Figures) -> Spread | None:
    """Return the speed of the slower of two processes beside itself alone; None on one core."""
    spreads = [Spread.of(speeds) for speeds in figures.get("side_by_side", ()) if speeds]
    return min(spreads, key=lambda spread: spread.median) if len(spreads) == 2 else None


def write(figures: Figures) -> str:
    """Return the section about threads."""
    reason = left_out(figures)
    if reason:
        return reason
    rows = [
        ["threads that computed, pinned to one core (`taskset`)", str(most_computing(figures))],
        ["threads that computed, all cores allowed", str(max(figures[FREE]))],
    ]
    for number, speeds in enumerate(figures["side_by_side"], 1):
        if speeds:
            rows.append([f"speed beside another process, core {number}", times(Spread.of(speeds))])
    return "\n\n".join(
        (
            "A process that forecasts with the shipped bundle, as a server would, for some "
            "seconds. A thread computed if its processor time in `/proc/self/task` grew; the "
            "largest number of all repeats. Then two such processes at once, each pinned to a "
            "core of its own, beside one alone on that core: 1 is as fast as alone.",
            table(["", "measured"], rows),
        )
    )
