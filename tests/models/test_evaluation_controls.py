"""Controls: nobody keeps their connectome, and rows stay where they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dtb_models.evaluation_controls import (
    PopulationForecasts,
    derangement,
    donors,
    in_order,
    shuffled_r,
)
from dtb_models.in_threads import in_threads
from dtb_models.judged_trials import JudgedTrials
from dtb_models.protocols import judged_people


@pytest.mark.parametrize("n", [2, 3, 7, 50])
def test_nobody_keeps_their_place(n: int, rng: np.random.Generator) -> None:
    for _ in range(20):
        order = derangement(n, rng)
        assert sorted(order) == list(range(n))
        assert not np.any(order == np.arange(n))


def made(name: str, bundle: str, *, has_edges: bool = True) -> Any:
    edges = np.zeros(3, np.float32) if has_edges else None
    return SimpleNamespace(participant_id=name, bundle=SimpleNamespace(digest=bundle), edges=edges)


def test_connectomes_are_exchanged_within_a_bundle() -> None:
    people = [made(f"a{i}", "a") for i in range(6)] + [made(f"b{i}", "b") for i in range(3)]
    people += [made("alone", "c"), made("without", "a", has_edges=False)]
    shuffles = donors(people, 5, seed=2)
    assert len(shuffles) == 5
    for given in shuffles:
        assert sorted(given) == sorted(p.participant_id for p in people[:9])
        for one, donor in given.items():
            assert donor.participant_id != one
            assert donor.participant_id[0] == one[0]
        assert len({donor.participant_id for donor in given.values()}) == 9
    names = [[given[p.participant_id].participant_id for p in people[:9]] for given in shuffles]
    assert names[0] != names[1]
    again = donors(people, 5, seed=2)[1]
    assert [again[p.participant_id].participant_id for p in people[:9]] == names[1]


def test_runs_are_put_into_the_order_of_the_judged_ones(answering_people: Any) -> None:
    people = judged_people(answering_people(3))
    trials = people.trials()
    tables: dict[str, list[JudgedTrials]] = {}
    for number, each in enumerate(people.runs):
        run = JudgedTrials.observed(each.participant_id, each.run, each.judged)
        tables.setdefault(each.participant_id, []).append(
            run.predicting(rt_s=np.full(len(run), float(number)))
        )
    del tables["sub-02"]
    table = in_order(people, dict(reversed(tables.items())))
    assert table.has_rows_of(trials)
    for number, each in enumerate(people.runs):
        rows = (table.participant_id == each.participant_id) & (table.run == each.run.run)
        expected = np.nan if each.participant_id == "sub-02" else float(number)
        np.testing.assert_array_equal(table.rt_s[rows], expected)


def test_figures_of_donors_are_held_against_the_own_ones(rng: np.random.Generator) -> None:
    ids = [f"p{i}" for i in range(9)]
    forecast, measured = rng.standard_normal((2, 9))
    shuffles: list[dict[str, Any]] = [
        {one: made(ids[(i + step) % 9], "a") for i, one in enumerate(ids)} for step in (2, 5)
    ]
    expected = [np.corrcoef(np.roll(forecast, -step), measured)[0, 1] for step in (2, 5)]
    assert shuffled_r(ids, forecast, measured, shuffles) == pytest.approx(np.mean(expected))
    assert shuffled_r(ids, np.ones(9), measured, shuffles) is None
    assert shuffled_r(ids, forecast, measured, []) is None


def test_who_cannot_be_compared_with_a_donor_is_left_out(rng: np.random.Generator) -> None:
    ids = [f"p{i}" for i in range(9)]
    forecast, measured = rng.standard_normal((2, 9))
    forecast[4] = np.nan  # that of p2's donor
    given: dict[str, Any] = {one: made(ids[i + 2], "a") for i, one in enumerate(ids[:7])}
    given["p7"] = made("who is not judged in this task", "a")
    rows = np.array([0, 1, 3, 4, 5, 6])
    expected = np.corrcoef(forecast[rows + 2], measured[rows])[0, 1]
    few = {one: given[one] for one in ids[:5]}  # the donors of four are known
    assert shuffled_r(ids, forecast, measured, [given, few]) == pytest.approx(expected)
    assert shuffled_r(ids, forecast, measured, [few]) is None


def test_the_population_is_forecast_once_however_many_work(
    answering_people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    class Population:
        """Gives the name of what it forecasts, and keeps others waiting for it."""

        def __init__(self, bundle: Any) -> None:
            self.bundle = bundle

        def forecast(self, task: str, _: Any) -> Any:
            begun.append(task)
            return f"{self.bundle.digest}: {task}"

    def population_twin() -> Any:
        begun.append("twin")
        return Population(bundle)

    bundle = SimpleNamespace(
        digest="a", norms=SimpleNamespace(prior="known"), population_twin=population_twin
    )
    monkeypatch.setattr("dtb_models.evaluation_controls.judge_run", lambda _, made: made)
    runs = judged_people(answering_people(6)).runs
    people: Any = [
        SimpleNamespace(bundle=bundle, runs=[each for each in runs if each.participant_id == one])
        for one in dict.fromkeys(each.participant_id for each in runs)
    ]
    found = list(in_threads(PopulationForecasts(people).tables, people, 6))
    assert found == [tuple(f"a: {each.run.task}" for each in one.runs) for one in people]
    assert sorted(begun) == ["hammer", "stroop", "twin"]
