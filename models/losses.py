"""What training minimizes: binary cross-entropy of actions plus mean squared error of BOLD.

Takahashi et al. 2026, equations 9 to 11. In the masked form the steps after a press, up to the
next trial, do not count: the sum over the steps that do is then exactly the negative logarithm of
a discrete-time survival likelihood with the options as independent hazards, and the action outputs
are these hazards. The unmasked form is the
paper's own; its outputs are densities.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from .array_types import BatchActions, Scalar


def action_loss(
    logits: BatchActions,
    targets: BatchActions,
    counted: Float[Tensor, "batch time"],
) -> Scalar:
    """Return the mean binary cross-entropy over the steps that count.

    Parameters
    ----------
    logits : Tensor, shape (batch, time, actions)
        Action outputs before the sigmoid.
    targets : Tensor, shape (batch, time, actions)
        1 at the step of the press, shared between options where the pressed one is unknown.
    counted : Tensor, shape (batch, time)
        1 where a step counts, 0 where it is masked.
    """
    each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    n_counted = counted.sum().clamp(min=1) * logits.shape[-1]
    return (each * counted.unsqueeze(-1)).sum() / n_counted


def bold_loss(
    predicted: Float[Tensor, "batch frames regions"],
    measured: Float[Tensor, "batch frames regions"],
    counted: Float[Tensor, "batch frames"],
) -> Scalar:
    """Return the mean squared error over the frames that were measured (in squared SDs)."""
    squared = (predicted - measured).square().mean(-1)
    return (squared * counted).sum() / counted.sum().clamp(min=1)


def total_loss(action: Scalar, bold: Scalar, action_weight: float, bold_weight: float) -> Scalar:
    """Return the weighted sum (the paper's weights are 1 and 1)."""
    return torch.add(action_weight * action, bold_weight * bold)
