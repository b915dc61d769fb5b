"""The compact preset, trained in parts, each with what fits it best.

1. `population`: what people's acting weights have in common, and each person's posterior in the
   latent space, from trials alone.
2. `slow_units`: units that turn the personal ones' activity into what BOLD is made of.
3. `response_scores`: how strongly each person's brain answers, the last numbers of z.
4. `bold_readout`: BOLD of every region from the hidden states and z.
5. `encoder_fit`: what a connectome says about z, and what it leaves open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .acting_part import ActingPart
from .bold_readout import ReadoutFit, solve_bold_readout
from .cohorts import Participant
from .config import NetworkConfig
from .edge_folds import basis_folds
from .encoder_fit import EncoderFit, Measurements, fit_encoder
from .hypernetwork import CompactHypernetwork, TwinNetwork
from .latent_start import latent_start
from .population import PopulationFit, fit_population
from .population_settings import PopulationSettings
from .progress import OnProgress
from .response_scores import ResponseScores, response_scores
from .slow_units import SlowUnits, fit_slow_units
from .tensors import TrainingData

SCORE_PRECISION = 1e4
"""One over the variance of a response score: a score is what was measured, noise and all, so its
noise counts as something that a connectome leaves open."""


@dataclass(frozen=True, slots=True)
class CompactFit:
    """A trained compact network and what was found on the way."""

    network: TwinNetwork
    population: PopulationFit
    latents: Tensor
    """(people, latent) of the people it was trained on: posterior means and response scores."""
    encoder: EncoderFit
    readout: ReadoutFit


def fit_compact(
    config: NetworkConfig,
    settings: PopulationSettings,
    participants: Sequence[Participant],
    data: TrainingData,
    folder: Path,
    *,
    resume: bool = False,
    device: torch.device | None = None,
    on_progress: OnProgress | None = None,
) -> CompactFit:
    """Train a compact network.

    Parameters
    ----------
    config : NetworkConfig
        Its number of components is the most that may be used; the network has the number that
        validation chose.
    settings : PopulationSettings
    participants : sequence of Participant
    data : TrainingData
        Made from them, with measured BOLD at TR.
    folder : Path
        For the state of the population fit, which takes most of the time.
    resume : bool
        Go on from that state.
    device : torch.device, optional
        Of the population fit.
    on_progress : callable, optional

    Raises
    ------
    CheckpointError
        If the state in `folder` cannot be gone on from.
    """
    start = latent_start(participants, config.action_latents, settings.seed)
    population = fit_population(
        config,
        settings,
        data,
        start,
        folder,
        resume=resume,
        device=device,
        on_progress=on_progress,
    )
    slow = fit_slow_units(config, settings, data, population, on_progress=on_progress)
    scores = response_scores(participants, data, config.bold_latents)
    latents = torch.cat([population.mean, torch.from_numpy(scores.values).float()], 1)
    encoder, basis = _encoder(config, settings, data.edges, population, scores)
    used = replace(config, n_components=max(encoder.n_components, 1))
    network = TwinNetwork(used, seed=settings.seed)
    hypernetwork = network.hypernetwork
    if not isinstance(hypernetwork, CompactHypernetwork):
        raise TypeError("only the compact preset is trained in parts")
    _assemble(hypernetwork, used, population, slow, encoder, basis)
    readout = solve_bold_readout(network, data, latents, settings.seed)
    hypernetwork.round_for_export()
    return CompactFit(network.eval(), population, latents, encoder, readout)


def _encoder(
    config: NetworkConfig,
    settings: PopulationSettings,
    edges: Tensor,
    population: PopulationFit,
    scores: ResponseScores,
) -> tuple[EncoderFit, CompactHypernetwork]:
    """Return the regression of z on connectomes, and the edge basis that it is on."""
    basis = CompactHypernetwork(config)
    basis.fit_basis(edges)
    components = basis.components(edges).double().numpy()
    # Parts of the basis that no person is left for (fewer people than components) stay out.
    components = components[:, components.std(0) > 0]
    folds, scale = basis_folds(edges, config, settings.seed)
    encoder = fit_encoder(components, _measurements(population, scores), folds)
    basis.rescale(torch.from_numpy(scale).float())
    return encoder, basis


def _measurements(population: PopulationFit, scores: ResponseScores) -> Measurements:
    """Return what trials and BOLD say of each person's z, without what the prior says."""
    variance = population.sd.double().numpy() ** 2
    # A posterior is prior times likelihood; with the standard normal prior taken out again, what
    # is left is a normal measurement. No trials: no precision.
    precision = np.maximum(1 / variance - 1, 0)
    mean = population.mean.double().numpy()
    value = np.where(precision > 0, mean / np.maximum(1 - variance, 1e-6), 0)
    score_precision = np.where(scores.is_measured, SCORE_PRECISION, 0.0)
    return Measurements(
        np.concatenate([value, scores.values], 1), np.concatenate([precision, score_precision], 1)
    )


@torch.no_grad()
def _assemble(
    hypernetwork: CompactHypernetwork,
    config: NetworkConfig,
    population: PopulationFit,
    slow: SlowUnits,
    encoder: EncoderFit,
    basis: CompactHypernetwork,
) -> None:
    """Put the parts into the network; BOLD's rows stay zero."""
    hypernetwork.edge_mean.copy_(basis.edge_mean)
    hypernetwork.basis.copy_(basis.basis[: config.n_components])
    regression = encoder.regression
    hypernetwork.encoder.bias.copy_(torch.from_numpy(regression.intercept).float())
    used = regression.coefficients.shape[1]
    hypernetwork.encoder.weight[:, :used] = torch.from_numpy(regression.coefficients).float()
    part = ActingPart(config)
    base = part.embed(population.base.unsqueeze(1)).squeeze(1)
    hypernetwork.decoder.bias.copy_(base + slow.embed())
    hypernetwork.decoder.weight[:, : config.action_latents] = part.embed(population.directions)
