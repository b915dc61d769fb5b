"""Processes that score people side by side; one that dies is replaced, and its people come again.

A worker loads the bundle once. What goes in and out are plain values, so that the results are those
of one process to the last digit.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .bundle_loading import load_bundle
from .cohort_entry import CohortEntry
from .errors import BundleError, UsageError
from .inference import CUDA, Device
from .processors import one_thread_each
from .scored_person import ScoredPerson

if TYPE_CHECKING:
    from typing import Self

    from .bundle import Bundle

ATTEMPTS = 3
"""How often somebody is tried whose process died before the row says so."""
_AHEAD = 2  # batches a worker is given before its results are taken


class Scorer(Protocol):
    """What a worker does."""

    def score(self, entries: Sequence[CohortEntry]) -> list[ScoredPerson]:
        """One row each, in their order; whoever fails gets a row that says why."""
        ...


class WorkSettings(Protocol):
    """What is to be done, as it goes to every worker: plain values."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values: whatever changes a row."""
        ...

    def scorer(self, bundle: Bundle) -> Scorer:
        """What does it."""
        ...

    def at_once(self, bundle: Bundle) -> int:
        """How many people go to a worker together."""
        ...


_scorer: Scorer | Exception | None = None
"""Of this worker, or why it has none."""


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What every worker begins with."""

    folder: Path
    """Of the bundle."""
    digest: str
    """Of the bundle: a worker may begin hours after the run did."""
    settings: WorkSettings
    device: Device
    """``"cpu"`` or ``"cuda"``: what the first process chose, all others take."""
    at_once: int
    """People that go to a worker together."""

    @classmethod
    def of(cls, bundle: Bundle, settings: WorkSettings) -> WorkerPlan:
        """Work with a loaded bundle."""
        return cls(
            folder=bundle.folder,
            digest=bundle.digest,
            settings=settings,
            device="cuda" if bundle.provider == CUDA else "cpu",
            at_once=settings.at_once(bundle),
        )

    def scorer(self, folder: Path | None = None) -> Scorer:
        """Load the bundle, with all checks of `load_bundle`.

        Parameters
        ----------
        folder : pathlib.Path, optional
            Where it lies here, if not in the plan's folder.

        Raises
        ------
        BundleError
            It is another bundle by now, or what `load_bundle` refuses.
        """
        bundle = load_bundle(folder or self.folder, device=self.device, threads=1)
        if bundle.digest != self.digest:
            raise BundleError(
                f"The bundle in {self.folder} is another one than when this began. Leave it "
                "until the end; to score with the new one, choose another folder for the results."
            )
        return self.settings.scorer(bundle)


class Workers:
    """Several processes; a context manager, which ends them.

    One process is still one beside this one: a file that ends it costs a row and not the run.

    Parameters
    ----------
    plan : WorkerPlan
    jobs : int
        How many, at least 1.
    """

    def __init__(self, plan: WorkerPlan, jobs: int) -> None:
        self._plan = plan
        self._jobs = jobs
        # A byte that all processes share; without a lock, which a dying one could take along.
        self._begun = get_context("spawn").RawValue(ctypes.c_bool, False)
        self._pool: ProcessPoolExecutor | None = None
        self._over: Connection | None = None
        self._given: list[Future[list[str]]] = []
        self._around = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def score(self, entries: Iterable[CohortEntry]) -> Generator[ScoredPerson, None, None]:
        """Yield everybody's row, in the order of the entries.

        Raises
        ------
        DtbError
            No worker can score: the bundle is gone or another one, the results cannot be written;
            or none can start.
        """
        waiting: deque[tuple[list[CohortEntry], Future[list[str]]]] = deque()
        remaining = iter(entries)
        for several in iter(lambda: list(islice(remaining, self._plan.at_once)), []):
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
            if not self._begun.value:  # then it was no file
                raise UsageError(
                    "The processes that do the work cannot start. In a script of your own, begin "
                    "the work under if __name__ == '__main__':, since they import it."
                ) from None
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
            f"The process that worked on it ended abruptly, {ATTEMPTS} times. The file may be made "
            "to crash a reader, or there is too little memory: try it alone with dtb-run predict.",
        )

    def _submit(self, entries: Sequence[CohortEntry]) -> Future[list[str]]:
        if self._pool is None:
            # The pool begins a worker when there is work for it, so it stays so until the end.
            self._around.enter_context(one_thread_each())
            context = get_context("spawn")
            theirs, ours = context.Pipe(duplex=False)
            self._around.callback(theirs.close)
            self._over = ours
            self._pool = ProcessPoolExecutor(
                self._jobs, context, initializer=_begin, initargs=(self._plan, self._begun, theirs)
            )
        try:
            future = self._pool.submit(_score, list(entries))
        except BrokenProcessPool as error:  # it broke between two results
            future = Future()
            future.set_exception(error)
        self._given = [each for each in self._given if not each.done()] + [future]
        return future

    def _end(self) -> None:
        """End the processes, after what they are at."""
        if self._pool is None or self._over is None:
            return
        running = [future for future in self._given if not future.cancel()]
        for future in running:
            future.exception()
        # Asked to end, they take turns at one lock. One that is killed while it has the lock leaves
        # the others waiting for ever, and the pool for them: so all are told beside the pool.
        self._over.close()
        self._pool.shutdown(wait=True)
        self._around.close()
        self._pool, self._over, self._given = None, None, []


def _is_there(future: Future[list[str]]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _begin(plan: WorkerPlan, begun: ctypes.c_bool, over: Connection) -> None:
    global _scorer
    threading.Thread(target=_end_when_told, args=(over,), daemon=True).start()
    try:
        _scorer = plan.scorer()
    except Exception as error:  # an error here would only say that the pool is broken
        _scorer = error
    begun.value = True


def _end_when_told(over: Connection) -> None:
    """Wait until the other end is closed or its process ends, and end at once: nobody waits."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel, over])
        os._exit(0)


def _score(entries: list[CohortEntry]) -> list[str]:
    if isinstance(_scorer, Exception):
        raise _scorer
    if _scorer is None:
        raise RuntimeError("the worker was not started")
    return [person.to_line() for person in _scorer.score(entries)]
