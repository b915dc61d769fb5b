"""What a changed connectome does in the generator itself, where it is known what was planted.

A twin can be fooled: it moves its own answer, by whatever it has learned to read. Here the changed
edges are read as what the simulated person's connectome factors would have to be, these move the
traits that load on them, and the person acts anew with the same chance. What a connectome does not
carry stays as it was. In the generator factors cause both edges and traits, and no edge causes a
trait: this asks whether a plan moves what was planted, not whether changing edges would act.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.edges import edges_from_correlations
from dtb_runtime.tasks import get_task

from .planted_patterns import PlantedPatterns
from .simulated_behavior import Temperament, perform
from .simulated_people import TRAITS, person_generator
from .simulation import SimulatedCohort

Floats = NDArray[np.float64]

REPEATS = 8
"""Runs of each task that a person's true mean response time is taken over."""
TASKS = ("hammer", "stroop")


class PlantedChange:
    """The truth about changed connectomes of simulated people.

    Parameters
    ----------
    cohort : SimulatedCohort
    """

    def __init__(self, cohort: SimulatedCohort) -> None:
        self._cohort = cohort
        self._patterns = PlantedPatterns.of(cohort.connectome_model)

    def traits_moved(self, before: Floats, after: Floats) -> dict[str, float]:
        """By how much a change of the connectome moves each trait.

        Parameters
        ----------
        before, after : numpy.ndarray, shape (n_regions, n_regions)
            Correlations.

        Returns
        -------
        dict
            In SDs over people, by the names of `TRAITS`.

        Raises
        ------
        DataError
            They are of another parcellation.
        """
        edges = np.stack([edges_from_correlations(each) for each in (before, after)])
        factors = self._patterns.factors(edges.astype(np.float64))
        moved = self._cohort.trait_model.loadings @ (factors[1] - factors[0])
        return dict(zip(TRAITS, moved.tolist(), strict=True))

    def reaction_time_moved(self, participant_id: str, moved: dict[str, float]) -> float:
        """By how much a person's mean response time over both tasks moves with the traits.

        Parameters
        ----------
        participant_id : str
        moved : dict
            From `traits_moved`.

        Returns
        -------
        float
            Seconds, over right answers of `REPEATS` runs of each task, with the same chance before
            and after.
        """
        traits = self._traits(participant_id)
        change = np.array([moved[name] for name in TRAITS])
        before, after = (self._mean_rt(participant_id, each) for each in (traits, traits + change))
        return after - before

    def _traits(self, participant_id: str) -> Floats:
        position = self._cohort.participant_ids.index(participant_id)
        truth = self._cohort.participants[position].truth or {}  # simulated people have one
        return np.array([truth[name] for name in TRAITS])

    def _mean_rt(self, participant_id: str, traits: Floats) -> float:
        seed = self._cohort.seed
        rng = person_generator(seed, participant_id, "temperament")  # the person's own
        temperament = Temperament.from_traits(traits, rng)
        of_tasks = []
        for task in TASKS:
            times = []
            for repeat in range(REPEATS):
                chance = person_generator(seed, participant_id, f"planted change {task} {repeat}")
                _, found = perform(temperament, get_task(task).schedule(), chance)
                is_right = found.correct & found.usable & ~np.isnan(found.response_time_s)
                times.append(found.response_time_s[is_right])
            of_tasks.append(float(np.concatenate(times).mean()))
        return float(np.mean(of_tasks))
