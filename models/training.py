"""From a cohort to a checkpoint: split people, train, measure on held-out people, keep norms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.manifest_sections import participant_digest
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.tasks import TASKS

from .bold_regions import paper_bold_regions
from .checkpoint import Checkpoint, save_checkpoint
from .cohort_norms import cohort_norms
from .cohorts import Cohort, Participant, contributors, split_participants
from .compact_training import fit_compact
from .config import NetworkConfig, Preset, compact_config, direct_config, paper_config
from .encoder_fit import EncoderFit
from .hypernetwork import TwinNetwork
from .measurement import bold_error, held_out_figures, run_forecasts
from .population_settings import PopulationSettings
from .progress import OnProgress
from .settings import TrainingSettings, paper_settings
from .simple_rules import RULE_PREFIX, SHUFFLED_PREFIX, rule_figures, shuffled
from .tensors import BlockForm, BoldScale, TrainingData, bold_scale, training_data
from .training_loop import fit, select_device

FEWEST_PEOPLE = 6
"""Fewer cannot be split into training, validation and held-out people."""


def preset_config(
    preset: Preset,
    parcellation: Parcellation,
    *,
    bold_regions: Sequence[str] | None = None,
    hidden_size: int | None = None,
    personal_units: int | None = None,
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
    if preset != "compact":
        if latent_size is not None or personal_units is not None:
            raise UsageError(
                f"The {preset} preset has no latent and no personal units; leave out their sizes."
            )
        make = paper_config if preset == "paper" else direct_config
        config = make(n_edges, len(bold_regions))
        if hidden_size is not None:
            config = make(n_edges, len(bold_regions), hidden_size=hidden_size)
        return config, tuple(bold_regions)
    if hidden_size is not None:
        raise UsageError(
            "The compact preset has personal, slow and clock units; give --personal-units "
            "(personal_units=...)."
        )
    default = compact_config(n_edges, len(bold_regions))
    latent_size = latent_size or default.latent_size
    config = compact_config(
        n_edges,
        len(bold_regions),
        personal_units=personal_units or default.personal_units,
        latent_size=latent_size,
        # BOLD keeps its share of a latent of another size.
        bold_latents=default.bold_latents * latent_size // default.latent_size,
    )
    return config, tuple(bold_regions)


def train(
    cohort: Cohort,
    folder: Path,
    *,
    name: str,
    preset: Preset = "compact",
    config: NetworkConfig | None = None,
    bold_regions: Sequence[str] | None = None,
    settings: TrainingSettings | PopulationSettings | None = None,
    resume: bool = False,
    device: str = "auto",
    on_progress: OnProgress | None = None,
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
    preset : {"compact", "paper", "direct"}
    config : NetworkConfig, optional
        Instead of the preset's own; its sizes must fit the cohort.
    bold_regions : sequence of str, optional
        BOLD outputs; by default all regions (compact) or the paper's areas (others).
    settings : PopulationSettings (compact) or TrainingSettings (others), optional
        By default the preset's.
    resume : bool
        Go on from a training state in `folder`.
    device : str
        ``auto``, ``cpu``, ``cuda``.
    on_progress : callable, optional
        Training ends early where it returns True.

    Raises
    ------
    CohortError
        If there are too few people, or data that training needs are not there.
    UsageError
        If the settings are those of another preset.
    """
    if cohort.parcellation is None:
        raise CohortError(
            "Training needs the cohort's region table (labels, networks, hemispheres); it has "
            "none. Give one with --regions (a cohort with a parcellation)."
        )
    parcellation = cohort.parcellation
    own_config, labels = preset_config(preset, parcellation, bold_regions=bold_regions)
    config = config or own_config
    columns = tuple(int(i) for i in parcellation.indices(labels))
    people = list(cohort.participants)
    work = _Work(people, columns, folder, resume, select_device(device), on_progress)
    if config.preset == "compact":
        trained = _train_in_parts(work, config, settings)
    else:
        trained = _train_end_to_end(work, config, settings)
    # What a bundle cannot forecast is no structure of it: the paper preset reads a few regions.
    parcellation = replace(
        parcellation,
        structures={
            structure: tuple(label for label in members if label in labels)
            for structure, members in parcellation.structures.items()
            if any(label in labels for label in members)
        },
    )
    training, held_out = trained.training, trained.held_out
    tasks = tuple(t for t in TASKS if any(b.task == t for b in training.data.blocks))
    checkpoint = Checkpoint(
        name=name,
        config=trained.network.config,
        network=trained.network,
        parcellation=parcellation,
        bold_regions=labels,
        bold_mean=trained.scale.mean,
        bold_sd=trained.scale.sd,
        tasks=tasks,
        training={
            "description": cohort.description,
            "kind": cohort.kind,
            "warning": cohort.warning,
            "n_train": len(training.people),
            "n_validation": len(trained.validation),
            "n_test": len(held_out.people),
            "split": "by participant, drawn from the seed",
            "seed": trained.settings.seed,
            "epochs": trained.epochs,
            "settings": trained.settings.to_json() | trained.chosen,
            "participants": _known_people(cohort, trained),
        },
        measured=_measure(trained.network, held_out, training),
        norms=cohort_norms(
            trained.network,
            training.data.edges,
            held_out.data.edges,
            trained.weights,
            tasks,
            parcellation,
            labels,
            encoder=trained.encoder,
            phenotypes=[person.phenotype for person in training.people],
        ),
    )
    save_checkpoint(folder, checkpoint)
    return checkpoint


