"""Cohorts of simulated people whose truth is known, alone or around real people's behavior."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.tasks import TR_S, get_task

from .cohorts import Bold, CohortKind, Participant, Run, connectome_from_rest
from .measured_traits import RealBehavior
from .response_maps import ResponseMaps, synthetic_maps
from .simulated_behavior import Temperament, perform
from .simulated_bold import ResponseScales, planted_bold, simulate_bold
from .simulated_connectome import ConnectomeModel, PersonBrain
from .simulated_people import TRAIT_CORRELATIONS, TRAITS, TraitModel, person_generator
from .tcp_layout import REST_RUNS
from .tcp_writer import write_tcp

DEFAULT_SHARE = 0.18
"""Trait variance that connectomes carry, about what real studies find (r = 0.42)."""
SIMULATED_RUNS: Mapping[str, str] = MappingProxyType(
    {"hammerAP_run-01": "hammer", "stroopAP_run-01": "stroop"}
)
MEDIAN_MOTION_MM = 0.1
"""Mean framewise displacement of a typical run after Jenkinson, in mm."""

_WARNING_SIMULATED = (
    "Simulated bundle: behavior, connectomes and BOLD of all people it was trained on are "
    "simulated; what it forecasts says nothing about real people."
)
_WARNING_SEMI_SYNTHETIC = (
    "Semi-synthetic bundle: behavior of {n} real people, but connectomes and BOLD simulated "
    "around it; what this twin reads from a connectome, and all its BOLD (contrasts, "
    "amygdala_response), was learned from simulated brains, the Stroop contrast from a made-up map."
)


class SimulatedCohort:
    """People whose connectomes, traits, trials and BOLD are drawn from a seed.

    Nobody depends on how many others there are. Connectomes and BOLD are made when they are asked
    for and are the same each time.

    Parameters
    ----------
    parcellation : Parcellation
        Regions; networks, hemispheres and coordinates shape connectomes and responses.
    n_people : int, optional
        Number of people; with `behavior_from`, the first so many of the real people (default
        all).
    seed : int
    share : float
        R2 of each trait on the true connectome factors, in [0, 1].
    n_factors : int
        Factors along which connectomes depart from the group's, at least one per trait (5).
    factor_strength : float
        Multiple of the default size of the factors' effect on edges.
    n_rest_runs, n_rest_frames : int
        The resting scan that connectomes are estimated from: 1 to 4 runs, frames of 0.8 s.
    response_maps : ResponseMaps, optional
        Responses of the regions to trials; by default `synthetic_maps`.
    behavior_from : str or Path, optional
        BIDS folder of real people: their events and responses are kept, and their measured traits
        drive the simulated connectomes.

    Raises
    ------
    UsageError
        If a number is out of range or `n_people` is missing.
    CohortError
        If the response maps are of other regions, or the folder cannot be used.
    """

    def __init__(
        self,
        parcellation: Parcellation,
        n_people: int | None = None,
        seed: int = 0,
        *,
        share: float = DEFAULT_SHARE,
        n_factors: int = len(TRAITS),
        factor_strength: float = 1.0,
        n_rest_runs: int = len(REST_RUNS),
        n_rest_frames: int = 488,
        response_maps: ResponseMaps | None = None,
        behavior_from: str | Path | None = None,
    ) -> None:
        if seed < 0:
            raise UsageError(f"The seed must be at least 0, found {seed}.")
        if n_people is not None and n_people < 1:
            raise UsageError(f"n_people must be at least 1, found {n_people}.")
        if n_people is None and behavior_from is None:
            raise UsageError("A simulated cohort needs n_people, unless behavior_from is given.")
        if not 1 <= n_rest_runs <= len(REST_RUNS) or n_rest_frames < 20:
            raise UsageError(
                f"A resting scan has 1 to {len(REST_RUNS)} runs of at least 20 frames, "
                f"found {n_rest_runs} of {n_rest_frames}."
            )
        self._maps = synthetic_maps(parcellation) if response_maps is None else response_maps
        if self._maps.labels != parcellation.labels:
            raise CohortError(
                f"The response maps have {len(self._maps.labels)} regions that are not those of "
                f"parcellation {parcellation.name!r} ({parcellation.n_regions}). Carry them over "
                "with transfer_maps."
            )
        self._parcellation = parcellation
        self._seed = seed
        self._rest = dict.fromkeys(REST_RUNS[:n_rest_runs], n_rest_frames)
        self._behavior = None if behavior_from is None else RealBehavior.from_bids(behavior_from)
        if self._behavior is None:
            self._ids = tuple(f"sub-NDARINVSIM{i + 1:05d}" for i in range(n_people or 0))
        else:
            self._ids = tuple(self._behavior.people)[:n_people]
            if n_people is not None and n_people > len(self._ids):
                raise UsageError(
                    f"n_people is {n_people}, but {behavior_from} has {len(self._ids)} people "
                    "with events. Ask for fewer, or leave n_people out."
                )
        correlations = self._behavior.correlations if self._behavior else TRAIT_CORRELATIONS
        self._traits = TraitModel.random(
            share=share, n_factors=n_factors, seed=seed, correlations=correlations
        )
        self._connectomes = ConnectomeModel.random(
            parcellation, n_factors=n_factors, seed=seed, factor_strength=factor_strength
        )
        # A few of each are kept, since training asks for the same thing several times in a row.
        self._brain: Callable[[str], PersonBrain] = lru_cache(4)(self._make_brain)
        self._connectome: Callable[[str], Connectome] = lru_cache(4)(self._make_connectome)
        self._bold: Callable[[str, str], Bold] = lru_cache(6)(self._make_bold)

    @property
    def participant_ids(self) -> tuple[str, ...]:
        """Everybody's BIDS id, in order."""
        return self._ids

    @property
    def parcellation(self) -> Parcellation:
        """Regions of connectomes and BOLD."""
        return self._parcellation

    @property
    def connectome_model(self) -> ConnectomeModel:
        """What people's connectomes are drawn from: the group's, and the factors' patterns."""
        return self._connectomes

    @property
    def seed(self) -> int:
        """What everything is drawn from."""
        return self._seed

    @property
    def trait_model(self) -> TraitModel:
        """How traits go with the connectomes' factors."""
        return self._traits

    @property
    def response_maps(self) -> ResponseMaps:
        """The group's response of every region to every trial type."""
        return self._maps

    @property
    def contributors(self) -> tuple[str, ...]:
        """Ids of the real people whose activations the response maps are made of."""
        return self._maps.people

    @property
    def kind(self) -> CohortKind:
        """``"simulated"``, or ``"semi-synthetic"`` around real behavior."""
        return "semi-synthetic" if self._behavior and self._behavior.is_real else "simulated"

    @property
    def description(self) -> str:
        """Two sentences for model cards."""
        n_minutes = sum(self._rest.values()) * TR_S / 60
        if self.kind == "semi-synthetic":
            who = f"Behavior of {len(self._ids)} real people, connectomes and BOLD simulated around"
            who += " it"
        else:
            who = f"{len(self._ids)} simulated people: behavior, connectomes and BOLD"
        return (
            f"{who}; {self._parcellation.n_regions} regions ({self._parcellation.name}), "
            f"{n_minutes:.0f} min of rest, connectomes carry {self._traits.share:g} of the "
            f"variance of traits. {self._maps.source}"
        )

    @property
    def warning(self) -> str:
        """The sentence that stands beside every result learned from these people."""
        if self.kind == "semi-synthetic":
            return _WARNING_SEMI_SYNTHETIC.format(n=len(self._ids))
        return _WARNING_SIMULATED

    @cached_property
    def participants(self) -> Sequence[Participant]:
        """Everybody, in order. Connectomes and BOLD are made when asked for."""
        return tuple(self._participant(participant_id) for participant_id in self._ids)

    def rest_runs(self, participant_id: str) -> Mapping[str, Bold]:
        """Return a participant's resting scans by run name, each (n_frames, n_regions)."""
        brain = self._brain(self._known(participant_id))
        return {
            name: brain.series(n_frames, self._generator(participant_id, f"rest {name}"))
            for name, n_frames in self._rest.items()
        }

    def true_connectome(self, participant_id: str) -> Connectome:
        """Return the connectome an endless scan of this participant would give."""
        return Connectome.from_matrix(
            self._brain(self._known(participant_id)).correlations(),
            labels=self._parcellation.labels,
            source=f"{participant_id} (truth)",
        )

    def planted_bold(self, participant_id: str, run: Run) -> Bold:
        """Return what the trials of one of a participant's runs evoke, without anything else.

        Shape (n_frames, n_regions), in the unit of the scan.
        """
        responses = self._responses(self._known(participant_id), run.task)
        return planted_bold(run.events, responses)

    def write_tcp(
        self,
        out_dir: str | Path,
        *,
        force: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Path:
        """Write everybody in the layout of the TCP release; see `tcp_writer.write_tcp`."""
        return write_tcp(self, out_dir, force=force, progress=progress)

    def _participant(self, participant_id: str) -> Participant:
        factors, traits = self._factors_and_traits(participant_id)
        scales = self._scales(participant_id, traits)
        truth = dict(zip(TRAITS, traits.tolist(), strict=True))
        truth |= {f"factor_{k + 1}": float(value) for k, value in enumerate(factors)}
        truth |= {
            "response_gain": scales.gain,
            "face_shape_scale": scales.face_shape,
            "incongruent_congruent_scale": scales.incongruent_congruent,
        }
        real = self._behavior.people[participant_id] if self._behavior else None
        return Participant(
            participant_id=participant_id,
            runs=self._runs(participant_id, traits, real),
            connectome_source=partial(self._connectome, participant_id),
            phenotype=real.phenotype if real else MappingProxyType({"Group": "Simulated"}),
            truth=MappingProxyType(truth),
            motion_fd=self._motion(participant_id),
        )

    def _runs(
        self, participant_id: str, traits: NDArray[np.float64], real: Participant | None
    ) -> tuple[Run, ...]:
        if real is not None:
            trials = [(run.task, run.run, run.events, run.responses) for run in real.runs]
        else:
            rng = self._generator(participant_id, "temperament")
            temperament = Temperament.from_traits(traits, rng)
            trials = []
            for run, task in SIMULATED_RUNS.items():
                rng = self._generator(participant_id, f"trials {run}")
                schedule = get_task(task).schedule()
                trials.append((task, run, *perform(temperament, schedule, rng)))
        return tuple(
            Run(task, run, events, responses, partial(self._bold, participant_id, run))
            for task, run, events, responses in trials
        )

    def _factors_and_traits(
        self, participant_id: str
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rng = self._generator(participant_id, "traits")
        if self._behavior is not None:
            return self._traits.draw_given(self._behavior.scores[participant_id], rng)
        return self._traits.draw(rng)

    def _scales(self, participant_id: str, traits: NDArray[np.float64]) -> ResponseScales:
        return ResponseScales.from_traits(traits, self._generator(participant_id, "scales"))

    def _motion(self, participant_id: str) -> Mapping[str, NDArray[np.float64]]:
        """Draw a mean framewise displacement per run; it has no effect on anything else."""
        rng = self._generator(participant_id, "motion")
        level = rng.normal(np.log(MEDIAN_MOTION_MM), 0.4)
        return MappingProxyType(
            {
                run: np.exp(rng.normal(level, 0.2, 1)).round(4).astype(np.float64)
                for run in (*self._rest, *SIMULATED_RUNS)
            }
        )

    def _make_brain(self, participant_id: str) -> PersonBrain:
        factors, _ = self._factors_and_traits(participant_id)
        return self._connectomes.person(factors, self._generator(participant_id, "signature"))

    def _make_connectome(self, participant_id: str) -> Connectome:
        return connectome_from_rest(
            self.rest_runs(participant_id),
            labels=self._parcellation.labels,
            source=participant_id,
        )

    def _responses(self, participant_id: str, task: str) -> Mapping[str, NDArray[np.float64]]:
        _, traits = self._factors_and_traits(participant_id)
        return self._scales(participant_id, traits).responses(self._maps, task)

    def _make_bold(self, participant_id: str, run_name: str) -> Bold:
        run = self.participants[self._ids.index(participant_id)].run(run_name)
        responses = self._responses(participant_id, run.task)
        rng = self._generator(participant_id, f"bold {run_name}")
        return simulate_bold(run.events, self._brain(participant_id), responses, rng)

    def _generator(self, participant_id: str, purpose: str) -> np.random.Generator:
        return person_generator(self._seed, participant_id, purpose)

    def _known(self, participant_id: str) -> str:
        if participant_id not in self._ids:
            raise UsageError(
                f"This cohort has no participant {participant_id!r}; its ids look like "
                f"{self._ids[0]!r}."
            )
        return participant_id
