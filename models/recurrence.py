"""The recurrence of many networks at once, with its gradient written out.

``h(t) = h(t-1) + leak * (tanh(drive(t) + W_hh h(t-1)) - h(t-1))``, where ``drive`` holds input and
biases. Autograd would keep five nodes per step and run three small kernels for each on the way
back; written out, a step is one batched matmul and two element-wise operations in each direction,
and the gradient of W_hh is a single matmul over all steps.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, w_hh: Tensor, state: Tensor, leak: Tensor) -> Tensor:
        # drive (T, B, S, H), w_hh (B, H, H), state (B, S, H), leak (H,) -> hidden (T, B, S, H)
        hidden = torch.empty_like(drive)
        squashed = torch.empty_like(drive)
        w_t = w_hh.transpose(1, 2).contiguous()
        is_leaky = bool((leak != 1).any())
        h = state
        # Results go straight to where they are kept; a step is otherwise half copying.
        for x, u, kept in zip(drive.unbind(), squashed.unbind(), hidden.unbind(), strict=True):
            torch.baddbmm(x, h, w_t, out=u).tanh_()
            if is_leaky:
                torch.lerp(h, u, leak, out=kept)
            else:
                kept.copy_(u)
            h = kept
        ctx.save_for_backward(w_hh, state, leak, hidden, squashed)
        return hidden

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        (grad_hidden,) = grads
        w_hh, state, leak, hidden, squashed = ctx.saved_tensors
        _, batch, _, size = hidden.shape
        slope = (1 - squashed * squashed) * leak  # d h / d (argument of tanh)
        keep = 1 - leak
        is_leaky = bool((leak != 1).any())
        grad_drive = torch.empty_like(hidden)
        carried, g, kept = torch.zeros_like(state), torch.empty_like(state), torch.zeros_like(state)
        of_steps = (grad_hidden.unbind(), slope.unbind(), grad_drive.unbind())
        for wanted, steep, du in zip(*(reversed(x) for x in of_steps), strict=True):
            torch.add(wanted, carried, out=g)
            torch.mul(g, steep, out=du)
            if is_leaky:
                torch.mul(g, keep, out=kept)
                torch.baddbmm(kept, du, w_hh, out=carried)
            else:
                torch.bmm(du, w_hh, out=carried)
        previous = torch.cat([state.unsqueeze(0), hidden[:-1]])
        # Steps and sequences are one long axis here: each adds its outer product.
        outer = grad_drive.permute(1, 3, 0, 2).reshape(batch, size, -1)
        grad_w = torch.bmm(outer, previous.permute(1, 0, 2, 3).reshape(batch, -1, size))
        return grad_drive, grad_w, carried, None


def run_recurrence(
    drive: Float[Tensor, "batch sequences time hidden"],
    w_hh: Float[Tensor, "batch hidden hidden"],
    state: Float[Tensor, "batch sequences hidden"],
    leak: Float[Tensor, " hidden"],
) -> Float[Tensor, "batch sequences time hidden"]:
    """Return the hidden states of every network over several sequences.

    Parameters
    ----------
    drive : Tensor, shape (batch, sequences, time, hidden)
        Input times its weights plus both biases.
    w_hh : Tensor, shape (batch, hidden, hidden)
    state : Tensor, shape (batch, sequences, hidden)
        Before the first step.
    leak : Tensor, shape (hidden,)
        Share of each unit that is renewed per step; no gradient goes to it.
    """
    hidden: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
        drive.permute(2, 0, 1, 3).contiguous(), w_hh, state, leak
    )
    return hidden.permute(1, 2, 0, 3)
