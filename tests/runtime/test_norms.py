"""Where a person stands among the twins of the training cohort, against formulas written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome

Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def arrays(tiny_folder: Path) -> Arrays:
    with np.load(tiny_folder / "norms.npz") as archive:
        return dict(archive)


def test_strangeness_is_distance_and_similarity(
    tiny: Bundle, arrays: Arrays, correlations: NDArray[np.float64]
) -> None:
    twin = tiny.personalize(correlations)
    strangeness = twin.strangeness
    assert strangeness is not None
    assert twin.latent is not None
    offset = twin.latent - arrays["latent_mean"]
    distance = np.sqrt(offset @ np.linalg.inv(arrays["latent_covariance"]) @ offset)
    edges = Connectome.from_matrix(correlations).edges()
    similarity = np.corrcoef(edges, arrays["edge_mean"].astype(float))[0, 1]
    assert strangeness.distance == pytest.approx(distance, rel=1e-5)
    assert strangeness.similarity_to_cohort == pytest.approx(similarity, abs=1e-5)
    assert strangeness.distance_percentile == 100 * (arrays["latent_distance"] < distance).mean()
    below = (arrays["edge_similarity"] < similarity).mean()
    assert strangeness.similarity_percentile == 100 * below
    assert set(strangeness.to_json()) == {
        "distance",
        "distance_percentile",
        "similarity_to_cohort",
        "similarity_percentile",
        "sentence",
    }


def test_the_cohorts_own_people_are_spread_over_the_percentiles(
    tiny: Bundle, generator: Any
) -> None:
    rng = np.random.default_rng(generator.SEED)
    cohort = [tiny.personalize(own) for own in generator.connectomes(rng, generator.N_PEOPLE)]
    percentiles = [
        twin.strangeness.distance_percentile or 0.0 for twin in cohort if twin.strangeness
    ]
    # Each person stands between the people nearer and those farther, itself counted half.
    expected = (np.arange(40) + 0.5) * 2.5
    np.testing.assert_allclose(np.sort(percentiles), expected, atol=1.3)


def test_a_bundle_without_latent_judges_by_similarity(
    tiny_plain: Bundle, correlations: NDArray[np.float64]
) -> None:
    strangeness = tiny_plain.personalize(correlations).strangeness
    assert strangeness is not None
    assert strangeness.distance is strangeness.distance_percentile is None
    assert strangeness.similarity_to_cohort is not None
    assert "farther" not in strangeness.sentence


def test_edges_that_are_all_the_same_resemble_nobody(tiny: Bundle) -> None:
    strangeness = tiny.norms.strangeness(np.zeros(66, np.float32), None)
    assert strangeness is not None
    assert strangeness.similarity_to_cohort == 0.0


@pytest.mark.parametrize(
    ("value", "percent"), [(0.4, 0.0), (0.5, 0.0), (0.755, 25.5), (1.5, 100.0), (9.0, 100.0)]
)
def test_indicator_percentiles(tiny: Bundle, value: float, percent: float) -> None:
    """The tiny bundle says that reaction times are even between 0.5 and 1.5 s."""
    found = tiny.norms.indicator_percentile("reaction_time", value)
    assert found is not None
    assert found.percent == pytest.approx(percent, abs=1e-4)
    assert found.compared_to == "the twins of the training cohort"
    assert tiny.norms.indicator_percentile("reaction_time", float("nan")) is None
    assert tiny.norms.indicator_percentile("height", value) is None


def test_a_mean_twin_is_compared_without_what_it_has_too_much(tiny: Bundle) -> None:
    plain = tiny.norms.indicator_percentile("stroop_effect", 0.15)
    mean = tiny.norms.indicator_percentile("stroop_effect", 0.20, of_mean_twin=True)
    assert plain is not None
    assert mean == plain


def test_the_percentile_of_several_is_the_mean_of_theirs(tiny: Bundle) -> None:
    # The norms go from 0.5 to 1.5 s.
    found = tiny.norms.indicator_percentile("reaction_time", [0.6, 0.7, 9.0])
    assert found is not None
    assert found.percent == pytest.approx((10 + 20 + 100) / 3)
    assert tiny.norms.indicator_percentile("reaction_time", []) is None
