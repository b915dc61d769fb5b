"""The control with the connectome as input: trained on some people, judged on the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtb_models.cohort_views import SomePeople
from dtb_models.direct_input import direct_input_trials, direct_settings, train_direct_input
from dtb_models.evaluation_controls import in_order
from dtb_models.protocols import judged_people
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.parcellation import Parcellation


@pytest.fixture(scope="module")
def cohort(small_parcellation: Parcellation) -> SimulatedCohort:
    return SimulatedCohort(small_parcellation, 10, seed=6, n_rest_runs=1, n_rest_frames=60)


def test_it_is_trained_and_judged_like_the_twins(cohort: SimulatedCohort, tmp_path: Path) -> None:
    ids = cohort.participant_ids
    some = SomePeople(cohort, ids[:7])
    settings = direct_settings(epochs=1, seed=2)
    checkpoint = train_direct_input(some, tmp_path / "direct", settings, device="cpu")
    assert checkpoint.config.preset == "direct"
    assert checkpoint.bold_regions == cohort.parcellation.labels
    facts = checkpoint.training
    assert (facts["n_train"], facts["n_validation"], facts["n_test"]) == (6, 1, 0)
    said: list[str] = []
    again = train_direct_input(
        some,
        tmp_path / "direct",
        settings,
        resume=True,
        on_progress=lambda *told: said.append(str(told)),
    )
    assert said == []  # finished already
    people = judged_people(cohort.participants[7:])
    tables = direct_input_trials(again, people, ids[7:])
    table = in_order(people, tables)
    assert table.has_rows_of(people.trials())
    for column in ("rt_s", "p_correct", "rt_q05", "rt_q95", "choice_is_right"):
        assert np.isfinite(getattr(table, column)).all()
    first = direct_input_trials(checkpoint, people, ids[7:8])
    np.testing.assert_array_equal(first[ids[7]][0].rt_s, tables[ids[7]][0].rt_s)
    assert list(first) == [ids[7]]
