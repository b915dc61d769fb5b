"""The workers of the service: kept alive, given what waits, and let go in the end."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from .service_attention import AttendedWorker
from .service_jobs import LATER, Answer, Job
from .service_limits import ServiceLimits
from .service_process import WorkerPlan
from .service_queue import JobQueue, Waiting

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
"""Before a worker that could not begin is tried again: the first one, then twice as long each."""
_LOG = logging.getLogger("dtb_runtime.service")


class Witness(Protocol):
    """Is told what befalls workers."""

    def batch(self, n_jobs: int) -> None:
        """Several jobs go to a worker together."""

    def replaced(self) -> None:
        """A worker has ended that should not have."""


class ServicePool:
    """Answers jobs in processes. For one event loop; begins with `start`, ends with `close`.

    Parameters
    ----------
    plan : WorkerPlan
        What every worker begins with.
    n_workers : int
        How many, at least 1.
    limits : ServiceLimits
    witness : Witness, optional
    """

    def __init__(
        self,
        plan: WorkerPlan,
        n_workers: int,
        limits: ServiceLimits,
        witness: Witness | None = None,
    ) -> None:
        self.n_workers = n_workers
        self._plan = plan
        self._request_s = limits.request_s
        self._witness = witness
        self._queue = JobQueue(limits, n_workers)
        self._alive: set[AttendedWorker] = set()
        self._n_begun = 0
        self._n_busy = 0
        self._keepers: list[asyncio.Task[None]] = []
        self._began: list[asyncio.Future[None]] = []
        self._is_closing = self._is_given_up = False
        # Each worker has one thread that waits for what it says, and one for its end.
        self._threads = ThreadPoolExecutor(2 * n_workers, "dtb-service-pipe")

    @property
    def n_alive(self) -> int:
        """Workers that have loaded everything and have not ended."""
        return len(self._alive)

    @property
    def n_busy(self) -> int:
        """Workers that compute."""
        return self._n_busy

    @property
    def n_waiting(self) -> int:
        """Jobs that no worker has yet."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether one more job is too many."""
        return self._queue.is_full

    @property
    def is_ready(self) -> bool:
        """Whether every worker has begun, and one is there that can answer."""
        return bool(self._alive) and self._n_begun == self.n_workers and not self._is_closing

    def start(self) -> None:
        """Begin with all workers; jobs may come at once, and wait for them."""
        loop = asyncio.get_running_loop()
        for _ in range(self.n_workers):
            began = loop.create_future()
            self._began.append(began)
            self._keepers.append(loop.create_task(self._keep(began)))

    async def loaded(self) -> None:
        """Wait until every worker can answer.

        Raises
        ------
        DtbError
            One cannot, at its first attempt.
        """
        await asyncio.gather(*self._began)

    def submit(self, job: Job) -> asyncio.Future[Answer]:
        """Let a job wait for a worker; whoever no longer wants the answer cancels it.

        The answer is a refusal where the worker ends (503) or takes too long (504), or none was
        free in time (503). A job that had company in a batch without answers is tried once more,
        alone. Look at `is_full` first.
        """
        return self._queue.put(job)

    async def close(self) -> None:
        """End all workers, after those jobs that wait or are worked on."""
        self._is_closing = True
        while (len(self._queue) or self._n_busy) and not self._is_given_up:
            await asyncio.sleep(0.01)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._threads.shutdown(wait=True)

    def give_up(self) -> None:
        """Let `close` wait for no job."""
        self._is_given_up = True

    async def _keep(self, began: asyncio.Future[None]) -> None:
        """Have one worker, for as long as it goes well, and then another one."""
        pause_s = 0.0
        while True:
            try:
                await self._have_one(began)
                pause_s = 0.0
                _LOG.warning("A worker ended and is replaced.")
            except Exception as error:
                if not began.done():
                    began.set_exception(error)
                    return
                pause_s = min(max(2 * pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
                _LOG.error("A worker cannot begin, next try in %g s: %s", pause_s, error)
            if self._witness is not None:
                self._witness.replaced()
            await asyncio.sleep(pause_s)

    async def _have_one(self, began: asyncio.Future[None]) -> None:
        """Have one worker until it ends."""
        async with AttendedWorker(self._plan, self._threads) as worker:
            await worker.loaded()
            if not began.done():
                self._n_begun += 1
                began.set_result(None)
            self._alive.add(worker)
            try:
                while await self._answer_next(worker):
                    pass  # nothing of a batch is left when the next one is waited for
            finally:
                self._alive.discard(worker)

    async def _answer_next(self, worker: AttendedWorker) -> bool:
        """Answer what comes next; False where the worker is gone."""
        taking = asyncio.ensure_future(self._take())
        try:
            either: set[asyncio.Future[Any]] = {taking, worker.over}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not taking.done():
                taking.cancel()
        if not taking.done():
            return False
        batch = taking.result()
        try:
            if self._witness is not None:
                self._witness.batch(len(batch))
            frames = [waiting.frame for waiting in batch]
            answers = await worker.exchange(frames, self._request_s)
        finally:
            self._n_busy -= 1
            self._queue.finished(batch)
        if isinstance(answers, Answer):
            # Of several, nobody knows whose the trouble was: each is tried once more, alone.
            answers = [answers] if len(batch) == 1 else [LATER] * len(batch)
        later: list[Waiting] = []
        for waiting, answer in zip(batch, answers, strict=True):
            if answer == LATER:
                later.append(waiting)
            elif not waiting.answer.done():
                waiting.answer.set_result(answer)
        self._queue.again(later)
        return not worker.is_over

    async def _take(self) -> list[Waiting]:
        batch = await self._queue.take()
        self._n_busy += 1  # at once, so that these jobs are always counted here or there
        return batch
