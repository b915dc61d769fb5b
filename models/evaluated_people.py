"""What one person's twin forecasts under a protocol, beside what the person did.

Everything else of an evaluation is made of these: figures, maps, controls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.events import Events
from dtb_runtime.forecast import Forecast
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import TASKS, get_task
from dtb_runtime.trial_distributions import TrialDistributions
from dtb_runtime.twin import Twin

from .cohorts import Participant, Run
from .judged_trials import JudgedTrials
from .protocols import HALF_S, JudgedRun, Protocol, run_of_task
from .twin_contrasts import ContrastPair, Window, contrast_pair

OnPerson = Callable[[Twin, Sequence[Forecast]], None]
"""Called with each judged person's twin and forecasts, maybe from several threads at once."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a forecast depends on besides the twin; equal for equal runs."""

    stimulus: bytes
    onset: bytes

    @classmethod
    def of(cls, events: Events) -> Schedule:
        """The schedule of these trials."""
        stimulus = network_input(get_task(events.task).stimulus(events))
        times = np.stack([events.onset_s, events.duration_s])
        return cls(stimulus.tobytes(), times.tobytes())


@dataclass(frozen=True, slots=True)
class Learning:
    """How a twin learned from its person's trials."""

    seconds: float
    """Of one processor."""
    n_trials: int
    converged: bool
    effective_draws: float


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedPerson:
    """One judged person."""

    participant_id: str
    bundle: Bundle
    """The bundle that judges the person."""
    runs: tuple[JudgedRun, ...]
    """The person's judged runs."""
    start: Twin
    """The twin before any trial was seen."""
    edges: NDArray[np.float32] | None
    """Fisher z of the connectome in the bundle's order of regions; None without one."""
    twin: Twin
    """The twin that is judged."""
    tables: Mapping[str, tuple[JudgedTrials, ...]]
    """Method to the judged trials of each run: ``twin``, and ``control/connectome_alone`` where the
    twin has both a connectome and trials."""
    unlearned: Mapping[str, tuple[Schedule, TrialDistributions]]
    """Task to schedule and forecast of `start`, where that is what is judged."""
    expected_s: Mapping[str, float]
    """Task to the mean forecast response time over right trials in the evaluation's window."""
    contrasts: Mapping[str, ContrastPair]
    """Task to the contrast, of runs with BOLD."""
    learning: Learning | None
    """None where no trial was seen."""


def learns_from_trials(bundle: Bundle) -> bool:
    """Whether twins of this bundle can be calibrated."""
    manifest = bundle.manifest
    return manifest.latent_size > 0 and manifest.action_reading == "hazard"


def trials_seen(participant: Participant, bundle: Bundle) -> list[ObservedRun]:
    """Return the first half of each task's judged run, as far as the bundle knows the task."""
    runs = [run_of_task(participant, task) for task in TASKS if task in bundle.manifest.tasks]
    halves = [
        ObservedRun(run.events, run.responses).until(HALF_S) for run in runs if run is not None
    ]
    return [half for half in halves if half is not None]


def starting_twin(
    participant: Participant, bundle: Bundle
) -> tuple[Twin, NDArray[np.float32] | None]:
    """Return a person's twin before any trial, and the edges it was made of.

    From the connectome where there is one, else from the population.

    Raises
    ------
    UsageError
        If there is none, and the bundle does not know the population.
    """
    connectome = participant.connectome
    if connectome is None:
        return bundle.population_twin(participant_id=participant.participant_id), None
    twin = bundle.personalize(connectome, participant_id=participant.participant_id)
    return twin, bundle.aligned(connectome).edges()


def evaluate_person(
    runs: Sequence[JudgedRun],
    bundle: Bundle,
    protocol: Protocol,
    *,
    parcellation: Parcellation | None = None,
    window_s: Window = None,
    on_person: OnPerson | None = None,
) -> EvaluatedPerson:
    """Make one person's twin, let it learn what the protocol allows, and forecast the judged runs.

    Parameters
    ----------
    runs : sequence of JudgedRun
        Of one person, at least one.
    bundle : Bundle
    protocol : Protocol
    parcellation : Parcellation, optional
        Regions of the runs' BOLD; without it contrasts are not compared.
    window_s : tuple of two float, optional
        Part of the runs in which BOLD is compared and `expected_s` is taken; by default all.
    on_person : callable, optional

    Raises
    ------
    UsageError
        If the bundle cannot do what the protocol asks.
    """
    person = runs[0].participant
    start, edges = starting_twin(person, bundle)
    twin, learning = start, None
    if protocol.sees_first_half and learns_from_trials(bundle):
        seen = trials_seen(person, bundle)
        begin = time.thread_time()  # not the clock: other people may be judged beside this one
        twin = start.calibrate(seen)
        learning = _learning(twin, time.thread_time() - begin)
    forecasts = [twin.forecast(each.run.task, each.run.events) for each in runs]
    if on_person is not None:
        on_person(twin, forecasts)
    tables = {"twin": tuple(judge_run(*pair) for pair in zip(runs, forecasts, strict=True))}
    if learning is not None and edges is not None:
        tables["control/connectome_alone"] = tuple(
            judge_run(each, start.forecast(each.run.task, each.run.events)) for each in runs
        )
    unlearned = {}
    if learning is None:
        unlearned = {
            each.run.task: (Schedule.of(each.run.events), forecast.distributions)
            for each, forecast in zip(runs, forecasts, strict=True)
        }
    contrasts, expected = {}, {}
    for each, forecast in zip(runs, forecasts, strict=True):
        mean_s = _expected_s(each.run, forecast, window_s)
        if mean_s is not None:
            expected[each.run.task] = mean_s
        pair = contrast_pair(each.run, forecast, parcellation, window_s)
        if pair is not None:
            contrasts[each.run.task] = pair
    return EvaluatedPerson(
        participant_id=person.participant_id,
        bundle=bundle,
        runs=tuple(runs),
        start=start,
        edges=edges,
        twin=twin,
        tables=MappingProxyType(tables),
        unlearned=MappingProxyType(unlearned),
        expected_s=MappingProxyType(expected),
        contrasts=MappingProxyType(contrasts),
        learning=learning,
    )


def judge_run(each: JudgedRun, forecast: Forecast | TrialDistributions) -> JudgedTrials:
    """Return the judged trials of a run with a forecast of it.

    From distributions alone it is not known how unsure the person's means are.
    """
    if isinstance(forecast, TrialDistributions):
        return JudgedTrials.from_forecast(each.participant_id, each.run, forecast, each.judged)
    return JudgedTrials.from_forecast(
        each.participant_id,
        each.run,
        forecast.distributions,
        each.judged,
        accuracy_sd=_sd_over_draws(forecast, "accuracy"),
        mean_rt_sd_s=_sd_over_draws(forecast, "reaction_time"),
    )


def _sd_over_draws(forecast: Forecast, indicator: str) -> float:
    values = [draw.values.get(indicator, np.nan) for draw in forecast.draw_indicators]
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def _learning(twin: Twin, seconds: float) -> Learning | None:
    found = twin.calibration
    if found is None:
        return None
    return Learning(seconds, found.n_trials, found.converged, found.effective_draws)


def _expected_s(run: Run, forecast: Forecast, window_s: Window) -> float | None:
    start_s, end_s = (-np.inf, np.inf) if window_s is None else window_s
    onset_s, responses = run.events.onset_s, run.responses
    right = responses.usable & responses.correct & (onset_s >= start_s) & (onset_s < end_s)
    return float(forecast.distributions.response_time_s[right].mean()) if right.any() else None
