"""What rules may know: own first halves, and the people of the other folds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dtb_models.cohorts import Participant
from dtb_models.protocols import JudgedPeople, judged_people
from dtb_models.rule_trials import OthersStatistics, RuleTrials, unit_means, unit_sds
from dtb_runtime.errors import UsageError

People = Callable[..., list[Participant]]


@pytest.fixture
def people(answering_people: People) -> JudgedPeople:
    return judged_people(answering_people(5))


def test_statistics_of_others_leave_the_own_fold_out(rng: np.random.Generator) -> None:
    n = 200
    values, folds = rng.normal(size=n), rng.integers(4, size=n)
    keys = rng.choice(["a", "b", "c"], size=n)
    others = OthersStatistics.of(values, keys, folds)
    for fold in range(5):  # fold 4 has no trial: to it, everybody is another
        for key in ("a", "b", "c"):
            theirs = values[(keys == key) & (folds != fold)]
            query = np.array([key]), np.array([fold])
            assert others.mean(*query)[0] == pytest.approx(theirs.mean())
            assert others.sd(*query)[0] == pytest.approx(theirs.std(ddof=1))


def test_a_share_of_others_is_smoothed() -> None:
    others = OthersStatistics.of(
        np.array([1, 1, 0, 1]), np.array(["a", "a", "a", "b"]), np.array([0, 0, 1, 1])
    )
    shares = others.smoothed_share(np.array(["a", "a", "b", "c"]), np.array([1, 0, 1, 0]))
    np.testing.assert_allclose(shares, [3 / 4, 1 / 3, np.nan, np.nan])


def test_where_nobody_else_is_there_is_no_mean() -> None:
    others = OthersStatistics.of([1.0, 2.0], np.array(["a", "b"]), np.array([0, 1]))
    means = others.mean(np.array(["a", "a", "z"]), np.array([0, 1, 1]))
    np.testing.assert_equal(means, [np.nan, 1.0, np.nan])
    assert np.isnan(others.sd(np.array(["a"]), np.array([1]))).all()
    nobody = OthersStatistics.of([], np.zeros(0, np.str_), np.zeros(0, np.int64))
    assert np.isnan(nobody.mean(np.array(["a"]), np.array([0]))).all()


def test_means_and_sds_of_units(rng: np.random.Generator) -> None:
    values, unit = rng.normal(size=30), np.repeat([0, 2, 3], [14, 15, 1])
    mask = rng.random(30) < 0.8
    mask[-1] = True
    found = unit_means(values, mask, unit, 5)
    expected = [values[mask & (unit == u)].mean() for u in (0, 2, 3)]
    np.testing.assert_allclose(found, [expected[0], np.nan, expected[1], expected[2], np.nan])
    sds = unit_sds(values, unit, 5)
    np.testing.assert_allclose(sds[[0, 2]], [values[unit == u].std(ddof=1) for u in (0, 2)])
    assert np.isnan(sds[[1, 3, 4]]).all()


def test_rows_know_their_unit_and_units_their_fold(people: JudgedPeople) -> None:
    ids = people.participant_ids
    trials = RuleTrials.of(people, [ids[:2], ids[2:]])
    for table, unit in (
        (trials.seen, trials.seen_unit),
        (trials.judged, trials.judged_unit),
    ):
        for row in range(len(table)):
            run = people.runs[unit[row]]
            assert run.participant_id == table.participant_id[row]
            assert run.run.task == table.task[row]
    assert trials.fold.tolist() == [0] * 4 + [1] * 6
    alone = RuleTrials.of(people)
    assert alone.fold.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_the_own_spread_is_around_the_forecast_in_logs(people: JudgedPeople) -> None:
    trials = RuleTrials.of(people)
    forecast = np.where(trials.seen.trial_group == "face", 0.9, 0.7)
    forecast[trials.seen.trial == 3] = np.nan
    for unit, found in enumerate(trials.own_log_sd(forecast)):
        rows = (trials.seen_unit == unit) & trials.seen.right & (trials.seen.trial != 3)
        logs = np.log(trials.seen.response_time_s[rows]) - np.log(forecast[rows])
        assert found == pytest.approx(logs.std(ddof=1))


def test_a_person_in_two_folds_is_refused(people: JudgedPeople) -> None:
    with pytest.raises(UsageError, match="sub-01 is in two folds"):
        RuleTrials.of(people, [["sub-01", "sub-02"], ["sub-01"]])


def test_a_person_in_no_fold_is_refused(people: JudgedPeople) -> None:
    with pytest.raises(UsageError, match="sub-03 and 2 more judged people are in no fold"):
        RuleTrials.of(people, [["sub-01"], ["sub-02"]])


def test_folds_may_name_people_who_are_not_judged(people: JudgedPeople) -> None:
    trials = RuleTrials.of(people, [people.participant_ids, ["sub-99"]])
    assert trials.fold.tolist() == [0] * 10
