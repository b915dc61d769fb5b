"""Whole cohorts from files to a table: people a second, memory, and what a million would take."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from results_claims import table
from score_cohorts import write_cohort
from score_kills import command
from speed_inputs import Inputs
from speed_timing import Spread, Timing, rounded
from speed_words import Figures, digits

from dtb_runtime.bundle_loading import DEFAULT_BUNDLE

NPY, TSV = ".npy", ".tsv"
_LOOK_EVERY_S = 0.1
_COHORTS = (100_000, 1_000_000)
_CORES = (1, 2, 64, 512)


def measure(inputs: Inputs) -> dict[str, Any]:
    """Score cohorts of files with `dtb-run score`, in processes of their own, on all cores."""
    plan, jobs = inputs.plan, inputs.n_cores
    found: dict[str, Any] = {"jobs": jobs, "n_people": plan.score_people, "files": {}, "memory": {}}
    for ending in (NPY, TSV):
        folder = inputs.folder / f"cohort{ending}"
        write_cohort(folder, plan.score_people, DEFAULT_BUNDLE, ending)
        runs = [scored(folder, inputs.folder / "scores", jobs) for _ in range(plan.score_rounds)]
        found["files"][ending] = {
            "wall": Timing(tuple(run["wall_s"] / plan.score_people for run in runs)).to_json(),
            "peak_mb": [rounded(run["peak_mb"]) for run in runs],
        }
        shutil.rmtree(folder)
    for n_people in plan.memory_people:
        folder = inputs.folder / f"cohort_{n_people}"
        write_cohort(folder, n_people, DEFAULT_BUNDLE, linked=True)
        run = scored(folder, inputs.folder / "scores", jobs)
        found["memory"][str(n_people)] = {name: rounded(value) for name, value in run.items()}
        shutil.rmtree(folder)
    return found


def scored(cohort: Path, out: Path, jobs: int) -> dict[str, float]:
    """Score a cohort in a fresh process; return its time, and the most memory of all processes.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    words = command(cohort, out, DEFAULT_BUNDLE, jobs)
    start_s = time.perf_counter()
    process = subprocess.Popen(
        words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    watch = _Memory(process.pid)
    watch.start()
    _, said = process.communicate()
    wall_s = time.perf_counter() - start_s
    watch.end()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} failed: {said.decode().strip()}")
    shutil.rmtree(out)
    return {"wall_s": wall_s, "peak_mb": watch.peak_mb, "largest_mb": watch.largest_mb}


class _Memory(threading.Thread):
    """Looks at the memory of all processes of a session, again and again.

    Pages that processes share, such as those of libraries, are counted once among them.
    """

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self._session = session
        self._ended = threading.Event()
        self.peak_mb = 0.0
        self.largest_mb = 0.0

    def run(self) -> None:
        """Look until it is ended."""
        while not self._ended.wait(_LOOK_EVERY_S):
            each = [_memory_mb(pid) for pid in _processes(self._session)]
            self.peak_mb = max(self.peak_mb, sum(each))
            self.largest_mb = max([self.largest_mb, *each])

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        self.join()


def _processes(session: int) -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if os.getsid(int(folder.name)) == session:
                    found.append(folder.name)
            except OSError:  # it has ended meanwhile
                continue
    return found


def _memory_mb(pid: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def rate(figures: Figures, ending: str) -> Spread:
    """Return people a second of a section's cohort, from the start of the program to its end."""
    seconds = Timing.from_json(figures["files"][ending]["wall"]).seconds
    return Spread.of([1 / each for each in seconds])


def peak_mb(figures: Figures) -> float:
    """Return the most memory of any run."""
    peaks = [max(found["peak_mb"]) for found in figures["files"].values()]
    return max(peaks + [found["peak_mb"] for found in figures["memory"].values()])


def growth(figures: Figures) -> float | None:
    """Return how many times the memory of the smallest cohort the largest takes; None for one."""
    found: Mapping[str, Any] = figures["memory"]
    sizes = sorted(found, key=int)
    if len(sizes) < 2:
        return None
    return float(found[sizes[-1]]["peak_mb"] / found[sizes[0]]["peak_mb"])


def write(figures: Figures) -> str:
    """Return the section about cohorts."""
    rows = []
    for ending, found in figures["files"].items():
        speed = rate(figures, ending)
        rows.append(
            [
                f"{figures['n_people']:,} people, `{ending}`",
                f"{digits(speed.median)} [{digits(speed.low)}, {digits(speed.high)}]",
                digits(max(found["peak_mb"])),
            ]
        )
    for n_people, found in figures["memory"].items():
        rows.append(
            [
                f"{int(n_people):,} people, `.npy`, links to 32 files",
                digits(int(n_people) / found["wall_s"]),
                digits(found["peak_mb"]),
            ]
        )
    return "\n\n".join(
        (
            f"`dtb-run score` with the shipped bundle and {figures['jobs']} processes, from the "
            "start of the program to its end: files of 434 x 434 numbers to rows of both tasks' "
            "indicators. Files are in the page cache; those of 2,048 people are copies. Memory is "
            "that of all its processes together, shared pages counted once, looked at ten times a "
            "second.",
            table(["", "people a second [quartiles]", "peak MB"], rows),
        )
    )


def cost_model(figures: Figures) -> str:
    """Return how long large cohorts take at the rate of one core here, for `docs/cluster.md`."""
    per_core = rate(figures, NPY).median / figures["jobs"]
    rows = [
        [f"{cores:,}", *(_duration(n / (per_core * cores)) for n in _COHORTS)] for cores in _CORES
    ]
    return "\n\n".join(
        (
            f"Measured: {digits(per_core)} people a second and core (`.npy` of 434 regions, both\n"
            f"tasks, one draw; {figures['jobs']} processes, one a core: "
            "[performance](PERFORMANCE.md)).\n"
            "Only divided and multiplied, so without the network, the file system and the\n"
            "scheduler, which a large cluster would wait for first:",
            table(["cores", *(f"{n:,} people" for n in _COHORTS)], rows),
            f"`.tsv` files take {digits(rate(figures, NPY).median / rate(figures, TSV).median)} "
            "times as long, several draws nearly that many times.",
        )
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
