"""Averages of a scan over regions, from parts of it: a scan is never in memory as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .connectome_checks import listed, region_name
from .errors import ConnectomeError
from .raw_array import check_bytes

_LOW_COVERAGE = 0.5
"""A region with data in less of it is noted; XCP-D drops such regions by default."""


class RegionAverages:
    """Averages over the elements (voxels, grayordinates) of each region at each time.

    An element that is zero or not finite throughout has no data (outside the scan or the brain
    mask), and counts in no average. Correlations are the same with and without such zeros.

    Parameters
    ----------
    source : str
        The scan, for messages.
    labels : tuple of str
        Names of the regions.
    regions : numpy.ndarray of int, shape (n_elements,)
        Which region each element of the scan is in, -1 for none.
    n_timepoints : int
    sizes : numpy.ndarray of int, shape (n_regions,), optional
        How many elements each region has in the atlas; by default those that the scan has.

    Raises
    ------
    ConnectomeError
        The averages would take more memory than is given to an array.
    """

    def __init__(
        self,
        source: str,
        labels: tuple[str, ...],
        regions: NDArray[np.intp],
        n_timepoints: int,
        sizes: NDArray[np.intp] | None = None,
    ) -> None:
        n_regions = len(labels)
        check_bytes((n_timepoints, n_regions), 8, f"{source}, averaged over regions,")
        self._source = source
        self.labels = labels
        """Names of the regions."""
        self._regions = regions
        self._sizes = self._count(np.ones(len(regions), np.bool_)) if sizes is None else sizes
        self._sums = np.zeros((n_timepoints, n_regions))
        self._n_gaps = np.zeros(len(regions), np.int64)
        self._has_signal = np.zeros(len(regions), np.bool_)

    def add(self, times: slice, elements: slice, values: NDArray[np.float64]) -> None:
        """Take in a part of the scan; every part once, in any order.

        Parameters
        ----------
        times, elements : slice
            Which part it is; of elements in steps of 1.
        values : numpy.ndarray, shape (n_times, n_elements)
            Its numbers.
        """
        regions = self._regions[elements]
        order = np.argsort(regions, kind="stable")
        order = order[np.searchsorted(regions[order], 0) :]  # those of a region
        if len(order) == 0:
            return
        ordered = regions[order]
        numbers = values[:, order]
        there = np.isfinite(numbers)
        place = order + (elements.start or 0)
        if not there.all():
            numbers = np.where(there, numbers, 0.0)
            self._n_gaps[place] += (~there).sum(axis=0)
        self._has_signal[place] |= (numbers != 0).any(axis=0)
        begins = np.flatnonzero(np.diff(ordered, prepend=-1))
        with np.errstate(over="ignore"):  # an infinite sum is refused in the end
            sums = np.add.reduceat(numbers, begins, axis=1)
            self._sums[times][:, ordered[begins]] += sums

    def result(self) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """The averages, after all parts were added.

        Returns
        -------
        series : numpy.ndarray, shape (n_timepoints, n_regions)
            NaN throughout where a region has no data.
        notes : tuple of str
            Which regions are only partly covered.

        Raises
        ------
        ConnectomeError
            A region has values that are not finite at some times, or no region has data.
        """
        n_timepoints = len(self._sums)
        in_region = self._regions >= 0
        gaps = in_region & (self._n_gaps > 0) & (self._n_gaps < n_timepoints)
        if gaps.any():
            region = int(self._regions[np.flatnonzero(gaps)[0]])
            raise ConnectomeError(
                f"{self._source} has values that are not finite at some time points and finite at "
                f"others, first in {region_name(region, self.labels)}. Remove these frames before; "
                "nothing is filled in."
            )
        counts = self._count(in_region & self._has_signal)
        if not counts.any():
            raise ConnectomeError(
                f"{self._source} has no data in any region of the atlas: all values there are 0 or "
                "not finite. Check that the atlas is in the space of the scan."
            )
        series = np.full(self._sums.shape, np.nan)
        np.divide(self._sums, counts, out=series, where=counts > 0)
        if np.isinf(series).any():
            raise ConnectomeError(
                f"{self._source} holds numbers too large to be averaged. Check its scaling."
            )
        partly = np.flatnonzero((counts > 0) & (counts < _LOW_COVERAGE * self._sizes))
        if len(partly) == 0:
            return series, ()
        names = listed([self.labels[region] for region in partly])
        note = (
            f"{len(partly)} of {len(self.labels)} regions have data in less than "
            f"{_LOW_COVERAGE:.0%} of their area in {self._source}: {names}."
        )
        return series, (note,)

    def _count(self, elements: NDArray[np.bool_]) -> NDArray[np.intp]:
        regions = self._regions[elements & (self._regions >= 0)]
        return np.bincount(regions, minlength=len(self.labels))
