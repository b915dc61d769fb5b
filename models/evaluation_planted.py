"""What twins of simulated people find of what was planted, beside what can be found at best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import MissingDependencyError

from .cohorts import Participant
from .connectome_prediction import METHODS, MIN_PEOPLE, predict_from_connectomes
from .evaluated_people import EvaluatedPerson
from .evaluation_controls import shuffled_r
from .evaluation_maps import figure_of_r
from .explained_variance import correlation, explained_by
from .planted import SCALES, Ceiling, PlantedPeople, ceilings, contrast_score, planted_people
from .planted_maps import noiseless_group_t_r
from .progress import OnProgress
from .simulated_people import TRAITS
from .simulation import SimulatedCohort
from .twin_contrasts import Window

Floats = NDArray[np.float64]

LEAST_CEILING = 0.05
"""No share of a lower ceiling is taken: it is nothing but noise."""
N_FOLDS = 10
"""Folds of the regressions that say how much latents explain."""


@dataclass(frozen=True, slots=True, eq=False)
class PlantedGroups:
    """People that twins were trained on and people that they are judged on, and their truth."""

    cohort: SimulatedCohort
    training: PlantedPeople
    new: PlantedPeople
    training_edges: NDArray[np.float32] | None
    """Fisher z of the training people, shape (n_people, n_edges), for linear models."""

    @classmethod
    def of(
        cls,
        cohort: SimulatedCohort,
        training: Sequence[Participant],
        persons: Sequence[EvaluatedPerson],
        window_s: Window,
        *,
        training_edges: NDArray[np.float32] | None = None,
        on_progress: OnProgress | None = None,
    ) -> PlantedGroups:
        """Measure both groups, and read the planted factors from their scans."""
        total = len(training) + len(persons)

        def progress_after(before: int) -> Any:
            def progress(done: int, _: int) -> None:
                if on_progress is not None:
                    on_progress(before + done, total, "what was planted")

            return progress

        judged = [person.runs[0].participant for person in persons]
        return cls(
            cohort,
            planted_people(cohort, training, window_s=window_s, progress=progress_after(0)),
            planted_people(
                cohort, judged, window_s=window_s, progress=progress_after(len(training))
            ),
            training_edges,
        )


def planted_figures(
    groups: PlantedGroups,
    persons: Sequence[EvaluatedPerson],
    donors: Sequence[Mapping[str, EvaluatedPerson]],
    window_s: Window,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the ``planted`` section of an evaluation of simulated people.

    Parameters
    ----------
    groups : PlantedGroups
    persons : sequence of EvaluatedPerson
        The new people, in the order of `groups`.
    donors : sequence of mapping of str to EvaluatedPerson
        Whose connectome each person gets, for each shuffle.
    window_s : tuple of two float or None
        The part of the runs that was measured.
    seed : int

    Returns
    -------
    dict
        JSON values; ``notes`` are sentences about what could not be done.
    """
    best = ceilings(groups.training, groups.new)
    forecasts = forecast_targets(persons, groups.cohort)
    linear, notes = _linear(groups, persons, seed)
    ids = [person.participant_id for person in persons]
    return {
        "window_s": None if window_s is None else list(window_s),
        "noiseless_group_t_r": noiseless_group_t_r(persons, groups.cohort, window_s),
        "n_training": len(groups.training.participant_ids),
        "n_new": len(groups.new.participant_ids),
        "targets": {
            name: _target(
                best[name],
                forecasts.get(name.replace("true_contrast_scale", "contrast_score")),
                ids,
                donors,
                {method: values[name] for method, values in linear.items() if name in values},
            )
            for name in best
            if name not in (*TRAITS, *SCALES)
        },
        "explained": _explained(groups, persons, seed),
        "notes": list(notes),
    }


