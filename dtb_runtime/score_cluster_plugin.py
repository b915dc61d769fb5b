"""What Dask hands to each worker when it joins: the bundle. Imported only where Dask is used."""

from __future__ import annotations

from typing import Any

from distributed import WorkerPlugin

from .score_cluster import ShippedBundle


class BundlePlugin(WorkerPlugin):
    """Brings a bundle to a worker, also to one that replaces another."""

    def __init__(self, shipped: ShippedBundle) -> None:
        self.name = f"dtb-runtime {shipped.key}"
        self._shipped = shipped

    def setup(self, worker: Any) -> None:
        """Called by Dask on the worker."""
        self._shipped.arrive()
