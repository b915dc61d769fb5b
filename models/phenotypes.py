"""Columns of participants.tsv, read alike wherever they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.tables import is_missing, to_number

Phenotype = Mapping[str, str | float]
"""One person's cells by column."""


def phenotype_cells(phenotypes: Sequence[Phenotype], name: str) -> list[str]:
    """Return each person's cell of a column.

    Parameters
    ----------
    phenotypes : sequence of mapping of str to str or float
    name : str
        Of the column, in any case: files have ``age`` and ``Age``.

    Returns
    -------
    list of str
        ``n/a`` where a person has no such column.
    """
    wanted = name.lower()
    return [
        next((str(cell) for column, cell in own.items() if column.lower() == wanted), "n/a")
        for own in phenotypes
    ]


def phenotype_numbers(phenotypes: Sequence[Phenotype], name: str) -> NDArray[np.float64]:
    """Return each person's number in a column, shape (n_people,).

    NaN where the cell is missing or is no number. Parameters are those of `phenotype_cells`.
    """
    return np.array([_number(cell) for cell in phenotype_cells(phenotypes, name)], np.float64)


def _number(cell: str) -> float:
    try:
        return np.nan if is_missing(cell) else to_number(cell)
    except ValueError:
        return np.nan
