"""Contrast maps of people's runs: forecast beside measured.

A GLM of each run gives one t and one estimate per region; `map_statistics` makes group maps of
them. Forecast BOLD has no scanner noise in it, so one person's t is large there; what two maps are
compared by is therefore always a correlation over regions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.errors import UsageError
from dtb_runtime.events import Events
from dtb_runtime.glm import Contrast, design_matrix, fit_contrast
from dtb_runtime.tasks import TR_S, get_task

LEAD_IN_S = 24.0
"""Trials that began earlier than this before a window do not reach into it."""


def run_contrast(
    events: Events, bold: NDArray[np.floating], window_s: tuple[float, float] | None = None
) -> Contrast | None:
    """Fit a run's GLM and take its task's contrast.

    Parameters
    ----------
    events : Events
        The run's trials.
    bold : numpy.ndarray, shape (n_frames, n_regions)
        BOLD of the run from its first frame, at TR 0.8 s; it may break off early.
    window_s : tuple of two float, optional
        Start and end of the part to fit, in seconds; by default all of it. Trials before the part
        count as far as their response reaches into it.

    Returns
    -------
    Contrast or None
        None where the frames do not tell the two trial types apart, as in a scan that broke off.

    Raises
    ------
    DataError
        If BOLD is not finite.
    UsageError
        If the window does not end after it starts, or starts before the run.
    """
    events, bold = _part(events, bold, window_s)
    contrast = get_task(events.task).contrast
    if len(bold) < 2:
        return None
    design = design_matrix(events, len(bold), TR_S)
    if design.why_no_contrast(contrast) is not None:
        return None
    return fit_contrast(bold, design, contrast)


def paired_contrasts(
    events: Events,
    forecast_bold: NDArray[np.floating],
    measured_bold: NDArray[np.floating],
    window_s: tuple[float, float] | None = None,
) -> tuple[Contrast, Contrast] | None:
    """Return forecast and measured contrast of one run over the frames that both have.

    Parameters are those of `run_contrast`; None where the frames do not give the contrast.
    """
    n_frames = min(len(forecast_bold), len(measured_bold))
    forecast = run_contrast(events, forecast_bold[:n_frames], window_s)
    measured = run_contrast(events, measured_bold[:n_frames], window_s)
    return None if forecast is None or measured is None else (forecast, measured)


def _part(
    events: Events, bold: NDArray[np.floating], window_s: tuple[float, float] | None
) -> tuple[Events, NDArray[np.floating]]:
    if window_s is None:
        return events, bold
    start_s, end_s = window_s
    if not 0 <= start_s < end_s:
        raise UsageError(
            f"A window must start in the run and end after it starts, found {start_s:g} to "
            f"{end_s:g} s."
        )
    first, stop = round(start_s / TR_S), round(end_s / TR_S)
    shifted = events.onset_s - first * TR_S
    kept = np.flatnonzero((shifted > -LEAD_IN_S) & (events.onset_s < end_s))
    part = bold[first:stop]
    return (
        replace(
            events,
            onset_s=shifted[kept],
            duration_s=events.duration_s[kept],
            trial_type=tuple(events.trial_type[i] for i in kept),
            trial_group=tuple(events.trial_group[i] for i in kept),
            correct_option=events.correct_option[kept],
            columns={
                name: tuple(column[i] for i in kept) for name, column in events.columns.items()
            },
            onset_step=events.onset_step[kept],
            offset_step=events.offset_step[kept],
            n_frames=len(part),
            source=f"{events.source} ({start_s:g} to {end_s:g} s)",
        ),
        part,
    )
