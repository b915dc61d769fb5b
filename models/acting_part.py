"""The part of the compact main network that acts: the units whose weights differ between people.

The hidden units of the compact preset are three groups in this order: personal units, which drive
the actions and are written anew for every person; slow units, the same for everybody, which see
the personal ones and carry what BOLD is read from; clock units, which see nothing and only tell
how much time the run has taken, so that practice and fatigue can be learned. Nothing flows from
slow to personal units, so behavior can be fitted without the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from dtb_runtime.tasks import DT_S

from .config import CLOCK_TAU_S, NetworkConfig
from .main_network import weight_shapes
from .recurrence import run_recurrence

CLOCK_DRIVE = 10.0
"""Bias of a clock unit: its tanh is 1 to nine digits."""
INITIAL_ACTION_BIAS = -3.0
"""Starts the hazards near 0.05 per step, the order of real ones, instead of 0.5."""


@dataclass(frozen=True, slots=True)
class ActingPart:
    """Sizes of the acting part of a network, its dynamics, and its place among all weights.

    Its own flat order is W_x (personal, inputs + clocks), W_hh (personal, personal), b (personal),
    W_a (actions, personal), b_a (actions), each row-major. What the clocks tell is an input here
    and a recurrent weight in the whole network.
    """

    config: NetworkConfig

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the five arrays."""
        c = self.config
        p, n_inputs = c.personal_units, c.n_inputs + c.clock_units
        return (p, n_inputs), (p, p), (p,), (c.n_actions, p), (c.n_actions,)

    @property
    def n_weights(self) -> int:
        """Numbers of one person's acting part."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def leak(self) -> Tensor:
        """Leak of the personal units, shape (personal,)."""
        return torch.tensor(self.config.leak[: self.config.personal_units])

    @property
    def is_personal(self) -> Tensor:
        """Which weights differ between people, shape (n_weights,), 1 or 0: all but the clocks'.

        How time on task tells is learned from everybody. A person's own drift would be judged by
        the first minutes and drawn out over the rest of the run.
        """
        w_x = torch.ones(self.shapes[0])
        w_x[:, self.config.n_inputs :] = 0
        others = self.n_weights - w_x.numel()
        return torch.cat([w_x.flatten(), torch.ones(others)])

    def initial(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return starting weights and the scale of each, both of shape (n_weights,).

        Uniform within ``1 / sqrt(fan in)``, with the recurrent matrix scaled to a spectral radius
        near 1 and low action biases.
        """
        values, scales = [], []
        for index, shape in enumerate(self.shapes):
            fan_in = shape[1] if len(shape) == 2 else self.config.personal_units
            bound = math.sqrt((3 if index == 1 else 1) / fan_in)
            value = (torch.rand(shape, generator=generator) * 2 - 1) * bound
            if index == len(self.shapes) - 1:
                value = torch.full(shape, INITIAL_ACTION_BIAS)
            values.append(value.flatten())
            scales.append(torch.full(shape, bound).flatten())
        return torch.cat(values), torch.cat(scales)

    def hidden(
        self,
        weights: Float[Tensor, "batch weights"],
        inputs: Float[Tensor, "batch sequences time channels"],
    ) -> Float[Tensor, "batch sequences time personal"]:
        """Return the personal units over sequences that each start from a zero state."""
        w_x, w_hh, bias, _, _ = self._split(weights)
        batch, sequences, time, channels = inputs.shape
        flat = inputs.reshape(batch, -1, channels)
        drive = torch.baddbmm(bias.unsqueeze(1), flat, w_x.transpose(1, 2))
        state = inputs.new_zeros(batch, sequences, self.config.personal_units)
        drive = drive.reshape(batch, sequences, time, -1)
        return run_recurrence(drive, w_hh, state, self.leak.to(inputs))

    def action_logits(
        self,
        weights: Float[Tensor, "batch weights"],
        inputs: Float[Tensor, "batch sequences time channels"],
    ) -> Float[Tensor, "batch sequences time actions"]:
        """Return the action outputs before the sigmoid."""
        *_, w_a, b_a = self._split(weights)
        hidden = self.hidden(weights, inputs)
        batch, sequences, time, units = hidden.shape
        flat = hidden.reshape(batch, -1, units)
        logits = torch.baddbmm(b_a.unsqueeze(1), flat, w_a.transpose(1, 2))
        return logits.reshape(batch, sequences, time, -1)

    def clocks(self, start: int, stop: int) -> Float[Tensor, "time clocks"]:
        """Return what the personal units see of the clocks in steps [start, stop) of a run."""
        step = torch.arange(start, stop, dtype=torch.float64).unsqueeze(1)
        tau_s = torch.tensor(CLOCK_TAU_S[: self.config.clock_units], dtype=torch.float64)
        # In a step a unit sees the others as they were one step before; before the run all are 0.
        return (1 - torch.exp(-step * DT_S / tau_s)).float()

    def embed(self, weights: Float[Tensor, "weights columns"]) -> Float[Tensor, "all columns"]:
        """Return columns of acting weights in their places among all weights of a main network.

        Everything else is zero. Linear, so that it carries directions as well as weights.
        """
        c = self.config
        p, first_clock = c.personal_units, c.hidden_size - c.clock_units
        w_x, w_hh, bias, w_a, b_a = (
            part.reshape(*shape, -1)
            for part, shape in zip(torch.split(weights, self._sizes), self.shapes, strict=True)
        )
        columns = weights.shape[1]
        w_ih, all_hh, b_ih, b_hh, w_ho, b_ho = (
            weights.new_zeros(*shape, columns) for shape in weight_shapes(c)
        )
        w_ih[:p] = w_x[:, : c.n_inputs]
        all_hh[:p, :p] = w_hh
        all_hh[:p, first_clock:] = w_x[:, c.n_inputs :]
        b_ih[:p] = bias
        w_ho[: c.n_actions, :p] = w_a
        b_ho[: c.n_actions] = b_a
        parts = (w_ih, all_hh, b_ih, b_hh, w_ho, b_ho)
        return torch.cat([part.reshape(-1, columns) for part in parts])

    @property
    def _sizes(self) -> list[int]:
        return [math.prod(shape) for shape in self.shapes]

    def _split(self, weights: Tensor) -> list[Tensor]:
        parts = torch.split(weights, self._sizes, dim=1)
        return [part.reshape(-1, *s) for part, s in zip(parts, self.shapes, strict=True)]


def hidden_groups(config: NetworkConfig) -> tuple[slice, slice, slice]:
    """Return where the personal, slow and clock units lie among the hidden units."""
    edges = (0, config.personal_units, config.hidden_size - config.clock_units, config.hidden_size)
    personal, slow, clock = (slice(a, b) for a, b in pairwise(edges))
    return personal, slow, clock
