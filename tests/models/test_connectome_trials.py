"""Linear models of the connectome as judged trials: from other people, the same for all trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtb_models.connectome_prediction import predict_held_out
from dtb_models.connectome_trials import (
    TrainingPeople,
    linear_model_trials,
    linear_tables,
    person_traits,
)
from dtb_models.metrics import figures
from dtb_models.protocols import JudgedPeople, folds, judged_people

Edges = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def people(answering_people: Any) -> JudgedPeople:
    return judged_people(answering_people(46))


@pytest.fixture(scope="module")
def edges(people: JudgedPeople) -> Edges:
    """Edges of which some follow the person's speed in the Stroop task."""
    rng = np.random.default_rng(1)
    ids = people.participant_ids
    speed = person_traits(people.trials(), ("stroop",), ids)[:, 0]
    z = (speed - speed.mean()) / speed.std()
    return {
        one: (0.3 * rng.standard_normal(40) + (np.arange(40) < 10) * 0.3 * z[row]).astype(
            np.float32
        )
        for row, one in enumerate(ids)
    }


def test_traits_are_means_of_the_right_trials(people: JudgedPeople) -> None:
    trials = people.trials()
    ids = people.participant_ids
    table = person_traits(trials, trials.tasks, [ids[3], "nobody"])
    own = trials.select(trials.participant_id == ids[3])
    for column, task in enumerate(trials.tasks):
        part = own.of_task(task)
        assert table[0, 3 * column] == pytest.approx(part.response_time_s[part.right].mean())
        assert table[0, 3 * column + 1] == pytest.approx(part.correct[part.answered].mean())
        assert table[0, 3 * column + 2] == pytest.approx(1 - part.answered[part.usable].mean())
    assert np.isnan(table[1]).all()


@pytest.mark.parametrize("method", ["edge_sums", "components"])
def test_everybody_is_forecast_from_the_other_parts(
    people: JudgedPeople, edges: Edges, method: Any
) -> None:
    ids = people.participant_ids
    parts = folds(ids, 2, seed=5)
    table = linear_model_trials(people, edges, parts, method=method)
    assert table is not None
    trials = people.trials()
    assert table.has_rows_of(trials)
    values = person_traits(trials, trials.tasks, ids)
    rows = [[ids.index(one) for one in part] for part in parts]
    predicted = predict_held_out(np.stack([edges[one] for one in ids]), values, rows, method=method)
    own = (table.participant_id == ids[7]) & (table.task == "stroop")
    np.testing.assert_allclose(table.rt_s[own], predicted[7, 3])
    np.testing.assert_allclose(table.p_right_if_answered[own], np.clip(predicted[7, 4], 0, 0.999))
    assert figures(table)["rt_r:stroop"].value > 0.4


def test_people_of_a_training_teach_the_judged_ones(
    people: JudgedPeople, edges: Edges, answering_people: Any
) -> None:
    new = judged_people(answering_people(4, seed=9))
    new_edges = {one: edges[f"sub-{i + 10}"] for i, one in enumerate(new.participant_ids)}
    table = linear_model_trials(
        new, new_edges, (), training=TrainingPeople(people, edges), method="components"
    )
    assert table is not None
    assert table.has_rows_of(new.trials())
    assert np.isfinite(table.rt_s).all()


def test_who_has_no_connectome_is_not_forecast(people: JudgedPeople, edges: Edges) -> None:
    some = {one: own for one, own in edges.items() if one != "sub-05"}
    parts = folds(people.participant_ids, 2, seed=0)
    tables, notes = linear_tables(people, some, parts, None, seed=0)
    assert set(tables) == {"connectome/edge_sums", "connectome/components"}
    assert notes == ()
    for table in tables.values():
        is_without = table.participant_id == "sub-05"
        assert np.isnan(table.rt_s[is_without]).all()
        assert np.isfinite(table.rt_s[~is_without]).all()


def test_what_cannot_be_learned_is_said(
    people: JudgedPeople, edges: Edges, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert linear_tables(people, {}, None, None, seed=0) == ({}, ())
    few = dict(list(edges.items())[:10])
    tables, notes = linear_tables(people, few, None, None, seed=0)
    assert tables == {}
    assert "fewer than 20 people to learn from" in notes[0]
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    tables, notes = linear_tables(people, edges, None, None, seed=0)
    assert tables == {}
    assert "dtb-runtime[evaluate]" in notes[0]
