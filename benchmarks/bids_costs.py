"""What `dtb-run bids` costs beside the forecasts: memory of its processes, and finding files.

Data sets are made up. Memory is the highest of one call with one process beside the one that leads
it; time is CPU time of one core, in a fresh process each.

    python benchmarks/bids_costs.py
    python benchmarks/bids_costs.py --bundle tests/bundles/tiny --people 20 --json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dtb_runtime.bundle_loading import load_bundle

POINTS = {"short series": 200, "long series": 2000}
"""Time points of series; a matrix is the third kind of file."""
NAMES = (
    "task-rest_seg-x_stat-pearsoncorrelation_relmat.tsv",
    "task-rest_seg-y_stat-pearsoncorrelation_relmat.tsv",
    "task-rest_seg-x_stat-mean_timeseries.tsv",
    "task-rest_outliers.tsv",
)
"""Ends of the names of everybody's files in trees to find files in."""
_PEAKS = """
import json, sys
def peak(pid):
    try:
        return next(int(l.split()[1]) for l in open(f"/proc/{pid}/status") if "VmHWM" in l)
    except (OSError, StopIteration):  # it has ended
        return 0
"""
_FORECAST = (
    _PEAKS
    + """
import glob, threading, time
from dtb_cli.app import main
highest = 0
def watch():
    global highest
    while True:
        for path in glob.glob("/proc/self/task/*/children"):
            try:
                children = open(path).read().split()
            except OSError:
                continue
            highest = max(highest, *map(peak, children), 0)
        time.sleep(0.01)
if __name__ == "__main__":
    threading.Thread(target=watch, daemon=True).start()
    code = main(sys.argv[1:])
    found = {"code": code, "leads": peak("self"), "works": highest}
    print("\\n" + json.dumps(found), file=sys.__stdout__)
"""
)
_FIND = (
    _PEAKS
    + """
import time
from pathlib import Path
root, how, *people = sys.argv[1:]
start = time.process_time()
if how == "pybids":
    import bids.layout
    from dtb_runtime.bids_query import BidsFilters, find_files
else:
    from dtb_runtime.cohort_listing import list_cohort
imported = time.process_time()
if how == "pybids":
    n = len(find_files(Path(root), "connectome", BidsFilters(), people or None).files)
else:
    n = len(list_cohort(root, parcellation="x").entries)
end = time.process_time()
times = {"import_s": imported - start, "find_s": end - imported}
print(json.dumps({"n": n, **times, "peak": peak("self")}))
"""
)


def answer(code: str, *words: object) -> dict[str, Any]:
    """Run code in a process of its own and return the JSON of its last line."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode:
        raise SystemExit(f"A measurement ended with exit code {done.returncode}:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found.get("code"):
        raise SystemExit(f"dtb-run ended with exit code {found['code']}:\n{done.stderr}")
    return found


def put_person(folder: Path, what: str, labels: tuple[str, ...]) -> float:
    """Write the file of one made-up person; returns its size in MB."""
    rng = np.random.default_rng(0)
    n_points = POINTS.get(what, 600)
    series = rng.standard_normal((n_points, len(labels)))
    values = series if what in POINTS else np.corrcoef(series.T)
    suffix = "timeseries" if what in POINTS else "relmat"
    path = folder / "sub-01" / f"sub-01_task-rest_{suffix}.tsv"
    path.parent.mkdir(parents=True)
    np.savetxt(path, values, delimiter="\t", header="\t".join(labels), comments="", fmt="%.17g")
    return path.stat().st_size / 1e6


def memory(bundle: str, within: Path) -> list[dict[str, Any]]:
    """Highest memory of a worker and of the process that leads it, for each kind of file."""
    parcellation = load_bundle(bundle, device="cpu").manifest.parcellation
    assert parcellation is not None
    found = []
    for what in ("matrix", *POINTS):
        source, out = within / f"{what}-in", within / f"{what}-out"
        size_mb = put_person(source, what, parcellation.labels)
        words = ["bids", source, out, "participant", "--bundle", bundle, "--nprocs", "1"]
        words += ["--device", "cpu", "--json", *(["--timeseries"] if what in POINTS else [])]
        peaks = answer(_FORECAST, *words)
        found.append(
            {
                "bundle": Path(bundle).name,
                "file": what,
                "file_mb": round(size_mb, 1),
                **{f"{who}_mb": round(peaks[who] * 1024 / 1e6) for who in ("works", "leads")},
            }
        )
    return found


def put_tree(root: Path, n_people: int) -> Path:
    """Write a data set of empty files, four of each person."""
    for number in range(n_people):
        folder = root / f"sub-{number:05d}" / "func"
        folder.mkdir(parents=True)
        for name in NAMES:
            (folder / f"sub-{number:05d}_{name}").touch()
    document = {"Name": "x", "BIDSVersion": "1.9.0", "DatasetType": "derivative"}
    document |= {"GeneratedBy": [{"Name": "x"}]}  # type: ignore[dict-item]
    (root / "dataset_description.json").write_text(json.dumps(document), encoding="utf-8")
    return root


def finding(people: list[int], within: Path) -> list[dict[str, Any]]:
    """CPU time and memory of finding everybody's connectome, and one person's."""
    found = []

    def add(how: str, n_people: int, *asked: str) -> None:
        measured = answer(_FIND, within / str(n_people), how, *asked)
        row = {"how": how, "people": n_people, "asked": len(asked) or n_people}
        numbers = {name: round(measured[name], 2) for name in ("import_s", "find_s")}
        found.append({**row, **numbers, "peak_mb": round(measured["peak"] * 1024 / 1e6)})

    for n_people in people:
        put_tree(within / str(n_people), n_people)
        for how in ("pybids", "folders"):
            add(how, n_people)
    add("pybids", people[-1], "sub-00000")
    return found


def print_table(rows: list[dict[str, Any]], say: Callable[[str], None] = print) -> None:
    """Print rows under their names."""
    cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        say("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--bundle", action="append", help="default: the shipped ones")
    parser.add_argument("--people", type=int, action="append", help="default: 200 and 2000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = []
        for number, bundle in enumerate(options.bundle or ["tcp434", "glasser360"]):
            measured += memory(bundle, Path(folder) / f"bundle-{number}")
        found = finding(sorted(options.people or [200, 2000]), Path(folder))
    if options.json:
        print(json.dumps({"memory": measured, "finding": found}, indent=1))
        return
    print_table(measured)
    print()
    print_table(found)


if __name__ == "__main__":
    main()
