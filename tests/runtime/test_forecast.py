"""Forecasts, against the recurrence and the survival formula written out in float64."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.draws import DRAWS_PER_CALL
from dtb_runtime.errors import EventsError, UsageError
from dtb_runtime.events import default_schedule, events_from_columns
from dtb_runtime.forecast import Forecast
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import TASKS
from dtb_runtime.twin import Twin

COLUMNS = (
    "onset",
    "duration",
    "trial_type",
    "choice",
    "p_correct",
    "p_no_response",
    "response_time",
    "response_time_low",
    "response_time_lower_quartile",
    "response_time_upper_quartile",
    "response_time_high",
)
LEAK = np.array([0.5] * 4 + [0.03] * 4)


@pytest.fixture
def twin(tiny: Bundle, correlations: NDArray[np.float64]) -> Twin:
    return tiny.personalize(correlations, participant_id="01")


def recurrence(
    weights: NDArray[np.float32],
    stimulus: NDArray[np.float32],
    n_bold: int,
    leak: NDArray[np.float64] | float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Actions of every step and BOLD of every tenth, straight from the definition."""
    sizes = [8 * 9, 8 * 8, 8, 8, (3 + n_bold) * 8, 3 + n_bold]
    parts = np.split(weights.astype(np.float64), np.cumsum(sizes)[:-1])
    W_ih, W_hh, W_ho = parts[0].reshape(8, 9), parts[1].reshape(8, 8), parts[4].reshape(-1, 8)
    b_ih, b_hh, b_ho = parts[2], parts[3], parts[5]
    h = np.zeros(8)
    outputs = np.empty((len(stimulus), 3 + n_bold))
    for t, x in enumerate(stimulus.astype(np.float64)):
        target = np.tanh(W_ih @ x + b_ih + W_hh @ h + b_hh)
        h = h + leak * (target - h)
        outputs[t] = W_ho @ h + b_ho
    return 1.0 / (1.0 + np.exp(-outputs[:, :3])), outputs[::10, 3:]


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_the_network_runs_as_defined(
    tiny: Bundle,
    tiny_plain: Bundle,
    correlations: NDArray[np.float64],
    task: str,
) -> None:
    stimulus = network_input(TASKS[task].stimulus(default_schedule(task)))
    for bundle, leak in ((tiny, LEAK), (tiny_plain, 1.0)):
        twin = bundle.personalize(correlations)
        actions, bold = recurrence(twin.weights, stimulus, bundle.manifest.n_bold, leak)
        ran_actions, _, _ = bundle.run_main(twin.weights, stimulus)
        np.testing.assert_allclose(ran_actions, actions, atol=2e-5)
        np.testing.assert_allclose(twin.forecast(task, draws=1).bold, bold, atol=2e-5)


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_trials_follow_from_the_hazards(twin: Twin, task: str) -> None:
    """Survival over the steps of each trial, in plain loops, with parts of steps at its ends."""
    events = default_schedule(task)
    options = TASKS[task].options
    stimulus = network_input(TASKS[task].stimulus(events))
    actions, _ = recurrence(twin.weights, stimulus, 12, LEAK)
    forecast = twin.forecast(task, draws=1)
    for trial in range(0, events.n_trials, 7):
        start, end = (
            events.onset_s[trial] / 0.08,
            (events.onset_s[trial] + events.duration_s[trial]) / 0.08,
        )
        survival, chance = 1.0, np.zeros(len(options))
        for step in range(events.onset_step[trial], events.offset_step[trial]):
            p = actions[step, : len(options)]
            inside = min(end, step + 1) - max(start, step)
            pressed = survival * (1 - np.prod(1 - p) ** inside)
            odds = p / (1 - p)
            chance += pressed * odds / odds.sum()
            survival -= pressed
        np.testing.assert_allclose(forecast.option_probability[trial], chance, atol=1e-4)
        np.testing.assert_allclose(forecast.trials["p_no_response"][trial], survival, atol=1e-4)
        correct = events.correct_option[trial]
        np.testing.assert_allclose(forecast.trials["p_correct"][trial], chance[correct], atol=1e-4)


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_what_a_forecast_holds(twin: Twin, task: str) -> None:
    forecast = twin.forecast(task)
    events = default_schedule(task)
    assert tuple(forecast.trials) == COLUMNS
    assert all(len(column) == events.n_trials for column in forecast.trials.values())
    assert tuple(forecast.trials["trial_type"]) == events.trial_type
    assert set(forecast.trials["choice"]) <= {*TASKS[task].options, "n/a"}
    assert forecast.bold.shape == (events.n_frames, 12)
    assert forecast.bold.dtype == np.float32
    assert forecast.region_labels == twin.bundle.manifest.bold_regions
    assert forecast.tr_s == 0.8
    assert forecast.provider == "CPUExecutionProvider"
    assert set(forecast.contrasts) == {TASKS[task].contrast_name}
    assert forecast.warnings == twin.warnings
    assert "invented weights" in forecast.warnings[0]
    low, lower, mean, upper, high = (
        forecast.trials[f"response_time{suffix}"]
        for suffix in ("_low", "_lower_quartile", "", "_upper_quartile", "_high")
    )
    assert (low < lower).all()
    assert (lower < upper).all()
    assert (upper < high).all()
    assert (low < mean).all()
    assert (mean < high).all()
    total = forecast.option_probability.sum(axis=1) + forecast.trials["p_no_response"]
    np.testing.assert_allclose(total, 1.0, atol=1e-9)
    assert repr(forecast) == f"Forecast('{task}', Twin('sub-01', bundle='tiny'), " + (
        f"{events.n_trials} trials)"
    )


