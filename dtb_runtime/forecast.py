"""A forecast: what is expected of one twin in one run of a task.

Nobody's latent is known exactly, so a forecast averages over draws of it: choices and response
times come from the mixture of the draws' distributions, BOLD is their mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .draws import INTERVAL, Bold, Draw, Outputs, indicator_intervals, mean_draw, run_draws
from .errors import UsageError
from .events import Events
from .glm import Contrast
from .indicators import Indicators, contrast_indicator
from .prepared_run import PreparedRun, prepare_run
from .tasks import TASKS, get_task
from .trial_distributions import NO_RESPONSE, TrialDistributions

if TYPE_CHECKING:
    from .twin import Twin

DRAWS = 32
"""Draws of the latent that a forecast averages over unless another number is asked for."""
QUARTILES = (0.25, 0.75)
"""Quantiles of the response time that the quartile columns hold."""
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
    ``p_no_response``; ``response_time``, ``response_time_low``, ``response_time_lower_quartile``,
    ``response_time_upper_quartile``, ``response_time_high`` (s after onset, given a response: mean
    and the quantiles 5, 25, 75 and 95 %, of which both the trial's own noise and what is not known
    of the person are part). With a seed also ``sampled_choice`` and ``sampled_response_time``: one
    run of one person who may be this one."""
    distributions: TrialDistributions
    """The whole response time distribution of every trial: the mixture over the draws."""
    bold: NDArray[np.float32]
    """Mean over the draws, in SDs of each region in the training data. Shape (n_frames,
    n_regions)."""
    tr_s: float
    """Time between frames in seconds."""
    region_labels: tuple[str, ...]
    """Labels of the columns of `bold`."""
    contrasts: Mapping[str, Contrast]
    """The task's contrast by name, e.g. ``face_shape``: mean over the draws. Empty if the schedule
    cannot give it."""
    indicator_report: Indicators
    """The indicators, and for those that are not there the reason."""
    draw_indicators: tuple[Indicators, ...]
    """The same for each draw of the latent; empty for a forecast of their mean alone."""
    indicator_intervals: Mapping[str, tuple[float, float]]
    """Where an indicator lies in 90 % of the draws: what is not known of the person, without the
    noise of trials, which the mean over a run does not show. Empty without draws."""
    warnings: tuple[str, ...]
    """Sentences that belong to every use of these numbers."""

    def __repr__(self) -> str:
        return f"Forecast({self.task!r}, {self.twin!r}, {self.events.n_trials} trials)"

    @property
    def n_draws(self) -> int:
        """Draws of the latent that were averaged; 1 for their mean alone."""
        return max(len(self.draw_indicators), 1)

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


def forecast_runs(
    twin: Twin,
    schedules: Mapping[str, Events | Path | str | None],
    *,
    seed: int | None = None,
    draws: int | None = None,
    threads: int = 1,
) -> list[Forecast]:
    """Forecast one run of each task; see `Twin.forecast_tasks`."""
    manifest = twin.bundle.manifest
    if seed is not None and seed < 0:
        raise UsageError(f"A seed must be 0 or more, found {seed}.")
    if draws is None:
        draws = 1 if twin.posterior is None else DRAWS
    runs = []
    for task, events in schedules.items():
        definition = get_task(task)
        if task not in manifest.tasks:
            raise UsageError(
                f"Bundle {twin.bundle.name!r} was not trained on the task {task!r}, only on: "
                f"{', '.join(manifest.tasks) or 'no task'}."
            )
        runs.append(prepare_run(definition, events))
    means: Sequence[Outputs | None] = [None] * len(runs)
    if draws == 1 and not twin.observed:
        means = twin.bundle.run_several(twin.weights, [run.network_input for run in runs])
    return [
        _forecast(twin, run, run_draws(twin, run, draws, threads, mean), seed)
        for run, mean in zip(runs, means, strict=True)
    ]


def _forecast(
    twin: Twin, run: PreparedRun, draws: Iterator[tuple[Draw, Bold]], seed: int | None
) -> Forecast:
    manifest, definition = twin.bundle.manifest, run.task
    parts: list[Draw] = []
    total = np.zeros((run.events.n_frames, manifest.n_bold))
    for draw, own_bold in draws:
        parts.append(draw)
        total += own_bold  # in their order, whatever thread was first: sums depend on it
    mean = mean_draw(parts, run)
    bold = (total / len(parts)).astype(np.float32)
    bold.setflags(write=False)
    reports = tuple(draw.indicators for draw in parts) if len(parts) > 1 else ()
    contrasts = {} if mean.contrast is None else {definition.contrast_name: mean.contrast}
    sample = None if seed is None else sampled_responses(definition.name, parts, seed)
    return Forecast(
        twin=twin,
        task=definition.name,
        events=run.events,
        provider=twin.bundle.provider,
        trials=columns_of_trials(run, mean.distributions, sample),
        distributions=mean.distributions,
        bold=bold,
        tr_s=manifest.tr_s,
        region_labels=manifest.bold_regions,
        contrasts=MappingProxyType(contrasts),
        indicator_report=mean.indicators,
        draw_indicators=reports,
        indicator_intervals=indicator_intervals(reports),
        warnings=twin.warnings,
    )


def sampled_responses(
    task: str, parts: list[Draw], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """One response per trial: of one draw of the person, the same in every task of a seed."""
    who = 0
    if len(parts) > 1:
        stream = np.random.SeedSequence(seed, spawn_key=(len(TASKS),))
        who = int(np.random.default_rng(stream).integers(len(parts)))
    # A stream of its own per task: one seed must not give two tasks the same luck.
    stream = np.random.SeedSequence(seed, spawn_key=(list(TASKS).index(task),))
    return parts[who].distributions.sample(np.random.default_rng(stream))


def columns_of_trials(
    run: PreparedRun,
    distributions: TrialDistributions,
    sample: tuple[NDArray[np.int64], NDArray[np.float64]] | None,
) -> Mapping[str, NDArray[Any]]:
    events = run.events
    options = np.array([*run.task.options, NOT_AVAILABLE])  # so that index -1 is n/a
    probability, p_no_response = distributions.option_probability, distributions.p_no_response
    likeliest = probability.argmax(axis=1)
    responds = probability.max(axis=1) >= p_no_response
    low, lower, upper, high = (
        distributions.quantile(q) for q in (INTERVAL[0], *QUARTILES, INTERVAL[1])
    )
    trials: dict[str, NDArray[Any]] = {
        "onset": events.onset_s,
        "duration": events.duration_s,
        "trial_type": np.array(events.trial_type),
        "choice": options[np.where(responds, likeliest, NO_RESPONSE)],
        "p_correct": probability[np.arange(len(probability)), events.correct_option],
        "p_no_response": p_no_response,
        "response_time": distributions.response_time_s,
        "response_time_low": low,
        "response_time_lower_quartile": lower,
        "response_time_upper_quartile": upper,
        "response_time_high": high,
    }
    if sample is not None:
        trials["sampled_choice"] = options[sample[0]]
        trials["sampled_response_time"] = sample[1]
    for column in trials.values():
        column.setflags(write=False)
    return MappingProxyType(trials)
