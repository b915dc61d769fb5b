"""Regions without data: refused by default, taken from the cohort where asked for, and said so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.errors import ConnectomeError
from dtb_runtime.imputation import imputation_covariance
from dtb_runtime.latent import LatentDistribution
from dtb_runtime.reading import Reading
from dtb_runtime.scoring import ScoreSettings
from dtb_runtime.summary import summary

EXAMPLE = Path(__file__).parents[2] / "examples" / "sub-example_atlas-glasser360_connectome.npy"
GAPS = [3, 200]


@pytest.fixture(scope="module")
def glasser() -> Bundle:
    return load_bundle("glasser360", device="cpu")


@pytest.fixture
def whole() -> NDArray[np.float64]:
    return np.asarray(np.load(EXAMPLE), dtype=np.float64)


def with_gaps(matrix: NDArray[np.float64], regions: list[int]) -> NDArray[np.float64]:
    """The matrix without data for some regions, as XCP-D writes it."""
    gaps = matrix.copy()
    gaps[regions], gaps[:, regions] = np.nan, np.nan
    return gaps


def test_gaps_are_refused_by_default(glasser: Bundle, whole: NDArray[np.float64]) -> None:
    with pytest.raises(ConnectomeError, match=r"none at all for region 4, region 201.*--impute"):
        Connectome.from_matrix(with_gaps(whole, GAPS))
    series = np.random.default_rng(0).normal(size=(50, 360))
    series[:, 7] = np.nan
    with pytest.raises(ConnectomeError, match=r"no data for region 8: nothing.*--impute cohort"):
        Connectome.from_timeseries(series)


def test_gaps_become_the_cohorts_mean(glasser: Bundle, whole: NDArray[np.float64]) -> None:
    given = Connectome.from_matrix(with_gaps(whole, GAPS), source="c.npy", may_impute=True)
    assert given.missing == (3, 200)
    filled = glasser.aligned(given)
    assert filled.imputed == ("L_V2", filled.labels[200] if filled.labels else "")
    assert filled.missing == ()
    kept = np.setdiff1d(np.arange(360), GAPS)
    np.testing.assert_array_equal(
        filled.correlations[np.ix_(kept, kept)], whole.astype(np.float32)[np.ix_(kept, kept)]
    )
    assert glasser.norms.edges is not None
    mean = np.zeros((360, 360))
    mean[np.triu_indices(360, k=1)] = np.tanh(glasser.norms.edges.mean)
    mean += mean.T
    for region in GAPS:
        np.testing.assert_allclose(
            np.delete(filled.correlations[region], region), np.delete(mean[region], region), 1e-6
        )
    np.testing.assert_array_equal(np.diagonal(filled.correlations), 1.0)


def test_every_output_says_so_and_intervals_are_wider(
    glasser: Bundle, whole: NDArray[np.float64], tmp_path: Path
) -> None:
    path = tmp_path / "sub-1_connectome.npy"
    np.save(path, with_gaps(whole, GAPS))
    connectome = read_connectome(path, Reading(impute=True))
    twin, unharmed = glasser.personalize(connectome), glasser.personalize(whole)
    told = "2 of 360 regions of sub-1_connectome.npy have no data and were taken from the cohort"
    assert any(told in warning for warning in twin.warnings)
    report = summary(twin, [twin.forecast("stroop", draws=2)])
    assert report["connectome"]["imputed"] == ["L_V2", glasser.aligned(connectome).imputed[1]]
    report_imputed = tuple(report["connectome"]["imputed"])
    assert any(told in warning for warning in report["warnings"])
    (row,) = glasser.score([path], ScoreSettings(reading=Reading(impute=True)))
    assert row.values["n_imputed"] == 2
    assert any(told in note for note in row.notes)
    assert twin.prior is not None and unharmed.prior is not None
    added = twin.prior.covariance - unharmed.prior.covariance
    assert (np.diag(added) > 0).all()
    assert np.linalg.eigvalsh(added).min() > -1e-12
    again = glasser.personalize(connectome)
    np.testing.assert_array_equal(again.prior.covariance, twin.prior.covariance)  # type: ignore[union-attr]
    twin.save(tmp_path / "twin.npz")
    loaded = glasser.load_twin(tmp_path / "twin.npz")
    assert loaded.facts is not None
    assert loaded.facts.imputed == report_imputed
    assert loaded.prior is not None
    np.testing.assert_array_equal(loaded.prior.covariance, twin.prior.covariance)
    assert twin.posterior is twin.prior  # which forecasts draw from
    # With a spread that counts, intervals follow it.
    wide = replace(twin, prior=LatentDistribution(twin.prior.mean, 4 * twin.prior.covariance))
    wide = replace(wide, posterior=wide.prior)
    spread, narrow = (
        np.std([draw.values["stroop_effect"] for draw in one.forecast("stroop").draw_indicators])
        for one in (wide, twin)
    )
    assert spread > 1.2 * narrow


def test_too_many_gaps_are_refused(glasser: Bundle, whole: NDArray[np.float64]) -> None:
    given = Connectome.from_matrix(with_gaps(whole, list(range(19))), may_impute=True)
    with pytest.raises(
        ConnectomeError, match=r"no data for 19 of 360 regions .* at most 5% \(18\)"
    ):
        glasser.personalize(given)
    glasser.personalize(Connectome.from_matrix(with_gaps(whole, list(range(18))), may_impute=True))


def test_a_bundle_without_a_mean_connectome_cannot(
    glasser: Bundle, whole: NDArray[np.float64]
) -> None:
    blind = replace(glasser, norms=replace(glasser.norms, edges=None))
    given = Connectome.from_matrix(with_gaps(whole, GAPS), may_impute=True)
    with pytest.raises(ConnectomeError, match="does not know the mean connectome"):
        blind.personalize(given)


def test_a_region_of_zeros_has_no_data(glasser: Bundle, whole: NDArray[np.float64]) -> None:
    whole[5], whole[:, 5] = 0.0, 0.0
    with pytest.raises(ConnectomeError, match=r"every correlation of region 6 is exactly 0"):
        Connectome.from_matrix(whole)
    given = Connectome.from_matrix(whole, may_impute=True)
    assert given.missing == (5,)
    assert len(glasser.aligned(given).imputed) == 1


@pytest.mark.parametrize("nan_first", [True, False])
def test_a_region_of_zeros_beside_one_of_nan_has_no_data_either(
    glasser: Bundle, whole: NDArray[np.float64], nan_first: bool
) -> None:
    fills = {3: np.nan, 8: 0.0} if nan_first else {8: 0.0, 3: np.nan}
    for region, value in fills.items():
        whole[region], whole[:, region] = value, value
    whole[[3, 8], [3, 8]] = 1.0
    given = Connectome.from_matrix(whole, may_impute=True)
    assert given.missing == (3, 8)
    assert len(glasser.aligned(given).imputed) == 2


def test_single_values_that_are_missing_are_no_region(whole: NDArray[np.float64]) -> None:
    whole[3, 5] = whole[5, 3] = np.nan
    with pytest.raises(ConnectomeError, match="is nan"):
        Connectome.from_matrix(whole, may_impute=True)


def test_labels_that_are_not_there_are_gaps_where_asked_for(
    glasser: Bundle, whole: NDArray[np.float64]
) -> None:
    parcellation = glasser.manifest.parcellation
    assert parcellation is not None
    labels = list(parcellation.labels)
    order = np.random.default_rng(1).permutation(np.setdiff1d(np.arange(360), GAPS))
    subset = whole[np.ix_(order, order)]
    names = [labels[i] for i in order]
    with pytest.raises(ConnectomeError, match=r"is 358 x 358.*missing L_V2"):
        glasser.personalize(Connectome.from_matrix(subset, labels=names))
    given = Connectome.from_matrix(subset, labels=names, may_impute=True)
    expected = Connectome.from_matrix(with_gaps(whole, GAPS), may_impute=True)
    np.testing.assert_array_equal(
        glasser.aligned(given).correlations, glasser.aligned(expected).correlations
    )


def test_a_superset_of_regions_is_refused(glasser: Bundle, whole: NDArray[np.float64]) -> None:
    parcellation = glasser.manifest.parcellation
    assert parcellation is not None
    larger = np.full((361, 361), 0.1)
    larger[:360, :360] = whole
    np.fill_diagonal(larger, 1.0)
    given = Connectome.from_matrix(larger, labels=[*parcellation.labels, "Brainstem"])
    with pytest.raises(ConnectomeError, match=r"is 361 x 361.*: unknown Brainstem"):
        glasser.personalize(given)


def test_series_without_data_or_without_change_are_gaps(
    glasser: Bundle, rng: np.random.Generator
) -> None:
    series = rng.normal(size=(400, 360)) + rng.normal(size=(400, 1))
    kept = Connectome.from_timeseries(series).correlations
    series[:, 3], series[:, 200] = np.nan, 5.0
    found = Connectome.from_timeseries(series, may_impute=True)
    assert found.missing == (3, 200)
    others = np.setdiff1d(np.arange(360), GAPS)
    np.testing.assert_allclose(
        found.correlations[np.ix_(others, others)], kept[np.ix_(others, others)], atol=1e-6
    )


def test_the_spread_is_that_of_leaving_out_other_regions(rng: np.random.Generator) -> None:
    """Of a latent that is a weighted sum of edges: the mean square over the sets, by hand."""
    n = 10
    rows, _ = np.triu_indices(n, k=1)
    edges = rng.normal(size=len(rows)).astype(np.float32)
    mean, weights = np.zeros_like(edges), rng.normal(size=(len(rows), 2)).astype(np.float32)
    seen: list[NDArray[np.float32]] = []

    def read(tried: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(tried)
        return np.asarray(tried @ weights)

    found = imputation_covariance(edges, (0,), mean, read)
    moves = ((seen[0] - edges) @ weights)[:-1].astype(np.float64)
    np.testing.assert_allclose(found, moves.T @ moves / len(moves), rtol=1e-5)
    changed = (seen[0][:-1] != edges).sum(axis=1)
    assert set(changed) == {n - 1}  # one region each, with all its edges
    first = np.flatnonzero(rows == 0)  # of the region without data only those with the one left out
    assert ((seen[0][:-1][:, first] != edges[first]).sum(axis=1) <= 1).all()
