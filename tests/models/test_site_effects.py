"""Site effects: fitted as the field's libraries fit them, and taken off as they take them off."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_models.site_effects import ReferencePeople, fit_sites
from dtb_runtime.errors import CohortError, MissingDependencyError
from dtb_runtime.harmonization import Harmonization
from dtb_runtime.harmonization_file import content_of
from dtb_runtime.parcellation import Parcellation

Floats = NDArray[np.float64]
numpy_matrix = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
"""The libraries use it."""
N_REGIONS = 9
N_EDGES = N_REGIONS * (N_REGIONS - 1) // 2
NAMES = ("B", "A", "site 10")


def needs_library() -> None:
    if importlib.util.find_spec("neuroHarmonize") is None:
        pytest.skip("neuroHarmonize, of the extra imaging, is not installed")


@pytest.fixture
def parcellation() -> Parcellation:
    labels = tuple(f"R{n}" for n in range(N_REGIONS))
    none = ("",) * N_REGIONS
    return Parcellation("nine", labels, none, none, np.full((N_REGIONS, 3), np.nan), {})


def drawn(rng: np.random.Generator, n: int) -> ReferencePeople:
    """People of three sites that shift and stretch edges, with effects of age and sex."""
    of_site = np.arange(n) % 3
    covariates = np.column_stack([rng.uniform(18, 70, n), rng.integers(0, 2, n)])
    fixed = np.random.default_rng(5)
    base, slopes = fixed.normal(0.3, 0.2, N_EDGES), fixed.normal(0.0, 0.004, (2, N_EDGES))
    shift = fixed.normal(0.0, 0.1, (3, N_EDGES)) + np.array([[0.1], [-0.1], [0.0]])
    spread = np.array([[1.4], [0.8], [1.0]]) * np.exp(fixed.normal(0, 0.1, (3, N_EDGES)))
    rest = rng.normal(0.0, 0.15, (n, N_EDGES))
    edges = base + (covariates - [44, 0.5]) @ slopes + shift[of_site] + spread[of_site] * rest
    return ReferencePeople(edges, tuple(NAMES[k] for k in of_site), covariates, ("age", "sex"))


def harmonized(fitted: Harmonization, people: ReferencePeople) -> Floats:
    names = [site.name for site in fitted.sites]
    rows = []
    for edges, site, values in zip(people.edges, people.sites, people.covariates, strict=True):
        pairs = zip(fitted.covariates, values, strict=True)
        standardized = np.array([covariate.standardized(value) for covariate, value in pairs])
        rows.append(fitted.effects.harmonized(edges, names.index(site), standardized))
    return np.array(rows)


def as_table(people: ReferencePeople, like: ReferencePeople, site: str) -> Any:
    """What the libraries take; in SDs of others, since their iterations end on rounding."""
    import pandas as pd

    values = (people.covariates - like.covariates.mean(axis=0)) / like.covariates.std(axis=0)
    return pd.DataFrame(values, columns=["age", "sex"]).assign(**{site: people.sites})


@numpy_matrix
def test_reference_people_come_out_as_neurocombat_has_them(
    rng: np.random.Generator, parcellation: Parcellation
) -> None:
    needs_library()
    from neuroCombat import neuroCombat

    people = drawn(rng, 60)
    table = as_table(people, people, "site")
    theirs = neuroCombat(people.edges.T, table, "site", continuous_cols=["age", "sex"])
    ours = harmonized(fit_sites(people, parcellation), people)
    np.testing.assert_allclose(ours, theirs["data"].T, rtol=0, atol=1e-10)


@numpy_matrix
def test_new_people_come_out_as_neuroharmonize_has_them(
    rng: np.random.Generator, parcellation: Parcellation
) -> None:
    needs_library()
    from neuroHarmonize import harmonizationApply, harmonizationLearn

    people, new = drawn(rng, 45), drawn(rng, 30)
    tables = [as_table(each, people, "SITE") for each in (people, new)]
    model, _ = harmonizationLearn(people.edges, tables[0])
    theirs = harmonizationApply(new.edges, tables[1], model)
    fitted = fit_sites(people, parcellation)
    np.testing.assert_allclose(harmonized(fitted, new), theirs, rtol=0, atol=1e-10)
    assert [site.name for site in fitted.sites] == ["A", "B", "site 10"]
    assert [site.n_people for site in fitted.sites] == [15, 15, 15]


@numpy_matrix
def test_without_covariates_too(rng: np.random.Generator, parcellation: Parcellation) -> None:
    needs_library()
    from neuroHarmonize import harmonizationApply, harmonizationLearn

    people = drawn(rng, 45)
    bare = ReferencePeople(people.edges, people.sites, np.empty((45, 0)), ())
    table = as_table(people, people, "SITE")[["SITE"]]
    theirs = harmonizationApply(people.edges, table, harmonizationLearn(people.edges, table)[0])
    ours = harmonized(fit_sites(bare, parcellation), bare)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


def test_a_sites_mean_and_spread_go_and_the_effect_of_age_stays(
    rng: np.random.Generator, parcellation: Parcellation
) -> None:
    needs_library()
    people, new = drawn(rng, 300), drawn(rng, 600)
    fitted = fit_sites(people, parcellation)
    after = harmonized(fitted, new)
    design = np.column_stack([np.ones(600), (new.covariates - [44, 0.5])])

    def rests(edges: Floats) -> Floats:
        return np.asarray(edges - design @ np.linalg.lstsq(design, edges, rcond=None)[0])

    of_site = np.array([[name == own for name in NAMES] for own in new.sites])
    for edges, is_harmonized in ((new.edges, False), (after, True)):
        rest = rests(edges)
        means = np.array([rest[is_own].mean(axis=0) for is_own in of_site.T])
        sds = np.array([rest[is_own].std(axis=0) for is_own in of_site.T])
        # 200 people of a site: means are known to 0.011, SDs to 5 %.
        assert (np.abs(means).mean() < 0.02) == is_harmonized
        assert (np.abs(sds / sds.mean(axis=0) - 1).mean() < 0.08) == is_harmonized
    planted = np.random.default_rng(5)
    planted.normal(0.3, 0.2, N_EDGES)
    slopes = planted.normal(0.0, 0.004, (2, N_EDGES))
    found = np.linalg.lstsq(design, after, rcond=None)[0][1]
    assert np.corrcoef(found, slopes[0])[0, 1] > 0.99
    assert found @ slopes[0] / (slopes[0] @ slopes[0]) == pytest.approx(1.0, abs=0.05)


def test_the_same_people_give_the_same_bytes(
    rng: np.random.Generator, parcellation: Parcellation
) -> None:
    needs_library()
    people = drawn(rng, 30)
    first, second = (content_of(fit_sites(people, parcellation)) for _ in range(2))
    assert first == second


def with_(people: ReferencePeople, **changes: object) -> ReferencePeople:
    fields = {
        "edges": people.edges.copy(),
        "sites": people.sites,
        "covariates": people.covariates.copy(),
        "covariate_names": people.covariate_names,
    }
    return ReferencePeople(**(fields | changes))  # type: ignore[arg-type]


def test_what_cannot_be_fitted_is_refused_with_the_reason(
    rng: np.random.Generator, parcellation: Parcellation
) -> None:
    people = drawn(rng, 30)

    def refused(match: str, **changes: object) -> None:
        with pytest.raises(CohortError, match=match):
            fit_sites(with_(people, **changes), parcellation)

    refused("at least two sites, found 'A'", sites=("A",) * 30)
    refused("at least 8 reference people, but 'C' has 1", sites=("C", *people.sites[1:]))
    constant = people.covariates.copy()
    constant[:, 1] = 1.0
    refused("sex is the same in all reference people", covariates=constant)
    follows = people.covariates.copy()
    follows[:, 1] = [name == "A" for name in people.sites]
    refused("sex follows from the site and the covariates before it", covariates=follows)
    still = people.edges.copy()
    still[[site == "A" for site in people.sites], 3] = 0.25
    refused(
        r"correlation of R0 and R4 is the same in all reference people of site 'A'", edges=still
    )
    gap = people.edges.copy()
    gap[2, 2] = np.nan
    refused("must all be finite", edges=gap)
    few = drawn(rng, 27)
    many = rng.normal(size=(27, 17))
    names = tuple(f"c{k}" for k in range(17))
    with pytest.raises(CohortError, match="27 reference people are too few for 3 sites and 17"):
        fit_sites(with_(few, covariates=many, covariate_names=names), parcellation)


@pytest.mark.parametrize("package", ["neuroHarmonize", "pandas"])
def test_without_the_library_it_says_what_to_install(
    rng: np.random.Generator,
    parcellation: Parcellation,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'dtb-runtime\[imaging\]'"):
        fit_sites(drawn(rng, 30), parcellation)
