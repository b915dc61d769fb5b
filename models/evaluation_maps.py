"""Contrast maps that twins forecast, beside those measured in the same people's BOLD.

Of the group: r over task and region of the one-sample t over people, as the paper has it
(``group_t_r``). A t is a mean over a spread, and the spread of forecasts is neither that of people
nor that of scans (`planted_maps`); so the same of one scan of each twin stands beside it
(``scanned_group_t_r``), and r of the mean estimates. Of each person: r over regions,
beside what the mean of the other people's measured maps reaches. Between people: how much of the
group's map each person has, and the amygdala.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.tasks import TASKS

from . import metric_sums
from .bootstrap import Figure, bootstrap
from .evaluated_people import EvaluatedPerson
from .evaluation_controls import donor_rows, shuffled_r
from .group_figures import PairedMaps, group_mean_figure, group_t_figure
from .group_halves import group_reliability
from .identification import Identification, identify, is_same_for_everybody
from .map_statistics import map_r, mean_of_others
from .metric_definitions import FEWEST_FOR_R
from .metric_sums import People
from .planted import contrast_score
from .twin_contrasts import Window

Floats = NDArray[np.float64]

ANYBODY = "control/population:"
"""Before a figure of the group: scans of draws of the whole population, not of the twins."""
FEWEST_PEOPLE = 5
"""Maps of fewer people make no group."""


def map_figures(
    persons: Sequence[EvaluatedPerson],
    donors: Sequence[Mapping[str, EvaluatedPerson]],
    window_s: Window,
    *,
    seed: int = 0,
) -> dict[str, Any] | None:
    """Return the ``maps`` section of an evaluation of people with trials.

    Parameters
    ----------
    persons : sequence of EvaluatedPerson
    donors : sequence of mapping of str to EvaluatedPerson
        Whose connectome each person gets, for each shuffle.
    window_s : tuple of two float or None
        The part of the runs that was compared.
    seed : int

    Returns
    -------
    dict or None
        JSON values; None where fewer than five people have BOLD.
    """
    tasks = [task for task in TASKS if sum(task in p.contrasts for p in persons) >= FEWEST_PEOPLE]
    if not tasks:
        return None
    stacked = {task: _Stack.of(task, persons) for task in tasks}
    return {
        "window_s": None if window_s is None else list(window_s),
        "n_regions": next(iter(stacked.values())).measured["t"].shape[1],
        "n_people": {task: len(stack.ids) for task, stack in stacked.items()},
        "group": _group(stacked),
        "group_reliability": {
            task: group_reliability(stack.measured["estimate"], seed)
            for task, stack in stacked.items()
        },
        "people": {task: stack.people_figures(donors) for task, stack in stacked.items()},
        "between_people": {task: stack.between_people(donors) for task, stack in stacked.items()},
        "identification": {task: stack.identification(seed) for task, stack in stacked.items()},
    }


def _group(stacked: Mapping[str, _Stack]) -> dict[str, Any]:
    """Return r of the group's maps; null where forecasts are the same for everybody."""
    maps: dict[str, dict[str, Floats | None]] = {
        "group_t_r": {task: stack.forecast["t"] for task, stack in stacked.items()},
        "scanned_group_t_r": {task: stack.scanned_t for task, stack in stacked.items()},
        f"{ANYBODY}scanned_group_t_r": {task: s.anybody_t for task, s in stacked.items()},
    }
    found = {}
    for name, of_task in maps.items():
        tasks = {
            task: stacked[task].beside_measured("t", forecast)
            for task, forecast in of_task.items()
            if forecast is not None
        }
        if len(tasks) == len(stacked):
            found[name] = group_t_figure(list(tasks.values()))
            found |= {f"{name}:{task}": group_t_figure([each]) for task, each in tasks.items()}
    for task, stack in stacked.items():
        own = stack.beside_measured("estimate", stack.forecast["estimate"])
        found[f"group_estimate_r:{task}"] = group_mean_figure(own)
    return {name: figure.to_json() for name, figure in found.items()}


