"""The main network: one recurrent network per person, all people in one batched matmul per step.

``h(t) = h(t-1) + leak * (tanh(W_ih x(t) + b_ih + W_hh h(t-1) + b_hh) - h(t-1))`` and
``y(t) = W_ho h(t) + b_ho`` (Takahashi et al. 2026, equations 6 to 8; the paper's network is
``leak = 1``). ``x`` is the network input, already delayed by one step.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .array_types import BatchActions, BatchBold, BatchState, BatchStimulus, BatchWeights
from .config import NetworkConfig
from .recurrence import run_recurrence


class MainWeights(NamedTuple):
    """Weights of one main network per person, views of the flat vector.

    The flat order is that of the reference code: W_ih, W_hh, b_ih, b_hh, W_ho, b_ho, each
    row-major; rows of W_ho are the actions, then BOLD.
    """

    w_ih: Tensor
    """(batch, hidden, inputs)"""
    w_hh: Tensor
    """(batch, hidden, hidden)"""
    b_ih: Tensor
    """(batch, hidden)"""
    b_hh: Tensor
    """(batch, hidden)"""
    w_ho: Tensor
    """(batch, outputs, hidden)"""
    b_ho: Tensor
    """(batch, outputs)"""


class MainOutput(NamedTuple):
    """What the main networks of a batch of people answer."""

    action_logits: BatchActions
    """Before the sigmoid, one per option and step."""
    bold: BatchBold
    """SDs of the training data, one frame every ``bold_stride`` steps, the first at step 0."""
    state: BatchState
    """Hidden state after the last step, to go on from."""
    hidden: Float[Tensor, "batch frames hidden"]
    """Hidden states that BOLD was read from."""


def weight_shapes(config: NetworkConfig) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of W_ih, W_hh, b_ih, b_hh, W_ho, b_ho of one person."""
    h, o = config.hidden_size, config.n_outputs
    return (h, config.n_inputs), (h, h), (h,), (h,), (o, h), (o,)


def split_weights(weights: BatchWeights, config: NetworkConfig) -> MainWeights:
    """Cut flat weights, shape (batch, n_weights), into the six arrays of each person."""
    shapes = weight_shapes(config)
    sizes = [int(torch.Size(shape).numel()) for shape in shapes]
    parts = torch.split(weights, sizes, dim=1)
    return MainWeights(*(p.reshape(-1, *s) for p, s in zip(parts, shapes, strict=True)))


def run_hidden(
    weights: MainWeights, stimulus: BatchStimulus, state: BatchState, leak: Tensor
) -> Float[Tensor, "batch time hidden"]:
    """Return every person's hidden states, shape (batch, time, hidden)."""
    drive = torch.bmm(stimulus, weights.w_ih.transpose(1, 2))
    drive = drive + (weights.b_ih + weights.b_hh).unsqueeze(1)
    hidden = run_recurrence(drive.unsqueeze(1), weights.w_hh, state.unsqueeze(1), leak)
    return hidden.squeeze(1)


def run_main_network(
    weights: BatchWeights,
    stimulus: BatchStimulus,
    state: BatchState | None,
    config: NetworkConfig,
    leak: Tensor,
    bold_stride: int | None = None,
) -> MainOutput:
    """Run every person's main network over the same number of steps.

    Parameters
    ----------
    weights : Tensor, shape (batch, n_weights)
        One flat weight vector per person.
    stimulus : Tensor, shape (batch, time, inputs)
        Network input, delayed by one step (`dtb_runtime.stimulus.network_input`).
    state : Tensor, shape (batch, hidden), or None
        Hidden state to start from; None is zeros, as at the start of a run.
    config : NetworkConfig
    leak : Tensor, shape (hidden,)
    bold_stride : int, optional
        Steps between BOLD readouts; the config's own unless given (the paper trains on BOLD at
        every step and is read at TR).

    Returns
    -------
    MainOutput
        ``bold`` holds the frames at steps 0, ``bold_stride``, ... of this call, so a run cut into
        calls must be cut at multiples of ``bold_stride``.
    """
    w = split_weights(weights, config)
    if state is None:
        state = weights.new_zeros(weights.shape[0], config.hidden_size)
    hidden = run_hidden(w, stimulus, state, leak)
    n_actions = config.n_actions
    logits = torch.baddbmm(
        w.b_ho[:, None, :n_actions], hidden, w.w_ho[:, :n_actions].transpose(1, 2)
    )
    at_frames = hidden[:, :: bold_stride or config.bold_stride]
    bold = torch.baddbmm(
        w.b_ho[:, None, n_actions:], at_frames, w.w_ho[:, n_actions:].transpose(1, 2)
    )
    return MainOutput(logits, bold, hidden[:, -1], at_frames)
