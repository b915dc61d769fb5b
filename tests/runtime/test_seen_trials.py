"""The trials that a twin has seen, beside what it forecasts for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dtb_runtime.bundle import Bundle
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.run_joining import join_runs
from dtb_runtime.seen_trials import SeenTrials, seen_trials

Observe = Callable[..., ObservedRun]


def test_a_twin_that_has_seen_nothing_has_nothing_to_compare(tiny: Bundle) -> None:
    assert seen_trials(tiny.population_twin()) == ()


def test_means_are_over_the_same_trials(tiny: Bundle, observe: Observe) -> None:
    run = observe("stroop", [0.2, -0.1, 0.1], n_trials=20)
    use = np.arange(20) != 4
    time_s = run.responses.response_time_s.copy()
    time_s[2] = np.nan
    run = ObservedRun(
        run.events,
        replace(
            run.responses,
            usable=use & run.responses.usable,
            response_time_s=time_s,
            correct=run.responses.correct & ~np.isnan(time_s),
        ),
    )
    twin = tiny.population_twin().calibrate([run])
    compared = {each.trial_type: each for each in seen_trials(twin)}
    assert list(compared) == ["congruent", "incongruent", None]
    (whole,) = join_runs([run])
    trials = twin.forecast("stroop", whole.events).trials
    seen = whole.responses
    groups = np.array(whole.events.trial_group)
    for trial_type, each in compared.items():
        of_type = seen.usable & ((groups == trial_type) if trial_type else True)
        answered = of_type & ~np.isnan(seen.response_time_s)
        assert (each.n_trials, each.n_answered) == (of_type.sum(), answered.sum())
        assert each.accuracy == pytest.approx(seen.correct[of_type].mean())
        assert each.forecast_accuracy == pytest.approx(trials["p_correct"][of_type].mean())
        assert each.response_time_s == pytest.approx(seen.response_time_s[answered].mean())
        expected = trials["response_time"][answered].mean()
        assert each.forecast_response_time_s == pytest.approx(expected)
    assert compared[None].n_trials < 20


def test_tasks_and_runs_are_kept_apart_and_together(tiny: Bundle, observe: Observe) -> None:
    runs = [
        observe(task, np.zeros(3), n_trials=n, seed=n)
        for task, n in (("hammer", 6), ("stroop", 9), ("stroop", 12))
    ]
    compared = seen_trials(tiny.population_twin().calibrate(runs))
    totals = {each.task: each.n_trials for each in compared if each.trial_type is None}
    assert totals == {
        "hammer": runs[0].n_observed,
        "stroop": runs[1].n_observed + runs[2].n_observed,
    }


def test_without_an_answer_there_is_no_time(tiny: Bundle, observe: Observe) -> None:
    run = observe("hammer", np.zeros(3), n_trials=4)
    silent = replace(
        run.responses,
        response_time_s=np.full(4, np.nan),
        correct=np.zeros(4, np.bool_),
        usable=np.ones(4, np.bool_),
    )
    twin = tiny.population_twin().calibrate([ObservedRun(run.events, silent)])
    found = seen_trials(twin)
    assert found
    for each in found:
        assert math.isnan(each.response_time_s)
        assert each.to_json()["response_time_s"] is None
        assert each.accuracy == 0.0


def seen(**changes: float) -> SeenTrials:
    values: dict[str, Any] = {
        "n_trials": 78,
        "n_answered": 76,
        "accuracy": 0.95,
        "forecast_accuracy": 0.95,
        "response_time_s": 0.8,
        "forecast_response_time_s": 0.8,
        "response_time_error_s": 0.02,
    }
    return SeenTrials("stroop", None, **(values | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        (
            {"accuracy": 0.5, "forecast_accuracy": 0.8},
            "accuracy was 0.50, its forecast for them is about 0.80",
        ),
        ({"accuracy": 0.8, "forecast_accuracy": 0.9}, None),  # 3 standard errors
        ({"response_time_s": 1.85, "forecast_response_time_s": 1.27}, "response time was 1.85 s"),
        ({"forecast_response_time_s": 0.89}, None),  # sure, and not much
        ({"forecast_response_time_s": 1.1, "response_time_error_s": 0.1}, None),  # a few answers
        ({"response_time_s": math.nan, "forecast_response_time_s": math.nan}, None),
        ({"response_time_s": 1.5, "response_time_error_s": math.nan}, None),  # one answer
        ({"response_time_s": 1.5, "n_answered": 7}, None),
        ({"accuracy": 0.0, "n_trials": 1, "n_answered": 1}, None),
    ],
)
def test_a_twin_unlike_what_it_has_seen_is_told(
    changes: dict[str, float], said: str | None
) -> None:
    misfits = seen(**changes).misfits
    assert len(misfits) == (said is not None)
    if said is not None:
        assert said in misfits[0]
        assert "do not rely on this twin" in misfits[0]


def test_nobody_that_the_networks_know_is_told_so_in_every_output(
    tiny: Bundle, observe: Observe
) -> None:
    run = observe("stroop", np.zeros(3), n_trials=60)
    n = run.events.n_trials
    responses = replace(
        run.responses,
        response_time_s=np.full(n, 0.25),
        correct=np.ones(n, np.bool_),
        usable=np.ones(n, np.bool_),
    )
    twin = tiny.population_twin().calibrate(ObservedRun(run.events, responses))
    assert twin.calibration is not None
    (misfit,) = twin.calibration.misfits
    assert "response time was 0.25 s" in misfit
    assert misfit in twin.warnings
    assert misfit in twin.forecast("hammer").warnings
