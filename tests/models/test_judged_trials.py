"""Judged trials: what happened and what was forecast stand in the same row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dtb_models.cohorts import Participant
from dtb_models.judged_trials import PREDICTED, RT_QUANTILES, JudgedTrials
from dtb_models.protocols import second_half
from dtb_runtime.errors import UsageError
from dtb_runtime.responses import read_hazards
from dtb_runtime.tasks import DT_S, get_task
from dtb_runtime.trial_distributions import TrialDistributions

People = Callable[..., list[Participant]]


@pytest.fixture
def person(answering_people: People) -> Participant:
    return answering_people(1)[0]


def forecast(person: Participant, task: str, rng: np.random.Generator) -> TrialDistributions:
    events = person.run(f"{task}AP_run-01").events
    actions = rng.beta(0.3, 6.0, size=(events.n_steps, 3))
    return read_hazards(actions, events, len(get_task(task).options), DT_S)


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_a_row_is_the_trial_of_the_run_and_of_the_forecast(
    person: Participant, task: str, rng: np.random.Generator
) -> None:
    run, distributions = person.run(f"{task}AP_run-01"), forecast(person, task, rng)
    table = JudgedTrials.from_forecast("sub-01", run, distributions, second_half(run.events))
    rows = np.flatnonzero(second_half(run.events))
    assert table.trial.tolist() == rows.tolist()
    log_density = distributions.log_density(run.responses.response_time_s)
    for row, trial in enumerate(rows):
        assert table.participant_id[row] == "sub-01"
        assert (table.task[row], table.run[row]) == (task, f"{task}AP_run-01")
        assert table.trial_group[row] == run.events.trial_group[trial]
        assert table.onset_s[row] == run.events.onset_s[trial]
        np.testing.assert_equal(table.response_time_s[row], run.responses.response_time_s[trial])
        assert table.correct[row] == run.responses.correct[trial]
        assert table.usable[row] == run.responses.usable[trial]
        right = run.events.correct_option[trial]
        chances = distributions.option_probability[trial]
        assert table.rt_s[row] == distributions.response_time_s[trial]
        assert table.p_correct[row] == chances[right]
        assert table.p_no_response[row] == distributions.p_no_response[trial]
        assert table.choice_is_right[row] == float(chances.argmax() == right)
        np.testing.assert_equal(table.rt_log_density[row], log_density[trial])
        for name, q in RT_QUANTILES.items():
            assert getattr(table, name)[row] == distributions.quantile(q)[trial]


def test_without_a_mask_every_trial_is_judged(person: Participant) -> None:
    run = person.run("stroopAP_run-01")
    assert len(JudgedTrials.observed("sub-01", run)) == run.events.n_trials


def test_what_was_only_observed_forecasts_nothing(person: Participant) -> None:
    table = JudgedTrials.observed("sub-01", person.run("hammerAP_run-01"))
    assert all(np.isnan(getattr(table, name)).all() for name in PREDICTED)


def test_answered_and_right_trials_are_usable_ones(person: Participant) -> None:
    run = person.run("hammerAP_run-01")
    table = JudgedTrials.observed("sub-01", run)
    pressed = ~np.isnan(run.responses.response_time_s)
    assert table.answered.tolist() == (run.responses.usable & pressed).tolist()
    assert table.right.tolist() == (table.answered & run.responses.correct).tolist()
    assert table.right.sum() < table.answered.sum() < pressed.sum()


def test_the_chance_to_be_right_if_answered_leaves_out_no_response(person: Participant) -> None:
    table = JudgedTrials.observed("sub-01", person.run("hammerAP_run-01")).select(np.arange(4))
    table = table.predicting(p_correct=[0.6, 0.6, 0.0, np.nan], p_no_response=[0.0, 0.25, 1.0, 0.1])
    np.testing.assert_allclose(table.p_right_if_answered, [0.6, 0.8, np.nan, np.nan])


def test_predictions_replace_all_earlier_ones(person: Participant) -> None:
    table = JudgedTrials.observed("sub-01", person.run("hammerAP_run-01"))
    first = table.predicting(rt_s=np.ones(len(table)))
    second = first.predicting(p_correct=np.ones(len(table)))
    assert np.isnan(second.rt_s).all()
    assert second.has_rows_of(first)


def test_tables_are_put_together_in_order_and_taken_apart_by_task(
    person: Participant, rng: np.random.Generator
) -> None:
    parts = [
        JudgedTrials.from_forecast(
            "sub-01", person.run(f"{task}AP_run-01"), forecast(person, task, rng)
        )
        for task in ("stroop", "hammer")
    ]
    whole = JudgedTrials.concatenate(parts)
    assert whole.tasks == ("hammer", "stroop")
    assert len(whole) == sum(map(len, parts))
    for part in parts:
        same = whole.of_task(part.tasks[0])
        assert same.has_rows_of(part)
        np.testing.assert_array_equal(same.rt_s, part.rt_s)


def test_other_rows_or_another_order_are_not_the_same_trials(person: Participant) -> None:
    table = JudgedTrials.observed("sub-01", person.run("hammerAP_run-01"))
    assert not table.has_rows_of(table.select(np.arange(len(table))[::-1]))
    assert not table.has_rows_of(table.select(table.trial > 0))
    other = JudgedTrials.observed("sub-02", person.run("hammerAP_run-01"))
    assert not table.has_rows_of(other)


def test_columns_are_read_only_and_the_callers_arrays_stay_writeable(person: Participant) -> None:
    table = JudgedTrials.observed("sub-01", person.run("hammerAP_run-01"))
    mine = np.ones(len(table))
    with_mine = table.predicting(rt_s=mine)
    mine[0] = 5.0
    assert with_mine.rt_s[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        with_mine.rt_s[0] = 2.0


def test_a_forecast_of_another_schedule_is_refused(
    person: Participant, rng: np.random.Generator
) -> None:
    with pytest.raises(UsageError, match=r"has 108 trials, but the forecast has 78"):
        JudgedTrials.from_forecast(
            "sub-01", person.run("hammerAP_run-01"), forecast(person, "stroop", rng)
        )


def test_a_column_of_another_length_is_refused(person: Participant) -> None:
    table = JudgedTrials.observed("sub-01", person.run("hammerAP_run-01"))
    with pytest.raises(UsageError, match=r"108 rows, but rt_s has shape \(3,\)"):
        table.predicting(rt_s=np.ones(3))


def test_a_column_that_is_no_prediction_is_refused(person: Participant) -> None:
    table = JudgedTrials.observed("sub-01", person.run("hammerAP_run-01"))
    with pytest.raises(UsageError, match="'correct' is no predicted column"):
        table.predicting(correct=np.ones(108))


def test_nothing_cannot_be_put_together() -> None:
    with pytest.raises(UsageError, match="nobody was judged"):
        JudgedTrials.concatenate([])