def _known_people(cohort: Cohort, trained: _Trained) -> list[str] | None:
    """Digests of the real people whose data the network knows; None if they are simulated."""
    used = {participant_digest(one) for one in contributors(cohort)}
    if cohort.kind != "simulated":
        used |= {participant_digest(one.participant_id) for one in trained.people}
    return sorted(used) or None


@dataclass(frozen=True, slots=True)
class _Work:
    """What both ways of training start from."""

    people: list[Participant]
    columns: tuple[int, ...]
    folder: Path
    resume: bool
    device: torch.device
    on_progress: OnProgress | None


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the people, with their arrays (measured BOLD at TR)."""

    people: list[Participant]
    data: TrainingData


@dataclass(frozen=True, slots=True)
class _Trained:
    """What both ways of training end with."""

    network: TwinNetwork
    settings: TrainingSettings | PopulationSettings
    scale: BoldScale
    training: _Part
    held_out: _Part
    validation: tuple[Participant, ...]
    epochs: int
    weights: Tensor
    """Main networks of the training people."""
    encoder: EncoderFit | None = None
    chosen: dict[str, Any] = field(default_factory=dict)
    """What validation chose on the way, for the record."""

    @property
    def people(self) -> tuple[Participant, ...]:
        """Everybody who had a say in the weights."""
        return (*self.training.people, *self.validation)


def _train_in_parts(
    work: _Work, config: NetworkConfig, settings: TrainingSettings | PopulationSettings | None
) -> _Trained:
    """Train the compact preset."""
    if settings is None:
        settings = PopulationSettings(masked=config.action_reading == "hazard")
    if not isinstance(settings, PopulationSettings):
        raise UsageError("The compact preset is trained with PopulationSettings.")
    share = settings.held_out_fraction
    shares = {"training": 1 - share} | ({"held out": share} if share else {})
    training, *rest = _split(work.people, shares, settings.seed)
    held_out = rest[0] if rest else []
    form = BlockForm(
        n_actions=config.n_actions,
        columns=work.columns,
        scale=bold_scale(training, work.columns),
        masked=settings.masked,
        bold_stride=config.bold_stride,
    )
    data = training_data(training, form)
    fit = fit_compact(
        config,
        settings,
        training,
        data,
        work.folder,
        resume=work.resume,
        device=work.device,
        on_progress=work.on_progress,
    )
    with torch.no_grad():
        weights = fit.network.decode(fit.latents)
    return _Trained(
        network=fit.network,
        settings=settings,
        scale=form.scale,
        training=_Part(training, data),
        held_out=_part(held_out, form, data),
        validation=(),
        epochs=fit.population.history[-1].update,
        weights=weights,
        encoder=fit.encoder,
        chosen={
            "chosen_encoder": {
                "n_components": fit.encoder.n_components,
                "penalty": fit.encoder.penalty,
                # Of the best of many: a little gain is what chance alone would give.
                "density_gain_nats": round(fit.encoder.density_gain, 6),
            },
            "chosen_readout": {
                "group_penalty": fit.readout.group_penalty,
                "person_penalty": fit.readout.person_penalty,
                "loss": fit.readout.loss if np.isfinite(fit.readout.loss) else None,
            },
        },
    )


def _train_end_to_end(
    work: _Work, config: NetworkConfig, settings: TrainingSettings | PopulationSettings | None
) -> _Trained:
    """Train the paper's way: connectomes in, actions and BOLD out, one loss."""
    if settings is None:
        settings = paper_settings(masked=config.action_reading == "hazard")
    if not isinstance(settings, TrainingSettings):
        raise UsageError(f"The {config.preset} preset is trained with TrainingSettings.")
    shares = {"training": settings.train_fraction, "validation": settings.validation_fraction}
    share = round(1 - sum(shares.values()), 9)
    shares |= {"held out": share} if share else {}
    training, validation, *rest = _split(work.people, shares, settings.seed)
    held_out = rest[0] if rest else []
    form = BlockForm(
        n_actions=config.n_actions,
        columns=work.columns,
        scale=bold_scale(training, work.columns),
        masked=settings.masked,
        bold_stride=1 if settings.interpolate_bold else config.bold_stride,
    )
    network, history = fit(
        config,
        settings,
        training_data(training, form),
        training_data(validation, form),
        work.folder,
        resume=work.resume,
        device=work.device,
        on_progress=work.on_progress,
    )
    measured = replace(form, bold_stride=config.bold_stride)
    data = training_data(training, measured)
    with torch.no_grad():
        weights = network.weights(data.edges)
    return _Trained(
        network=network,
        settings=settings,
        scale=form.scale,
        training=_Part(training, data),
        held_out=_part(held_out, measured, data),
        validation=tuple(validation),
        epochs=len(history),
        weights=weights,
    )


