"""Work in threads: in order, nothing twice, and no more after an error."""

from __future__ import annotations

import threading
import time

import pytest

from dtb_models.in_threads import MadeOnce, Steps, in_threads


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if jobs > 1 and item == 0:
            first_may_end.wait(10)  # the others are done before
        if item == 2:
            first_may_end.set()
        return item * item

    assert list(in_threads(work, range(5), jobs)) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_ends_the_work(jobs: int) -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise ValueError("no")
        if item > 1:
            time.sleep(0.01)  # else another thread may do all of them before the error is seen
        return item

    results = in_threads(work, range(1000), jobs)
    assert next(results) == 0
    with pytest.raises(ValueError, match="no"):
        list(results)
    assert len(begun) < 1000


def test_what_several_ask_for_is_made_once() -> None:
    made = MadeOnce[str, list[str]]()
    asking = threading.Semaphore(0)
    calls: list[str] = []

    def ask(_: int) -> list[str]:
        asking.release()

        def make() -> list[str]:
            for _ in range(4):
                assert asking.acquire(timeout=10)  # until all four ask
            calls.append("a")
            return ["a"]

        return made.get("a", make)

    first, *others = in_threads(ask, range(4), 4)
    assert calls == ["a"]
    assert all(each is first for each in others)


def test_other_keys_do_not_wait() -> None:
    made = MadeOnce[str, str]()
    is_b_made = threading.Event()

    def make(key: str) -> str:
        if key == "b":
            is_b_made.set()
        else:
            assert is_b_made.wait(10)
        return key

    assert list(in_threads(lambda key: made.get(key, lambda: make(key)), "ab", 2)) == ["a", "b"]


def test_what_could_not_be_made_is_made_for_the_next() -> None:
    made = MadeOnce[int, int]()

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        made.get(1, fail)
    assert made.get(1, lambda: 5) == 5
    assert made.get(1, fail) == 5


def test_steps_are_counted_and_never_more_than_there_are() -> None:
    told: list[tuple[int, int, str]] = []
    steps = Steps(3, lambda *said: told.append(said))  # type: ignore[arg-type, func-returns-value]
    for sentence, size in (("a", 1.0), ("b", 0.5), ("c", 0.5), ("d", 5.0)):
        steps.add(sentence, size)
    assert told == [(1, 3, "a"), (1, 3, "b"), (2, 3, "c"), (3, 3, "d")]
    Steps(1, None).add("nobody listens")
