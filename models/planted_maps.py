"""Group maps of what was planted in simulated people: what a forecast without fault would reach.

A t over people is a mean over a spread. In scans most of the spread is noise; in the planted
responses it is people alone, so even they give another map. What twins reach with forecasts that
have no noise has to be held against this. Of the planted responses the contrast's estimate is
taken: without noise a person's own t is a division by what the model's form leaves over.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .contrast_maps import run_contrast
from .evaluated_people import EvaluatedPerson
from .map_statistics import group_map_figures
from .simulation import SimulatedCohort
from .twin_contrasts import Window

Floats = NDArray[np.float64]


def noiseless_group_t_r(
    persons: Sequence[EvaluatedPerson], cohort: SimulatedCohort, window_s: Window
) -> dict[str, float | None]:
    """Return r of measured group t with that of what was planted, forecast without a fault.

    Parameters
    ----------
    persons : sequence of EvaluatedPerson
    cohort : SimulatedCohort
        That they are from.
    window_s : tuple of two float or None
        Part of the runs to fit; None for all of it.

    Returns
    -------
    dict
        As `map_statistics.group_map_figures` gives; empty where nobody has contrasts.
    """
    planted: dict[str, list[Floats]] = {}
    measured: dict[str, list[Floats]] = {}
    for person in persons:
        manifest = person.bundle.manifest
        columns = list(cohort.parcellation.indices(manifest.bold_regions))
        for each in person.runs:
            pair = person.contrasts.get(each.run.task)
            if pair is None:
                continue
            bold = cohort.planted_bold(person.participant_id, each.run)[:, columns]
            contrast = run_contrast(each.run.events, bold, window_s)
            if contrast is not None:
                planted.setdefault(each.run.task, []).append(contrast.estimate)
                measured.setdefault(each.run.task, []).append(pair.measured.t)
    if not planted:
        return {}
    found = group_map_figures(
        {task: np.stack(rows) for task, rows in planted.items()},
        {task: np.stack(rows) for task, rows in measured.items()},
    )
    return {name: float(r) if np.isfinite(r) else None for name, r in found.items()}
