"""Who a request is about: a connectome, edges or a saved twin, and the twin made of it."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .errors import DataError
from .participants import checked_participant_id
from .service_json import numbers
from .service_messages import ConnectomeRequest, PersonRequest
from .service_twins import SOURCE, GivenConnectome, TwinMaker
from .tables import listed_names, shown
from .twin import Twin


def maker_of(message: ConnectomeRequest, makers: Mapping[str, TwinMaker]) -> TwinMaker:
    """Of the bundle that a request names, by default the first.

    Raises
    ------
    DataError
        It is not served.
    """
    name = next(iter(makers)) if message.bundle is None else message.bundle
    if name not in makers:
        raise DataError(
            f"The bundle {shown(name)} is not served here, only: {listed_names(makers)}."
        )
    return makers[name]


def twin_of(message: PersonRequest, maker: TwinMaker, n_regions: int) -> Twin | None:
    """The twin of a request's person; None where nothing says who that is.

    Parameters
    ----------
    message : PersonRequest
    maker : TwinMaker
    n_regions : int
        Most regions of a connectome.

    Raises
    ------
    DataError, UsageError
        What is given cannot be used, or does not go together.
    """
    participant_id = checked_participant_id(message.participant_id)
    if message.twin is not None:
        _check_alone(message)
        twin = _saved_twin(message.twin, maker.bundle)
        return twin if participant_id is None else replace(twin, participant_id=participant_id)
    given = given_connectome(message, n_regions, impute=message.impute)
    if given is None:
        return None
    return replace(maker.twin(given), participant_id=participant_id)


def given_connectome(
    message: ConnectomeRequest, n_regions: int, *, impute: bool = False
) -> GivenConnectome | None:
    """The connectome of a request, None where it has none.

    Parameters
    ----------
    message : ConnectomeRequest
    n_regions : int
        Most regions that it may have.
    impute : bool

    Raises
    ------
    DataError
        It is given twice, is too large, or is no matrix of numbers or triangle of one.
    """
    if message.connectome is not None and message.edges is not None:
        raise DataError("Both connectome and edges are given. Send one of them.")
    if message.connectome is not None:
        values = _matrix(message.connectome, n_regions)
    elif message.edges is not None:
        values = _matrix_of_edges(message.edges, n_regions)
        np.fill_diagonal(values, np.inf if message.fisher_z else 1.0)
    else:
        return None
    labels = None if message.labels is None else tuple(message.labels)
    return GivenConnectome(values, labels, fisher_z=message.fisher_z, impute=impute)


def _matrix(rows: list[Any], n_regions: int) -> NDArray[np.float64]:
    n = len(rows)
    _check_regions(n, n_regions)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != n:
            found = f"has {len(row)} values" if isinstance(row, list) else "is no list"
            raise DataError(
                f"{SOURCE}: row {number} {found}, expected {n}, as many as there are rows. Send a "
                "square matrix as a list of rows."
            )
    return numbers([*chain.from_iterable(rows)], SOURCE).reshape(n, n)


def _matrix_of_edges(edges: list[Any], n_regions: int) -> NDArray[np.float64]:
    n = (1 + math.isqrt(1 + 8 * len(edges))) // 2
    if n * (n - 1) // 2 != len(edges) or n < 2:
        raise DataError(
            f"edges are {len(edges)} numbers, which fill the upper triangle of no matrix: expected "
            "n (n - 1) / 2 for n regions, without the diagonal."
        )
    _check_regions(n, n_regions)
    matrix = np.zeros((n, n))
    matrix[np.triu_indices(n, 1)] = numbers(edges, "edges")
    lower = np.tril_indices(n, -1)
    matrix[lower] = matrix.T[lower]
    return matrix


def _check_regions(n: int, most: int) -> None:
    if not 2 <= n <= most:
        raise DataError(f"{SOURCE} has {n} regions, expected from 2 to {most}.")


def _check_alone(message: PersonRequest) -> None:
    """Refuse beside a saved twin what it holds already."""
    of_connectome = ("connectome", "edges", "labels", "fisher_z", "impute")
    given = [name for name in of_connectome if getattr(message, name) not in (None, False)]
    if given:
        raise DataError(
            f"A twin is made of a connectome already, but {given[0]} was given as well. Leave one "
            "of the two out."
        )


def _saved_twin(text: str, bundle: Bundle) -> Twin:
    from .twin_file import twin_of_bytes  # late: most requests have none

    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as cause:
        raise DataError(
            "twin is not base64. Send what calibrate gave, or a saved .npz file in base64."
        ) from cause
    return twin_of_bytes(data, "twin", bundle)
