"""Work on many people, several at a time, that tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .progress import OnProgress

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Iterator[Result]:
    """Yield what work makes of each item, in their order.

    Parameters
    ----------
    work : callable
        Safe to be called from several threads.
    items : sequence
    jobs : int
        How many are worked on at a time. What was not begun when an error comes, or when nobody
        asks for the rest, is not done.
    """
    if jobs == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class Steps:
    """Counts what is done of a whole.

    Parameters
    ----------
    total : int
        How many steps there are.
    on_progress : callable, optional
        Told after every step.
    """

    def __init__(self, total: int, on_progress: OnProgress | None) -> None:
        self._done, self._total, self._on_progress = 0.0, total, on_progress

    def add(self, sentence: str, steps: float = 1.0) -> None:
        """Count steps as done, and say which they were."""
        self._done = min(self._done + steps, float(self._total))
        if self._on_progress is not None:
            self._on_progress(int(self._done + 1e-6), self._total, sentence)
