"""Run every evaluation and write `docs/RESULTS.md`.

    python benchmarks/results.py --jobs 2
    python benchmarks/results.py --only tcp_calibrated
    python benchmarks/results.py --render

Needs the data folder, `DTB_SHARED` or `../shared`. What is finished stays, so that a killed run
goes on where it was; the folder of a run, removed, makes it begin again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from results_data import REPOSITORY, data_folder, write
from results_files import kept, report_bytes
from results_page import ABLATIONS, NAMES, read_reports, render
from results_runs import RUNS, Run, do, is_finished, needed_by, small

WORK = REPOSITORY / "runs" / "results"
"""Not below build/, which other targets empty."""
PAGE, FOLDER = "RESULTS.md", "results"


def wanted(only: Sequence[str]) -> list[Run]:
    """Return the runs to do, with those that they need, in their order."""
    names = {each for name in only if name != ABLATIONS for each in needed_by(name)}
    return [run for run in RUNS if run.name in names]


def run_all(arguments: argparse.Namespace) -> None:
    """Do what is not finished, and keep what came out."""
    data, work, docs = data_folder(), arguments.work, arguments.docs
    checkpoint = None if arguments.checkpoint is None else arguments.checkpoint.resolve()
    names = arguments.only or NAMES
    for run in map(small, wanted(names)) if arguments.smoke else wanted(names):
        if not run.is_evaluation and checkpoint is not None:
            continue
        if not is_finished(run, work):
            print(f"{run.name}: {run.shown()}", file=sys.stderr, flush=True)
            do(run, data, work, arguments.jobs, checkpoint)
        if run.is_evaluation:
            write(docs / FOLDER / f"{run.name}.json", report_bytes(kept(run, work)))
    if ABLATIONS in names:
        program = Path(__file__).with_name("ablations.py")
        words = ["--work", str(work / ABLATIONS), "--jobs", str(arguments.jobs)]
        words += ["--out", str(docs / FOLDER / f"{ABLATIONS}.json")]
        words += ["--smoke"] if arguments.smoke else []
        if subprocess.run([sys.executable, str(program), *words], check=False).returncode != 0:
            raise SystemExit("The ablations failed, as their message above says.")
    # At the end only: a figure that cannot be shown must not keep the others from being made.
    write_page(docs)


def write_page(docs: Path) -> None:
    """Write the page from the files that there are."""
    write(docs / PAGE, render(read_reports(docs / FOLDER)).encode())


def main() -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK, help="folder of all runs")
    parser.add_argument("--docs", type=Path, default=REPOSITORY / "docs", help="where to write")
    parser.add_argument("--only", action="append", choices=NAMES, help="may be given again")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--checkpoint", type=Path, help="finished training of glasser360 on the same people"
    )
    parser.add_argument("--render", action="store_true", help="only write the page again")
    parser.add_argument(
        "--smoke", action="store_true", help="trainings of seconds, whose figures mean nothing"
    )
    arguments = parser.parse_args()
    if arguments.smoke and arguments.docs == REPOSITORY / "docs":
        parser.error("--smoke makes figures that mean nothing: give --docs DIR for them.")
    if arguments.render:
        write_page(arguments.docs)
    else:
        run_all(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
