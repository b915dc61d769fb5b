"""What the service counts, for Prometheus: requests, people, batches, waiting, workers.

Labels are names of ours (addresses as they are documented, statuses, states), never a word of a
request: whoever reads the metrics learns nothing of anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from .service_body import HeldBytes
    from .service_pool import ServicePool

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_JOBS = (1, 2, 4, 8, 16, 32)


class ServiceMetrics:
    """The counters of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "dtb_requests_total",
            "Requests that were answered.",
            ["method", "path", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "dtb_request_seconds",
            "From a request's headers to the end of its answer.",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._people = Counter(
            "dtb_people_total", "People who were forecast.", ["path"], registry=self._registry
        )
        self._batches = Histogram(
            "dtb_batch_requests",
            "Requests that went to a worker together.",
            buckets=_JOBS,
            registry=self._registry,
        )
        self._replaced = Counter(
            "dtb_workers_replaced_total",
            "Workers that ended or could not begin.",
            registry=self._registry,
        )

    def watch(self, pool: ServicePool, held: HeldBytes) -> None:
        """Show what waits and works, as it is whenever somebody looks."""
        waiting = Gauge(
            "dtb_requests_waiting", "Requests that no worker has yet.", registry=self._registry
        )
        waiting.set_function(lambda: pool.n_waiting)
        workers = Gauge("dtb_workers", "Workers.", ["state"], registry=self._registry)
        workers.labels("busy").set_function(lambda: pool.n_busy)
        workers.labels("idle").set_function(lambda: max(0, pool.n_alive - pool.n_busy))
        workers.labels("beginning").set_function(lambda: pool.n_workers - pool.n_alive)
        bodies = Gauge(
            "dtb_held_bytes", "Of bodies and answers that are held.", registry=self._registry
        )
        bodies.set_function(lambda: held.n_bytes)

    def answered(self, method: str, path: str, status: str, seconds: float) -> None:
        """Count a request.

        Parameters
        ----------
        method : str
            Of those that the service knows, else ``other``.
        path : str
            As documented, with names in braces; ``other`` for what is not there.
        status : str
            HTTP status; ``gone`` where the client did not wait for it.
        seconds : float
        """
        self._requests.labels(method, path, status).inc()
        self._seconds.labels(path).observe(seconds)

    def forecast(self, path: str, n_people: int) -> None:
        """Count people."""
        if n_people:
            self._people.labels(path).inc(n_people)

    def batch(self, n_jobs: int) -> None:
        """See `service_pool.Witness`."""
        self._batches.observe(n_jobs)

    def replaced(self) -> None:
        """See `service_pool.Witness`."""
        self._replaced.inc()

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)
