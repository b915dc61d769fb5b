"""Forecasts over draws of the latent, against the draws' own forecasts put together by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.draws import indicator_intervals
from dtb_runtime.errors import EventsError, UsageError
from dtb_runtime.events import SCHEDULES_DIR, Events, events_from_columns
from dtb_runtime.forecast import DRAWS, Forecast
from dtb_runtime.glm import design_matrix, fit_contrast
from dtb_runtime.indicators import Indicators
from dtb_runtime.latent import LatentDistribution
from dtb_runtime.tables import read_table
from dtb_runtime.twin import Twin

SEED = 3


@pytest.fixture
def twin(tiny: Bundle, correlations: NDArray[np.float64]) -> Twin:
    return tiny.personalize(correlations, participant_id="01")


@pytest.fixture(scope="module")
def runs() -> dict[str, Events]:
    """The first trials of the study's schedules."""
    short = {}
    for task in ("hammer", "stroop"):
        table = read_table(SCHEDULES_DIR / f"{task}.tsv", "\t", EventsError)
        columns = {name: cells[:24] for name, cells in table.columns.items()}
        short[task] = events_from_columns(columns, task)
    return short


def alone(twin: Twin, events: Events, n_draws: int) -> list[Forecast]:
    """Forecasts of the persons that the draws are, each as if known exactly."""
    bundle = twin.bundle
    persons = [
        replace(twin, latent=latent, weights=bundle.decode(latent), prior=None, posterior=None)
        for latent in twin.draws(n_draws)
    ]
    return [person.forecast(events.task, events, seed=SEED) for person in persons]


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_a_forecast_is_the_mean_over_persons(
    task: str, twin: Twin, runs: dict[str, Events]
) -> None:
    parts = alone(twin, runs[task], 6)
    together = twin.forecast(task, runs[task], draws=6)
    assert together.n_draws == 6
    assert [part.n_draws for part in parts] == [1] * 6

    def mean(column: str) -> NDArray[np.float64]:
        return np.asarray(np.mean([part.trials[column] for part in parts], axis=0))

    np.testing.assert_allclose(together.bold, np.mean([p.bold for p in parts], axis=0), atol=1e-6)
    for column in ("p_correct", "p_no_response"):
        np.testing.assert_allclose(together.trials[column], mean(column), rtol=1e-12)
    responds = 1.0 - np.array([part.trials["p_no_response"] for part in parts])
    times = np.array([part.trials["response_time"] for part in parts])
    expected = (responds * times).sum(axis=0) / responds.sum(axis=0)
    np.testing.assert_allclose(together.trials["response_time"], expected, rtol=1e-12)
    if task == "hammer":
        contrasts = [part.contrasts["face_shape"] for part in parts]
        found = together.contrasts["face_shape"]
        np.testing.assert_allclose(found.t, np.mean([c.t for c in contrasts], axis=0))
        # The estimate is linear: that of the mean BOLD is the same.
        design = design_matrix(runs[task], runs[task].n_frames, 0.8)
        fitted = fit_contrast(together.bold, design, ("face", "shape"))
        np.testing.assert_allclose(found.estimate, fitted.estimate, atol=1e-5)
    for draw, part in zip(together.draw_indicators, parts, strict=True):
        assert dict(draw.values) == dict(part.indicators)


def test_indicators_of_means_are_means_and_intervals_are_over_persons(
    twin: Twin, runs: dict[str, Events]
) -> None:
    together = twin.forecast("hammer", runs["hammer"])
    parts = alone(twin, runs["hammer"], DRAWS)
    for name in ("accuracy:hammer:face", "amygdala_response"):
        values = [part.indicators[name] for part in parts]
        assert together.indicators[name] == pytest.approx(np.mean(values), rel=1e-12)
    assert set(together.indicator_intervals) == set(together.indicators)
    assert "amygdala_response" in together.indicator_intervals
    for name, (low, high) in together.indicator_intervals.items():
        ordered = np.sort([part.indicators[name] for part in parts])
        # The median-unbiased estimate (Hyndman & Fan 1996, no. 8), counted from 1.
        place = 0.05 * (DRAWS + 1 / 3) + 1 / 3
        between = np.interp([place, DRAWS + 1 - place], np.arange(1, DRAWS + 1), ordered)
        np.testing.assert_allclose([low, high], between, rtol=1e-9)
        assert low < together.indicators[name] < high


def test_one_draw_is_the_latent_itself(twin: Twin, runs: dict[str, Events]) -> None:
    known = replace(twin, prior=None, posterior=None)
    one, same = (who.forecast("stroop", runs["stroop"], draws=1) for who in (twin, known))
    for column, values in same.trials.items():
        np.testing.assert_array_equal(one.trials[column], values)
    np.testing.assert_array_equal(one.bold, same.bold)
    assert one.draw_indicators == ()
    assert dict(one.indicator_intervals) == {}
    assert one.n_draws == 1


