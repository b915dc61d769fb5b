"""A worker of the service: a process that answers jobs, and the other end of its pipes.

A body that is made to crash a reader or to fill the memory ends a worker and not the service.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Protocol

from .errors import BundleError, DtbError
from .processors import one_thread_each
from .service_jobs import Answer, Job
from .service_limits import ServiceLimits

PIPE_BYTES = 2**20
"""What a pipe takes before whoever writes must wait: a person of 434 regions at a time."""
_READY = b""


class Answering(Protocol):
    """What a worker does."""

    def answer(self, jobs: Sequence[Job]) -> list[Answer]:
        """One answer each, in their order; never raises for what is in a body."""
        ...


class WorkerPlan(Protocol):
    """What every worker begins with: plain values, since it goes to another process."""

    def load(self) -> Answering:
        """What answers.

        Raises
        ------
        DtbError
            There can be none.
        """
        ...


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """Workers that forecast with bundles."""

    bundles: tuple[tuple[Path, str], ...]
    """Folder and digest of each: a worker may begin days after the service did."""
    limits: ServiceLimits

    def load(self) -> Answering:
        """Load the bundles, with all checks of `load_bundle`, to run in one thread each.

        Raises
        ------
        BundleError
            One is another bundle by now, or what `load_bundle` refuses.
        """
        from .bundle_loading import load_bundle
        from .service_worker import ServiceWorker

        loaded = []
        for folder, digest in self.bundles:
            bundle = load_bundle(folder, device="cpu", threads=1)
            if bundle.digest != digest:
                raise BundleError(
                    f"The bundle in {folder} is another one than when the service began. Start the "
                    "service again to serve the new one."
                )
            loaded.append(bundle)
        return ServiceWorker(loaded, self.limits)


class WorkerProcess:
    """A worker as the service sees it. `loaded`, `exchange` and `ended` wait, each in a thread.

    Parameters
    ----------
    plan : WorkerPlan
    """

    def __init__(self, plan: WorkerPlan) -> None:
        context = multiprocessing.get_context("spawn")  # a forked copy would hold every socket
        theirs_in, self._to = context.Pipe(duplex=False)
        self._from, theirs_out = context.Pipe(duplex=False)
        for end in (self._to, self._from):
            _widen(end)
        self._process = context.Process(
            target=_run, args=(plan, theirs_in, theirs_out), daemon=True, name="dtb-service-worker"
        )
        with one_thread_each():
            self._process.start()
        # Otherwise the end of the process would not be the end of the pipe.
        theirs_in.close()
        theirs_out.close()

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    def loaded(self) -> None:
        """Wait until it is able to answer.

        Raises
        ------
        DtbError
            It will not be: the worker's own sentence.
        EOFError, OSError
            It has ended.
        """
        said = self._from.recv_bytes()
        if said != _READY:
            raise DtbError(said.decode())

    def exchange(self, frames: Sequence[bytes]) -> list[Answer]:
        """Send jobs (`Job.to_bytes`) together and wait for their answers.

        Raises
        ------
        EOFError, OSError
            The worker has ended.
        """
        self._to.send_bytes(len(frames).to_bytes(4, "little"))
        for frame in frames:
            self._to.send_bytes(frame)
        return [Answer.from_bytes(self._from.recv_bytes()) for _ in frames]

    def ended(self) -> None:
        """Wait until the process has ended."""
        wait([self._process.sentinel])

    def release(self) -> None:
        """Let it end: nothing more will come."""
        self._to.close()

    def kill(self) -> None:
        """End it at once, and close the pipes, whoever waits at them."""
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """Free what is left of it; it has ended and nobody waits any more."""
        self._process.join()
        for end in (self._to, self._from):
            end.close()
        self._process.close()


def _run(plan: WorkerPlan, jobs: Connection, answers: Connection) -> None:
    """Answer until the service closes its end or is gone."""
    # What ends the service is sent to its whole group by terminals and by systemd; a worker must
    # still answer what was accepted.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _leave_no_core()
    _be_the_first_to_go()
    try:
        worker = plan.load()
    except DtbError as error:
        answers.send_bytes(str(error).encode())
        return
    except Exception as error:
        answers.send_bytes(f"A worker cannot begin: {type(error).__name__}: {error}".encode())
        return
    gc.freeze()  # what is loaded stays, and need not be looked at again
    answers.send_bytes(_READY)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            n_jobs = int.from_bytes(jobs.recv_bytes(), "little")
            frames = _answered(worker, [Job.from_bytes(jobs.recv_bytes()) for _ in range(n_jobs)])
            while frames:
                answers.send_bytes(frames.pop(0))
            # Errors and the frames that they came through refer to each other, and connectomes lie
            # in these frames: bad requests would fill the memory until Python looks for cycles.
            gc.collect()


def _answered(worker: Answering, jobs: list[Job]) -> list[bytes]:
    """Return the answers as messages; nothing else of the jobs is left when it is waited again."""
    try:
        return [answer.to_bytes() for answer in worker.answer(jobs)]
    except Exception as error:  # a mistake of ours; its text may hold what people sent
        sentence = f"The service made a mistake ({type(error).__name__}) and has no answer."
        return [Answer.refusal(500, sentence).to_bytes() for _ in jobs]


def _end_with_parent() -> None:
    """Wait for the service to end, and end at once: nobody waits any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _leave_no_core() -> None:
    """Keep what people sent out of files that the system writes of a crashed process."""
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _be_the_first_to_go() -> None:
    """Where memory runs out, let Linux end a worker and not the service."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _widen(end: Connection) -> None:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # a user's pipes together have a bound as well
            fcntl.fcntl(end.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
