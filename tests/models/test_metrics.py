"""Every figure against plain loops, scipy and scikit-learn, and against what must always hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dtb_models.cohorts import Participant
from dtb_models.judged_trials import PREDICTED, JudgedTrials
from dtb_models.metric_definitions import METRICS, rt_quartile
from dtb_models.metrics import differences, figures
from dtb_models.protocols import judged_people
from dtb_runtime.errors import UsageError

stats = pytest.importorskip("scipy.stats", reason="scipy is the independent reference")

People = Callable[..., list[Participant]]
N_OPTIONS = {"hammer": 2, "stroop": 3}


def forecast(trials: JudgedTrials, rng: np.random.Generator) -> JudgedTrials:
    """Some forecast of each trial, good enough to correlate."""
    n = len(trials)
    rt_s = 0.5 * np.nan_to_num(trials.response_time_s, nan=0.8) + rng.uniform(0.2, 0.6, n)
    half, whole = rng.uniform(0.05, 0.3, (2, n))
    missed = rng.uniform(0.01, 0.2, n)
    return trials.predicting(
        rt_s=rt_s,
        p_correct=rng.uniform(0.3, 1.0, n) * (1 - missed),
        p_no_response=missed,
        rt_q05=rt_s - half - whole,
        rt_q25=rt_s - half,
        rt_q75=rt_s + half,
        rt_q95=rt_s + half + whole,
        rt_log_density=rng.normal(0, 1, n),
        choice_is_right=rng.random(n) < 0.9,
        accuracy_sd=np.full(n, 0.15),
        mean_rt_sd_s=np.full(n, 0.1),
    )


@pytest.fixture(scope="module")
def table(answering_people: People) -> JudgedTrials:
    return forecast(judged_people(answering_people(13)).trials(), np.random.default_rng(8))


def people_of(table: JudgedTrials, task: str) -> list[JudgedTrials]:
    part = table.of_task(task)
    return [part.select(part.participant_id == name) for name in np.unique(part.participant_id)]


def values(table: JudgedTrials, name: str) -> dict[str, float]:
    """Values of one metric in both tasks."""
    found = figures(table)
    return {task: found[f"{name}:{task}"].value for task in table.tasks}


# ---- against independent computations


def test_choice_concordance_is_a_mean_over_people(table: JudgedTrials) -> None:
    for task in table.tasks:
        shares = []
        for person in people_of(table, task):
            hits = []
            for row in np.flatnonzero(person.usable & ~np.isnan(person.response_time_s)):
                if person.choice_is_right[row]:
                    hits.append(float(person.correct[row]))
                else:  # which of the wrong options was pressed is not known
                    hits.append(0.0 if person.correct[row] else 1 / (N_OPTIONS[task] - 1))
            shares.append(np.mean(hits))
        assert values(table, "choice_concordance")[task] == pytest.approx(np.mean(shares))
        sd = values(table, "choice_concordance_sd")[task]
        assert sd == pytest.approx(np.std(shares, ddof=1))


def test_scores_of_the_choice_are_scikit_learns(table: JudgedTrials) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="the independent reference")
    for task in table.tasks:
        part = table.of_task(task)
        part = part.select(part.answered)
        chance = part.p_correct / (1 - part.p_no_response)
        log_loss = metrics.log_loss(part.correct, chance, labels=[False, True])
        assert values(table, "choice_log_loss")[task] == pytest.approx(log_loss)
        brier = metrics.brier_score_loss(part.correct, chance)
        assert values(table, "choice_brier")[task] == pytest.approx(brier)


def test_the_score_of_no_response_is_scikit_learns(table: JudgedTrials) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="the independent reference")
    for task in table.tasks:
        part = table.of_task(task)
        part = part.select(part.usable)
        missed = np.isnan(part.response_time_s)
        expected = metrics.log_loss(missed, part.p_no_response, labels=[False, True])
        assert values(table, "no_response_log_loss")[task] == pytest.approx(expected)


def test_response_times_over_people(table: JudgedTrials) -> None:
    for task in table.tasks:
        pairs = np.array(
            [
                (person.rt_s[person.right].mean(), person.response_time_s[person.right].mean())
                for person in people_of(table, task)
            ]
        )
        r = stats.pearsonr(pairs[:, 0], pairs[:, 1]).statistic
        assert values(table, "rt_r")[task] == pytest.approx(r)
        error = pairs[:, 0] - pairs[:, 1]
        assert values(table, "rt_rmse_s")[task] == pytest.approx(np.sqrt(np.mean(error**2)))
        assert values(table, "rt_bias_s")[task] == pytest.approx(np.mean(error))


def test_response_times_over_people_and_trial_types(table: JudgedTrials) -> None:
    points: dict[str, list[tuple[float, float]]] = {}
    for task in table.tasks:
        for person in people_of(table, task):
            for trial_type in np.unique(person.trial_group):
                cell = person.select(person.right & (person.trial_group == trial_type))
                point = (float(cell.rt_s.mean()), float(cell.response_time_s.mean()))
                points.setdefault(task, []).append(point)
        expected = stats.pearsonr(*zip(*points[task], strict=True)).statistic
        assert values(table, "rt_trial_type_r")[task] == pytest.approx(expected)
    every = [point for task in points.values() for point in task]
    both = figures(table)["rt_trial_type_r:both"]
    assert both.value == pytest.approx(stats.pearsonr(*zip(*every, strict=True)).statistic)
    assert both.n == 13


def test_response_times_over_trials(table: JudgedTrials) -> None:
    for task in table.tasks:
        part = table.of_task(task)
        part = part.select(part.right)
        r = stats.pearsonr(part.rt_s, part.response_time_s).statistic
        assert values(table, "rt_trial_r")[task] == pytest.approx(r)
        error = np.sqrt(np.mean((part.rt_s - part.response_time_s) ** 2))
        assert values(table, "rt_trial_rmse_s")[task] == pytest.approx(error)
        likelihood = values(table, "rt_log_likelihood")[task]
        assert likelihood == pytest.approx(part.rt_log_density.mean())


def test_coverage_counts_right_trials_inside_the_interval(table: JudgedTrials) -> None:
    for task in table.tasks:
        part = table.of_task(task)
        part = part.select(part.right)
        rt = part.response_time_s
        inside = {
            "coverage_50": (part.rt_q25 <= rt) & (rt <= part.rt_q75),
            "coverage_90": (part.rt_q05 <= rt) & (rt <= part.rt_q95),
        }
        for name, expected in inside.items():
            assert 0 < expected.mean() < 1
            assert values(table, name)[task] == pytest.approx(expected.mean())
        means = {
            name: rt[part.participant_id == name].mean() for name in np.unique(part.participant_id)
        }
        fastest_first = sorted(means, key=means.__getitem__)
        for quarter in range(4):
            # 13 people: 4 in the first quarter, 3 in each of the others.
            names = [n for i, n in enumerate(fastest_first) if i * 4 // 13 == quarter]
            assert len(names) == (4 if quarter == 0 else 3)
            theirs = inside["coverage_90"][np.isin(part.participant_id, names)].mean()
            figure = figures(table)[f"coverage_90_q{quarter + 1}:{task}"]
            assert (figure.value, figure.n) == (pytest.approx(theirs), len(names))


def test_accuracy_of_people_is_off_by_and_where_it_was_expected(table: JudgedTrials) -> None:
    for task in table.tasks:
        errors, inside = [], []
        for person in people_of(table, task):
            used = person.select(person.usable)
            expected, seen = used.p_correct.mean(), used.right.mean()
            sd = np.sqrt(0.15**2 + expected * (1 - expected) / len(used))
            low, high = stats.norm.interval(0.9, expected, sd)
            half = 0.5 / len(used)
            errors.append(expected - seen)
            inside.append(low - half <= seen <= high + half)
        assert values(table, "accuracy_bias")[task] == pytest.approx(np.mean(errors))
        assert 0 < np.mean(inside) < 1
        assert values(table, "accuracy_coverage_90")[task] == pytest.approx(np.mean(inside))


def test_mean_response_times_of_people_are_where_they_were_expected(table: JudgedTrials) -> None:
    for task in table.tasks:
        inside = []
        for person in people_of(table, task):
            used = person.select(person.right)
            of_trials = (used.rt_q95 - used.rt_q05) / (2 * stats.norm.ppf(0.95))
            sd = np.sqrt(0.1**2 + np.mean(of_trials**2) / len(used))
            low, high = stats.norm.interval(0.9, used.rt_s.mean(), sd)
            inside.append(low <= used.response_time_s.mean() <= high)
        assert 0 < np.mean(inside) < 1
        assert values(table, "mean_rt_coverage_90")[task] == pytest.approx(np.mean(inside))


# ---- what must always hold


def test_the_order_of_the_rows_does_not_matter(
    table: JudgedTrials, rng: np.random.Generator
) -> None:
    shuffled = figures(table.select(rng.permutation(len(table))))
    for name, figure in figures(table).items():
        again = shuffled[name]
        found = (again.value, again.low, again.high, again.n)
        assert found == pytest.approx((figure.value, figure.low, figure.high, figure.n)), name


def test_a_perfect_forecast_is_perfect(table: JudgedTrials) -> None:
    times = np.nan_to_num(table.response_time_s, nan=1.0)
    perfect = table.predicting(
        rt_s=times,
        p_correct=(table.correct & table.answered).astype(float),
        p_no_response=(~table.answered).astype(float),
        rt_q05=times,
        rt_q95=times,
        choice_is_right=table.correct,
    )
    found = figures(perfect)
    for task in table.tasks:
        for name in ("rt_r", "rt_trial_r", "rt_trial_type_r", "coverage_90"):
            assert found[f"{name}:{task}"].value == pytest.approx(1.0), name
        losses = ("choice_log_loss", "choice_brier", "no_response_log_loss")
        for name in ("rt_rmse_s", "rt_trial_rmse_s", "rt_bias_s", *losses):
            assert found[f"{name}:{task}"].value == pytest.approx(0.0, abs=1e-9), name
    # Wrong answers in Stroop are forecast as wrong, but not which of the two wrong options.
    assert found["choice_concordance:hammer"].value == 1.0
    assert 0.9 < found["choice_concordance:stroop"].value < 1.0


def test_what_is_not_forecast_has_no_figure(table: JudgedTrials) -> None:
    only_rt = figures(table.predicting(rt_s=table.rt_s))
    assert {name.partition(":")[0] for name in only_rt} == {
        "rt_r",
        "rt_rmse_s",
        "rt_bias_s",
        "rt_trial_type_r",
        "rt_trial_r",
        "rt_trial_rmse_s",
    }
    assert figures(table.predicting()) == {}


def test_every_metric_has_a_figure_in_each_task_and_an_interval_around_it(
    table: JudgedTrials,
) -> None:
    found = figures(table)
    names = {f"{name}:{task}" for name in METRICS for task in table.tasks}
    assert set(found) == names | {"rt_trial_type_r:both"}
    for name, figure in found.items():
        assert figure.low < figure.value < figure.high, name


def test_a_forecast_that_is_the_same_for_everybody_has_no_r(table: JudgedTrials) -> None:
    same = figures(table.predicting(rt_s=np.full(len(table), 0.8)))
    assert "rt_rmse_s:hammer" in same
    assert [name for name in same if "_r:" in name] == []


def test_too_few_people_have_no_r(table: JudgedTrials) -> None:
    few = np.isin(table.participant_id, np.unique(table.participant_id)[:4])
    found = figures(table.select(few))
    assert "rt_rmse_s:stroop" in found
    assert [name for name in found if "_r:" in name] == []


def test_unusable_trials_count_for_nothing(table: JudgedTrials) -> None:
    changed = {name: np.where(table.usable, getattr(table, name), 7.0) for name in PREDICTED}
    assert (~table.usable).any()
    assert figures(table.predicting(**changed)) == figures(table)


def test_one_surprise_costs_no_more_than_a_chance_of_one_in_a_million(table: JudgedTrials) -> None:
    never = table.predicting(
        p_correct=np.zeros(len(table)),
        p_no_response=np.zeros(len(table)),
        rt_log_density=np.full(len(table), -np.inf),
    )
    floor = np.log(1e6)
    found = figures(never)
    assert found["rt_log_likelihood:hammer"].value == pytest.approx(-floor)
    part = table.of_task("hammer")
    missed = np.isnan(part.response_time_s)[part.usable].mean()
    assert found["no_response_log_loss:hammer"].value == pytest.approx(floor * missed)
    right = part.correct[part.answered].mean()
    assert found["choice_log_loss:hammer"].value == pytest.approx(floor * right)


def test_quarters_are_of_people_and_leave_out_those_without_a_right_answer(
    table: JudgedTrials,
) -> None:
    part = table.of_task("hammer")
    nobody = part.select(part.participant_id == "sub-03").predicting()
    wrong = JudgedTrials(
        **{
            name: np.zeros(len(nobody), np.bool_) if name == "correct" else getattr(nobody, name)
            for name in JudgedTrials.__dataclass_fields__
        }
    )
    rest = part.select(part.participant_id != "sub-03")
    whole = JudgedTrials.concatenate([wrong, rest])
    quartile = rt_quartile(whole)
    assert set(quartile[whole.participant_id == "sub-03"]) == {-1}
    assert {len(set(quartile[whole.participant_id == n])) for n in whole.participant_id} == {1}
    assert sorted(set(quartile)) == [-1, 0, 1, 2, 3]


# ---- differences


def test_a_difference_is_of_the_same_people_and_trials(
    table: JudgedTrials, rng: np.random.Generator
) -> None:
    other = forecast(table, rng)
    mine, theirs = figures(table), figures(other)
    found = differences(table, other)
    for name, figure in found.items():
        assert figure.value == pytest.approx(mine[name].value - theirs[name].value), name
        assert figure.low <= figure.value <= figure.high
    missing = {name for name in mine if name not in found}
    assert {name.partition(":")[0] for name in missing} == {
        name for name, metric in METRICS.items() if isinstance(metric.goal, float)
    }


def test_a_difference_leaves_out_what_one_of_the_two_does_not_forecast(
    table: JudgedTrials, rng: np.random.Generator
) -> None:
    other = forecast(table, rng)
    absent = table.participant_id == "sub-05"
    partly = other.predicting(rt_s=np.where(absent, np.nan, other.rt_s))
    found = differences(table, partly)
    assert found["rt_rmse_s:hammer"].n == 12
    expected = figures(table.select(~absent))["rt_r:hammer"].value
    expected -= figures(partly.select(~absent))["rt_r:hammer"].value
    assert found["rt_r:hammer"].value == pytest.approx(expected)
    assert "choice_brier:hammer" not in found


def test_a_method_does_not_differ_from_itself(table: JudgedTrials) -> None:
    for figure in differences(table, table).values():
        assert (figure.value, figure.low, figure.high) == (0.0, 0.0, 0.0)


def test_other_trials_are_not_compared(table: JudgedTrials) -> None:
    with pytest.raises(UsageError, match="Forecast the same judged runs with both"):
        differences(table, table.of_task("hammer"))
