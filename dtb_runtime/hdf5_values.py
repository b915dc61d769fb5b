"""Numbers and texts in a data set of an HDF5 file, after its claims have been judged.

For files that may be damaged or hostile. What is too large by what it claims is refused, and so are
filters that libhdf5 would load as plugins.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import ConnectomeError
from .hdf5_objects import named
from .library_failures import library_failures
from .raw_array import check_bytes
from .tables import one_line

if TYPE_CHECKING:
    import h5py

MAX_TEXTS = 100_000
"""Texts that are read of a data set: no parcellation has more regions."""


def numbers_of(data_set: h5py.Dataset, source: str) -> NDArray[np.generic]:
    """The numbers of a data set that `described` let pass.

    Raises
    ------
    ConnectomeError
        It is too large by what it claims, or packed with a filter that is not built in.
    """
    _check_storage(data_set, source)
    return np.asarray(data_set[()])


def texts_of(data_set: h5py.Dataset, source: str) -> tuple[str, ...]:
    """The texts of a data set that `described` let pass, without blanks around them.

    Raises
    ------
    ConnectomeError
        It is too large by what it claims, no plain list, or packed with another filter.
    """
    _, where = named(data_set, source)
    _check_storage(data_set, source)
    n_texts = math.prod(data_set.shape)
    if n_texts > MAX_TEXTS or n_texts != max(data_set.shape, default=1):
        size = " x ".join(map(str, data_set.shape))
        raise ConnectomeError(
            f"{where} holds {size} texts, expected a list of at most {MAX_TEXTS:,}. Save one name "
            "for each region."
        )
    with library_failures(f"{where} cannot be read as text", "Save it as UTF-8 text."):
        texts = data_set.asstr()[()]
    return tuple(str(text).strip(" \0") for text in np.ravel(texts))


def _check_storage(data_set: h5py.Dataset, source: str) -> None:
    import h5py

    _, where = named(data_set, source)
    n_bytes = max(data_set.id.get_type().get_size(), 8)  # as float64
    check_bytes(data_set.shape, n_bytes, where)
    if data_set.chunks is not None:
        check_bytes(data_set.chunks, n_bytes, f"A chunk of {where}")
    built_in = {
        h5py.h5z.FILTER_DEFLATE,
        h5py.h5z.FILTER_SHUFFLE,
        h5py.h5z.FILTER_FLETCHER32,
        h5py.h5z.FILTER_SZIP,
        h5py.h5z.FILTER_LZF,
    }
    plan = data_set.id.get_create_plist()
    for index in range(plan.get_nfilters()):
        code, _, _, name = plan.get_filter(index)
        if code not in built_in or not h5py.h5z.filter_avail(code):
            called = one_line(name.decode("latin-1")) or "no name"
            raise ConnectomeError(
                f"{where} is packed with filter {code} ({called}), which is not read. Write it "
                "with gzip or without a filter (h5repack -f GZIP=4)."
            )