def _part(people: list[Participant], form: BlockForm, beside: TrainingData) -> _Part:
    """Return some people with their arrays; nobody has arrays as wide as those beside."""
    empty = TrainingData(beside.edges[:0], ())
    return _Part(people, training_data(people, form) if people else empty)


def _split(
    participants: list[Participant], shares: Mapping[str, float], seed: int
) -> list[list[Participant]]:
    """Return the people of each part."""
    if len(participants) < FEWEST_PEOPLE:
        raise CohortError(
            f"Training needs at least {FEWEST_PEOPLE} participants, so that some can be held out; "
            f"this cohort has {len(participants)}."
        )
    parts = split_participants([p.participant_id for p in participants], shares, seed)
    by_id = {p.participant_id: p for p in participants}
    return [[by_id[i] for i in ids] for ids in parts.values()]


def _measure(network: TwinNetwork, held_out: _Part, training: _Part) -> dict[str, float]:
    """Return the figures of the held-out people, with the network in its exported form.

    Beside each stands what a simple rule reaches (``rule/``), and what twins reach that were made
    from other people's connectomes (``shuffled/``). Nothing where nobody is held out.
    """
    if not held_out.people:
        return {}

    def of_twins(data: TrainingData) -> dict[str, float]:
        forecasts = list(run_forecasts(network, held_out.people, data))
        return held_out_figures(forecasts) | {"bold_mse": bold_error(forecasts)}

    figures = of_twins(held_out.data)
    figures |= {SHUFFLED_PREFIX + k: v for k, v in of_twins(shuffled(held_out.data)).items()}
    rules = rule_figures(held_out.people, held_out.data, training.people, training.data)
    figures |= {RULE_PREFIX + k: v for k, v in rules.items()}
    return {k: round(float(v), 6) for k, v in sorted(figures.items()) if np.isfinite(v)}
