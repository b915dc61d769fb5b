"""Group maps with intervals, beside plain formulas and a bootstrap by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from dtb_models.bootstrap import N_RESAMPLES, SEED
from dtb_models.group_figures import PairedMaps, group_mean_figure, group_t_figure

N, REGIONS = 12, 30


@pytest.fixture
def tasks(rng: np.random.Generator) -> list[PairedMaps]:
    """Two tasks; the second was not done by everybody."""
    found = []
    for n in (N, N - 4):
        group = rng.normal(size=REGIONS)
        forecast = group + 0.5 * rng.normal(size=(n, REGIONS))
        measured = group + rng.normal(size=(n, REGIONS))
        found.append(PairedMaps([f"sub-{i:02d}" for i in range(n)], forecast, measured))
    return found


def test_group_t_is_that_of_a_one_sample_test(tasks: list[PairedMaps]) -> None:
    t = [
        np.concatenate([ttest_1samp(getattr(task, side), 0).statistic for task in tasks])
        for side in ("forecast", "measured")
    ]
    figure = group_t_figure(tasks)
    assert figure.value == pytest.approx(np.corrcoef(*t)[0, 1], rel=1e-9)
    assert figure.n == N
    assert -1 < figure.low < figure.high < 1


def test_the_interval_is_that_of_people_drawn_again(tasks: list[PairedMaps]) -> None:
    (task, _) = tasks
    rng = np.random.default_rng(SEED + 1)
    drawn = []
    for _ in range(N_RESAMPLES):
        rows = rng.integers(N, size=N)
        means = task.forecast[rows].mean(0), task.measured[rows].mean(0)
        drawn.append(np.corrcoef(*means)[0, 1])
    figure = group_mean_figure(task)
    r = np.corrcoef(task.forecast.mean(0), task.measured.mean(0))[0, 1]
    assert figure.value == pytest.approx(r, rel=1e-9)
    z = np.arctanh(drawn)
    low, high = np.tanh(np.quantile(z - np.median(z), [0.025, 0.975]) + np.arctanh(r))
    assert np.median(drawn) < r - 0.02  # people drawn twice make means noisier
    assert figure.low == pytest.approx(low, abs=0.02)
    assert figure.high == pytest.approx(high, abs=0.02)


def test_the_interval_covers_what_other_people_would_give() -> None:
    """Of many groups from one population, the r of most lie in the interval of most."""
    rng = np.random.default_rng(0)
    group = rng.normal(size=REGIONS)
    figures = []
    for _ in range(80):
        gain = rng.normal(1.0, 0.3, size=(N, 1))
        forecast = gain * group + 0.5 * rng.normal(size=(N, REGIONS))
        measured = gain * group + 2.0 * rng.normal(size=(N, REGIONS))
        ids = [f"sub-{i:02d}" for i in range(N)]
        figures.append(group_mean_figure(PairedMaps(ids, forecast, measured)))
    typical = float(np.median([figure.value for figure in figures]))
    covered = np.mean([figure.low <= typical <= figure.high for figure in figures])
    # Not moved around the figure, they cover fewer than six in ten.
    assert covered > 0.8


def test_a_person_without_a_region_is_left_out_there(tasks: list[PairedMaps]) -> None:
    (task, _) = tasks
    forecast = task.forecast.copy()
    forecast[3, 5] = np.nan
    figure = group_t_figure([PairedMaps(task.participant_ids, forecast, task.measured)])
    t = ttest_1samp(forecast, 0, nan_policy="omit").statistic
    r = np.corrcoef(np.asarray(t), ttest_1samp(task.measured, 0).statistic)[0, 1]
    assert figure.value == pytest.approx(r, rel=1e-6)


def test_forecasts_that_are_the_same_for_everybody_have_no_t(tasks: list[PairedMaps]) -> None:
    (task, _) = tasks
    same = np.tile(task.forecast[:1], (N, 1))
    figure = group_t_figure([PairedMaps(task.participant_ids, same, task.measured)])
    assert np.isnan(figure.value)
