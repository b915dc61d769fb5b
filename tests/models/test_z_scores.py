"""z-scores with gaps against numpy's and scipy's."""

from __future__ import annotations

import numpy as np
from scipy.stats import zscore

from dtb_models.z_scores import z_scores


def test_scores_are_those_of_scipy(rng: np.random.Generator) -> None:
    values = rng.normal(3, 2, (12, 4))
    values[2, 1] = values[5, 1] = values[7, 3] = np.nan
    scores, is_told = z_scores(values)
    expected = zscore(values, axis=0, nan_policy="omit")
    np.testing.assert_allclose(scores, np.nan_to_num(expected), atol=1e-12)
    np.testing.assert_array_equal(is_told, np.isfinite(values))


def test_what_nobody_has_or_all_share_tells_nothing() -> None:
    scores, is_told = z_scores(np.array([[np.nan, 2.0], [np.nan, 2.0], [np.nan, np.nan]]))
    assert not scores.any()
    assert not is_told.any()
