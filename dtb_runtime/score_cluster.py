"""Scoring on a Dask cluster: the same rows as on one machine.

The bundle goes to each worker once, as bytes, and is loaded there once. A worker that dies is
replaced by the cluster and its people are scored again. Workers read the connectomes themselves, so
the files must lie at the same paths there; dtb-runtime must be installed there too.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cohort_entry import CohortEntry
from .errors import DtbError, MissingDependencyError, OutputError, UsageError
from .score_workers import Scorer, WorkerPlan
from .scored_person import ScoredPerson
from .summary import package_version

if TYPE_CHECKING:
    from typing import Self

_AHEAD = 2  # batches a worker's thread is given before results are taken
WORKERS_WITHIN_S = 60
"""How long the first worker may take to come."""
_loading = threading.Lock()
_shipped: dict[str, ShippedBundle] = {}
"""What this worker was sent, by key."""
_scorers: dict[str, Scorer] = {}
"""What it made of them."""


@dataclass(frozen=True, slots=True)
class ShippedBundle:
    """A bundle on its way to a worker."""

    plan: WorkerPlan
    version: str
    """Of dtb-runtime, where the run began."""
    contents: Mapping[str, bytes] = field(repr=False)
    """File name to content."""

    @classmethod
    def of(cls, plan: WorkerPlan) -> ShippedBundle:
        """Take up the files of a bundle that was loaded, and so checked, before."""
        contents = {p.name: p.read_bytes() for p in plan.folder.iterdir() if p.is_file()}
        return cls(plan, package_version(), contents)

    @property
    def key(self) -> str:
        """Tells it from any other."""
        return f"{self.plan} {self.version}"

    def arrive(self) -> None:
        """Be there for the tasks of this worker."""
        _shipped[self.key] = self

    def scorer(self) -> Scorer:
        """Load the bundle, with all checks of `load_bundle`.

        Raises
        ------
        UsageError
            This worker has another version of dtb-runtime.
        """
        if package_version() != self.version:
            raise UsageError(
                f"A worker has dtb-runtime {package_version()}, but the run began with "
                f"{self.version}, and one table holds the numbers of one version. Install the same "
                "version on all workers."
            )
        with tempfile.TemporaryDirectory(prefix="dtb-bundle-") as folder:
            for name, data in self.contents.items():
                (Path(folder) / name).write_bytes(data)
            return self.plan.scorer(Path(folder))


class ClusterWorkers:
    """Workers of a Dask cluster, as `Workers` are on one machine; a context manager.

    Parameters
    ----------
    plan : WorkerPlan
    address : str
        Of the scheduler, e.g. ``"tcp://10.0.0.1:8786"``.

    Raises
    ------
    MissingDependencyError
        Dask is not installed, here or on the workers.
    UsageError
        There is no scheduler at the address, or no worker came to it.
    """

    def __init__(self, plan: WorkerPlan, address: str) -> None:
        distributed = import_distributed()
        self._killed: type[Exception] = distributed.KilledWorker
        self._at_once = plan.at_once
        if not re.search(r":[0-9]+$", address):
            raise UsageError(
                f"{address!r} is no address of a Dask scheduler: it has no port. Give the address "
                "that it printed when it was started, e.g. tcp://10.0.0.1:8786."
            )
        try:
            self._client: Any = distributed.Client(address, timeout="20s", set_as_default=False)
        except (OSError, ValueError, TypeError) as cause:
            raise UsageError(
                f"There is no Dask scheduler at {address!r} ({cause}). Give the address that it "
                "printed when it was started, e.g. tcp://10.0.0.1:8786."
            ) from cause
        from .score_cluster_plugin import BundlePlugin  # late: it needs distributed

        shipped = ShippedBundle.of(plan)
        self._key = shipped.key
        try:
            self._client.wait_for_workers(1, timeout=WORKERS_WITHIN_S)
            self._client.register_plugin(BundlePlugin(shipped))  # also to those that come later
        except TimeoutError as cause:
            self._client.close()
            raise UsageError(
                f"No worker came to the Dask scheduler at {address} within {WORKERS_WITHIN_S} s. "
                "Start workers, or wait until the queue has, and start again."
            ) from cause
        except BaseException as error:
            self._client.close()
            if isinstance(error, ModuleNotFoundError):
                raise _lacking(error) from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def score(self, entries: Iterable[CohortEntry]) -> Generator[ScoredPerson, None, None]:
        """Yield everybody's row, in the order of the entries.

        Raises
        ------
        DtbError
            The scheduler went away; no worker can score.
        """
        waiting: deque[tuple[list[CohortEntry], Any]] = deque()
        remaining = iter(entries)
        for several in iter(lambda: list(islice(remaining, self._at_once)), []):
            waiting.append((several, self._submit(several)))
            if len(waiting) >= self._n_threads() * _AHEAD:
                yield from self._next(waiting)
        while waiting:
            yield from self._next(waiting)

    def _next(self, waiting: deque[tuple[list[CohortEntry], Any]]) -> Iterator[ScoredPerson]:
        several, future = waiting.popleft()
        try:
            lines = self._result(future)
        except self._killed:
            # Some worker died of it again and again: one at a time shows of whom.
            for entry in several:
                yield self._alone(entry)
            return
        for line in lines:
            yield ScoredPerson.from_line(line, "a worker's result")

    def _alone(self, entry: CohortEntry) -> ScoredPerson:
        try:
            (line,) = self._result(self._submit([entry]))
        except self._killed:
            return ScoredPerson.failed(
                entry,
                "The processes that scored it ended abruptly, again and again. The file may be "
                "made to crash a reader, or there is too little memory: try it alone with dtb-run "
                "predict.",
            )
        return ScoredPerson.from_line(line, "a worker's result")

    def _submit(self, entries: Sequence[CohortEntry]) -> Any:
        return self._client.submit(_score, self._key, list(entries), pure=False)

    def _result(self, future: Any) -> list[str]:
        try:
            lines: list[str] = future.result()
        except ModuleNotFoundError as cause:
            raise _lacking(cause) from cause
        except (DtbError, self._killed):
            raise
        except (OSError, CancelledError) as cause:
            raise _gone(cause) from cause
        finally:
            with contextlib.suppress(Exception):
                future.release()
        return lines

    def _n_threads(self) -> int:
        try:
            return max(int(sum(self._client.nthreads().values())), 1)
        except (OSError, CancelledError) as cause:
            raise _gone(cause) from cause


def _lacking(cause: ModuleNotFoundError) -> MissingDependencyError:
    return MissingDependencyError(
        f"The workers of the cluster lack {cause.name!r}. Install there: pip install "
        "'dtb-runtime[cpu]', in the version that is installed here."
    )


def _gone(cause: BaseException) -> UsageError:
    return UsageError(
        f"The Dask scheduler went away ({type(cause).__name__}). What is scored is kept: start a "
        "cluster, and the same command goes on."
    )


def import_distributed() -> Any:
    """The `distributed` package; raises `MissingDependencyError` without it."""
    try:
        import distributed
    except ImportError as cause:
        raise MissingDependencyError(
            "A cluster needs Dask, which is not installed. Install it with: pip install "
            "'dtb-runtime[cluster]'."
        ) from cause
    return distributed


def _score(key: str, entries: list[CohortEntry]) -> list[str]:
    try:
        with _loading:
            if key not in _scorers:
                _scorers[key] = _shipped[key].scorer()
        return [person.to_line() for person in _scorers[key].score(entries)]
    except OSError as cause:  # a disk that is full; else it would pass for a lost scheduler
        raise OutputError(
            f"A worker of the cluster cannot go on: {cause.strerror or cause}."
        ) from cause
