"""The authors' public task, learned from scratch by this project's own training code.

The settings were chosen by the loss of validation people, who are drawn from the authors' training
people; their test people decide nothing and are only measured at the end.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dtb_runtime.errors import DataError

from .bold_targets import N_DESIGN_SIGNALS
from .hypernetwork import TwinNetwork
from .progress import OnProgress
from .reference import ReferenceData, ReferencePeople
from .settings import TrainingSettings
from .tensors import RunBlock, TrainingData
from .training_loop import EpochLosses, fit

HIDDEN_SIZE = 16
HYPERNETWORK_SIZES = (64, 64)
"""The sizes of the authors' own network, so that only the training differs."""
VALIDATION_FRACTION = 0.1


@dataclass(frozen=True, slots=True)
class TrainedReference:
    """A network trained on the authors' people and how it was."""

    network: TwinNetwork
    settings: TrainingSettings
    history: tuple[EpochLosses, ...]
    n_train: int
    n_validation: int


def reference_settings(n_steps: int, *, seed: int = 0) -> TrainingSettings:
    """Return the settings of `train_reference_network`.

    A first rate ten times the authors' 3e-4 falls to nearly nothing, and gradients are cut at
    length 1 instead of 0.05: the loss is then lower after 40 epochs than theirs after 120.
    """
    return TrainingSettings(
        epochs=60,
        batch_size=32,
        segment_steps=n_steps,
        learning_rate=3e-3,
        final_learning_rate=6e-5,
        action_weight=1.0,
        bold_weight=1.0,
        masked=False,
        carry_state=False,
        interpolate_bold=True,  # BOLD counts at every step; here it is given at every step
        patience=20,
        clip_norm=1.0,
        train_fraction=1 - VALIDATION_FRACTION,
        validation_fraction=VALIDATION_FRACTION,
        seed=seed,
    )


def train_reference_network(
    data: ReferenceData,
    *,
    seed: int = 0,
    epochs: int | None = None,
    on_progress: OnProgress | None = None,
) -> TrainedReference:
    """Train a network of the authors' size on their training people.

    Parameters
    ----------
    data : ReferenceData
        ``data.test`` is not looked at.
    seed : int
        Of the starting weights, the order of people and who validates.
    epochs : int, optional
        By default those of `reference_settings`.
    on_progress : callable, optional
        Called after each epoch.

    Raises
    ------
    DataError
        If there are too few people to hold some out for validation.
    """
    people = data.train
    n_people, n_steps = people.stimulus.shape[:2]
    n_validation = round(n_people * VALIDATION_FRACTION)
    if n_validation < 1:
        raise DataError(
            f"Training needs at least {round(1 / VALIDATION_FRACTION)} people, so that some decide "
            f"when to stop; the data set has {n_people} training people."
        )
    settings = reference_settings(n_steps, seed=seed)
    if epochs is not None:
        settings = replace(settings, epochs=epochs)
    order = np.random.default_rng(seed).permutation(n_people)
    validation, training = order[:n_validation], order[n_validation:]
    with tempfile.TemporaryDirectory() as folder:
        network, history = fit(
            data.config(HYPERNETWORK_SIZES, HIDDEN_SIZE),
            settings,
            _training_data(people, training),
            _training_data(people, validation),
            Path(folder),
            device=torch.device("cpu"),  # a GPU is slower for 16 units, and its digits differ
            on_progress=on_progress,
        )
    return TrainedReference(network, settings, history, len(training), n_validation)


def _training_data(people: ReferencePeople, chosen: NDArray[np.int64]) -> TrainingData:
    """Return some of the people as one block; step 0 does not count, as in the figures."""
    n_steps = people.stimulus.shape[1]
    counted = torch.ones(len(chosen), n_steps, dtype=torch.bool)
    counted[:, 0] = False
    block = RunBlock(
        task="reference",
        run="1",
        people=tuple(range(len(chosen))),
        stimulus=torch.from_numpy(people.delayed_stimulus[chosen]),
        targets=torch.from_numpy(people.actions[chosen]),
        counted=counted,
        bold=torch.from_numpy(people.bold[chosen]),
        bold_counted=counted,
        design=torch.zeros(len(chosen), n_steps, N_DESIGN_SIGNALS),
        right_option=torch.full((len(chosen), n_steps), -1, dtype=torch.int8),
        trial_start=torch.zeros(len(chosen), n_steps, dtype=torch.int32),
    )
    return TrainingData(torch.from_numpy(people.edges[chosen]), (block,))
