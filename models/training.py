"""From a cohort to a checkpoint: split people, train, measure on held-out people, keep norms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.tasks import TASKS

from .bold_readout import refit_bold_readout
from .bold_regions import paper_bold_regions
from .checkpoint import Checkpoint, save_checkpoint
from .cohort_norms import cohort_norms
from .cohorts import Cohort, Participant, split_participants
from .config import NetworkConfig, Preset, compact_config, graded_leak, paper_config
from .hypernetwork import CompactHypernetwork, TwinNetwork
from .measurement import held_out_figures, run_forecasts
from .settings import TrainingSettings, default_settings
from .simple_rules import RULE_PREFIX, SHUFFLED_PREFIX, rule_figures, shuffled
from .tensors import BlockForm, TrainingData, bold_scale, training_data
from .training_loop import fit, held_out_losses, select_device
from .training_state import EpochLosses

FEWEST_PEOPLE = 6
"""Fewer cannot be split into training, validation and held-out people."""


def preset_config(
    preset: Preset,
    parcellation: Parcellation,
    *,
    bold_regions: Sequence[str] | None = None,
    hidden_size: int | None = None,
    latent_size: int | None = None,
) -> tuple[NetworkConfig, tuple[str, ...]]:
    """Return the network of a preset for a parcellation and the labels of its BOLD outputs.

    Raises
    ------
    UsageError
        If a BOLD region is not in the parcellation, or the sizes do not fit the preset.
    """
    n_regions = len(parcellation.labels)
    n_edges = n_regions * (n_regions - 1) // 2
    if bold_regions is None:
        bold_regions = (
            parcellation.labels if preset == "compact" else paper_bold_regions(parcellation)
        )
    unknown = [label for label in bold_regions if label not in parcellation.labels]
    if unknown:
        raise UsageError(
            f"BOLD regions must be regions of parcellation '{parcellation.name}'; unknown: "
            f"{', '.join(unknown[:10])}."
        )
    if preset == "paper":
        if latent_size is not None:
            raise UsageError("The paper preset has no latent; leave out the latent size.")
        config = paper_config(n_edges, len(bold_regions))
    else:
        config = compact_config(n_edges, len(bold_regions))
        config = config if latent_size is None else replace(config, latent_size=latent_size)
    if hidden_size is not None:
        leak = graded_leak(hidden_size) if preset == "compact" else (1.0,) * hidden_size
        config = replace(config, hidden_size=hidden_size, leak=leak)
    return config, tuple(bold_regions)


def train(
    cohort: Cohort,
    folder: Path,
    *,
    name: str,
    preset: Preset = "compact",
    config: NetworkConfig | None = None,
    bold_regions: Sequence[str] | None = None,
    settings: TrainingSettings | None = None,
    resume: bool = False,
    device: str = "auto",
    on_epoch: Callable[[EpochLosses], bool | None] | None = None,
) -> Checkpoint:
    """Train a network on a cohort and write its checkpoint.

    Parameters
    ----------
    cohort : Cohort
        With connectomes of everybody and task BOLD of somebody.
    folder : Path
        For the checkpoint, and for the training state while it runs.
    name : str
        Of the bundle to be.
    preset : {"compact", "paper"}
    config : NetworkConfig, optional
        Instead of the preset's own; its sizes must fit the cohort.
    bold_regions : sequence of str, optional
        BOLD outputs; by default all regions (compact) or the paper's areas (paper).
    settings : TrainingSettings, optional
        By default the preset's.
    resume : bool
        Go on from a training state in `folder`.
    device : str
        ``auto``, ``cpu``, ``cuda``.
    on_epoch : callable, optional
        Called after each epoch; training ends where it returns True.

    Raises
    ------
    CohortError
        If there are too few people, or data that training needs are not there.
    """
    if cohort.parcellation is None:
        raise CohortError(
            "Training needs the cohort's region table (labels, networks, hemispheres); it has "
            "none. Give one with --regions."
        )
    parcellation = cohort.parcellation
    own_config, labels = preset_config(preset, parcellation, bold_regions=bold_regions)
    config = config or own_config
    settings = settings or default_settings(config)
    participants = list(cohort.participants)
    parts = _split(participants, settings)
    columns = tuple(int(i) for i in parcellation.indices(labels))
    form = BlockForm(
        n_actions=config.n_actions,
        columns=columns,
        scale=bold_scale(parts[0], columns),
        masked=settings.masked,
        bold_stride=1 if settings.interpolate_bold else config.bold_stride,
        bold_target=settings.bold_target,
    )
    training, validation = training_data(parts[0], form), training_data(parts[1], form)
    chosen_device = select_device(device)
    network, history = fit(
        config,
        settings,
        training,
        validation,
        folder,
        resume=resume,
        device=chosen_device,
        on_epoch=on_epoch,
    )
    measured_form = replace(form, bold_stride=config.bold_stride, bold_target="measured")
    measured_training = training_data(parts[0], measured_form)
    if isinstance(network.hypernetwork, CompactHypernetwork):
        refit_bold_readout(
            network,
            measured_training,
            training_data(parts[1], measured_form),
        )
        network.hypernetwork.round_for_export()
    held_out = training_data(parts[2], measured_form)
    # What a bundle cannot forecast is no structure of it: the paper preset reads a few regions.
    parcellation = replace(
        parcellation,
        structures={
            structure: tuple(label for label in members if label in labels)
            for structure, members in parcellation.structures.items()
            if any(label in labels for label in members)
        },
    )
    tasks = tuple(t for t in TASKS if any(b.task == t for b in training.blocks))
    checkpoint = Checkpoint(
        name=name,
        config=config,
        network=network,
        parcellation=parcellation,
        bold_regions=labels,
        bold_mean=form.scale.mean,
        bold_sd=form.scale.sd,
        tasks=tasks,
        training={
            "description": cohort.description,
            "kind": cohort.kind,
            "warning": cohort.warning,
            "n_train": len(parts[0]),
            "n_validation": len(parts[1]),
            "n_test": len(parts[2]),
            "split": "by participant, drawn from the seed",
            "seed": settings.seed,
            "epochs": len(history),
            "settings": settings.to_json(),
        },
        measured=_measure(network, (parts[2], held_out), (parts[0], measured_training), settings),
        norms=cohort_norms(
            network,
            training.edges,
            torch.cat([validation.edges, held_out.edges]),
            tasks,
            parcellation,
            labels,
        ),
    )
    save_checkpoint(folder, checkpoint)
    return checkpoint


def _split(
    participants: list[Participant], settings: TrainingSettings
) -> tuple[list[Participant], list[Participant], list[Participant]]:
    """Return training, validation and held-out people."""
    if len(participants) < FEWEST_PEOPLE:
        raise CohortError(
            f"Training needs at least {FEWEST_PEOPLE} participants, so that some can be held out; "
            f"this cohort has {len(participants)}."
        )
    shares = {
        "training": settings.train_fraction,
        "validation": settings.validation_fraction,
        "held out": 1 - settings.train_fraction - settings.validation_fraction,
    }
    parts = split_participants([p.participant_id for p in participants], shares, settings.seed)
    by_id = {p.participant_id: p for p in participants}
    training, validation, held_out = ([by_id[i] for i in ids] for ids in parts.values())
    return training, validation, held_out


def _measure(
    network: TwinNetwork,
    held_out: tuple[list[Participant], TrainingData],
    training: tuple[list[Participant], TrainingData],
    settings: TrainingSettings,
) -> dict[str, float]:
    """Return the figures of the held-out people, with the network in its exported form.

    Beside each stands what a simple rule reaches (``rule/``), and what twins reach that were made
    from other people's connectomes (``shuffled/``).
    """
    people, data = held_out

    def of_twins(data: TrainingData) -> dict[str, float]:
        stride = network.config.bold_stride
        action, bold = held_out_losses(network, data, settings, select_device("cpu"), stride)
        figures = held_out_figures(list(run_forecasts(network, people, data)))
        return figures | {"action_loss": action, "bold_mse": bold}

    figures = of_twins(data)
    figures |= {SHUFFLED_PREFIX + k: v for k, v in of_twins(shuffled(data)).items()}
    figures |= {RULE_PREFIX + k: v for k, v in rule_figures(*held_out, *training).items()}
    return {k: round(float(v), 6) for k, v in sorted(figures.items()) if np.isfinite(v)}
