"""Response times and choices out of action outputs, in tensors that carry gradients.

The formulas are those of `dtb_runtime.responses`, from logits instead of probabilities, so that
nothing is lost where an action is nearly sure or nearly impossible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from dtb_runtime.events import Events
from dtb_runtime.response_windows import ResponseWindows

from .config import ActionReading

_SMALL_HAZARD = 0.01  # as in `dtb_runtime.truncated_exponential`


@dataclass(frozen=True, slots=True, eq=False)
class TrialWindows:
    """Where the trials of one run lie on the time axis."""

    rows: Int[Tensor, "trials steps"]
    """Steps of the run."""
    fraction: Float[Tensor, "trials steps"]
    """Share of each step that lies in the window."""
    start_s: Float[Tensor, "trials steps"]
    """Where that share begins, after the trial's onset."""
    right_option: Int[Tensor, " trials"]
    n_options: int
    dt_s: float

    @classmethod
    def of(
        cls, events: Events, n_steps: int, n_options: int, dt_s: float, dtype: torch.dtype
    ) -> TrialWindows:
        """Cut the windows of a run as the runtime does."""
        cut = ResponseWindows.cut(np.zeros((n_steps, n_options)), events, n_options, dt_s)
        steps = events.onset_step[:, None] + np.arange(cut.fraction.shape[1])
        return cls(
            rows=torch.from_numpy(np.minimum(steps, n_steps - 1)),
            fraction=torch.tensor(cut.fraction, dtype=dtype),
            start_s=torch.tensor(cut.start_s, dtype=dtype),
            right_option=torch.tensor(events.correct_option),
            n_options=n_options,
            dt_s=dt_s,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """What is expected of each person in each trial."""

    response_time_s: Float[Tensor, "batch trials"]
    """Mean, given a response."""
    p_right: Float[Tensor, "batch trials"]
    """Chance of the right response; no response is not right."""


def read_responses(
    logits: Float[Tensor, "batch time actions"], windows: TrialWindows, reading: ActionReading
) -> Responses:
    """Read responses off the logits of the action outputs.

    Parameters
    ----------
    logits : Tensor, shape (batch, time, actions)
        Before the sigmoid.
    windows : TrialWindows
    reading : {"hazard", "density"}
        What the outputs mean; see `dtb_runtime.responses`.
    """
    cut = logits[:, windows.rows, : windows.n_options]  # (batch, trials, steps, options)
    fraction = windows.fraction
    if reading == "hazard":
        hazard = functional.softplus(cut).sum(-1) * fraction
        elapsed = functional.pad(hazard.cumsum(-1)[..., :-1], (1, 0))
        mass = torch.exp(-elapsed) * -torch.expm1(-hazard)
        by_option = mass.unsqueeze(-1) * torch.softmax(cut, -1)  # in proportion to the odds
    else:
        by_option = torch.sigmoid(cut) * fraction.unsqueeze(-1)
        by_option = by_option / by_option.sum((-1, -2), keepdim=True).clamp(min=1.0)
        hazard = torch.zeros_like(by_option[..., 0])
        mass = by_option.sum(-1)
    length_s = fraction * windows.dt_s
    moment_s = (mass * (windows.start_s + _mean_position(hazard) * length_s)).sum(-1)
    p_option = by_option.sum(-2)
    right = windows.right_option.view(1, -1, 1).expand(len(cut), -1, 1)
    return Responses(moment_s / mass.sum(-1), p_option.gather(-1, right).squeeze(-1))


def _mean_position(hazard: Tensor) -> Tensor:
    """Mean place of a press inside a step; see `dtb_runtime.truncated_exponential`."""
    is_small = hazard < _SMALL_HAZARD
    # Both sides of a `where` get a gradient: the one that is not taken must be finite.
    h = torch.where(is_small, torch.ones_like(hazard), hazard)
    s = torch.where(is_small, hazard, torch.zeros_like(hazard))
    series = 0.5 - s / 12 + s**3 / 720
    return torch.where(is_small, series, 1 / h - 1 / torch.expm1(h))
