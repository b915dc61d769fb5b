"""A worker's process among the tasks of an event loop: whatever waits for it waits in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import DtbError
from .service_jobs import Answer
from .service_process import WorkerPlan, WorkerProcess

if TYPE_CHECKING:
    from typing import Self

LAST_S = 5.0
"""For which a worker that has nothing to do any more may take to end."""
T = TypeVar("T")


class AttendedWorker:
    """One worker; a context manager, which ends it.

    Parameters
    ----------
    plan : WorkerPlan
    threads : concurrent.futures.Executor
        At least two of them are for this worker.

    Raises
    ------
    DtbError
        The system starts no process.
    """

    def __init__(self, plan: WorkerPlan, threads: Executor) -> None:
        self._threads = threads
        try:
            self._process = WorkerProcess(plan)
        except OSError as error:
            raise DtbError(
                f"No process can be started for the service: {error.strerror or error}."
            ) from error
        self._calls: set[asyncio.Future[Any]] = set()
        self._has_loaded = False
        self.over: asyncio.Future[None] = self._in_thread(self._process.ended)
        """Done when the process has ended."""
        self._was_killed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._has_loaded and not self._was_killed:
            self._process.release()
            await asyncio.wait({self.over}, timeout=LAST_S)
        self._process.kill()
        if self._calls:  # before the pipes are closed: their numbers may then be another file's
            await asyncio.wait(self._calls)
        self._process.close()

    @property
    def is_over(self) -> bool:
        """Whether the process has ended, or is about to."""
        return self._was_killed or self.over.done()

    async def loaded(self) -> None:
        """Wait until it can answer.

        Raises
        ------
        DtbError
            It will not be able to.
        """
        try:
            # What waits in a thread is never canceled: it would wait all the same.
            await asyncio.shield(self._in_thread(self._process.loaded))
        except (EOFError, OSError) as error:
            raise DtbError(
                "A worker of the service ended while it began. Is there too little memory?"
            ) from error
        self._has_loaded = True

    async def exchange(self, frames: Sequence[bytes], seconds: float) -> list[Answer] | Answer:
        """Give it jobs and wait for their answers; one refusal for all where it has none.

        Parameters
        ----------
        frames : sequence of bytes
            Messages of `Job.to_bytes`.
        seconds : float
            A worker that takes longer is ended.
        """
        call = self._in_thread(lambda: self._process.exchange(frames))
        await asyncio.wait({call}, timeout=seconds)
        if not call.done():
            self._was_killed = True
            self._process.kill()
            sentence = f"This took longer than {seconds:g} s. Ask for less at a time."
            return Answer.refusal(504, sentence)
        try:
            return call.result()
        except Exception:  # its end, or words that no worker says
            self._was_killed = True
            sentence = "The process that worked on this ended abruptly. Others are not affected."
            return Answer.refusal(503, sentence)

    def _in_thread(self, call: Callable[[], T]) -> asyncio.Future[T]:
        future = asyncio.get_running_loop().run_in_executor(self._threads, call)
        self._calls.add(future)
        future.add_done_callback(self._forget)
        return future

    def _forget(self, future: asyncio.Future[Any]) -> None:
        self._calls.discard(future)
        if not future.cancelled():
            future.exception()  # nobody may want to know how something ended that was given up
