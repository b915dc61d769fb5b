"""Percentiles among people of the same age and sex, against the formula written out."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.demographics import COHORT, SAME_AGE_AND_SEX, Percentile
from dtb_runtime.errors import BundleError, UsageError
from dtb_runtime.norms import Norms
from dtb_runtime.norms_file import read_norms

Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def arrays(tiny_folder: Path) -> Arrays:
    """Norms of the test bundle, and what age and sex do to the response time."""
    with np.load(tiny_folder / "norms.npz") as archive:
        return dict(archive) | {
            "demographic_names": np.array(["reaction_time"]),
            "demographic_coefficients": np.array([[0.8, 0.004, 0.0001, -0.05]]),
            "demographic_quantiles": np.linspace(-0.2, 0.2, 101)[np.newaxis],
            "demographic_ages": np.array([35.0, 18.0, 65.0]),
        }


def norms_of(arrays: Arrays, bundle: Bundle) -> Norms:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return read_norms(buffer.getvalue(), bundle.manifest)


@pytest.mark.parametrize(("age", "sex"), [(18.0, "female"), (55.0, "male"), (65.0, "female")])
def test_the_percentile_is_that_of_what_age_and_sex_leave_over(
    age: float, sex: Any, arrays: Arrays, tiny: Bundle
) -> None:
    years = age - 35.0
    expected_s = 0.8 + 0.004 * years + 0.0001 * years**2 - 0.05 * (sex == "male")
    norms = norms_of(arrays, tiny)
    for rest, percent in ((0.0, 50.0), (0.1, 75.0), (-0.15, 12.5), (0.3, 100.0), (-0.3, 0.0)):
        found = norms.indicator_percentile("reaction_time", expected_s + rest, age=age, sex=sex)
        assert found == Percentile(pytest.approx(percent, abs=1e-6), SAME_AGE_AND_SEX)
        assert found is not None
        assert found.is_adjusted


@pytest.mark.parametrize(
    ("person", "why"),
    [
        ({}, COHORT),
        ({"age": 30.0}, COHORT),
        ({"sex": "male"}, COHORT),
        ({"age": 66.0, "sex": "male"}, f"{COHORT} (age 66 is outside its 18 to 65 years)"),
        ({"age": 17.5, "sex": "female"}, f"{COHORT} (age 17.5 is outside its 18 to 65 years)"),
    ],
)
def test_else_it_is_that_of_the_cohort_and_says_why(
    person: dict[str, Any], why: str, arrays: Arrays, tiny: Bundle
) -> None:
    found = norms_of(arrays, tiny).indicator_percentile("reaction_time", 1.0, **person)
    # The tiny bundle says that response times are even between 0.5 and 1.5 s.
    assert found == Percentile(pytest.approx(50.0), why)
    assert found is not None
    assert not found.is_adjusted


def test_an_indicator_or_a_bundle_without_such_norms_says_so(arrays: Arrays, tiny: Bundle) -> None:
    person: dict[str, Any] = {"age": 30.0, "sex": "male"}
    for norms in (norms_of(arrays, tiny), tiny.norms):
        found = norms.indicator_percentile("stroop_effect", 0.1, **person)
        assert found == Percentile(pytest.approx(50.0), f"{COHORT} (not known by age and sex)")
        assert norms.indicator_percentile("height", 1.0, **person) is None
        assert norms.indicator_percentile("stroop_effect", float("nan"), **person) is None


@pytest.mark.parametrize("age", [-1.0, 131.0, float("nan"), float("inf")])
def test_what_is_no_age_is_refused(age: float, tiny: Bundle) -> None:
    with pytest.raises(UsageError, match="number of years from 0 to 130, found"):
        tiny.norms.indicator_percentile("reaction_time", 1.0, age=age, sex="male")


def test_what_is_no_sex_is_refused(tiny: Bundle) -> None:
    with pytest.raises(UsageError, match=r"female and male, found 'M'.*Leave it out"):
        tiny.norms.indicator_percentile("reaction_time", 1.0, age=30.0, sex="M")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("demographic_ages"), "'demographic_names' without 'demographic_ages'"),
        (
            lambda a: a.update(demographic_coefficients=np.zeros((1, 3))),
            r"demographic_coefficients is float64 \(1, 3\)",
        ),
        (
            lambda a: a.update(demographic_names=np.array(["a", "b"])),
            "does not name each row of demographic_coefficients once",
        ),
        (
            lambda a: a.update(demographic_quantiles=np.zeros((2, 101))),
            "does not name each row of demographic_quantiles once",
        ),
        (
            lambda a: a.update(demographic_quantiles=-a["demographic_quantiles"]),
            "demographic_quantiles is not in ascending order",
        ),
        (
            lambda a: a.update(demographic_ages=np.array([17.0, 18.0, 65.0])),
            "center, the lowest and the highest age, found 17, 18 and 65",
        ),
        (
            lambda a: a.update(demographic_coefficients=np.full((1, 4), np.nan)),
            "demographic_coefficients is not finite",
        ),
    ],
)
def test_bad_arrays_are_refused(
    arrays: Arrays, tiny: Bundle, change: Callable[[Arrays], object], message: str
) -> None:
    change(arrays)
    with pytest.raises(BundleError, match=rf"norms\.npz cannot be used: .*{message}"):
        norms_of(arrays, tiny)
