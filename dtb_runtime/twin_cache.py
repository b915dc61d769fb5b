"""Twins kept for a while by what they were made from, so that nobody is made twice in a row."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .twin import Twin


def connectome_key(
    bundle_digest: str,
    values: NDArray[Any],
    labels: Sequence[str] | None,
    *,
    fisher_z: bool,
    impute: bool,
) -> str:
    """Digest of a connectome as it was given, and of all that decides which twin is made of it.

    Parameters
    ----------
    bundle_digest : str
    values : numpy.ndarray, shape (n_regions, n_regions)
        Not yet checked.
    labels : sequence of str, optional
    fisher_z, impute : bool
        As `Connectome.from_matrix` takes them.
    """
    names = None if labels is None else [*labels]
    head = (bundle_digest, values.dtype.str, values.shape, names, fisher_z, impute)
    found = hashlib.sha256(repr(head).encode("utf-8", "backslashreplace"))
    found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


class TwinCache:
    """The twins that were asked for last.

    Parameters
    ----------
    capacity : int
        How many are kept, at least 1.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = max(capacity, 1)
        self._twins: OrderedDict[str, Twin] = OrderedDict()

    def __len__(self) -> int:
        return len(self._twins)

    def get(self, key: str) -> Twin | None:
        """The twin under a key, which is now the last one asked for; None where there is none."""
        found = self._twins.get(key)
        if found is not None:
            self._twins.move_to_end(key)
        return found

    def put(self, key: str, twin: Twin) -> None:
        """Keep a twin; whichever was asked for longest ago leaves where there is no room."""
        self._twins[key] = twin
        self._twins.move_to_end(key)
        if len(self._twins) > self._capacity:
            self._twins.popitem(last=False)
