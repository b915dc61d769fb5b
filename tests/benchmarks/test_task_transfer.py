"""What a part of the evidence forecasts, on simulated people of the tiny bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from task_transfer import Person, judged, row

from dtb_models.cohorts import Run
from dtb_runtime import Bundle, load_bundle
from dtb_runtime.events import default_schedule
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.recorded_responses import Responses

TINY = Path(__file__).parents[1] / "bundles" / "tiny"


@pytest.fixture(scope="module")
def tiny() -> Bundle:
    return load_bundle(TINY, device="cpu")


@pytest.fixture(scope="module")
def run() -> Run:
    """A run of Stroop, answered rightly after 0.9 to 1.1 s."""
    events = default_schedule("stroop")
    n = events.n_trials
    times = np.random.default_rng(0).uniform(0.9, 1.1, n)
    responses = Responses(times, np.ones(n, bool), np.ones(n, bool))
    return Run("stroop", "stroopAP_run-01", events, responses)


def test_no_part_of_the_evidence_forecasts_anybody(tiny: Bundle, run: Run) -> None:
    anybody = tiny.population_twin()
    twin = anybody.calibrate(ObservedRun(run.events, run.responses))
    nothing, everything = (judged(twin, part, run, 0.0) for part in (0.0, 1.0))
    assert nothing is not None
    assert everything is not None
    expected = anybody.forecast("stroop", run.events).trials["response_time"].mean()
    assert nothing.forecast_s == pytest.approx(expected, abs=1e-4)
    assert nothing.measured_s == pytest.approx(float(run.responses.response_time_s.mean()))
    off = [abs(each.forecast_s - each.measured_s) for each in (nothing, everything)]
    assert off[1] < off[0]
    assert everything.spread_s < nothing.spread_s


def test_people_with_few_answers_are_not_judged(tiny: Bundle, run: Run) -> None:
    twin = tiny.population_twin().calibrate(ObservedRun(run.events, run.responses))
    assert judged(twin, 1.0, run, float(run.events.onset_s[-5])) is None


def test_a_row_counts_whom_the_interval_covers() -> None:
    """Of two people one is off by 1 SD, the other by 2: 90 % end at 1.64."""
    people = [Person(1.0, 0.03, 1.05, 0.04, 9, 10), Person(1.2, 0.03, 1.1, 0.04, 8, 10)]
    cells = row(("later", "stroop", 0.98), people).split()
    assert cells[:4] == ["later", "stroop", "0.98", "2"]
    rmse_s = np.sqrt((0.05**2 + 0.1**2) / 2)
    assert [float(cell) for cell in cells[4:8]] == [1.0, round(rmse_s, 4), 0.5, 0.85]
