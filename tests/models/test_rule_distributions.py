"""The law of a rule's response times is scipy's log-normal with the mean that was forecast."""

from __future__ import annotations

import numpy as np
import pytest

from dtb_models.judged_trials import RT_QUANTILES
from dtb_models.rule_distributions import log_normal_columns

stats = pytest.importorskip("scipy.stats", reason="scipy is the independent reference")


def test_columns_are_those_of_a_log_normal_of_this_mean(rng: np.random.Generator) -> None:
    mean_s, log_sd, measured_s = rng.uniform((0.5, 0.1, 0.4), (1.2, 0.4, 2.0), (20, 3)).T
    columns = log_normal_columns(mean_s, log_sd, measured_s)
    law = stats.lognorm(s=log_sd, scale=mean_s * np.exp(-(log_sd**2) / 2))
    np.testing.assert_allclose(law.mean(), mean_s)
    np.testing.assert_array_equal(columns["rt_s"], mean_s)
    np.testing.assert_allclose(columns["rt_log_density"], law.logpdf(measured_s))
    for name, q in RT_QUANTILES.items():
        np.testing.assert_allclose(columns[name], law.ppf(q))


def test_without_a_spread_only_the_mean_is_forecast() -> None:
    columns = log_normal_columns(np.array([0.8, 0.9]), np.array([np.nan, 0.0]), np.array([0.7, 1]))
    assert columns.pop("rt_s").tolist() == [0.8, 0.9]
    assert all(np.isnan(values).all() for values in columns.values())


def test_a_trial_without_a_response_has_quantiles_and_no_density() -> None:
    columns = log_normal_columns(np.array([0.8]), np.array([0.2]), np.array([np.nan]))
    assert np.isnan(columns["rt_log_density"]).all()
    assert columns["rt_q05"][0] < columns["rt_q25"][0] < columns["rt_q75"][0] < columns["rt_q95"][0]
