"""What goes into a bundle's graphs and what comes out: kinds, shapes and finiteness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import BundleError, DataError
from .manifest import Manifest


@dataclass(frozen=True, slots=True)
class GraphChecks:
    """The checks of one bundle."""

    manifest: Manifest

    def edges(self, edges: ArrayLike) -> NDArray[np.float32]:
        """Edges as the hypernetwork takes them; see `Bundle.personalize_edges`.

        Raises
        ------
        DataError
            They are no real, finite numbers of shape (people, n_edges).
        """
        given = np.asarray(edges)
        if given.dtype.kind not in "fiub" or np.ma.is_masked(edges):
            found = "masked values" if np.ma.is_masked(edges) else f"type {given.dtype}"
            raise DataError(f"Edges must be real numbers, found {found}.")
        values = np.ascontiguousarray(given, dtype=np.float32)
        if values.ndim != 2 or values.shape[1] != self.manifest.n_edges:
            raise DataError(
                f"Bundle {self.manifest.name!r} needs edges of shape "
                f"(people, {self.manifest.n_edges}), found {values.shape}."
            )
        if not np.isfinite(values).all():
            person, edge = np.argwhere(~np.isfinite(values))[0]
            raise DataError(
                f"Edges must be finite, but edge {edge} of person {person} is "
                f"{values[person, edge]} (counted from 0)."
            )
        return values

    def given(
        self, name: str, array: NDArray[np.float32], shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """An input as float32; raises `DataError` if it has another shape."""
        own = np.ascontiguousarray(array, dtype=np.float32)
        if own.shape != shape:
            raise DataError(
                f"{name} must have shape {shape} for bundle {self.manifest.name!r}, "
                f"found {np.shape(array)}."
            )
        return own

    def output(
        self, file: str, name: str, array: NDArray[np.float32], shape: tuple[int, ...]
    ) -> None:
        """Raise `BundleError` if what a graph gave has another shape, or is not finite."""
        if array.shape != shape:
            raise BundleError(
                f"{file} of bundle {self.manifest.name!r} gave {name} of shape {array.shape}, "
                f"expected {shape}. Export the bundle again."
            )
        self.finite(file, name, array)

    def finite(self, file: str, name: str, array: NDArray[np.float32]) -> None:
        """Raise `BundleError` if what a graph gave is not finite."""
        if not np.isfinite(array).all():
            raise BundleError(
                f"{file} of bundle {self.manifest.name!r} gave {name} that are not finite, so "
                "there is no forecast. Export the bundle again, or check where it came from."
            )
