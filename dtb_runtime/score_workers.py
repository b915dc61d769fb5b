"""Processes that score people side by side; one that dies is replaced, and its people come again.

A worker loads the bundle once. What goes in and out are plain values, so that the results are those
of one process to the last digit.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from .bundle_loading import load_bundle
from .cohort_entry import CohortEntry
from .inference import PEOPLE_PER_CALL, Device
from .scored_person import ScoredPerson
from .scoring import CohortScorer, ScoreSettings

if TYPE_CHECKING:
    from typing import Self

AT_ONCE = PEOPLE_PER_CALL
"""People that go to a worker together."""
ATTEMPTS = 3
"""How often somebody is tried whose process died before the row says so."""
_AHEAD = 2  # batches a worker is given before its results are taken
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_scorer: CohortScorer | None = None


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What every worker begins with."""

    bundle: str
    """Name or folder."""
    settings: ScoreSettings
    device: Device = "auto"


class Workers:
    """Several processes; a context manager, which ends them.

    Parameters
    ----------
    plan : WorkerPlan
    jobs : int
        How many, at least 1. One is this process itself.
    """

    def __init__(self, plan: WorkerPlan, jobs: int) -> None:
        self._plan = plan
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None
        self._own: CohortScorer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def score(self, entries: Iterable[CohortEntry]) -> Generator[ScoredPerson, None, None]:
        """Yield everybody's row, in the order of the entries."""
        if self._jobs == 1:
            if self._own is None:
                self._own = _new_scorer(self._plan)
            remaining = iter(entries)
            while several := list(islice(remaining, self._own.people_at_once)):
                yield from self._own.score(several)
            return
        waiting: deque[tuple[list[CohortEntry], Future[list[str]]]] = deque()
        remaining = iter(entries)
        for several in iter(lambda: list(islice(remaining, AT_ONCE)), []):
            waiting.append((several, self._submit(several)))
            if len(waiting) >= self._jobs * _AHEAD:
                yield from self._next(waiting)
        while waiting:
            yield from self._next(waiting)

    def _next(
        self, waiting: deque[tuple[list[CohortEntry], Future[list[str]]]]
    ) -> Iterator[ScoredPerson]:
        several, future = waiting.popleft()
        try:
            lines = future.result()
        except BrokenProcessPool:
            # Nobody knows whose file it was: everybody that was under way comes again, and those
            # of this batch one at a time.
            self._end()
            for entry in several:
                yield self._alone(entry)
            again = [
                (batch, future if _is_there(future) else self._submit(batch))
                for batch, future in waiting
            ]
            waiting.clear()
            waiting.extend(again)
            return
        for line in lines:
            yield ScoredPerson.from_line(line, "a worker's result")

    def _alone(self, entry: CohortEntry) -> ScoredPerson:
        for _ in range(ATTEMPTS):
            try:
                (line,) = self._submit([entry]).result()
            except BrokenProcessPool:
                self._end()
                continue
            return ScoredPerson.from_line(line, "a worker's result")
        return ScoredPerson.failed(
            entry,
            f"The process that scored it ended abruptly, {ATTEMPTS} times. The file may be made to "
            "crash a reader, or there is too little memory: try it alone with dtb-run predict.",
        )

    def _submit(self, entries: Sequence[CohortEntry]) -> Future[list[str]]:
        if self._pool is None:
            # Workers take it from the environment: libraries read it when they are loaded.
            before = {name: os.environ.get(name) for name in _THREADS}
            os.environ.update(dict.fromkeys(_THREADS, "1"))
            try:
                self._pool = ProcessPoolExecutor(
                    self._jobs, get_context("spawn"), initializer=_begin, initargs=(self._plan,)
                )
                return self._pool.submit(_score, list(entries))
            finally:
                for name, value in before.items():
                    if value is None:
                        del os.environ[name]
                    else:
                        os.environ[name] = value
        try:
            return self._pool.submit(_score, list(entries))
        except BrokenProcessPool as error:  # it broke between two results
            future: Future[list[str]] = Future()
            future.set_exception(error)
            return future

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _is_there(future: Future[list[str]]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _new_scorer(plan: WorkerPlan, threads: int | None = None) -> CohortScorer:
    bundle = load_bundle(plan.bundle, device=plan.device, threads=threads)
    return CohortScorer(bundle, plan.settings)


def _begin(plan: WorkerPlan) -> None:
    global _scorer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _scorer = _new_scorer(plan, threads=1)  # the others have the other processors


def _end_with_parent() -> None:
    """Wait for the process that began this one to end, and end at once: nobody waits any more."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _score(entries: list[CohortEntry]) -> list[str]:
    if _scorer is None:
        raise RuntimeError("the worker was not started")
    return [person.to_line() for person in _scorer.score(entries)]
