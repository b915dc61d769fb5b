"""The truth about changed connectomes: factors that are planted come back, and people act on it."""

from __future__ import annotations

import numpy as np
import pytest

from dtb_models.planted_change import PlantedChange
from dtb_models.simulated_people import TRAITS
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.edges import fisher_z
from dtb_runtime.errors import DataError
from dtb_runtime.parcellation import Parcellation


@pytest.fixture(scope="module")
def cohort() -> SimulatedCohort:
    coordinates = np.random.default_rng(1).uniform(-60, 60, (40, 3))
    parcellation = Parcellation(
        name="forty",
        labels=tuple(f"{side}_{k}" for side in "LR" for k in range(20)),
        network=tuple("ABCD"[k % 4] for k in range(20)) * 2,
        hemisphere=("L",) * 20 + ("R",) * 20,
        coordinates=coordinates,
        structures={},
    )
    return SimulatedCohort(parcellation, 3, seed=2)


def test_a_planted_pattern_moves_the_traits_that_load_on_it(cohort: SimulatedCohort) -> None:
    truth = PlantedChange(cohort)
    model = cohort.connectome_model
    before = model.person(np.zeros(model.n_factors), np.random.default_rng(0)).correlations()
    step = np.zeros(model.n_factors)
    step[1] = 0.2
    rows, columns = np.triu_indices(len(before), 1)
    z = fisher_z(before[rows, columns]) + 0.2 * truth._patterns.patterns[1]
    after = before.copy()
    after[rows, columns] = after[columns, rows] = np.tanh(z)
    moved = truth.traits_moved(before, after)
    expected = cohort.trait_model.loadings @ step
    np.testing.assert_allclose([moved[name] for name in TRAITS], expected, atol=2e-3)
    with pytest.raises(DataError):
        truth.traits_moved(np.eye(5), np.eye(5))


def test_who_gets_faster_answers_faster(cohort: SimulatedCohort) -> None:
    truth = PlantedChange(cohort)
    person = cohort.participant_ids[0]
    nothing = dict.fromkeys(TRAITS, 0.0)
    assert truth.reaction_time_moved(person, nothing) == 0.0
    faster = truth.reaction_time_moved(person, nothing | {"processing_speed": 0.5})
    slower = truth.reaction_time_moved(person, nothing | {"processing_speed": -0.5})
    assert faster < -0.02
    assert slower > 0.02
    assert truth.reaction_time_moved(person, nothing | {"affective_reactivity": 1.0}) == 0.0