def test_the_number_of_threads_changes_nothing(twin: Twin, runs: dict[str, Events]) -> None:
    forecasts = [
        twin.forecast("stroop", runs["stroop"], seed=SEED, draws=9, threads=threads)
        for threads in (1, 2, 4, 32)
    ]
    for forecast in forecasts[1:]:
        assert forecast.bold.tobytes() == forecasts[0].bold.tobytes()
        for column, values in forecasts[0].trials.items():
            assert forecast.trials[column].tobytes() == values.tobytes()
        assert forecast.indicator_intervals == forecasts[0].indicator_intervals
        assert dict(forecast.indicators) == dict(forecasts[0].indicators)


def test_what_is_not_known_of_a_person_makes_intervals_wide(
    twin: Twin, runs: dict[str, Events]
) -> None:
    assert twin.posterior is not None
    posterior = twin.posterior
    widths, sds = [], []
    for scale in (4.0, 1.0, 0.01):
        spread = LatentDistribution(posterior.mean, scale * posterior.covariance)
        forecast = replace(twin, posterior=spread).forecast("stroop", runs["stroop"])
        low, high = forecast.indicator_intervals["reaction_time:stroop"]
        widths.append(high - low)
        trials = forecast.trials
        sds.append((trials["response_time_high"] - trials["response_time_low"]).mean())
    assert widths[0] > 1.5 * widths[1] > 3.0 * widths[2] > 0.0
    assert sds[0] > sds[1] > sds[2]  # trials have their own noise beside it
    sure = twin.forecast("stroop", runs["stroop"], draws=1)
    width = sure.trials["response_time_high"] - sure.trials["response_time_low"]
    assert sds[2] == pytest.approx(width.mean(), rel=0.02)


def test_a_sampled_run_is_one_persons_in_all_tasks(twin: Twin, runs: dict[str, Events]) -> None:
    n_draws, who = 5, []
    for task, events in runs.items():
        sampled = twin.forecast(task, events, seed=SEED, draws=n_draws).trials
        columns = ("sampled_choice", "sampled_response_time")
        matches = [
            all(
                np.array_equal(sampled[c], part.trials[c], equal_nan=c != columns[0])
                for c in columns
            )
            for part in alone(twin, events, n_draws)
        ]
        assert sum(matches) == 1
        who.append(matches.index(True))
    assert who[0] == who[1]


def test_who_is_sampled_varies_with_the_seed(twin: Twin, runs: dict[str, Events]) -> None:
    events = runs["stroop"]
    means = [
        np.nanmean(
            twin.forecast("stroop", events, seed=seed, draws=2).trials["sampled_response_time"]
        )
        for seed in range(8)
    ]
    assert len(set(means)) == 8


def test_a_twin_without_distribution_is_forecast_as_it_stands(
    tiny_plain: Bundle, correlations: NDArray[np.float64], runs: dict[str, Events]
) -> None:
    twin = tiny_plain.personalize(correlations)
    forecast = twin.forecast("hammer", runs["hammer"])
    assert forecast.n_draws == 1
    assert dict(forecast.indicator_intervals) == {}
    with pytest.raises(UsageError, match=r"has no latent.*nothing to draw from"):
        twin.forecast("hammer", runs["hammer"], draws=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, "At least 1 draw is needed, found 0"),
        ({"draws": -4}, "At least 1 draw is needed, found -4"),
        ({"threads": 0}, "threads must be at least 1, found 0"),
    ],
)
def test_less_than_one_draw_or_thread_is_refused(
    options: dict[str, Any], message: str, twin: Twin, runs: dict[str, Events]
) -> None:
    with pytest.raises(UsageError, match=message):
        twin.forecast("hammer", runs["hammer"], **options)


def test_an_error_in_a_thread_is_the_callers(
    twin: Twin, runs: dict[str, Events], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise UsageError("this draw cannot be run")

    monkeypatch.setattr(Bundle, "run_main", fail)
    with pytest.raises(UsageError, match="this draw cannot be run"):
        twin.forecast("hammer", runs["hammer"], threads=3)


def report(**values: float) -> Indicators:
    return Indicators(values, {}, ("hammer",))


def test_an_interval_needs_two_draws_that_give_the_indicator() -> None:
    assert dict(indicator_intervals([])) == {}
    assert dict(indicator_intervals([report(accuracy=0.5)])) == {}
    found = indicator_intervals([report(a=1.0, b=2.0), report(a=3.0)])
    assert dict(found) == {"a": (1.0, 3.0)}


def test_intervals_hold_nine_of_ten_people(rng: np.random.Generator) -> None:
    """An indicator that is linear in the latent, over and over; the share that they enclose."""
    people, shares = np.sort(rng.standard_normal(20_000)), []
    standard = LatentDistribution(np.zeros(16), np.eye(16))
    for seed in range(300):
        direction = rng.standard_normal(16)
        values = standard.draws(DRAWS, seed=seed) @ direction / np.linalg.norm(direction)
        interval = indicator_intervals([report(a=float(value)) for value in values])["a"]
        shares.append(np.diff(np.searchsorted(people, interval)) / len(people))
    assert np.mean(shares) == pytest.approx(0.9, abs=0.02)
