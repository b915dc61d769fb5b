"""Forecast for some seconds and say which threads computed: a process to be watched.

    taskset -c 0 python benchmarks/speed_watched.py CONNECTOME SECONDS

It says ``ready``, waits for a line, forecasts, and prints what it did as JSON. Linux only.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def cpu_ticks() -> dict[str, int]:
    """Return the processor time of each thread of this process, in clock ticks, by its number."""
    ticks = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            text = (task / "stat").read_text(encoding="ascii")
        except OSError:  # it has ended meanwhile
            continue
        # The name, in parentheses, may hold spaces; utime and stime are fields 14 and 15.
        fields = text.rpartition(")")[2].split()
        ticks[task.name] = int(fields[11]) + int(fields[12])
    return ticks


def main() -> int:
    """Run the program."""
    import numpy as np

    from dtb_runtime import load_bundle

    connectome, seconds = sys.argv[1], float(sys.argv[2])
    bundle = load_bundle(device="cpu")
    twin = bundle.personalize(np.load(connectome))
    tasks = bundle.manifest.tasks
    for task in tasks:
        twin.forecast(task)
    print("ready", flush=True)
    sys.stdin.readline()
    before = cpu_ticks()
    start_s = time.perf_counter()
    forecasts = 0
    while forecasts < len(tasks) or time.perf_counter() - start_s < seconds:
        twin.forecast(tasks[forecasts % len(tasks)])
        forecasts += 1
    taken_s = time.perf_counter() - start_s
    after = cpu_ticks()
    found = {
        "forecasts": forecasts,
        "seconds": taken_s,
        "cores": len(os.sched_getaffinity(0)),
        "threads": len(after),
        "computing": sum(after[name] > before.get(name, 0) for name in after),
    }
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
