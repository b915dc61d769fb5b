"""Score on a Dask cluster of two processes and kill one midway: the rows must be those of no kill.

python benchmarks/score_cluster_kill.py --people 400
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from score_cohorts import write_cohort

from dtb_runtime import load_bundle
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.cohort_run import score_cohort
from dtb_runtime.scored_person import ScoredPerson

TABLES = ("cohort.tsv", "cohort.json", "cohort.parquet")


class _Killer:
    """Kills one worker when half of the people are done."""

    def __init__(self, client: Any, n_people: int) -> None:
        self._client = client
        self._at = n_people // 2
        self.done_at_kill: int | None = None

    def __call__(self, n_done: int, n_failed: int, person: ScoredPerson | None) -> None:
        """Take note of one person more, as `score_cohort` tells it."""
        if n_done >= self._at and self.done_at_kill is None:
            self.done_at_kill = n_done
            pids = self._client.run(os.getpid)
            os.kill(next(iter(pids.values())), signal.SIGKILL)


def main() -> int:
    """Run it all; 0 if everything is as it should be."""
    from distributed import Client, LocalCluster

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--bundle", default="tcp434")
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle, device="cpu")
    with tempfile.TemporaryDirectory(prefix="dtb-cluster-") as temporary:
        here, there, folder = (Path(temporary) / name for name in ("here", "there", "cohort"))
        write_cohort(folder, arguments.people, arguments.bundle)
        listing = list_cohort(folder)
        score_cohort(bundle, listing, here, jobs=2)
        with (
            LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster,
            Client(cluster) as client,
        ):
            killer = _Killer(client, arguments.people)
            run = score_cohort(
                bundle,
                listing,
                there,
                cluster=cluster.scheduler_address,
                on_scored=killer,
            )
        same = {
            name: (here / name).read_bytes() == (there / name).read_bytes()
            for name in TABLES
            if (here / name).exists()
        }
    result = {
        "people": arguments.people,
        "done_at_kill": killer.done_at_kill,
        "good_rows": run.n_people - run.n_failed,
        "same_bytes": same,
    }
    print(json.dumps(result, indent=2))
    is_right = result["good_rows"] == arguments.people and killer.done_at_kill is not None
    return 0 if is_right and all(same.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
