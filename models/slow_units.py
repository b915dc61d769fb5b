"""The slow units: the same for everybody, trained to carry what BOLD is read from.

They see the stimulus and the personal units, and a throw-away probe asks them for the regressors of
the task's linear model (`bold_targets.design_signals`). Because they do not act on the personal
units, they are trained after these, on hidden activity that no longer changes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .acting_part import CLOCK_DRIVE, ActingPart, hidden_groups
from .bold_targets import N_DESIGN_SIGNALS
from .config import NetworkConfig
from .main_network import weight_shapes
from .population import PopulationFit
from .population_settings import PopulationSettings
from .progress import OnProgress
from .recurrence import run_recurrence
from .tensors import TrainingData
from .windows import WindowSampler


class SlowUnits(nn.Module):
    """Their input weights, recurrence and biases, and the probe.

    Parameters
    ----------
    config : NetworkConfig
    generator : torch.Generator
    """

    leak: Tensor

    def __init__(self, config: NetworkConfig, generator: torch.Generator) -> None:
        super().__init__()
        _, slow, _ = hidden_groups(config)
        n_slow = slow.stop - slow.start
        n_seen = config.n_inputs + config.personal_units

        def draw(*shape: int) -> nn.Parameter:
            bound = 1 / math.sqrt(max(shape[-1], 1))
            return nn.Parameter((torch.rand(shape, generator=generator) * 2 - 1) * bound)

        self.config = config
        self.w_in = draw(n_slow, n_seen)
        self.w_hh = draw(n_slow, n_slow)
        self.bias = nn.Parameter(torch.zeros(n_slow))
        self.probe = nn.Linear(n_slow + config.personal_units, N_DESIGN_SIGNALS)
        nn.init.zeros_(self.probe.weight)
        nn.init.zeros_(self.probe.bias)
        self.register_buffer("leak", torch.tensor(config.leak[slow]), persistent=False)

    def forward(self, seen: Tensor, state: Tensor) -> Tensor:
        """Return the slow units' states, shape (sequences, time, slow).

        Parameters
        ----------
        seen : Tensor, shape (sequences, time, inputs + personal)
            Personal units as they were one step before.
        state : Tensor, shape (sequences, slow)
        """
        drive = seen @ self.w_in.T + self.bias
        hidden = run_recurrence(
            drive.unsqueeze(0), self.w_hh.unsqueeze(0), state.unsqueeze(0), self.leak
        )
        return hidden.squeeze(0)

    @torch.no_grad()
    def embed(self) -> Tensor:
        """Return the weights in their places among all of a main network's, zero elsewhere."""
        c = self.config
        _, slow, clock = hidden_groups(c)
        w_ih, w_hh, b_ih, b_hh, w_ho, b_ho = (torch.zeros(shape) for shape in weight_shapes(c))
        w_ih[slow] = self.w_in[:, : c.n_inputs]
        w_hh[slow, : c.personal_units] = self.w_in[:, c.n_inputs :]
        w_hh[slow, slow] = self.w_hh
        b_ih[slow] = self.bias
        b_ih[clock] = CLOCK_DRIVE
        return torch.cat([part.flatten() for part in (w_ih, w_hh, b_ih, b_hh, w_ho, b_ho)])


def fit_slow_units(
    config: NetworkConfig,
    settings: PopulationSettings,
    data: TrainingData,
    fit: PopulationFit,
    *,
    on_progress: OnProgress | None = None,
) -> SlowUnits:
    """Train the slow units on the hidden activity of some of the people.

    Parameters
    ----------
    config : NetworkConfig
    settings : PopulationSettings
    data : TrainingData
    fit : PopulationFit
        Whose personal units they listen to.
    on_progress : callable, optional
    """
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 - 1)
    units = SlowUnits(config, generator)
    people = torch.randperm(len(fit.mean), generator=generator)[: settings.slow_people]
    seen, wanted, counted = _sequences(config, data, fit, people)
    n_slow = units.bias.shape[0]
    if n_slow == 0 or settings.slow_epochs == 0:
        return units
    optimizer = torch.optim.Adam(units.parameters(), lr=settings.slow_learning_rate)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.slow_epochs)
    length, stride = settings.slow_segment_steps, config.bold_stride
    for epoch in range(settings.slow_epochs):
        state = torch.zeros(len(seen), n_slow)
        total, n_segments = 0.0, 0
        for start in range(0, seen.shape[1], length):
            part = seen[:, start : start + length]
            hidden = units(part, state)
            at_frames = torch.cat([hidden, part[:, :, config.n_inputs :]], 2)[:, ::stride]
            frames = slice(start // stride, start // stride + at_frames.shape[1])
            error = (units.probe(at_frames) - wanted[:, frames]).square().mean(-1)
            weight = counted[:, frames]
            loss = (error * weight).sum() / weight.sum().clamp(min=1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(units.parameters(), 1.0)
            optimizer.step()
            state = hidden[:, -1].detach()
            total, n_segments = total + float(loss.detach()), n_segments + 1
        rate.step()
        if on_progress is not None:
            sentence = f"slow units: {total / n_segments:.3f} of the regressors' variance missed"
            done = settings.updates + epoch + 1
            on_progress(done, settings.updates + settings.slow_epochs, sentence)
    return units


@torch.no_grad()
def _sequences(
    config: NetworkConfig, data: TrainingData, fit: PopulationFit, people: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what slow units see, the wanted signals and which frames count, of whole runs.

    Shapes (sequences, time, inputs + personal), (sequences, frames, signals), (sequences, frames);
    runs are padded to the longest.
    """
    part = ActingPart(config)
    weights = fit.base + fit.mean[people] @ fit.directions.T
    sampler = WindowSampler(data.blocks, len(fit.mean), part, 1, 0)
    n_steps = max(block.n_steps for block in data.blocks)
    n_frames = max(block.design.shape[1] for block in data.blocks)
    seen, wanted, counted = [], [], []
    for index, block in enumerate(data.blocks):
        inputs, _, _ = sampler.whole(index, people)
        hidden = part.hidden(weights, inputs).squeeze(1)
        before = torch.cat([torch.zeros_like(hidden[:, :1]), hidden[:, :-1]], 1)
        both = torch.cat([inputs.squeeze(1)[:, :, : config.n_inputs], before], 2)
        rows = sampler.rows[index][people]
        is_there = rows >= 0
        design = block.design[rows.clamp(min=0)]
        has_signal = (design.abs().sum(-1) > 0).float() * is_there.unsqueeze(1)
        pad = nn.functional.pad
        seen.append(pad(both, (0, 0, 0, n_steps - both.shape[1])))
        wanted.append(pad(design, (0, 0, 0, n_frames - design.shape[1])))
        counted.append(pad(has_signal, (0, n_frames - design.shape[1])))
    return torch.cat(seen), torch.cat(wanted), torch.cat(counted)
