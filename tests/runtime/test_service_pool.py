"""The workers of the service: batches, deaths, lateness, a clean end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dtb_runtime.errors import DtbError
from dtb_runtime.service_jobs import Answer, Job, JobKind
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_pool import ServicePool
from dtb_runtime.service_queue import JobQueue

from .service_fakes import FakePlan

ROOT = Path(__file__).resolve().parents[2]
Test = Callable[[], Coroutine[Any, Any, None]]


class Seen:
    """What a pool tells."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.n_replaced = 0

    def batch(self, n_jobs: int) -> None:
        self.batches.append(n_jobs)

    def replaced(self) -> None:
        self.n_replaced += 1


@asynccontextmanager
async def running(
    n_workers: int = 1, plan: FakePlan | None = None, **limits: Any
) -> AsyncIterator[tuple[ServicePool, Seen]]:
    seen = Seen()
    pool = ServicePool(plan or FakePlan(), n_workers, ServiceLimits(**limits), seen)
    pool.start()
    await pool.loaded()
    try:
        yield pool, seen
    finally:
        await asyncio.wait_for(pool.close(), 20)


def job(text: str, kind: Any = "infer", model: str = "main") -> Job:
    return Job(kind, text.encode(), model=model)


def said(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def test_jobs_are_answered_by_processes_with_one_thread() -> None:
    async def test() -> None:
        async with running(2) as (pool, _):
            assert pool.is_ready
            assert pool.n_alive == 2
            waiting = [pool.submit(job("sleep 0.2", "predict")) for _ in range(2)]
            answers = [said(answer) for answer in await asyncio.gather(*waiting)]
            assert len({answer["pid"] for answer in answers} - {os.getpid()}) == 2
            assert {answer["threads"] for answer in answers} == {"1"}
            whole = Job("calibrate", bytes(3_000_000), "application/octet-stream", 17, "x")
            answer = said(await pool.submit(whole))
            assert {name: answer[name] for name in ("kind", "n_bytes", "header_length")} == {
                "kind": "calibrate",
                "n_bytes": 3_000_000,
                "header_length": 17,
            }

    asyncio.run(test())


def test_what_waits_goes_together_where_it_is_alike() -> None:
    async def test() -> None:
        async with running(1, max_batch=3) as (pool, seen):
            first = pool.submit(job("sleep 0.3"))
            await until(lambda: pool.n_busy == 1)
            waiting = [pool.submit(job("a")) for _ in range(4)]
            waiting += [pool.submit(job("b", model="twin")), pool.submit(job("c", "predict"))]
            waiting += [pool.submit(job("d", "predict"))]
            assert pool.n_waiting == 7
            answers = [said(answer) for answer in await asyncio.gather(first, *waiting)]
            assert [answer["batch"] for answer in answers] == [1, 3, 3, 3, 1, 1, 1, 1]
            assert seen.batches == [1, 3, 1, 1, 1, 1]

    asyncio.run(test())


def test_a_worker_that_is_killed_costs_its_own_requests_and_is_replaced() -> None:
    async def test() -> None:
        async with running(2) as (pool, seen):
            other = pool.submit(job("sleep 1", "predict"))
            dying = await pool.submit(job("die"))
            assert dying.status == 503
            assert json.loads(dying.body) == {
                "error": "The process that worked on this ended abruptly. Others are not affected."
            }
            assert said(await other)["kind"] == "predict"
            await until(lambda: pool.n_alive == 2)
            assert seen.n_replaced == 1
            assert said(await pool.submit(job("again")))["batch"] == 1

    asyncio.run(test())


def test_a_batch_without_answers_is_tried_once_more_one_by_one() -> None:
    async def test() -> None:
        async with running(1, request_s=3) as (pool, seen):
            for bad, status in (("die", 503), ("sleep 60", 504)):
                seen.batches.clear()
                seen.n_replaced = 0
                first = pool.submit(job("sleep 0.3", "predict"))
                await until(lambda: pool.n_busy == 1)
                waiting = [pool.submit(job(each)) for each in ("a", bad, "b")]
                said(await first)
                answers = await asyncio.gather(*waiting)
                assert [answer.status for answer in answers] == [200, status, 200]
                assert [said(answers[n])["batch"] for n in (0, 2)] == [1, 1]
                assert seen.batches == [1, 3, 1, 1, 1]
                await until(lambda: pool.n_alive == 1)
                await until(lambda: seen.n_replaced == 2)  # with the batch, and alone

    asyncio.run(test())


def test_what_a_worker_puts_off_goes_alone_before_all_others() -> None:
    async def test() -> None:
        async with running(1) as (pool, seen):
            first = pool.submit(job("sleep 0.3", "predict"))
            await until(lambda: pool.n_busy == 1)
            waiting = [pool.submit(job(each)) for each in ("alone", "a", "alone", "b")]
            waiting.append(pool.submit(job("c", "predict")))
            ended: list[int] = []
            for number, each in enumerate(waiting):
                each.add_done_callback(lambda _, number=number: ended.append(number))
            answers = [said(answer) for answer in await asyncio.gather(first, *waiting)]
            assert [answer["batch"] for answer in answers] == [1, 1, 4, 1, 4, 1]
            assert ended == [1, 3, 0, 2, 4]
            assert seen.batches == [1, 4, 1, 1, 1]
            assert seen.n_replaced == 0

    asyncio.run(test())


def test_a_worker_that_dies_while_nothing_is_to_do_costs_nothing() -> None:
    async def test() -> None:
        async with running(1) as (pool, seen):
            pid = said(await pool.submit(job("a")))["pid"]
            os.kill(pid, signal.SIGKILL)
            await until(lambda: pool.n_alive == 0)
            assert not pool.is_ready
            assert said(await pool.submit(job("b")))["pid"] != pid
            assert seen.n_replaced == 1

    asyncio.run(test())


def test_a_worker_that_takes_too_long_is_ended() -> None:
    async def test() -> None:
        async with running(1, request_s=2) as (pool, _):
            pid = said(await pool.submit(job("a")))["pid"]
            late = await pool.submit(job("sleep 60"))
            assert late.status == 504
            assert b"longer than 2 s" in late.body
            await until(lambda: pool.n_alive == 1)
            assert said(await pool.submit(job("a")))["pid"] != pid
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    asyncio.run(test())


def test_whoever_waits_too_long_is_told_so() -> None:
    async def test() -> None:
        pool = ServicePool(FakePlan(seconds=60), 1, ServiceLimits(request_s=0.2))
        pool.start()
        answer = await pool.submit(job("a"))
        assert answer.status == 503
        assert b"No worker was free for 0.2 s" in answer.body
        assert pool.n_waiting == 0
        await pool.close()

    asyncio.run(test())


def test_what_nobody_waits_for_is_not_computed() -> None:
    async def test() -> None:
        async with running(1) as (pool, seen):
            first = pool.submit(job("sleep 0.3", "predict"))
            given_up = [pool.submit(job("a", "predict")) for _ in range(5)]
            await until(lambda: pool.n_busy == 1)
            for waiting in given_up:
                waiting.cancel()
            await asyncio.sleep(0)
            assert pool.n_waiting == 0
            await first
            said(await pool.submit(job("b")))
            assert seen.batches == [1, 1]

    asyncio.run(test())


def test_a_mistake_in_a_worker_is_an_answer_without_anybodys_data() -> None:
    async def test() -> None:
        async with running(1) as (pool, seen):
            answer = await pool.submit(job("fail 17"))
            assert answer.status == 500
            assert json.loads(answer.body) == {
                "error": "The service made a mistake (ValueError) and has no answer."
            }
            assert seen.n_replaced == 0

    asyncio.run(test())


def test_nothing_of_a_request_stays_in_memory() -> None:
    """Of errors too, which refer to themselves: a NaN again and again had filled a worker."""

    async def test() -> None:
        async with running(1) as (pool, _):
            kept = [said(await pool.submit(job("keep")))["kept"] for _ in range(3)]
            assert kept == [1, 1, 1]
            assert said(await pool.submit(job("")))["kept"] == 0

    asyncio.run(test())


def test_the_end_waits_for_what_was_accepted() -> None:
    async def test() -> None:
        async with running(1) as (pool, _):
            waiting = [pool.submit(job("sleep 0.1", "predict")) for _ in range(3)]
            pid = said(await pool.submit(job("a")))["pid"]
            await pool.close()
            assert [answer.result().status for answer in waiting] == [200] * 3
            assert not pool.is_ready
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    asyncio.run(test())


@pytest.mark.parametrize(
    ("problem", "message"),
    [("The bundle is gone.", "The bundle is gone."), ("die", "ended while it began")],
)
def test_a_worker_that_cannot_begin_ends_the_attempt(problem: str, message: str) -> None:
    async def test() -> None:
        pool = ServicePool(FakePlan(problem), 1, ServiceLimits())
        pool.start()
        with pytest.raises(DtbError, match=message):
            await pool.loaded()
        assert not pool.is_ready
        await pool.close()

    asyncio.run(test())


def test_it_is_ready_when_every_worker_is_and_jobs_wait_for_the_first() -> None:
    async def test() -> None:
        pool = ServicePool(FakePlan(seconds=0.3), 2, ServiceLimits())
        pool.start()
        waiting = pool.submit(job("a"))
        assert not pool.is_ready
        assert said(await waiting)["batch"] == 1
        await pool.loaded()
        assert pool.is_ready
        await pool.close()

    asyncio.run(test())


ORPHANS = """
import asyncio, os
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_jobs import Job
from dtb_runtime.service_pool import ServicePool
from tests.runtime.service_fakes import FakePlan

async def main():
    pool = ServicePool(FakePlan(), 2, ServiceLimits())
    pool.start()
    await pool.loaded()
    busy = pool.submit(Job("predict", b"sleep 60"))
    pids = [worker._process.pid for worker in pool._alive]
    print(*pids, flush=True)
    await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_service_that_is_killed_leaves_no_worker_behind(tmp_path: Path) -> None:
    program = tmp_path / "orphans.py"
    program.write_text(ORPHANS, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, text=True, env=environment
    ) as service:
        assert service.stdout is not None
        pids = [int(word) for word in service.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(is_running, pids))
        service.kill()
    end_s = time.monotonic() + 10
    while any(map(is_running, pids)) and time.monotonic() < end_s:
        time.sleep(0.02)
    assert not any(map(is_running, pids))


def queue_of(n_workers: int = 2, **limits: Any) -> JobQueue:
    return JobQueue(ServiceLimits(**limits), n_workers)


def test_free_workers_share_what_waits() -> None:
    async def test() -> None:
        queue = queue_of()
        takers = [asyncio.ensure_future(queue.take()) for _ in range(2)]
        await asyncio.sleep(0)
        for number in range(4):
            queue.put(job(str(number)))
        batches = await asyncio.gather(*takers)
        assert sorted(map(len, batches)) == [2, 2]
        assert len(queue) == 0

    asyncio.run(test())


@pytest.mark.parametrize("kind", ["calibrate", "apply-plan"])
def test_forecasts_pass_what_is_slow_where_enough_of_it_is_worked_on(kind: JobKind) -> None:
    async def test() -> None:
        queue = queue_of()
        for text in "ab":
            queue.put(job(text, kind))
        queue.put(job("c", "predict"))
        slow, quick = [await queue.take() for _ in range(2)]
        assert [each[0].frame for each in (slow, quick)] == [
            job("a", kind).to_bytes(),
            job("c", "predict").to_bytes(),
        ]
        waits = asyncio.ensure_future(queue.take())
        await asyncio.sleep(0)
        queue.finished(quick)
        await asyncio.sleep(0)
        assert not waits.done()  # as many as may be are worked on
        queue.finished(slow)
        (other,) = await asyncio.wait_for(waits, 5)
        assert other.frame == job("b", kind).to_bytes()

    asyncio.run(test())


@pytest.mark.parametrize(("n_workers", "at_once", "taken"), [(1, None, 1), (4, None, 3), (4, 4, 4)])
def test_as_many_slow_jobs_are_worked_on_as_may_be(
    n_workers: int, at_once: int | None, taken: int
) -> None:
    async def test() -> None:
        queue = queue_of(n_workers, slow_at_once=at_once)
        for _ in range(5):
            queue.put(job("a", "calibrate"))
        for _ in range(taken):
            await asyncio.wait_for(queue.take(), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.take(), 0.01)
        assert len(queue) == 5 - taken

    asyncio.run(test())


def test_what_waits_again_comes_first_and_alone() -> None:
    async def test() -> None:
        queue = queue_of(request_s=0.1)
        given_up, *waiting = [queue.put(job(text)) for text in "abc"]
        batch = await queue.take()
        assert [len(batch), len(queue)] == [3, 0]
        other = queue.put(job("d"))
        given_up.cancel()
        queue.again(batch)
        assert len(queue) == 3
        (taken,) = await queue.take()
        assert taken.frame == job("b").to_bytes()
        (late,) = [each for each in waiting if each is not taken.answer]
        assert b"No worker was free for 0.2 s" in (await late).body
        await other
        assert len(queue) == 0
        assert not taken.answer.done()

    asyncio.run(test())


def test_a_batch_is_no_longer_than_one_body_may_be() -> None:
    async def test() -> None:
        queue = queue_of(body_bytes=1000)
        for _ in range(4):
            queue.put(job("x" * 400))
        queue.put(job("x" * 2000))
        assert [len(await queue.take()) for _ in range(3)] == [2, 2, 1]

    asyncio.run(test())


def test_a_worker_that_gives_up_leaves_what_it_was_woken_for_to_another() -> None:
    async def test() -> None:
        queue = queue_of()
        stays, leaves = (asyncio.ensure_future(queue.take()) for _ in range(2))
        await asyncio.sleep(0)
        queue.put(job("a"))  # wakes the one that came last
        leaves.cancel()
        (taken,) = await asyncio.wait_for(stays, 5)
        assert taken.frame == job("a").to_bytes()
        assert leaves.cancelled()

    asyncio.run(test())


def test_the_queue_is_full_when_as_many_wait_as_may() -> None:
    async def test() -> None:
        queue = queue_of(queue=2)
        waiting = [queue.put(job("a", "predict")) for _ in range(2)]
        assert queue.is_full
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert not queue.is_full
        assert len(await queue.take()) == 1
        taker = asyncio.ensure_future(queue.take())
        await asyncio.sleep(0)
        for _ in range(3):  # one for the worker that is free
            assert not queue.is_full
            queue.put(job("b", "predict"))
        assert queue.is_full
        await taker

    asyncio.run(test())
