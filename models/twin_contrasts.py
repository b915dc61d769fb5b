"""A task's contrast in the BOLD that a twin forecasts, beside that in its person's scan."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.events import Events
from dtb_runtime.forecast import Forecast
from dtb_runtime.glm import Contrast, structure_bold
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.prepared_run import prepare_run
from dtb_runtime.tasks import get_task
from dtb_runtime.twin import Twin

from .cohorts import Run
from .contrast_maps import paired_contrasts, run_contrast
from .planted import AMYGDALA, AMYGDALA_TASK

Window = tuple[float, float] | None
"""Part of a run in seconds; None for all of it."""


@dataclass(frozen=True, slots=True, eq=False)
class ContrastPair:
    """A task's contrast in one person, forecast and measured, in the units of the training data."""

    forecast: Contrast
    """Of the mean over the draws of the person's latent, without noise."""
    scanned: Contrast
    """Of one scan of one draw: somebody who may be this person, with noise. Such
    scans spread over people as those of a study do; averaged forecasts are of people who hardly
    differ, and have no noise."""
    measured: Contrast
    amygdala: tuple[float, float] | None
    """Forecast and measured estimate in the mean series of the right amygdala, where the task
    moves it and the parcellation has it."""
    anybody: Contrast | None = None
    """As `scanned`, of one draw of the whole population; None where the bundle does not know it."""


def contrast_pair(
    run: Run, forecast: Forecast, parcellation: Parcellation | None, window_s: Window
) -> ContrastPair | None:
    """Return a run's contrasts over the frames that forecast and scan both have.

    Parameters
    ----------
    run : Run
    forecast : Forecast
        Of this run.
    parcellation : Parcellation or None
        Regions of the run's BOLD.
    window_s : tuple of two float or None
        Part of the run to fit; None for all of it.

    Returns
    -------
    ContrastPair or None
        None without BOLD or regions, or where the frames do not give the contrast.
    """
    bold = run.bold if parcellation is not None else None
    if bold is None or parcellation is None:
        return None
    manifest = forecast.twin.bundle.manifest
    labels = forecast.region_labels
    sd = np.array(manifest.normalization.bold_sd, np.float32)
    ours = forecast.bold * sd
    theirs = np.asarray(bold, np.float32)[:, list(parcellation.indices(labels))]
    has_amygdala = run.task == AMYGDALA_TASK
    if has_amygdala:
        deep = [structure_bold(x, labels, parcellation.structures) for x in (ours, theirs)]
        has_amygdala = AMYGDALA in deep[0]
        if has_amygdala:
            ours, theirs = (
                np.column_stack([x, own[AMYGDALA]])
                for x, own in zip((ours, theirs), deep, strict=True)
            )
    pair = paired_contrasts(run.events, ours, theirs, window_s)
    scan = _scan(forecast.twin, run.events)[: len(theirs)] * sd
    scanned = run_contrast(run.events, scan, window_s)
    if pair is None or scanned is None:
        return None
    anybody = None
    if forecast.twin.bundle.norms.prior is not None:
        anyone = forecast.twin.bundle.population_twin(participant_id=forecast.twin.participant_id)
        of_anyone = _scan(anyone, run.events, "population")[: len(theirs)] * sd
        anybody = run_contrast(run.events, of_anyone, window_s)
    amygdala = (float(pair[0].estimate[-1]), float(pair[1].estimate[-1])) if has_amygdala else None
    mean, measured = (_cut(each, len(labels)) for each in pair)
    return ContrastPair(mean, scanned, measured, amygdala, anybody)


def _scan(twin: Twin, events: Events, luck: str = "own") -> NDArray[np.float32]:
    """One scan of one person who may be this one, in SDs of the training data.

    White noise fills up what the forecast leaves of each region's variance, which is 1.
    """
    # Its noise, and which draw it is of, follow from whose scan it is and from `luck` alone.
    name = f"{twin.participant_id} {events.task} {luck}".encode()
    rng = np.random.default_rng(zlib.crc32(name))
    weights = twin.weights
    if twin.posterior is not None:
        # The first of two: one draw alone would be the mean.
        (latent,) = twin.draws(2, seed=int(rng.integers(2**31)), task=events.task)[:1]
        weights = twin.bundle.decode(latent)
    run = prepare_run(get_task(events.task), events)
    _, bold, _ = twin.bundle.run_main(weights, run.network_input)
    noise_sd = np.sqrt(np.maximum(1 - bold.var(axis=0), 0))
    noise = noise_sd * rng.standard_normal(bold.shape)
    return np.asarray(bold + noise, np.float32)


def _cut(contrast: Contrast, n_regions: int) -> Contrast:
    return replace(contrast, estimate=contrast.estimate[:n_regions], t=contrast.t[:n_regions])
