"""People who were not in the study: whoever somebody is, the right option is the likely one.

Trials teach a network only near the latents of the people it learned from. For a person further
out, say very fast, a network fitted to nobody there may press the wrong button in a trial that
everybody gets right. So latents drawn from a wider distribution than people's are asked for one
thing: that of the presses their own hazards give, nearly all are right.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .windows import Windows

SHARE_OF_SLIPS = 0.05
"""Share of wrong presses that imagined people are asked for: that of real ones."""


def wrong_choice_loss(logits: Tensor, windows: Windows) -> Tensor:
    """Return the cross-entropy of choices with mostly right ones, in nats per person.

    Parameters
    ----------
    logits : Tensor, shape (people, runs, steps, actions)
        Hazards before the sigmoid.
    windows : Windows
        What the imagined people see.

    Notes
    -----
    Each step of a trial counts by the chance that the press falls into it, given the hazards of the
    trial's steps before. No gradient goes through that chance: when to press is not asked for.
    """
    with torch.no_grad():
        staying = -functional.softplus(logits).sum(-1)  # log chance of no press in a step
        before = staying.cumsum(2) - staying
        survival = (before - before.gather(2, windows.trial_start)).exp()
        press = survival * -torch.expm1(staying) * (windows.right_option >= 0)
    right = windows.right_option.clamp(min=0).unsqueeze(-1)
    log_share = functional.log_softmax(logits, dim=-1)  # odds share out a press
    log_right = log_share.gather(-1, right).squeeze(-1)
    is_right = functional.one_hot(right.squeeze(-1), logits.shape[-1]).bool()
    log_wrong = log_share.masked_fill(is_right, -torch.inf).logsumexp(-1)
    each = -(1 - SHARE_OF_SLIPS) * log_right - SHARE_OF_SLIPS * log_wrong
    per_run = (each * press).sum((0, 2))
    return (per_run * windows.scale).sum() / len(logits)
