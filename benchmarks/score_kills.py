"""Kill `dtb-run score` at random moments, again and again: the table must be that of no kill.

A cohort of made-up people of whom some are broken in ten ways is scored undisturbed, then once more
in another folder with SIGKILL to all its processes at random moments. Checked: the same bytes, a
row for everybody, the right reason for each broken one.

    python benchmarks/score_kills.py                      # 500 people, 50 broken, 20 kills
    python benchmarks/score_kills.py --people 60 --broken 10 --kills 3
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from score_cohorts import BREAKS, break_some, write_cohort

from dtb_runtime.inference import PEOPLE_PER_CALL

TABLES = ("cohort.tsv", "cohort.json", "cohort.parquet")
RUN = "import sys; from dtb_cli.app import main\nif __name__ == '__main__': sys.exit(main())"


def command(cohort: Path, out: Path, bundle: str, jobs: int) -> list[str]:
    """Return the command that scores a cohort."""
    words = ["score", str(cohort), "--out", str(out), "--bundle", bundle, "--jobs", str(jobs)]
    return [sys.executable, "-c", RUN, *words]


def killed_run(words: list[str], out: Path, n_people: int, n_kills: int, seed: int) -> list[int]:
    """Run a command, killing it so many times; return how many people were done at each kill.

    A kill comes after a random number of people more, every other one at the latest after a random
    time, which may be before the first person.
    """
    rng = np.random.default_rng(seed)
    done = [0]
    while len(done) <= n_kills:
        process = subprocess.Popen(
            words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # Of what is left as much as leaves some for the kills to come: people arrive by the batch.
        left = n_people - done[-1] - PEOPLE_PER_CALL * (n_kills + 1 - len(done))
        most = max(left // (n_kills + 2 - len(done)), 1)
        wanted = done[-1] + int(rng.integers(1, 2 * most + 1))
        latest_s = float(rng.uniform(0.1, 2.0)) if len(done) % 2 else math.inf
        end_s = time.monotonic() + latest_s
        while process.poll() is None and _n_done(out) < wanted and time.monotonic() < end_s:
            time.sleep(0.002)
        if process.poll() is not None:
            raise SystemExit(f"The run ended after {len(done) - 1} kills; take more people.")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done.append(_n_done(out))
    finished = subprocess.run(words, capture_output=True, check=False)
    if finished.returncode != 1:  # some are broken
        raise SystemExit(f"The last run ended with {finished.returncode}: {finished.stderr!r}")
    return done[1:]


def _n_done(out: Path) -> int:
    try:
        return max((out / "scored.jsonl").read_bytes().count(b"\n") - 1, 0)
    except OSError:
        return 0


def check_rows(table: Path, broken: dict[str, str]) -> tuple[int, int]:
    """Return how many rows are good, and how many of the broken ones give the right reason."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = {row["participant_id"]: row for row in csv.DictReader(file, delimiter="\t")}
    good = sum(row["status"] == "ok" for row in rows.values())
    right = sum(
        rows[name]["status"] == "failed" and BREAKS[way][1] in rows[name]["error"]
        for name, way in broken.items()
    )
    return good, right


def main() -> int:
    """Run it all; 0 if everything is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--broken", type=int, default=50)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--bundle", default="tcp434")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dtb-kills-") as temporary:
        cohort, whole, killed = (Path(temporary) / name for name in ("cohort", "whole", "killed"))
        write_cohort(cohort, arguments.people, arguments.bundle)
        broken = break_some(cohort, arguments.broken)
        words = command(cohort, whole, arguments.bundle, arguments.jobs)
        subprocess.run(words, capture_output=True, check=False)
        words = command(cohort, killed, arguments.bundle, arguments.jobs)
        at = killed_run(words, killed, arguments.people, arguments.kills, arguments.seed)
        same = {
            name: (whole / name).read_bytes() == (killed / name).read_bytes()
            for name in TABLES
            if (whole / name).exists()
        }
        good, right = check_rows(killed / "cohort.tsv", broken)
    result = {
        "people": arguments.people,
        "broken": arguments.broken,
        "ways": len(BREAKS),
        "kills": len(at),
        "done_at_kills": at,
        "same_bytes": same,
        "good_rows": good,
        "right_reasons": right,
    }
    print(json.dumps(result, indent=2))
    is_right = good == arguments.people - arguments.broken and right == arguments.broken
    return 0 if is_right and all(same.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
