"""Age and sex in the norms, against a fit by hand and people whose truth is known."""

from __future__ import annotations

import io

import numpy as np
import pytest

from dtb_models.demographic_norms import MIN_OF_EACH_SEX, MIN_PEOPLE, demographic_norms
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import CohortError
from dtb_runtime.norms import Norms
from dtb_runtime.norms_file import read_norms

N = 400
NAMES = ("reaction_time", "stroop_effect")


@pytest.fixture
def cohort(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray, list[str]]:
    """People whose response time is 0.5 s + 5 ms a year, curved, and 40 ms less in men."""
    ages = rng.uniform(18.0, 65.0, N)
    is_male = rng.random(N) < 0.4
    time_s = 0.5 + 0.005 * ages + 0.0001 * (ages - 40.0) ** 2 - 0.04 * is_male
    indicators = {
        "reaction_time": time_s + 0.05 * rng.standard_normal(N),
        "stroop_effect": 0.1 + 0.02 * rng.standard_normal(N),
    }
    return indicators, ages, ["M" if male else "F" for male in is_male]


def norms_of(arrays: dict[str, np.ndarray], folder: str = "tiny") -> Norms:
    """What the runtime reads from these arrays together with those of a test bundle."""
    import pathlib

    bundle = pathlib.Path(__file__).parents[1] / "bundles" / folder
    with np.load(bundle / "norms.npz") as archive:
        other = dict(archive)
    buffer = io.BytesIO()
    np.savez(buffer, **other, **arrays)
    loaded: Bundle = load_bundle(bundle, device="cpu")
    return read_norms(buffer.getvalue(), loaded.manifest)


def test_coefficients_are_those_of_a_polynomial_fit_in_each_sex(rng: np.random.Generator) -> None:
    """Without noise and with the same curve in both sexes, a fit in one of them gives it."""
    ages = rng.uniform(20.0, 60.0, 80)
    sexes = ["female", "Male"] * 40
    curve = 0.9 - 0.01 * ages + 0.0002 * ages**2
    values = curve + 0.07 * (np.arange(80) % 2)
    arrays = demographic_norms({"reaction_time": values}, ages, sexes)
    center = ages.mean()
    square, linear, intercept = np.polyfit(ages[::2] - center, values[::2], 2)
    np.testing.assert_allclose(
        arrays["demographic_coefficients"], [[intercept, linear, square, 0.07]], atol=1e-10
    )
    np.testing.assert_allclose(arrays["demographic_quantiles"], 0.0, atol=1e-10)
    np.testing.assert_array_equal(arrays["demographic_ages"], [center, ages.min(), ages.max()])


def test_residuals_are_those_of_numpys_least_squares(
    cohort: tuple[dict[str, np.ndarray], np.ndarray, list[str]],
) -> None:
    indicators, ages, sexes = cohort
    arrays = demographic_norms(indicators, ages, sexes)
    assert tuple(arrays["demographic_names"]) == NAMES
    design = np.column_stack([np.ones(N), ages, ages**2, [sex == "M" for sex in sexes]])
    for row, name in enumerate(NAMES):
        fit, _, _, _ = np.linalg.lstsq(design, indicators[name], rcond=None)
        rest = np.sort(indicators[name] - design @ fit)
        quantiles = arrays["demographic_quantiles"][row]
        np.testing.assert_allclose(quantiles[[0, 100]], rest[[0, -1]], atol=1e-9)
        np.testing.assert_allclose(quantiles[50], np.median(rest), atol=1e-9)
        assert arrays["demographic_coefficients"][row, 3] == pytest.approx(fit[3], abs=1e-9)


def test_people_like_them_stand_evenly_over_the_percentiles(
    cohort: tuple[dict[str, np.ndarray], np.ndarray, list[str]],
) -> None:
    """A slow 60-year-old is ordinary; compared with everybody, all older people are slow."""
    indicators, ages, sexes = cohort
    norms = norms_of(demographic_norms(indicators, ages, sexes))
    percents, rough = np.empty(N), np.empty(N)
    for person in range(N):
        value = float(indicators["reaction_time"][person])
        found = norms.indicator_percentile(
            "reaction_time",
            value,
            age=float(ages[person]),
            sex="male" if sexes[person] == "M" else "female",
        )
        assert found is not None
        assert found.is_adjusted
        percents[person] = found.percent
        everybody = norms.indicator_percentile("reaction_time", value)
        assert everybody is not None
        assert not everybody.is_adjusted
        rough[person] = everybody.percent
    np.testing.assert_allclose(np.sort(percents), np.linspace(0, 100, N), atol=0.7)
    assert abs(np.corrcoef(percents, ages)[0, 1]) < 0.1
    assert np.corrcoef(rough, ages)[0, 1] > 0.5
    for sex in "FM":
        assert percents[[own == sex for own in sexes]].mean() == pytest.approx(50.0, abs=3.0)


def test_unknown_ages_and_sexes_and_indicators_that_are_not_finite_are_left_out(
    cohort: tuple[dict[str, np.ndarray], np.ndarray, list[str]],
) -> None:
    indicators, ages, sexes = cohort
    kept = np.arange(N) >= 20
    expected = demographic_norms(
        {name: values[kept] for name, values in indicators.items()}, ages[kept], sexes[20:]
    )
    ages[:10] = np.nan
    sexes[10:20] = ["O", "", "n/a", "unknown", "x"] * 2
    for values in indicators.values():
        values[:20] = 99.0
    indicators["amygdala_response"] = np.where(np.arange(N) == 100, np.nan, 1.0)
    found = demographic_norms(indicators, ages, sexes)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("n_people", "n_men"),
    [(MIN_PEOPLE - 1, 20), (MIN_PEOPLE, MIN_OF_EACH_SEX - 1), (MIN_PEOPLE, 40), (0, 0)],
)
def test_too_few_people_give_no_norms(n_people: int, n_men: int, rng: np.random.Generator) -> None:
    sexes = ["M"] * n_men + ["F"] * (n_people - n_men)
    ages = rng.uniform(20, 60, n_people)
    assert demographic_norms({"reaction_time": ages / 50}, ages, sexes) == {}
    assert demographic_norms({}, ages, sexes) == {}


def test_different_numbers_of_people_are_refused() -> None:
    with pytest.raises(CohortError, match=r"must be of the same people, found 2, 3 of them"):
        demographic_norms({"reaction_time": np.ones(3)}, [20.0, 30.0], ["F", "M"])
