"""A service whose workers do what bodies say: for tests of everything but forecasts.

As a program, it serves until it is ended, and prints its port when it is ready.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakSet

from dtb_runtime.errors import DtbError
from dtb_runtime.oip_models import ServedModel
from dtb_runtime.service_jobs import LATER, Answer, Job
from dtb_runtime.service_limits import ServiceLimits

MODELS = {
    name: ServedModel(name, ("1a2b3c",), "none", (), (), "main", "fake") for name in ("main", "big")
}


class Kept:
    """What refers to itself, as errors do with the frames that they came through."""

    everything: ClassVar[WeakSet[Kept]] = WeakSet()

    def __init__(self) -> None:
        gc.disable()  # then nothing looks for it unasked
        self.itself = self
        self.everything.add(self)


class FakeWorker:
    """Does what the first words of a body say."""

    def answer(self, jobs: Sequence[Job]) -> list[Answer]:
        """One answer each."""
        return [self._answer(job, len(jobs)) for job in jobs]

    def _answer(self, job: Job, n_jobs: int) -> Answer:
        word, _, rest = job.body[:100].decode(errors="replace").partition(" ")
        if word == "sleep":
            time.sleep(float(rest.split()[0]))
        elif word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "alone" and n_jobs > 1:
            return LATER
        elif word == "fail":
            raise ValueError(f"somebody's data: {rest}")
        elif word == "large":
            return Answer(200, bytes(int(rest)), "application/octet-stream", header_length=0)
        elif word == "keep":
            Kept()
        elif word == "refuse":
            return Answer.refusal(int(rest), "Refused.")
        said = {
            "pid": os.getpid(),
            "batch": n_jobs,
            "kind": job.kind,
            "model": job.model,
            "n_bytes": len(job.body),
            "header_length": job.header_length,
            "content_type": job.content_type,
            "threads": os.environ.get("OMP_NUM_THREADS"),
            "kept": len(Kept.everything),
        }
        return Answer(200, json.dumps(said).encode(), n_people=1)


@dataclass(frozen=True)
class FakePlan:
    """Workers that can begin, or cannot."""

    problem: str = ""
    seconds: float = 0.0

    def load(self) -> FakeWorker:
        """Begin."""
        time.sleep(self.seconds)
        if self.problem == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.problem:
            raise DtbError(self.problem)
        return FakeWorker()


class FakePool:
    """What the application needs of a pool, in this process."""

    def __init__(self) -> None:
        self.is_full = False
        self.is_ready = True
        self.n_waiting = self.n_busy = self.n_alive = self.n_workers = 0
        self.jobs: list[Job] = []
        self.next_answer: Answer | None = Answer(200, b'{"a": 1}', n_people=2)
        self.waiting: list[asyncio.Future[Answer]] = []

    def start(self) -> None:
        """Nothing is to be begun."""

    async def close(self) -> None:
        """Nothing is to be ended."""

    def submit(self, job: Job) -> asyncio.Future[Answer]:
        """Answer at once, or where there is no answer never."""
        self.jobs.append(job)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if self.next_answer is None:
            self.waiting.append(future)
        else:
            future.set_result(self.next_answer)
        return future


def main(limits: dict[str, Any]) -> None:
    """Serve with two workers."""
    from dtb_runtime.service_server import ServiceSettings, listen, run_service

    taken = listen("127.0.0.1", 0)
    port = taken.getsockname()[1]
    settings = ServiceSettings(n_workers=2, limits=ServiceLimits(**limits))
    run_service(FakePlan(), MODELS, settings, taken, lambda: print(port, flush=True))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
