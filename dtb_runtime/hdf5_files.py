"""HDF5 files: a matrix or time series in a data set, and the series of the TCP release."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .array_choice import Stored, array_meant, labels_beside, named_array
from .errors import ConnectomeError
from .hdf5_objects import data_set_at, described, opened_hdf5, stored_in
from .hdf5_values import numbers_of, texts_of
from .raw_array import RawArray, check_shape, real_matrix, size_text
from .reading import Reading
from .tables import file_label, one_line

TCP_REGIONS = 434
"""Regions of the series that the Transdiagnostic Connectome Project gives out: 400 of cortex, 32 of
subcortex, 2 of the cerebellum."""

_TCP_NAME = re.compile(r"(^|_)task-.+_bold_Atlas_hp2000_clean_GSR_parcellated\.(h5|hdf5)$")


def read_hdf5(path: Path, reading: Reading) -> RawArray:
    """Read an HDF5 file: `connectome`, `correlations`, `timeseries`, or its only matrix of numbers.

    Of several others, the data set whose path is `reading.variable`. Region names may stand beside
    it as `labels`, a data set of text. Series of the TCP release are told by the file's name, and
    turned so that the axis of 434 is the regions.

    Raises
    ------
    ConnectomeError
        The file is no HDF5 or damaged, nobody can tell which data set is meant, or it holds
        something else than numbers, takes them from elsewhere, or is packed with a filter that is
        not built in.
    MissingDependencyError
        h5py is not installed.
    """
    source = file_label(path)
    is_tcp = _TCP_NAME.search(path.name) is not None
    with opened_hdf5(path) as file:
        if reading.variable is None:
            beside = stored_in(file, source)
            meant = _tcp_series(beside) if is_tcp else None
            meant = meant or array_meant(beside, None, source, "data set")
        else:
            data_set = data_set_at(file, reading.variable, source)
            meant = described(data_set, source)
            array_meant([meant], meant.name, source, "data set")
            beside = stored_in(data_set.parent, source, below=False)
        labels = None
        named_by = labels_beside(beside, meant, source)
        if named_by is not None:
            labels = texts_of(file[named_by.name], source)
        where = f"{source}[{one_line(meant.name)}]"
        check_shape(meant.shape, where)
        numbers = numbers_of(file[meant.name], source)
    if is_tcp:
        return RawArray(_oriented(numbers, where), labels, kind="timeseries")
    return named_array(meant, real_matrix(numbers, where), labels)


def _tcp_series(found: list[Stored]) -> Stored | None:
    """The only data set with two axes, in a file whose layout its makers do not say."""
    series = [
        each
        for each in found
        if each.holds == "numbers" and sum(length > 1 for length in each.shape) == 2
    ]
    return series[0] if len(series) == 1 else None


def _oriented(numbers: NDArray[np.generic], where: str) -> NDArray[np.float64]:
    """Time by regions, where one axis is the regions of the TCP release."""
    values = real_matrix(np.squeeze(numbers), where)
    is_regions = [length == TCP_REGIONS for length in values.shape]
    if sum(is_regions) != 1:
        raise ConnectomeError(
            f"{where} is {size_text(values.shape)}; in a file of this name one axis, and only one, "
            f"is expected to be the {TCP_REGIONS} regions of the TCP release. Rename the file if "
            "it holds something else."
        )
    return np.ascontiguousarray(values.T) if is_regions[0] else values
