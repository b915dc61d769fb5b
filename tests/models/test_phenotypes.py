"""Columns of participants.tsv: in any case, and missing in every way."""

from __future__ import annotations

import numpy as np
import pytest

from dtb_models.phenotypes import phenotype_cells, phenotype_numbers

PEOPLE: list[dict[str, str | float]] = [
    {"Age": "31.5", "SEX": "F"},
    {"age": 60.0, "sex": "M"},
    {"AGE": "n/a"},
    {"age_group": "7", "sex": "n/a"},
    {"age": "sixty", "sex": ""},
]


@pytest.mark.parametrize("name", ["age", "Age"])
def test_a_column_is_found_in_any_case(name: str) -> None:
    assert phenotype_cells(PEOPLE, name) == ["31.5", "60.0", "n/a", "n/a", "sixty"]
    assert phenotype_cells(PEOPLE, "sex") == ["F", "M", "n/a", "n/a", ""]


def test_what_is_no_number_is_missing() -> None:
    np.testing.assert_array_equal(
        phenotype_numbers(PEOPLE, "age"), [31.5, 60.0, np.nan, np.nan, np.nan]
    )
    assert phenotype_numbers([], "age").shape == (0,)
