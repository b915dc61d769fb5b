"""The population fit: what people have in common, and where each of them lies, from their trials.

A person's acting weights are ``base + directions z`` with z standard normal over people. Base,
directions, and a normal posterior of every person's z are learned together by stochastic gradients
on the evidence lower bound: the survival log-likelihood of the person's own trials under draws of
the posterior, minus its Kullback-Leibler divergence from the prior (Kingma and Welling 2014, with
free posteriors instead of an encoder). Connectomes play no part, so a person's latent says what
the trials say, and how surely.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from .acting_part import ActingPart
from .config import NetworkConfig
from .imagined_people import wrong_choice_loss
from .population_settings import PopulationSettings
from .progress import OnProgress
from .state_file import StateFile
from .tensors import TrainingData
from .windows import Windows, WindowSampler

STATE_FILE = "population_state.safetensors"
INITIAL_SD = 0.5
"""SD of every posterior at the start."""
LAST_WHITENING = 0.8
"""Share of the updates after which the latent's coordinates stay as they are until the fit ends,
when they are whitened once more."""
REPORT_EVERY = 50
"""Updates between two reports and two saved states."""


@dataclass(frozen=True, slots=True)
class PopulationLoss:
    """Mean over some updates, in nats per person over all runs."""

    update: int
    trials: float
    """Minus the log-likelihood of the trials."""
    divergence: float
    """Of the posteriors from the prior."""


@dataclass(frozen=True, slots=True)
class PopulationFit:
    """What the fit found. Tensors are on the CPU."""

    base: Tensor
    """(n_acting_weights,)"""
    directions: Tensor
    """(n_acting_weights, action_latents), rounded to float16 as a bundle stores them."""
    mean: Tensor
    """(people, action_latents) posterior means."""
    sd: Tensor
    """(people, action_latents) posterior SDs."""
    history: tuple[PopulationLoss, ...]


class Population(nn.Module):
    """Base, directions and everybody's posterior.

    Parameters
    ----------
    config : NetworkConfig
    start : Tensor, shape (people, action_latents)
        Where the posterior means begin.
    settings : PopulationSettings
    """

    is_personal: Tensor

    def __init__(self, config: NetworkConfig, start: Tensor, settings: PopulationSettings) -> None:
        super().__init__()
        self.part = ActingPart(config)
        generator = torch.Generator().manual_seed(settings.seed)
        base, scale = self.part.initial(generator)
        draw = torch.randn(len(base), config.action_latents, generator=generator)
        self.base = nn.Parameter(base)
        # Kept at 0 where weights are everybody's, so that no product has to mask them.
        self.register_buffer("is_personal", self.part.is_personal.unsqueeze(1), persistent=False)
        start_effect = scale.unsqueeze(1) * settings.latent_effect * self.is_personal
        self.directions = nn.Parameter(draw * start_effect)
        self.directions.register_hook(  # type: ignore[no-untyped-call]
            lambda grad: grad * self.is_personal
        )
        self.mean = nn.Parameter(start.clone())
        self.log_sd = nn.Parameter(torch.full_like(start, math.log(INITIAL_SD)))

    def weights(self, latent: Tensor) -> Tensor:
        """Return acting weights, shape (batch, n_acting_weights)."""
        return self.base + latent @ self.directions.T

    def losses(
        self, people: Tensor, windows: Windows, noise: Tensor, imagined: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is descended, means over people, in nats.

        Parameters
        ----------
        people : Tensor, shape (batch,)
            Positions of people.
        windows : Windows
            Of these people.
        noise : Tensor, shape (batch, action_latents)
            Standard normal.
        imagined : Tensor, shape (n, action_latents)
            Latents of imagined people, who see what the first of the real ones see.

        Returns
        -------
        trials : Tensor
            Minus the log-likelihood of the trials.
        divergence : Tensor
            Of the posteriors from the prior.
        wrong_choices : Tensor
            See `imagined_people.wrong_choice_loss`.
        """
        mean, log_sd = self.mean[people], self.log_sd[people]
        latent = torch.cat([mean + log_sd.exp() * noise, imagined])
        n_real, n_imagined = len(people), len(imagined)
        inputs = torch.cat([windows.inputs, windows.inputs[:n_imagined]])
        logits = self.part.action_logits(self.weights(latent), inputs)
        each = functional.binary_cross_entropy_with_logits(
            logits[:n_real], windows.targets, reduction="none"
        ).sum(-1)
        per_run = (each * windows.counted).sum((0, 2))
        trials = (per_run * windows.scale).sum() / n_real
        divergence = 0.5 * (mean.square() + (2 * log_sd).exp() - 1) - log_sd
        wrong = trials.new_zeros(())
        if n_imagined:
            wrong = wrong_choice_loss(logits[n_real:], windows.first(n_imagined))
        return trials, divergence.sum() / n_real, wrong

    @torch.no_grad()
    def whiten(self) -> None:
        """Change the latent's coordinates so that people together are standard normal again.

        The networks stay what they are. Without this the latents drift and stretch, since the
        prior pulls on them far more weakly than hundreds of trials do, and draws from the prior
        would be people who do not exist. Adam's moments stay in the old coordinates: they are
        forgotten within some tens of updates, long before the next whitening.
        """
        center = self.mean.mean(0)
        away = self.mean - center
        variance = (2 * self.log_sd).exp()
        size = away.shape[1]
        covariance = away.T @ away / max(len(away) - 1, 1) + torch.diag(variance.mean(0))
        values, vectors = torch.linalg.eigh(covariance + 1e-6 * torch.eye(size).to(covariance))
        root = (vectors * values.sqrt()) @ vectors.T
        inverse = (vectors * values.rsqrt()) @ vectors.T
        self.base.add_(self.directions @ center)
        self.directions.copy_(self.directions @ root)
        self.mean.copy_(away @ inverse)
        # A posterior turned is no longer independent between numbers; its own SDs are kept.
        self.log_sd.copy_((variance @ inverse.square().T).log() / 2)


