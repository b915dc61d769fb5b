"""Forecasts of several twins in one pass, and no more of each than is wanted.

The numbers are those of `Twin.forecast_tasks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .draws import Draw, read_draw
from .forecast import columns_of_trials, sampled_responses
from .indicator_forecasts import run_people
from .indicators import Indicators, combine_indicators
from .prepared_run import PreparedRun
from .twin import Twin


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a forecast beside its indicators."""

    trials: bool = False
    bold: bool = False
    seed: int | None = None
    """Of one response drawn for each trial; None for none."""


@dataclass(frozen=True, slots=True, eq=False)
class PersonForecast:
    """One person's forecast of several runs."""

    trials: tuple[Mapping[str, NDArray[Any]], ...]
    """Of each run, as `Forecast.trials`; empty unless wanted."""
    bold: tuple[NDArray[np.float32], ...]
    """Of each run, shape (n_frames, n_regions); empty unless wanted."""
    indicators: Indicators
    """Over all runs."""


def forecast_together(
    bundle: Bundle, runs: Sequence[PreparedRun], people: Sequence[tuple[Twin, Wanted]]
) -> list[PersonForecast | Exception]:
    """Forecasts at the mean of what connectomes tell of people, or why there is none.

    Parameters
    ----------
    bundle : Bundle
    runs : sequence of PreparedRun
    people : sequence of (Twin, Wanted)
        Twins that have seen no trials; `scoring.people_at_once` are best taken together.
    """
    try:
        return [*_together(bundle, runs, people)]
    except Exception as error:
        if len(people) == 1:
            return [error]
    # One of them; who, shows one by one.
    return [forecast_together(bundle, runs, [person])[0] for person in people]


def _together(
    bundle: Bundle, runs: Sequence[PreparedRun], people: Sequence[tuple[Twin, Wanted]]
) -> list[PersonForecast]:
    weights = np.stack([twin.weights for twin, _ in people])
    trials: list[list[Mapping[str, NDArray[Any]]]] = [[] for _ in people]
    bolds: list[list[NDArray[np.float32]]] = [[] for _ in people]
    reports: list[list[Indicators]] = [[] for _ in people]
    for run, outputs in zip(runs, run_people(bundle, runs, weights), strict=True):
        for person, (actions, bold) in enumerate(zip(*outputs, strict=True)):
            wanted = people[person][1]
            draw = read_draw(bundle, run, actions, bold, with_map=False)
            reports[person].append(draw.indicators)
            if wanted.trials:
                trials[person].append(_trial_columns(run, draw, wanted.seed))
            if wanted.bold:
                bolds[person].append(bold)
    return [
        PersonForecast(tuple(own), tuple(bold), combine_indicators(report))
        for own, bold, report in zip(trials, bolds, reports, strict=True)
    ]


def _trial_columns(run: PreparedRun, draw: Draw, seed: int | None) -> Mapping[str, NDArray[Any]]:
    sample = None if seed is None else sampled_responses(run.task.name, [draw], seed)
    return columns_of_trials(run, draw.distributions, sample)


def forecast_over_draws(
    twin: Twin, runs: Sequence[PreparedRun], wanted: Wanted, draws: int
) -> PersonForecast | Exception:
    """A forecast that averages over draws of what is not known of one person, or why there is none.

    Parameters
    ----------
    twin : Twin
    runs : sequence of PreparedRun
    wanted : Wanted
    draws : int
    """
    schedules = {run.task.name: run.events for run in runs}
    try:
        forecasts = twin.forecast_tasks(schedules, seed=wanted.seed, draws=draws)
        return PersonForecast(
            trials=tuple(each.trials for each in forecasts) if wanted.trials else (),
            bold=tuple(each.bold for each in forecasts) if wanted.bold else (),
            indicators=combine_indicators(each.indicator_report for each in forecasts),
        )
    except Exception as error:
        return error
