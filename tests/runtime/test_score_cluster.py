"""A Dask cluster of two processes: the rows of one process, also when a worker is killed."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_runtime import score_cluster
from dtb_runtime.bundle import Bundle
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.cohort_run import score_cohort
from dtb_runtime.errors import OutputError, UsageError
from dtb_runtime.score_cluster import ClusterWorkers, ShippedBundle
from dtb_runtime.score_workers import WorkerPlan
from dtb_runtime.scoring import ScoreSettings

from .conftest import make_correlations

distributed = pytest.importorskip("distributed", reason="Dask is an extra")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety people, one of them broken."""
    folder = tmp_path_factory.mktemp("cohort")
    for number in range(90):
        np.save(folder / f"sub-{number:03d}.npy", make_correlations(number))
    (folder / "sub-050.npy").write_bytes(b"broken")
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes of one thread each."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as local:
        yield local


@pytest.fixture
def plan(tiny: Bundle) -> WorkerPlan:
    """The tiny bundle as it is."""
    return WorkerPlan.of(tiny, ScoreSettings())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that gives a scheduler five seconds to answer instead of twenty."""
    client = distributed.Client

    def quick(address: str, *, timeout: str, **named: Any) -> Any:
        assert timeout == "20s"
        return client(address, timeout="5s", **named)

    monkeypatch.setattr(distributed, "Client", quick)


def test_tables_are_those_of_one_process(
    tiny: Bundle, cohort: Path, cluster: Any, tmp_path: Path
) -> None:
    listing = list_cohort(cohort)
    score_cohort(tiny, listing, tmp_path / "here")
    run = score_cohort(tiny, listing, tmp_path / "there", cluster=cluster.scheduler_address)
    assert (run.n_people, run.n_failed) == (90, 1)
    for name in ("cohort.tsv", "cohort.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_a_killed_worker_is_replaced_and_nobody_is_lost(
    tiny: Bundle, plan: WorkerPlan, cohort: Path, cluster: Any
) -> None:
    entries = list_cohort(cohort).entries
    expected = list(tiny.score(entries))
    found = []
    with ClusterWorkers(plan, cluster.scheduler_address) as workers:
        for person in workers.score(entries):
            found.append(person)
            if len(found) == 20:
                pids = workers._client.run(os.getpid)
                os.kill(next(iter(pids.values())), signal.SIGKILL)
    assert found == expected


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nowhere", "'nowhere' is no address of a Dask scheduler: it has no port"),
        ("tcp://127.0.0.1:1", "There is no Dask scheduler at 'tcp://127.0.0.1:1'"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_no_scheduler_is_said(plan: WorkerPlan, address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ClusterWorkers(plan, address)


def test_a_cluster_without_workers_is_said(
    plan: WorkerPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtb_runtime.score_cluster.WORKERS_WITHIN_S", 0.2)
    with (
        distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=":0") as local,
        pytest.raises(UsageError, match="No worker came to the Dask scheduler"),
    ):
        ClusterWorkers(plan, local.scheduler_address)


@pytest.mark.usefixtures("impatient")
def test_a_scheduler_that_goes_away_is_said(tiny: Bundle, plan: WorkerPlan, cohort: Path) -> None:
    local = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    with local, ClusterWorkers(plan, local.scheduler_address) as workers:
        scored = workers.score(list_cohort(cohort).entries)
        next(scored)
        local.close()
        with pytest.raises(UsageError, match="The Dask scheduler went away"):
            list(scored)


def test_what_befalls_a_worker_does_not_pass_for_a_lost_scheduler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full:
        def score(self, _: object) -> list[object]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setitem(score_cluster._scorers, "full", Full())
    with pytest.raises(OutputError, match=r"^A worker of the cluster cannot go on: No space left"):
        score_cluster._score("full", [])


def test_a_worker_of_another_version_is_refused(plan: WorkerPlan) -> None:
    shipped = replace(ShippedBundle.of(plan), version="0.0.0")
    with pytest.raises(UsageError, match=r"but the run began with 0\.0\.0"):
        shipped.scorer()