def fit_population(
    config: NetworkConfig,
    settings: PopulationSettings,
    data: TrainingData,
    start: Tensor,
    folder: Path,
    *,
    resume: bool = False,
    device: torch.device | None = None,
    on_progress: OnProgress | None = None,
) -> PopulationFit:
    """Fit base, directions and posteriors to everybody's trials.

    Parameters
    ----------
    config : NetworkConfig
        Of the compact preset.
    settings : PopulationSettings
    data : TrainingData
    start : Tensor, shape (people, action_latents)
        Where the posterior means begin (`latent_start.latent_start`).
    folder : Path
        The state is kept in it now and then, so that a killed run can go on.
    resume : bool
        Go on from that state, if there is one.
    device : torch.device, optional
    on_progress : callable, optional

    Raises
    ------
    CheckpointError
        If the state in `folder` is damaged or was made with other settings or people.
    """
    device = device or torch.device("cpu")
    population = Population(config, start, settings).to(device)
    optimizer = _optimizer(population, settings)
    state_file = StateFile(
        folder / STATE_FILE,
        {"config": config.to_json(), "settings": settings.to_json(), "people": data.digest()},
        {"population": population},
        {"population": optimizer},
    )
    history: list[PopulationLoss] = []
    update = 0
    if resume and state_file.path.exists():
        progress = state_file.load()
        update = int(progress["update"])
        history = [PopulationLoss(**loss) for loss in progress["history"]]
    sampler = WindowSampler(
        data.blocks,
        len(start),
        ActingPart(config),
        settings.window_steps,
        settings.burn_in_steps,
    )
    sums, n_summed = [0.0, 0.0], 0
    while update < settings.updates:
        trials, divergence = _step(population, optimizer, sampler, settings, update)
        sums, n_summed = [sums[0] + trials, sums[1] + divergence], n_summed + 1
        update += 1
        if update % settings.whiten_every == 0 and update < LAST_WHITENING * settings.updates:
            population.whiten()
        if update % REPORT_EVERY == 0 or update == settings.updates:
            history.append(PopulationLoss(update, sums[0] / n_summed, sums[1] / n_summed))
            sums, n_summed = [0.0, 0.0], 0
            state_file.save({"update": update, "history": [asdict(loss) for loss in history]})
            sentence = (
                f"behavior: {history[-1].trials:.1f} nats a person, "
                f"{history[-1].divergence:.1f} nats learned about each"
            )
            if on_progress is not None and on_progress(
                update, settings.updates + settings.slow_epochs, sentence
            ):
                break
    population.whiten()
    return PopulationFit(
        base=population.base.detach().cpu(),
        directions=population.directions.detach().cpu().half().float(),
        mean=population.mean.detach().cpu(),
        sd=population.log_sd.detach().exp().cpu(),
        history=tuple(history),
    )


def _optimizer(population: Population, settings: PopulationSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [
            {"params": [population.base], "weight_decay": 0.0},
            {"params": [population.directions], "weight_decay": settings.direction_decay},
            {"params": [population.mean, population.log_sd], "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
    )


def _step(
    population: Population,
    optimizer: torch.optim.Optimizer,
    sampler: WindowSampler,
    settings: PopulationSettings,
    update: int,
) -> tuple[float, float]:
    """Take one gradient step; return both losses. Chance depends on seed and update alone."""
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + update + 1)
    share = update / max(settings.updates - 1, 1)
    span = settings.learning_rate - settings.final_learning_rate
    rate = settings.final_learning_rate + span * (1 + math.cos(math.pi * share)) / 2
    factors = (1.0, 1.0, settings.latent_rate)
    for group, factor in zip(optimizer.param_groups, factors, strict=True):
        group["lr"] = rate * factor
    n_people = len(population.mean)
    people = torch.arange(n_people)
    if n_people > settings.people_per_update:
        people = torch.randperm(n_people, generator=generator)[: settings.people_per_update]
    windows = sampler.draw(people, generator)
    noise = torch.randn(len(people), population.mean.shape[1], generator=generator)
    n_imagined = round(settings.imagined_share * len(people))
    imagined = torch.randn(n_imagined, population.mean.shape[1], generator=generator)
    device = population.mean.device
    trials, divergence, wrong_choices = population.losses(
        people.to(device),
        windows.to(device),
        noise.to(device),
        settings.imagined_sd * imagined.to(device),
    )
    optimizer.zero_grad(set_to_none=True)
    loss = trials + divergence + settings.imagined_weight * wrong_choices
    # Adam does not care for the scale; the clipping does.
    (loss / 100).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([population.base, population.directions], settings.clip_norm)
    optimizer.step()
    return float(trials.detach()), float(divergence.detach())
