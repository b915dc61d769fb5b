"""A forecast: one twin taken through one run of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .events import Events, read_events
from .glm import Contrast, Design, design_matrix, fit_contrast, structure_bold
from .indicators import Indicators, contrast_indicator, task_indicators
from .responses import NO_RESPONSE, TrialDistributions, read_densities, read_hazards
from .stimulus import network_input
from .tasks import TASKS, TR_S, Task, get_task

if TYPE_CHECKING:
    from .twin import Twin

INTERVAL = (0.05, 0.95)
"""Quantiles of the response time between ``response_time_low`` and ``response_time_high``."""
NOT_AVAILABLE = "n/a"
"""BIDS' word for a missing value; the choice where no response is the likeliest."""


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What a twin does in one run. Immutable; arrays are read-only."""

    twin: Twin
    """The twin that was forecast."""
    task: str
    """Name of the task."""
    events: Events
    """The schedule."""
    provider: str
    """Execution provider that ran the main network."""
    trials: Mapping[str, NDArray[Any]]
    """Column name to one value per trial: ``onset``, ``duration`` (s), ``trial_type``, ``choice``
    (an option, or ``n/a`` where no response is likelier than any option), ``p_correct``,
    ``p_no_response``, ``response_time``, ``response_time_low``, ``response_time_high`` (s after
    onset, given a response: mean, 5 % and 95 % quantile). With a seed also ``sampled_choice`` and
    ``sampled_response_time``."""
    distributions: TrialDistributions
    """The whole response time distribution of every trial."""
    bold: NDArray[np.float32]
    """Shape (n_frames, n_regions), in SDs of each region in the training data."""
    tr_s: float
    """Time between frames in seconds."""
    region_labels: tuple[str, ...]
    """Labels of the columns of `bold`."""
    contrasts: Mapping[str, Contrast]
    """The task's contrast by name, e.g. ``face_shape``; empty if the schedule cannot give it."""
    indicator_report: Indicators
    """The indicators, and for those that are not there the reason."""
    warnings: tuple[str, ...]
    """Sentences that belong to every use of these numbers."""

    def __repr__(self) -> str:
        return f"Forecast({self.task!r}, {self.twin!r}, {self.events.n_trials} trials)"

    @property
    def indicators(self) -> Mapping[str, float]:
        """Scalars by name; see `dtb_runtime.indicators` for what they are."""
        return self.indicator_report.values

    @property
    def option_probability(self) -> NDArray[np.float64]:
        """Chance that each option is pressed, shape (n_trials, n_options)."""
        return self.distributions.option_probability

    def indicator(self, name: str) -> float:
        """One indicator, or ``contrast:<contrast>:<region label>`` for one region's t.

        Raises
        ------
        UsageError
            This forecast cannot give it; the message says why.
        """
        if name.startswith("contrast:"):
            return contrast_indicator(
                name,
                self.contrasts,
                self.region_labels,
                unavailable=self.indicator_report.unavailable,
            )
        return self.indicator_report.value(name)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What a schedule fixes for everybody."""

    task: Task
    events: Events
    network_input: NDArray[np.float32]
    design: Design
    no_contrast: str | None
    """Why the schedule cannot give the task's contrast, None if it can."""

    @classmethod
    def of(cls, task: Task, events: Events) -> _Run:
        design = design_matrix(events, events.n_frames, TR_S)
        stimulus = network_input(task.stimulus(events))
        stimulus.setflags(write=False)
        return cls(task, events, stimulus, design, design.why_no_contrast(task.contrast))


@lru_cache(maxsize=len(TASKS))
def _default_run(task_name: str) -> _Run:
    task = get_task(task_name)
    return _Run.of(task, task.schedule())


def forecast_run(
    twin: Twin, task: str, events: Events | Path | str | None, seed: int | None
) -> Forecast:
    """Forecast one run; see `Twin.forecast`."""
    bundle, manifest = twin.bundle, twin.bundle.manifest
    definition = get_task(task)
    if task not in manifest.tasks:
        raise UsageError(
            f"Bundle {bundle.name!r} was not trained on the task {task!r}, only on: "
            f"{', '.join(manifest.tasks) or 'no task'}."
        )
    if seed is not None and seed < 0:
        raise UsageError(f"A seed must be 0 or more, found {seed}.")
    run = _run_of(definition, events)
    actions, bold, _ = bundle.run_main(twin.weights, run.network_input)
    bold.setflags(write=False)
    read = read_hazards if manifest.action_reading == "hazard" else read_densities
    distributions = read(actions, run.events, len(definition.options), manifest.dt_s)
    contrasts: dict[str, Contrast] = {}
    structure_t: dict[str, float] = {}
    if run.no_contrast is None:
        contrasts[definition.contrast_name] = fit_contrast(bold, run.design, definition.contrast)
        structure_t = _structure_t(twin, bold, run)
    return Forecast(
        twin=twin,
        task=task,
        events=run.events,
        provider=bundle.provider,
        trials=_trials(definition, run.events, distributions, seed),
        distributions=distributions,
        bold=bold,
        tr_s=manifest.tr_s,
        region_labels=manifest.bold_regions,
        contrasts=MappingProxyType(contrasts),
        indicator_report=task_indicators(
            definition,
            run.events,
            distributions,
            structure_t,
            contrast_problem=run.no_contrast,
        ),
        warnings=twin.warnings,
    )


def _run_of(task: Task, events: Events | Path | str | None) -> _Run:
    if events is None:
        return _default_run(task.name)
    if not isinstance(events, Events):
        events = read_events(events, task)
    return _Run.of(task, events)


def _structure_t(twin: Twin, bold: NDArray[np.float32], run: _Run) -> dict[str, float]:
    """Return t of the task's contrast in the mean BOLD of each anatomical structure."""
    parcellation = twin.bundle.manifest.parcellation
    if parcellation is None:
        return {}
    series = structure_bold(bold, twin.bundle.manifest.bold_regions, parcellation.structures)
    if not series:
        return {}
    contrast = fit_contrast(np.stack(list(series.values()), axis=1), run.design, run.task.contrast)
    return dict(zip(series, contrast.t.tolist(), strict=True))


def _trials(
    task: Task, events: Events, distributions: TrialDistributions, seed: int | None
) -> Mapping[str, NDArray[Any]]:
    options = np.array([*task.options, NOT_AVAILABLE])  # so that index -1 is n/a
    probability, p_no_response = distributions.option_probability, distributions.p_no_response
    likeliest = probability.argmax(axis=1)
    responds = probability.max(axis=1) >= p_no_response
    low, high = (distributions.quantile(q) for q in INTERVAL)
    trials: dict[str, NDArray[Any]] = {
        "onset": events.onset_s,
        "duration": events.duration_s,
        "trial_type": np.array(events.trial_type),
        "choice": options[np.where(responds, likeliest, NO_RESPONSE)],
        "p_correct": probability[np.arange(len(probability)), events.correct_option],
        "p_no_response": p_no_response,
        "response_time": distributions.response_time_s,
        "response_time_low": low,
        "response_time_high": high,
    }
    if seed is not None:
        # A stream of its own per task: one seed must not give two tasks the same luck.
        stream = np.random.SeedSequence(seed, spawn_key=(list(TASKS).index(task.name),))
        sampled, response_time = distributions.sample(np.random.default_rng(stream))
        trials["sampled_choice"] = options[sampled]
        trials["sampled_response_time"] = response_time
    for column in trials.values():
        column.setflags(write=False)
    return MappingProxyType(trials)
