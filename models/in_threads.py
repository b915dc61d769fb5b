"""Work on many people, several at a time, that does nothing twice and tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

from .progress import OnProgress

Item = TypeVar("Item")
Result = TypeVar("Result")
Key = TypeVar("Key", bound=Hashable)


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


class MadeOnce(Generic[Key, Result]):
    """Values by key, each made once, however many threads ask for it at a time."""

    def __init__(self) -> None:
        self._made: dict[Key, Result] = {}
        self._making: dict[Key, Lock] = {}
        self._lock = Lock()

    def get(self, key: Key, make: Callable[[], Result]) -> Result:
        """Return the value of a key, made now if nobody did before.

        Threads that ask for it meanwhile wait; those that ask for another key do not.
        """
        with self._lock:
            making = self._making.setdefault(key, Lock())
        with making:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]


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