def forecast_targets(
    persons: Sequence[EvaluatedPerson], cohort: SimulatedCohort
) -> dict[str, Floats]:
    """Return what twins forecast of each target of `PlantedPeople`, shape (n_people,) each.

    NaN where a person's runs do not tell.
    """
    rows = []
    for person in persons:
        row = {f"reaction_time:{task}": value for task, value in person.expected_s.items()}
        if person.expected_s:
            row["reaction_time"] = float(np.mean(list(person.expected_s.values())))
        for task, pair in person.contrasts.items():
            planted = cohort.response_maps.contrast(pair.forecast.positive, pair.forecast.negative)
            labels = person.bundle.manifest.bold_regions
            planted = planted[cohort.parcellation.indices(labels)]
            row[f"contrast_score:{task}"] = float(contrast_score(pair.forecast.estimate, planted))
            if pair.amygdala is not None:
                row[f"amygdala:{task}"] = pair.amygdala[0]
        rows.append(row)
    names = sorted({name for row in rows for name in row})
    return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}


def _target(
    ceiling: Ceiling,
    forecast: Floats | None,
    ids: Sequence[str],
    donors: Sequence[Mapping[str, EvaluatedPerson]],
    linear: Mapping[str, Floats],
) -> dict[str, Any]:
    known = np.ones(len(ceiling.observed), np.bool_) if forecast is None else np.isfinite(forecast)
    best = correlation(ceiling.predicted[known], ceiling.observed[known])
    found: dict[str, Any] = {
        "ceiling_r": _finite(best),
        "ceiling_r_true_factors": _finite(ceiling.r_true_factors),
    }
    if forecast is not None:
        own = figure_of_r(forecast, ceiling.observed)
        found |= {
            "twin_r": own.to_json(),
            "share_of_ceiling": _finite(own.value / best if best > LEAST_CEILING else np.nan),
            "control/shuffled_r": shuffled_r(ids, forecast, ceiling.observed, donors),
        }
    return found | {
        f"connectome/{method}_r": _finite(correlation(values[known], ceiling.observed[known]))
        for method, values in linear.items()
    }


def _linear(
    groups: PlantedGroups, persons: Sequence[EvaluatedPerson], seed: int
) -> tuple[dict[str, dict[str, Floats]], tuple[str, ...]]:
    """Return what linear models of the edges predict of each measured target, or why nothing."""
    train = groups.training_edges
    if train is None:
        return {}, ()
    known = [person.edges for person in persons if person.edges is not None]
    names = [
        name
        for name, values in groups.training.targets.items()
        if name not in (*TRAITS, *SCALES) and np.isfinite(values).sum() >= MIN_PEOPLE
    ]
    left_out = "Linear models of what was planted are left out"
    if len(known) < len(persons):
        return {}, (f"{left_out}: not everybody who is judged has a connectome.",)
    if not names:
        return {}, (f"{left_out}: fewer than {MIN_PEOPLE} people to learn from.",)
    values = np.stack([groups.training.targets[name] for name in names], axis=1)
    found: dict[str, dict[str, Floats]] = {}
    for method in METHODS:
        try:
            predicted = predict_from_connectomes(
                train, values, np.stack(known), seed, method=method
            )
        except MissingDependencyError as error:
            return {}, (f"{left_out}. {error}",)
        found[method] = dict(zip(names, predicted.T, strict=True))
    return found, ()


def _explained(
    groups: PlantedGroups, persons: Sequence[EvaluatedPerson], seed: int
) -> dict[str, dict[str, float | None]]:
    """R2 over new people of everything planted, from latents and from the factors in their scans.

    ``connectome`` is the latent that a connectome gives, ``posterior`` that after trials.
    """
    new = groups.new
    planted = {name: new.targets[name] for name in (*TRAITS, *SCALES) if name in new.targets}
    planted |= {f"factor_{k + 1}": row for k, row in enumerate(new.true_factors.T)}
    sources: dict[str, Floats] = {"scan": new.seen_factors}
    latents = {
        "connectome": [person.start.latent for person in persons if person.edges is not None],
        "posterior": [person.twin.latent for person in persons if person.learning is not None],
    }
    for name, rows in latents.items():
        known = [row for row in rows if row is not None]
        if len(known) == len(persons):
            sources[name] = np.stack(known).astype(np.float64)
    found: dict[str, dict[str, float | None]] = {}
    for name, rows_of in sources.items():
        if len(rows_of) * (N_FOLDS - 1) // N_FOLDS > rows_of.shape[1] + 2:
            explained = explained_by(rows_of, planted, n_folds=N_FOLDS, seed=seed)
            found[name] = {key: _finite(value) for key, value in explained.items()}
    return found


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
