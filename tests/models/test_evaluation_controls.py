"""Controls: nobody keeps their connectome, and rows stay where they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dtb_models.evaluation_controls import derangement, donors, in_order
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
