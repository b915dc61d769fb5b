"""Requests that wait for a worker: bounded, and handed over together where they go together."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .service_jobs import SLOW_KINDS, Answer, Job
from .service_limits import ServiceLimits


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """One request."""

    frame: bytes
    """The job as it goes to the worker."""
    key: tuple[str, str] | None
    """What may go together; None for what goes alone."""
    is_slow: bool
    """Whether it may have to let others pass."""
    answer: asyncio.Future[Answer]
    """Done when there is an answer, or when nobody waits for one any more."""
    late: asyncio.TimerHandle
    """Of the refusal that it gets where no worker is free in time."""


class JobQueue:
    """First come, first served; a worker that is free takes what goes together with the first.

    Only slow jobs let others pass, where as many of them are worked on as may be at a time. For one
    event loop.

    Parameters
    ----------
    limits : ServiceLimits
        `queue`, `max_batch`; those of one batch together are no longer than one body may be.
    n_workers : int
        Who take from it: by default, one of them is kept free of slow jobs.
    """

    def __init__(self, limits: ServiceLimits, n_workers: int) -> None:
        self._limits = limits
        self._most_slow = limits.slow_at_once or max(1, n_workers - 1)
        self._n_slow = 0
        self._waiting: dict[Waiting, None] = {}  # in order, and quick to take one out of
        self._idle: list[asyncio.Future[None]] = []
        self._woken = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether one more is too many: `queue` of them, beside those that a worker is free for."""
        return len(self._waiting) >= self._limits.queue + len(self._idle) + self._woken

    def put(self, job: Job) -> asyncio.Future[Answer]:
        """Let a job wait; its place is free again as soon as what is returned is done.

        Where no worker takes it in `request_s`, its answer is a refusal (503).
        """
        loop, seconds = asyncio.get_running_loop(), self._limits.request_s
        answer: asyncio.Future[Answer] = loop.create_future()
        waiting = Waiting(
            frame=job.to_bytes(),
            # Only forecasts are computed together; anything else would let them wait for it.
            key=(job.kind, job.model) if job.kind == "infer" else None,
            is_slow=job.kind in SLOW_KINDS,
            answer=answer,
            late=loop.call_later(seconds, self._refuse, answer, seconds),
        )
        self._waiting[waiting] = None
        self._forget_when_answered(waiting)
        self._wake()
        return answer

    def again(self, batch: Sequence[Waiting]) -> None:
        """Let jobs that were taken together wait again: before all others, and to go alone.

        Each waits up to twice `request_s`, so that one of them may take too long before it.
        """
        loop, seconds = asyncio.get_running_loop(), 2 * self._limits.request_s
        first: dict[Waiting, None] = {}
        for waiting in batch:
            if not waiting.answer.done():
                late = loop.call_later(seconds, self._refuse, waiting.answer, seconds)
                alone = replace(waiting, key=None, late=late)
                first[alone] = None
                self._forget_when_answered(alone)
        self._waiting = first | self._waiting
        for _ in first:
            self._wake()

    async def take(self) -> list[Waiting]:
        """Wait for the next batch, at least one; say `finished` when it is over."""
        while (first := self._first()) is None:
            idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            try:
                await idle
            except asyncio.CancelledError:
                if idle in self._idle:
                    self._idle.remove(idle)
                else:  # it was woken for a job that somebody else must take now
                    self._woken -= 1
                    self._wake()
                raise
            self._woken -= 1
        self._n_slow += first.is_slow
        return self._next_batch(first)

    def finished(self, batch: Sequence[Waiting]) -> None:
        """A worker is through with what it took, or has ended."""
        if batch[0].is_slow:
            self._n_slow -= 1
            self._wake()  # another slow one may have let others pass

    def _first(self) -> Waiting | None:
        """Who has waited longest of those that may be worked on now."""
        may_be_slow = self._n_slow < self._most_slow
        return next((each for each in self._waiting if may_be_slow or not each.is_slow), None)

    def _wake(self) -> None:
        """Let a free worker look, if there is one."""
        # The one that was busy last: what it has kept of people is the freshest.
        if self._idle:
            idle = self._idle.pop()
            self._woken += 1
            if not idle.done():  # else it is being canceled, and passes it on
                idle.set_result(None)

    def _next_batch(self, first: Waiting) -> list[Waiting]:
        batch, n_bytes = [first], len(first.frame)
        if first.key is not None:
            alike = [waiting for waiting in self._waiting if waiting.key == first.key]
            # Workers that are free as well shall have their part of them.
            n_free = 1 + self._woken + len(self._idle)
            for waiting in alike[1 : min(self._limits.max_batch, math.ceil(len(alike) / n_free))]:
                n_bytes += len(waiting.frame)
                if n_bytes > self._limits.body_bytes:
                    break
                batch.append(waiting)
        for waiting in batch:
            self._forget(waiting)
        return batch

    def _forget_when_answered(self, waiting: Waiting) -> None:
        waiting.answer.add_done_callback(lambda _: self._forget(waiting))

    def _forget(self, waiting: Waiting) -> None:
        waiting.late.cancel()
        self._waiting.pop(waiting, None)

    def _refuse(self, answer: asyncio.Future[Answer], seconds: float) -> None:
        if not answer.done():
            sentence = f"No worker was free for {seconds:g} s. Try again later."
            answer.set_result(Answer.refusal(503, sentence))