def test_densities_are_read_where_the_manifest_says_so(
    tiny_plain: Bundle, correlations: NDArray[np.float64]
) -> None:
    twin = tiny_plain.personalize(correlations)
    forecast = twin.forecast("stroop")
    stimulus = network_input(TASKS["stroop"].stimulus(forecast.events))
    actions, _ = recurrence(twin.weights, stimulus, 5, 1.0)
    events = forecast.events
    first, last = events.onset_step[0], events.offset_step[0]
    # The first trial starts on a step, so only its end is cut.
    inside = np.clip(
        (events.onset_s[0] + events.duration_s[0]) / 0.08 - np.arange(first, last), 0, 1
    )
    mass = (actions[first:last] * inside[:, None]).sum(axis=0)
    np.testing.assert_allclose(
        forecast.option_probability[0], mass / max(mass.sum(), 1.0), atol=1e-4
    )
    assert forecast.warnings == twin.warnings


def test_a_forecast_cannot_be_changed(twin: Twin) -> None:
    forecast = twin.forecast("hammer", seed=0)
    with pytest.raises(FrozenInstanceError):
        forecast.task = "stroop"  # type: ignore[misc]
    with pytest.raises(TypeError):
        forecast.trials["choice"] = np.zeros(1)  # type: ignore[index]
    with pytest.raises(TypeError):
        forecast.indicators["accuracy"] = 1.0  # type: ignore[index]
    for array in (*forecast.trials.values(), forecast.bold, forecast.option_probability):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


def test_the_same_seed_draws_the_same_and_tasks_draw_apart(twin: Twin) -> None:
    one, again, other = (twin.forecast("stroop", seed=seed) for seed in (5, 5, 6))
    for column in ("sampled_choice", "sampled_response_time"):
        np.testing.assert_array_equal(one.trials[column], again.trials[column])
    assert not np.array_equal(
        one.trials["sampled_response_time"], other.trials["sampled_response_time"]
    )
    # Draws say nothing about the distribution: it is the same with and without them.
    np.testing.assert_array_equal(one.trials["p_correct"], other.trials["p_correct"])
    assert tuple(twin.forecast("stroop").trials) == COLUMNS
    with pytest.raises(UsageError, match="A seed must be 0 or more, found -1"):
        twin.forecast("stroop", seed=-1)


def short_stroop() -> dict[str, list[Any]]:
    n = 12
    colors = ["red", "green", "blue"] * 4
    words = [c if i % 2 else colors[(i + 1) % n] for i, c in enumerate(colors)]
    return {
        "onset": [2.0 + 5.03 * i for i in range(n)],
        "duration": [4.0] * n,
        "trial_type": ["con1" if i % 2 else "inc1" for i in range(n)],
        "stimulus_text": words,
        "stimulus_color": colors,
    }


def test_samples_follow_the_distribution(twin: Twin) -> None:
    """Of the mixture: who is sampled differs from seed to seed."""
    events = events_from_columns(short_stroop(), "stroop")
    forecasts = [twin.forecast("stroop", events, seed=seed, draws=4) for seed in range(400)]
    trials = [forecast.trials for forecast in forecasts]
    chosen = np.array([each["sampled_choice"] for each in trials])
    forecast = forecasts[0]
    for index, option in enumerate(("red", "green", "blue")):
        share = (chosen == option).mean(axis=0)
        np.testing.assert_allclose(share, forecast.option_probability[:, index], atol=0.1)
    times = np.array([each["sampled_response_time"] for each in trials])
    np.testing.assert_array_equal(np.isnan(times), chosen == "n/a")
    error = np.nanmean(times, axis=0) - forecast.trials["response_time"]
    assert abs(error.mean()) < 0.02


def test_no_answer_is_chosen_where_it_is_likeliest(twin: Twin) -> None:
    forecast = twin.forecast("hammer")
    best = forecast.option_probability.max(axis=1)
    silent = forecast.trials["choice"] == "n/a"
    np.testing.assert_array_equal(silent, forecast.trials["p_no_response"] > best)
    assert silent.any()
    options = np.array(TASKS["hammer"].options)
    np.testing.assert_array_equal(
        forecast.trials["choice"][~silent],
        options[forecast.option_probability.argmax(axis=1)[~silent]],
    )


