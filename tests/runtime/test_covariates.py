"""Cells of a cohort's table as numbers: what is read, and what is refused with a sentence."""

from __future__ import annotations

import pytest

from dtb_runtime.covariates import (
    Covariate,
    cell_of,
    covariate_kind,
    covariate_names,
    covariate_value,
)
from dtb_runtime.errors import CohortError, UsageError


@pytest.mark.parametrize(
    ("text", "names"),
    [("age,sex", ("age", "sex")), (" Age , FD", ("age", "fd")), ("none", ()), ("None", ())],
)
def test_names_are_read(text: str, names: tuple[str, ...]) -> None:
    assert covariate_names(text) == names


@pytest.mark.parametrize("text", ["", "age,", "age,AGE", ","])
def test_names_that_are_none_or_stand_twice_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="different names of columns"):
        covariate_names(text)


def test_columns_are_found_in_any_case_and_gaps_are_gaps() -> None:
    own = {"Age": "31.5", "SEX": "f", "site": "n/a", "x": "A\tB"}
    assert cell_of(own, "age") == "31.5"
    assert cell_of(own, "site") is None
    assert cell_of(own, "scanner") is None
    assert covariate_value(own, "age") == 31.5
    assert covariate_value(own, "sex") == 0.0
    assert covariate_value({"sex": "Male"}, "sex") == 1.0
    assert (covariate_kind("Sex"), covariate_kind("age")) == ("sex", "number")


@pytest.mark.parametrize(
    ("own", "name", "match"),
    [
        ({}, "age", "age is not known. Fill in the column 'age'"),
        ({"age": "old"}, "age", "age is 'old', expected a number"),
        ({"age": "1_0"}, "age", "expected a number"),
        ({"age": "inf"}, "age", "expected a number"),
        ({"Age": "-9"}, "age", "age is '-9', expected years from 0 to 130"),
        ({"age": "999"}, "age", "from 0 to 130. Correct it in the cohort's table, or"),
        ({"sex": "1"}, "sex", "sex is '1', expected female or male"),
    ],
)
def test_what_is_no_value_is_refused(own: dict[str, str], name: str, match: str) -> None:
    with pytest.raises(CohortError, match=match):
        covariate_value(own, name)


def test_values_beyond_the_reference_people_are_doubted() -> None:
    age = Covariate("age", "number", lowest=20.0, highest=60.0, center=40.0, scale=10.0)
    assert age.standardized(55.0) == 1.5
    assert age.doubt(60.0) is None
    assert "age 75 is outside the reference people's 20 to 60" in str(age.doubt(75.0))
