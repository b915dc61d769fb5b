"""Long pieces of work, each in a process of its own with one thread, that say how far they are."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from dtb_runtime.processors import one_thread_each

if TYPE_CHECKING:
    import multiprocessing.queues
    from multiprocessing.process import BaseProcess

    Messages = multiprocessing.queues.Queue[tuple[str, int | None, Any]]

Item = TypeVar("Item")
Tell = Callable[[int, int, str], bool | None]
"""Told what is done, what there is to do, and a sentence."""

_FINISHED = -1
# Not numpy's OpenBLAS: which people a seed makes depends, in its last digits, on its threads.
_LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_WAIT_S = 1.0


def in_processes(
    work: Callable[[Item, Tell], None],
    items: Mapping[str, Item],
    jobs: int,
    on_progress: Callable[[str, int, str], None],
    n_steps: int,
) -> None:
    """Do work on every item, several at a time.

    When one fails, or this process is asked to end, the others end as well; when this process is
    killed, they end with their next report.

    Parameters
    ----------
    work : callable
        Called with an item and whom to tell; it and the items go to other processes by pickle.
    items : mapping of str to item
        By name.
    jobs : int
        How many at a time.
    on_progress : callable
        Called with a name, what is done of that item, and a sentence.
    n_steps : int
        What is done of an item when it is finished.

    Raises
    ------
    DtbError
        What the work raised; or a process ended without a word.
    """
    import multiprocessing

    context = multiprocessing.get_context("spawn")  # a forked PyTorch may hang
    messages: Messages = context.Queue()
    waiting: list[str] = list(items)
    running: dict[str, BaseProcess] = {}
    ended: set[str] = set()
    with _ended(running):
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop(0)
                process = context.Process(
                    target=_work, args=(messages, work, name, items[name], os.getpid()), daemon=True
                )
                with one_thread_each(_LIBRARIES):
                    process.start()
                running[name] = process
            try:
                name, done, said = messages.get(timeout=_WAIT_S)
            except queue.Empty:
                ended = _still_silent(running, ended)
                continue
            if done is None:
                raise said
            if done == _FINISHED:
                running.pop(name).join()
                on_progress(name, n_steps, "done")
            else:
                on_progress(name, done, said)


@contextlib.contextmanager
def _ended(running: dict[str, BaseProcess]) -> Iterator[None]:
    """End what still runs when this ends, for whatever reason."""
    try:
        yield
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def _still_silent(running: dict[str, BaseProcess], before: set[str]) -> set[str]:
    """Return which processes have ended, though they have not said that they are finished.

    Parameters
    ----------
    running : dict
        Processes that have not said so, by name.
    before : set of str
        What this returned when nothing was heard the last time.

    Raises
    ------
    DtbError
        If one of these has still said nothing: whatever it had to say is lost.
    """
    from dtb_runtime.errors import DtbError

    # What one said last may have come between the end of the waiting and this look at it.
    ended = {name for name, process in running.items() if process.exitcode is not None}
    for name in sorted(ended & before):
        raise DtbError(
            f"The process of {name} ended with code {running[name].exitcode} and said nothing, as "
            "for want of memory. Go on with --resume, and fewer --jobs."
        )
    return ended


def _work(
    messages: Messages,
    work: Callable[[Item, Tell], None],
    name: str,
    item: Item,
    parent: int,
) -> None:
    """Work in the process made for it; all that it has to say goes through the queue."""
    from dtb_runtime.errors import DtbError

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process

    def tell(done: int, _total: int, sentence: str) -> None:
        if os.getppid() != parent:
            raise SystemExit  # nobody waits for it any more
        messages.put((name, done, sentence))

    try:
        work(item, tell)
    except DtbError as error:
        messages.put((name, None, error))
    except Exception:
        messages.put((name, None, RuntimeError(traceback.format_exc())))
    else:
        messages.put((name, _FINISHED, ""))
