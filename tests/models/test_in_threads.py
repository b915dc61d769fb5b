"""Work in threads: in order, and no more after an error."""

from __future__ import annotations

import threading

import pytest

from dtb_models.in_threads import Steps, in_threads


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
        return item

    results = in_threads(work, range(1000), jobs)
    assert next(results) == 0
    with pytest.raises(ValueError, match="no"):
        list(results)
    assert len(begun) < 1000


def test_steps_are_counted_and_never_more_than_there_are() -> None:
    told: list[tuple[int, int, str]] = []
    steps = Steps(3, lambda *said: told.append(said))  # type: ignore[arg-type, func-returns-value]
    for sentence, size in (("a", 1.0), ("b", 0.5), ("c", 0.5), ("d", 5.0)):
        steps.add(sentence, size)
    assert told == [(1, 3, "a"), (1, 3, "b"), (2, 3, "c"), (3, 3, "d")]
    Steps(1, None).add("nobody listens")