def test_any_schedule_of_the_task_can_be_given(twin: Twin, tmp_path: Path) -> None:
    columns = short_stroop()
    rows = zip(*columns.values(), strict=True)
    text = "\n".join("\t".join(map(str, row)) for row in [columns.keys(), *rows])
    (tmp_path / "events.tsv").write_text(text + "\n")
    events = events_from_columns(columns, "stroop")
    forecasts = [
        twin.forecast("stroop", given)
        for given in (events, tmp_path / "events.tsv", str(tmp_path / "events.tsv"))
    ]
    for forecast in forecasts:
        assert len(forecast.trials["choice"]) == 12
        assert forecast.bold.shape == (events.n_frames, 12)
        np.testing.assert_array_equal(forecast.bold, forecasts[0].bold)
    assert forecasts[0].contrasts["incongruent_congruent"].t.shape == (12,)


def test_a_schedule_without_one_trial_type_has_no_contrast_and_says_why(twin: Twin) -> None:
    columns = short_stroop()
    columns["stimulus_text"] = columns["stimulus_color"]
    columns["trial_type"] = ["con1"] * 12
    forecast = twin.forecast("stroop", events_from_columns(columns, "stroop"))
    assert dict(forecast.contrasts) == {}
    assert "stroop_effect" not in forecast.indicators
    with pytest.raises(UsageError, match="no incongruent trials"):
        forecast.indicator("stroop_effect")
    with pytest.raises(UsageError, match="incongruent_congruent"):
        forecast.indicator("contrast:incongruent_congruent:L_Vis1")


def test_tasks_and_events_that_do_not_fit_are_refused(twin: Twin, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no task named 'hamer'.*Did you mean 'hammer'"):
        twin.forecast("hamer")
    with pytest.raises(UsageError, match="events of the task 'stroop'"):
        twin.forecast("hammer", default_schedule("stroop"))
    with pytest.raises(EventsError, match="no file at"):
        twin.forecast("hammer", tmp_path / "none.tsv")


def test_indicators_are_those_of_the_task(twin: Twin) -> None:
    hammer, stroop = twin.forecast("hammer"), twin.forecast("stroop")
    mean = stroop.trials["response_time"].mean()
    np.testing.assert_allclose(stroop.indicators["reaction_time:stroop"], mean)
    np.testing.assert_allclose(
        stroop.indicators["stroop_effect"],
        stroop.indicators["reaction_time:stroop:incongruent"]
        - stroop.indicators["reaction_time:stroop:congruent"],
    )
    assert hammer.indicator("amygdala_response") == hammer.indicators["amygdala_response"]
    contrast = hammer.contrasts["face_shape"]
    region = hammer.region_labels.index("R_Default")
    assert hammer.indicator("contrast:face_shape:R_Default") == contrast.t[region]
    # One region makes up the right amygdala here, so the structure's t is that region's.
    region = hammer.region_labels.index("lAMY-rh")
    np.testing.assert_allclose(hammer.indicators["amygdala_response"], contrast.t[region])


def test_an_indicator_that_the_regions_cannot_give_says_why(
    tiny_plain: Bundle, correlations: NDArray[np.float64]
) -> None:
    forecast = tiny_plain.personalize(correlations).forecast("hammer")
    assert "amygdala_response" not in forecast.indicators
    with pytest.raises(UsageError, match="right amygdala"):
        forecast.indicator("amygdala_response")


def test_eight_threads_give_the_numbers_of_one(
    tiny: Bundle, people: Callable[[int], NDArray[np.float64]]
) -> None:
    def work(person: int) -> list[Forecast]:
        twin = tiny.personalize(people(person))
        tasks = ("hammer", "stroop")
        return [twin.forecast(task, seed=person, draws=DRAWS_PER_CALL + 1) for task in tasks]

    alone = [work(person) for person in range(8)]
    together: list[list[Forecast] | None] = [None] * 8
    start = threading.Barrier(8)

    def run(person: int) -> None:
        start.wait()
        together[person] = work(person)

    threads = [threading.Thread(target=run, args=(person,)) for person in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, many in zip(alone, together, strict=True):
        assert many is not None
        for expected, found in zip(one, many, strict=True):
            np.testing.assert_array_equal(found.bold, expected.bold)
            assert dict(found.indicators) == dict(expected.indicators)
            for name, column in expected.trials.items():
                np.testing.assert_array_equal(found.trials[name], column)


def test_the_static_work_of_a_default_schedule_is_done_once(
    twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = twin.forecast("hammer")
    monkeypatch.setattr("dtb_runtime.prepared_run.network_input", None)
    monkeypatch.setattr("dtb_runtime.prepared_run.design_matrix", None)
    again = twin.forecast("hammer")
    np.testing.assert_array_equal(again.bold, first.bold)
    assert again.indicators == first.indicators