class _Stack:
    """One task's maps of everybody who has them."""

    def __init__(self, task: str, persons: Sequence[EvaluatedPerson]) -> None:
        self.task = task
        self.persons = persons
        self.ids = [person.participant_id for person in persons]
        pairs = [person.contrasts[task] for person in persons]
        self.forecast = {
            name: np.stack([getattr(pair.forecast, name) for pair in pairs])
            for name in ("estimate", "t")
        }
        self.scanned_t = np.stack([pair.scanned.t for pair in pairs])
        of_anybody = [pair.anybody for pair in pairs]
        known = [each.t for each in of_anybody if each is not None]
        self.anybody_t = np.stack(known) if len(known) == len(pairs) else None
        self.measured = {
            name: np.stack([getattr(pair.measured, name) for pair in pairs])
            for name in ("estimate", "t")
        }
        self.amygdala = np.array(
            [(np.nan, np.nan) if pair.amygdala is None else pair.amygdala for pair in pairs]
        )

    @classmethod
    def of(cls, task: str, persons: Sequence[EvaluatedPerson]) -> _Stack:
        return cls(task, [person for person in persons if task in person.contrasts])

    def beside_measured(self, name: str, forecast: Floats) -> PairedMaps:
        """Forecast maps beside measured ones of the same kind, ``t`` or ``estimate``."""
        return PairedMaps(self.ids, forecast, self.measured[name])

    def people_figures(self, donors: Sequence[Mapping[str, EvaluatedPerson]]) -> dict[str, Any]:
        """Correlation over regions of each person's own maps, mean over people."""
        own, forecast = self.measured["estimate"], self.forecast["estimate"]
        exchanged = [
            float(np.nanmean(map_r(forecast[rows[rows >= 0]], own[rows >= 0])))
            for rows in donor_rows(self.ids, donors)
            if (rows >= 0).any()
        ]
        return {
            "twin_r": figure_of_mean(map_r(forecast, own)),
            "rule/mean_of_others_r": figure_of_mean(map_r(mean_of_others(own), own)),
            "control/shuffled_r": float(np.mean(exchanged)) if exchanged else None,
        }

    def between_people(self, donors: Sequence[Mapping[str, EvaluatedPerson]]) -> dict[str, Any]:
        """Correlation over people of how strongly they answer, forecast and measured."""
        # One direction for everybody: with each person left out of their own, a forecast that is
        # the same for all would seem to differ, and to differ the wrong way round.
        direction = self.measured["estimate"].mean(axis=0)
        forecast = contrast_score(self.forecast["estimate"], direction)
        measured = contrast_score(self.measured["estimate"], direction)
        found: dict[str, Any] = {
            "contrast_score": _pair(forecast, measured),
            "control/shuffled:contrast_score": shuffled_r(self.ids, forecast, measured, donors),
        }
        if np.isfinite(self.amygdala).all():
            ours, theirs = self.amygdala.T
            found["amygdala"] = _pair(ours, theirs)
            found["control/shuffled:amygdala"] = shuffled_r(self.ids, ours, theirs, donors)
        return found

    def identification(self, seed: int) -> dict[str, Any] | None:
        """Whether own maps are closer than others'.

        None where several bundles made the forecasts, or all people have the same.
        """
        forecast, measured = self.forecast["estimate"], self.measured["estimate"]
        n_bundles = len({person.bundle.digest for person in self.persons})
        if n_bundles > 1 or is_same_for_everybody(forecast):
            return None
        departures = identify(forecast, measured, seed=seed, from_group=True)
        return {
            "maps": identification_json(identify(forecast, measured, seed=seed)),
            "departures_from_the_mean": identification_json(departures),
        }


def identification_json(found: Identification) -> dict[str, Any]:
    """Return rates, chance and p of an identification."""
    return {
        "n_people": found.n_people,
        "pairwise_rate": found.pairwise_rate,
        "pairwise_chance": 0.5,
        "pairwise_p": found.pairwise_p,
        "top_rate": found.top_rate,
        "top_chance": 1 / found.n_people,
        "top_p": found.top_p,
    }


def figure_of_mean(values: Floats) -> dict[str, float | int | None]:
    """Return the mean of one value a person with its interval; people with NaN are left out."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Figure(np.nan, np.nan, np.nan, 0).to_json()
    return bootstrap(metric_sums.person_values(known), metric_sums.mean).to_json()


def figure_of_r(x: Floats, y: Floats) -> Figure:
    """Return the correlation over people of two values each, with its interval.

    NaN where fewer than five people have both, or one does not vary.
    """
    both = np.isfinite(x) & np.isfinite(y)
    n = int(both.sum())
    if n < FEWEST_FOR_R:
        return Figure(np.nan, np.nan, np.nan, n)
    everybody = People(np.arange(n).astype(np.str_), np.arange(n))
    sums = metric_sums.pair_products(x[both], y[both], everybody)
    return bootstrap(sums, metric_sums.correlation)


def _pair(x: Floats, y: Floats) -> dict[str, float | int | None]:
    return figure_of_r(x, y).to_json()
