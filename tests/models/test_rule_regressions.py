"""Regressions over people, against scikit-learn, refitted for every person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtb_models.cohorts import Participant
from dtb_models.metrics import figures
from dtb_models.protocols import PROTOCOLS, JudgedPeople, JudgedRun, judged_people
from dtb_models.rule_regressions import (
    demographic_forecast,
    demographic_predictors,
    loo_regression_s,
    other_task_mean_s,
)
from dtb_models.rule_trials import RuleTrials
from dtb_models.rules import all_rules
from dtb_models.tcp import TcpCohort

linear_model = pytest.importorskip(
    "sklearn.linear_model", reason="scikit-learn is the independent reference"
)

People = Callable[..., list[Participant]]


def times(judged: JudgedRun, half: str) -> np.ndarray:
    """Response times of the right usable trials of one half."""
    responses = judged.run.responses
    rows = (judged.seen if half == "seen" else judged.judged) & responses.usable
    return np.array(responses.response_time_s[rows & responses.correct])


def other_task(people: JudgedPeople, judged: JudgedRun) -> float:
    for other in people.runs:
        if other.participant_id == judged.participant_id and other is not judged:
            return float(times(other, "seen").mean())
    return float("nan")


def test_the_leave_one_out_regression_is_fitted_anew_for_everybody(
    answering_people: People,
) -> None:
    people = judged_people(answering_people(15))
    found = loo_regression_s(RuleTrials.of(people))
    for task in ("hammer", "stroop"):
        units = [i for i, judged in enumerate(people.runs) if judged.run.task == task]
        rows = np.array(
            [
                (
                    times(people.runs[i], "seen").mean(),
                    np.median(times(people.runs[i], "seen")),
                    other_task(people, people.runs[i]),
                )
                for i in units
            ]
        )
        target = np.array([times(people.runs[i], "judged").mean() for i in units])
        for place, unit in enumerate(units):
            rest = np.arange(len(units)) != place
            fitted = linear_model.LinearRegression().fit(rows[rest], target[rest])
            assert found[unit] == pytest.approx(fitted.predict(rows[[place]])[0])


def test_who_lacks_the_other_task_is_forecast_from_the_own_task_alone(
    answering_people: People,
) -> None:
    people = answering_people(15)
    people[3] = replace(people[3], runs=people[3].runs[:1])  # hammer only
    judged = judged_people(people)
    found = loo_regression_s(RuleTrials.of(judged))
    units = [i for i, run in enumerate(judged.runs) if run.run.task == "hammer"]
    own = [times(judged.runs[i], "seen") for i in units]
    rows = np.array([(each.mean(), np.median(each)) for each in own])
    target = np.array([times(judged.runs[i], "judged").mean() for i in units])
    rest = np.arange(15) != 3
    fitted = linear_model.LinearRegression().fit(rows[rest], target[rest])
    assert found[units[3]] == pytest.approx(fitted.predict(rows[[3]])[0])
    assert np.isfinite(found).all()


def test_the_other_tasks_mean_needs_eight_right_answers(answering_people: People) -> None:
    people = answering_people(2)
    hammer, stroop = people[0].runs
    first_eight = np.cumsum(stroop.responses.usable & stroop.responses.correct) <= 8
    for n_right in (7, 8):
        few = first_eight if n_right == 8 else np.roll(first_eight, -1) & first_eight
        correct = stroop.responses.correct & few
        correct &= np.cumsum(stroop.responses.usable & correct) <= n_right
        short = replace(stroop, responses=replace(stroop.responses, correct=correct))
        trials = RuleTrials.of(judged_people([replace(people[0], runs=(hammer, short)), people[1]]))
        mean = other_task_mean_s(trials)[0]  # the first person is not judged in stroop itself
        rows = correct & stroop.responses.usable
        assert rows.sum() == n_right
        if n_right < 8:
            assert np.isnan(mean)
        else:
            assert mean == pytest.approx(stroop.responses.response_time_s[rows].mean())


def test_too_few_people_have_no_regression(answering_people: People) -> None:
    assert np.isnan(loo_regression_s(RuleTrials.of(judged_people(answering_people(2))))).all()


def test_phenotypes_become_numbers() -> None:
    rows = [
        {"age": "20", "sex": "F", "Site": "1", "Group": "Patient", "species": "a"},
        {"age": "40", "sex": "M", "Site": "2", "Group": "Patient", "species": "b"},
        {"age": "n/a", "sex": "O", "Site": "1", "Group": "Patient", "species": "c"},
    ]
    predictors = demographic_predictors(rows)
    assert predictors is not None
    # Age around its mean in decades, is M, is O, is site 2; everybody is a patient.
    np.testing.assert_allclose(predictors, [[-1, 0, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0]])


def test_people_of_whom_nothing_differs_have_no_predictors() -> None:
    assert demographic_predictors([{"Group": "Simulated"}] * 3) is None
    assert demographic_predictors([{}] * 3) is None


def test_demographics_are_learned_from_other_folds(answering_people: People) -> None:
    people = judged_people(answering_people(24))
    ids = people.participant_ids
    parts = [ids[0::3], ids[1::3], ids[2::3]]
    trials = RuleTrials.of(people, parts)
    found = demographic_forecast(trials)
    assert found is not None
    mean_s, log_sd = found
    predictors = demographic_predictors([run.participant.phenotype for run in people.runs])
    judged = trials.judged
    for part in parts:
        for name in ("face", "shape", "congruent", "incongruent"):
            training, target = [], []
            for unit, run in enumerate(people.runs):
                rows = (trials.judged_unit == unit) & judged.right & (judged.trial_group == name)
                if run.participant_id not in part and rows.any():
                    training.append(unit)
                    target.append(judged.response_time_s[rows].mean())
            fitted = linear_model.LinearRegression().fit(predictors[training], target)
            here = np.isin(judged.participant_id, part) & (judged.trial_group == name)
            np.testing.assert_allclose(
                mean_s[here], fitted.predict(predictors[trials.judged_unit[here]])
            )
            theirs = np.isin(trials.judged_unit, training) & (judged.trial_group == name)
            theirs &= judged.right
            ratio = judged.response_time_s[theirs] / fitted.predict(
                predictors[trials.judged_unit[theirs]]
            )
            np.testing.assert_allclose(log_sd[here], np.log(ratio).std(ddof=1))


def test_the_regression_reaches_the_known_figures_of_the_real_people(shared_data: Path) -> None:
    people = judged_people(TcpCohort(shared_data / "tcp").participants)
    table = all_rules(people, PROTOCOLS["calibrated"])["loo_regression"]
    trials = RuleTrials.of(people)
    both = np.isfinite(other_task_mean_s(trials))[trials.judged_unit]
    known = figures(table.select(both))  # those with both tasks, as it was first measured
    assert known["rt_r:hammer"].value == pytest.approx(0.915, abs=0.002)
    assert known["rt_r:stroop"].value == pytest.approx(0.881, abs=0.003)
    assert known["rt_rmse_s:hammer"].value == pytest.approx(0.0594, abs=0.0005)
    assert known["rt_rmse_s:stroop"].value == pytest.approx(0.0828, abs=0.0005)
    everybody = figures(table)
    assert everybody["rt_r:hammer"].n == 169
    assert everybody["rt_r:stroop"].n == 171
