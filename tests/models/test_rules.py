"""Simple rules by brute force on a few people, and their known figures on the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtb_models.bootstrap import Figure
from dtb_models.cohorts import Participant
from dtb_models.judged_trials import PREDICTED, JudgedTrials
from dtb_models.metric_definitions import METRICS
from dtb_models.metrics import figures
from dtb_models.protocols import PROTOCOLS, JudgedPeople, JudgedRun, folds, judged_people
from dtb_models.rules import RULES, all_rules, rules_beside
from dtb_models.tcp import TcpCohort
from dtb_runtime.errors import UsageError
from dtb_runtime.tasks import get_task

People = Callable[..., list[Participant]]
CALIBRATED, NEW_PEOPLE = PROTOCOLS["calibrated"], PROTOCOLS["new-people"]


@pytest.fixture(scope="module")
def people(answering_people: People) -> JudgedPeople:
    return judged_people(answering_people(9))


@pytest.fixture(scope="module")
def parts(people: JudgedPeople) -> tuple[tuple[str, ...], ...]:
    return folds(people.participant_ids, 3, seed=5)


@pytest.fixture(scope="module")
def tables(people: JudgedPeople, parts: tuple[tuple[str, ...], ...]) -> dict[str, JudgedTrials]:
    return all_rules(people, CALIBRATED, parts)


def rows_of(table: JudgedTrials, judged: JudgedRun) -> JudgedTrials:
    return table.select(
        (table.participant_id == judged.participant_id) & (table.task == judged.run.task)
    )


def right(judged: JudgedRun, mask: np.ndarray) -> np.ndarray:
    return np.array(mask & judged.run.responses.usable & judged.run.responses.correct)


def times(judged: JudgedRun, mask: np.ndarray) -> np.ndarray:
    return np.array(judged.run.responses.response_time_s[mask])


def own_mean_s(judged: JudgedRun) -> float:
    return float(times(judged, right(judged, judged.seen)).mean())


def others(
    people: JudgedPeople, judged: JudgedRun, parts: tuple[tuple[str, ...], ...]
) -> list[JudgedRun]:
    """Runs of the same task by people of other folds."""
    (own,) = [part for part in parts if judged.participant_id in part]
    return [run for run in people.of_task(judged.run.task) if run.participant_id not in own]


# ---- every rule by brute force


def test_every_rule_has_the_rows_that_are_judged(
    people: JudgedPeople, tables: dict[str, JudgedTrials]
) -> None:
    assert set(tables) == set(RULES)
    for table in tables.values():
        assert table.has_rows_of(people.trials())


def test_own_mean_and_spread(people: JudgedPeople, tables: dict[str, JudgedTrials]) -> None:
    for judged in people.runs:
        rows = rows_of(tables["own_mean"], judged)
        seen = times(judged, right(judged, judged.seen))
        np.testing.assert_allclose(rows.rt_s, seen.mean())
        spread = np.log(seen).std(ddof=1)
        center = np.log(seen.mean()) - spread**2 / 2
        np.testing.assert_allclose(rows.rt_q05, np.exp(center - 1.6448536 * spread))
        np.testing.assert_allclose(rows.rt_q75, np.exp(center + 0.6744898 * spread))
        assert np.isnan(rows.p_correct).all()
        assert np.isnan(rows.choice_is_right).all()


@pytest.mark.parametrize(
    ("rule", "by_position"), [("own_mean_trial_type", False), ("own_mean_position", True)]
)
def test_own_mean_plus_what_others_depart_from_theirs(
    rule: str,
    by_position: bool,
    people: JudgedPeople,
    parts: tuple[tuple[str, ...], ...],
    tables: dict[str, JudgedTrials],
) -> None:
    for judged in people.runs[::5]:
        found = rows_of(tables[rule], judged)
        groups = np.array(judged.run.events.trial_group)
        expected = np.full(len(groups), np.nan)
        for trial, group in enumerate(groups):
            same = np.arange(len(groups)) == trial if by_position else groups == group
            half = judged.seen if judged.seen[trial] else judged.judged
            away = [
                times(other, right(other, half & same)) - own_mean_s(other)
                for other in others(people, judged, parts)
            ]
            if len(np.concatenate(away)):
                expected[trial] = own_mean_s(judged) + np.concatenate(away).mean()
        np.testing.assert_allclose(found.rt_s, expected[judged.judged])
        seen = right(judged, judged.seen) & np.isfinite(expected)
        spread = np.log(times(judged, seen) / expected[seen]).std(ddof=1)
        ratio = found.rt_q95 / found.rt_q05
        known = np.isfinite(found.rt_s)
        np.testing.assert_allclose(np.log(ratio)[known], 2 * 1.6448536 * spread)


@pytest.mark.parametrize(
    ("rule", "by_position"), [("trial_type_mean", False), ("position_mean", True)]
)
def test_means_and_chances_of_others(
    rule: str,
    by_position: bool,
    people: JudgedPeople,
    parts: tuple[tuple[str, ...], ...],
    tables: dict[str, JudgedTrials],
) -> None:
    for judged in people.runs[::5]:
        found = rows_of(tables[rule], judged)
        groups = np.array(judged.run.events.trial_group)
        chance = 1 / len(get_task(judged.run.task).options)
        for row, trial in enumerate(found.trial):
            same = np.arange(len(groups)) == trial if by_position else groups == groups[trial]
            same &= judged.judged
            pooled: list[float] = []
            n_right = n_answered = n_missed = n_usable = 0
            for other in others(people, judged, parts):
                responses = other.run.responses
                usable = same & responses.usable
                missed = usable & np.isnan(responses.response_time_s)
                pooled += times(other, right(other, same)).tolist()
                n_right += int((usable & responses.correct).sum())
                n_answered += int((usable & ~missed).sum())
                n_missed += int(missed.sum())
                n_usable += int(usable.sum())
            assert found.rt_s[row] == pytest.approx(np.mean(pooled))
            spread = np.log(found.rt_q95[row] / found.rt_q05[row]) / (2 * 1.6448536)
            assert spread == pytest.approx(np.log(pooled).std(ddof=1))
            p_right = (n_right + 1) / (n_answered + 2)
            assert found.p_right_if_answered[row] == pytest.approx(p_right)
            assert found.p_no_response[row] == pytest.approx((n_missed + 1) / (n_usable + 2))
            assert found.choice_is_right[row] == float(p_right > chance)


def test_own_accuracy_is_smoothed(people: JudgedPeople, tables: dict[str, JudgedTrials]) -> None:
    for judged in people.runs:
        found, responses = rows_of(tables["own_accuracy"], judged), judged.run.responses
        usable = judged.seen & responses.usable
        missed = usable & np.isnan(responses.response_time_s)
        n_answered = int((usable & ~missed).sum())
        p_right = ((usable & responses.correct).sum() + 1) / (n_answered + 2)
        np.testing.assert_allclose(found.p_right_if_answered, p_right)
        np.testing.assert_allclose(found.p_no_response, (missed.sum() + 1) / (usable.sum() + 2))
        assert set(found.choice_is_right) == {1.0}
        assert np.isnan(found.rt_s).all()


def test_always_correct_agrees_as_often_as_people_are_right(
    people: JudgedPeople, tables: dict[str, JudgedTrials]
) -> None:
    table = tables["always_correct"]
    shares = [
        rows.correct[rows.answered].mean()
        for rows in (rows_of(table, judged) for judged in people.of_task("stroop"))
    ]
    assert figures(table)["choice_concordance:stroop"].value == pytest.approx(np.mean(shares))
    names = {name.partition(":")[0] for name in figures(table)}
    assert names == {"choice_concordance", "choice_concordance_sd"}  # it gives no chance


# ---- who sees what


def test_without_folds_others_are_everybody_else(people: JudgedPeople) -> None:
    alone = tuple((name,) for name in people.participant_ids)
    one, other = all_rules(people, CALIBRATED), all_rules(people, CALIBRATED, alone)
    for name in RULES:
        np.testing.assert_array_equal(one[name].rt_s, other[name].rt_s)


def test_new_people_are_forecast_from_the_group_alone(people: JudgedPeople) -> None:
    tables = all_rules(people, NEW_PEOPLE)
    assert set(tables) == {"trial_type_mean", "position_mean", "demographics", "always_correct"}


def test_no_rule_sees_the_judged_half_of_its_own_person(
    people: JudgedPeople, parts: tuple[tuple[str, ...], ...], tables: dict[str, JudgedTrials]
) -> None:
    first = people.runs[0]
    responses = first.run.responses
    other_times = np.where(first.judged, responses.response_time_s * 3, responses.response_time_s)
    changed = replace(
        first,
        run=replace(
            first.run,
            responses=replace(
                responses,
                response_time_s=other_times,
                correct=np.where(first.judged, False, responses.correct),
            ),
        ),
    )
    again = all_rules(replace(people, runs=(changed, *people.runs[1:])), CALIBRATED, parts)
    for name, table in again.items():
        before, after = rows_of(tables[name], first), rows_of(table, first)
        for column in PREDICTED:
            if column != "rt_log_density":  # that is of the measured time
                np.testing.assert_allclose(
                    getattr(after, column), getattr(before, column), rtol=1e-9, err_msg=name
                )
    # Others' forecasts do change with it, or the test would show nothing.
    assert not np.array_equal(again["trial_type_mean"].rt_s, tables["trial_type_mean"].rt_s)


def test_simulated_people_without_a_phenotype_have_no_demographics(
    answering_people: People,
) -> None:
    plain = [replace(person, phenotype={"Group": "Simulated"}) for person in answering_people(6)]
    assert "demographics" not in all_rules(judged_people(plain), NEW_PEOPLE)


def test_a_single_person_is_forecast_from_the_own_trials_only(answering_people: People) -> None:
    tables = all_rules(judged_people(answering_people(1)), CALIBRATED)
    assert np.isfinite(tables["own_mean"].rt_s).all()
    for name in ("loo_regression", "own_mean_trial_type", "trial_type_mean", "position_mean"):
        for column in PREDICTED:
            assert np.isnan(getattr(tables[name], column)).all(), name
    assert set(figures(tables["own_mean"])) >= {"rt_rmse_s:hammer", "coverage_90:stroop"}


# ---- which rule stands beside which figure


def test_every_figure_has_a_rule_beside_it_that_gives_it(tables: dict[str, JudgedTrials]) -> None:
    found = {name: figures(table) for name, table in tables.items()}
    for metric in METRICS:
        names = rules_beside(metric)
        assert names, metric
        assert all(f"{metric}:{task}" in found[n] for n in names for task in ("hammer", "stroop"))


def test_rules_beside_follow_the_protocol() -> None:
    assert rules_beside("rt_r:stroop") == ("own_mean", "loo_regression", "demographics")
    assert rules_beside("rt_r", NEW_PEOPLE) == ("demographics",)
    assert rules_beside("choice_concordance", CALIBRATED) == ("always_correct", "own_accuracy")
    trial_rules = {"own_mean_trial_type", "own_mean_position", "trial_type_mean", "position_mean"}
    assert set(rules_beside("rt_trial_r")) == trial_rules


def test_rules_stand_beside_metrics_that_there_are() -> None:
    assert {metric for rule in RULES.values() for metric in rule.beside} <= set(METRICS)
    with pytest.raises(UsageError, match="There is no metric 'speed'"):
        rules_beside("speed:hammer")


# ---- the real people


@pytest.fixture(scope="module")
def real(shared_data: Path) -> dict[str, dict[str, Figure]]:
    people = judged_people(TcpCohort(shared_data / "tcp").participants)
    tables = all_rules(people, PROTOCOLS["temporal"])
    return {name: figures(table) for name, table in tables.items()}


@pytest.mark.parametrize(
    ("rule", "figure", "value", "tolerance"),
    [
        # Measured on the same people by other code.
        ("own_mean", "rt_r:hammer", 0.923, 0.0006),
        ("own_mean", "rt_r:stroop", 0.863, 0.0006),
        ("own_mean", "rt_rmse_s:hammer", 0.0700, 0.00006),
        ("own_mean", "rt_rmse_s:stroop", 0.1076, 0.00006),
        # Known of the study's 212 people, of whom these are most.
        ("loo_regression", "rt_r:hammer", 0.914, 0.02),
        ("loo_regression", "rt_r:stroop", 0.891, 0.02),
        ("loo_regression", "rt_rmse_s:hammer", 0.0579, 0.005),
        ("loo_regression", "rt_rmse_s:stroop", 0.0769, 0.01),
        ("always_correct", "choice_concordance:hammer", 0.978, 0.005),
        ("always_correct", "choice_concordance:stroop", 0.955, 0.01),
        ("trial_type_mean", "rt_trial_type_r:both", 0.424, 0.02),
        ("demographics", "rt_trial_type_r:both", 0.534, 0.06),
        ("position_mean", "rt_trial_r:hammer", 0.417, 0.05),
        ("position_mean", "rt_trial_r:stroop", 0.417, 0.05),
    ],
)
def test_a_rule_reaches_its_known_figure_on_the_real_people(
    real: dict[str, dict[str, Figure]], rule: str, figure: str, value: float, tolerance: float
) -> None:
    assert real[rule][figure].value == pytest.approx(value, abs=tolerance)


def test_spreads_of_the_own_trials_cover_what_they_should(
    real: dict[str, dict[str, Figure]],
) -> None:
    for rule in ("own_mean", "own_mean_trial_type", "loo_regression"):
        for task in ("hammer", "stroop"):
            assert 0.87 < real[rule][f"coverage_90:{task}"].value < 0.93
