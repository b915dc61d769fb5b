"""The control that takes the connectome as additional input, trained and judged.

The paper compares its hypernetwork with it: the same kind of network, one for everybody, told in
every step whose connectome it is. It is trained end to end and never exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .checkpoint import JSON_FILE, Checkpoint, load_checkpoint
from .cohorts import Cohort, Participant
from .judged_trials import JudgedTrials
from .measurement import run_forecasts
from .progress import OnProgress
from .protocols import JudgedPeople
from .settings import TrainingSettings, paper_settings
from .tensors import BlockForm, BoldScale, training_data
from .training import train

EPOCHS = 60
LEARNING_RATE = 2e-3
"""The paper's rate of 1e-6 takes 800 epochs for a much larger network."""
FINAL_RATE = 2e-5
VALIDATION_SHARE = 0.15


def direct_settings(*, epochs: int = EPOCHS, seed: int = 0) -> TrainingSettings:
    """Return how the control is trained: on everybody given, but for validation."""
    return replace(
        paper_settings(epochs=epochs, seed=seed, masked=True),
        learning_rate=LEARNING_RATE,
        final_learning_rate=FINAL_RATE,
        carry_state=True,
        interpolate_bold=False,
        segment_steps=260,
        clip_norm=1.0,
        train_fraction=1 - VALIDATION_SHARE,
        validation_fraction=VALIDATION_SHARE,
    )


def train_direct_input(
    cohort: Cohort,
    folder: Path,
    settings: TrainingSettings,
    *,
    resume: bool = False,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> Checkpoint:
    """Train the control on a cohort; a finished training in the folder is read with `resume`."""
    if resume and (folder / JSON_FILE).exists():
        return load_checkpoint(folder)
    parcellation = cohort.parcellation
    return train(
        cohort,
        folder,
        name="direct_input",
        preset="direct",
        # Every region, as twins forecast them.
        bold_regions=None if parcellation is None else parcellation.labels,
        settings=settings,
        resume=resume,
        device=device,
        on_progress=on_progress,
    )


def direct_input_trials(
    checkpoint: Checkpoint, people: JudgedPeople, participant_ids: Sequence[str]
) -> dict[str, tuple[JudgedTrials, ...]]:
    """Return the judged trials of people with connectomes as the control forecasts them.

    Parameters
    ----------
    checkpoint : Checkpoint
        Of the direct preset.
    people : JudgedPeople
    participant_ids : sequence of str
        Whom of them to forecast.

    Returns
    -------
    dict of str to tuple of JudgedTrials
        Participant id to one table for each judged run, in their order.
    """
    judged = set(participant_ids)
    runs = [each for each in people.runs if each.participant_id in judged]
    masks: dict[tuple[str, str], NDArray[np.bool_]] = {
        (each.participant_id, each.run.run): each.judged for each in runs
    }
    persons: dict[str, Participant] = {}
    for each in runs:
        known = persons.get(each.participant_id, replace(each.participant, runs=()))
        # Without BOLD: it is not judged here, and simulating it takes longer than the forecast.
        run = replace(each.run, bold_source=None)
        persons[each.participant_id] = replace(known, runs=(*known.runs, run))
    config = checkpoint.config
    form = BlockForm(
        n_actions=config.n_actions,
        columns=tuple(range(config.n_bold)),
        scale=BoldScale(checkpoint.bold_mean, checkpoint.bold_sd),
        masked=True,
        bold_stride=config.bold_stride,
    )
    everybody = list(persons.values())
    data = training_data(everybody, form)
    tables: dict[tuple[str, str], JudgedTrials] = {}
    for found in run_forecasts(checkpoint.network, everybody, data):
        key = found.participant.participant_id, found.run.run
        tables[key] = JudgedTrials.from_forecast(key[0], found.run, found.distributions, masks[key])
    return {
        one: tuple(tables[one, run.run] for run in person.runs) for one, person in persons.items()
    }
