"""Time `dtb-run predict` cold: a new process per run, in an environment with only `[cpu]`.

Each run starts the installed command, reads a connectome, makes a twin, forecasts both tasks and
prints the summary. Wall time is from the start of the process to its end; memory is the process's
peak resident size. The budget is 1.0 s and 200 MB.

    python benchmarks/cold_start.py              # makes a virtual environment, installs .[cpu]
    python benchmarks/cold_start.py --venv .venv-demo --json      # takes one that is there
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LIMIT_S = 1.0
LIMIT_MB = 200.0


@dataclass(frozen=True, slots=True)
class ColdRun:
    """One process, from start to end."""

    wall_s: float
    peak_mb: float


def make_environment(folder: Path) -> None:
    """Make a virtual environment that holds this project with the `[cpu]` extra and no more."""
    venv.create(folder, with_pip=True)
    # A build folder left from before would bring along files that are no longer in the project.
    shutil.rmtree(REPOSITORY / "build", ignore_errors=True)
    install = [str(folder / "bin" / "pip"), "install", "--quiet", f"{REPOSITORY}[cpu]"]
    subprocess.run(install, check=True, stdout=sys.stderr)


def evict_from_page_cache(folder: Path) -> None:
    """Ask the kernel to drop a folder's files from memory, as after a restart."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def example_connectome(bundle: str) -> Path:
    """Return the example that comes with the project for a bundle."""
    return REPOSITORY / "examples" / f"sub-example_atlas-{bundle}_connectome.npy"


def run_once(command: list[str]) -> ColdRun:
    """Run a command in a new process and measure it.

    Raises
    ------
    SystemExit
        If the command fails; its own message stands above.
    """
    # A small parent matters: the kernel counts the parent's pages as the child's until exec.
    start_s = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start_s
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code
    if code != 0:
        raise SystemExit(f"{' '.join(command)} ended with exit code {code}.")
    return ColdRun(wall_s=wall_s, peak_mb=usage.ru_maxrss / 1024)


def report(runs: list[ColdRun], command: list[str], evicted: bool) -> dict[str, object]:
    """Return the figures of all runs with their medians."""
    wall_s = statistics.median(run.wall_s for run in runs)
    peak_mb = statistics.median(run.peak_mb for run in runs)
    return {
        "command": command,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "page_cache_evicted": evicted,
        "runs": [asdict(run) for run in runs],
        "median_wall_s": wall_s,
        "slowest_wall_s": max(run.wall_s for run in runs),
        "median_peak_mb": peak_mb,
        "limit_wall_s": LIMIT_S,
        "limit_peak_mb": LIMIT_MB,
        "within_limits": wall_s < LIMIT_S and peak_mb < LIMIT_MB,
    }


def main() -> int:
    """Run the benchmark; 0 when the medians are within the budget, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, help="environment to measure; default: a new one")
    parser.add_argument("--connectome", type=Path, help="default: the bundle's example")
    parser.add_argument("--bundle", default="tcp434")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--evict", action="store_true", help="drop the files from the page cache")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.venv or Path(temporary) / "venv"
        if arguments.venv is None:
            make_environment(folder)
        connectome = arguments.connectome or example_connectome(arguments.bundle)
        program = folder / "bin" / "dtb-run"
        if not program.is_file():
            parser.error(f"{folder} has no bin/dtb-run: install the project there, or drop --venv.")
        command = [str(program), "predict", str(connectome)]
        command += ["--bundle", arguments.bundle, "--json"]
        run_once(command)  # compiles the .pyc files that an installer would have left
        runs = []
        for _ in range(arguments.repeats):
            if arguments.evict:
                evict_from_page_cache(folder)
            runs.append(run_once(command))
    figures = report(runs, command, arguments.evict)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print(f"{' '.join(command)}\n\nrun  wall (s)  peak (MB)")
        for number, run in enumerate(runs, 1):
            print(f"{number:3}  {run.wall_s:8.3f}  {run.peak_mb:9.1f}")
        print(f"median {figures['median_wall_s']:6.3f}  {figures['median_peak_mb']:9.1f}")
        print(f"limit  {LIMIT_S:6.3f}  {LIMIT_MB:9.1f}")
    return 0 if figures["within_limits"] else 1


if __name__ == "__main__":
    sys.exit(main())
