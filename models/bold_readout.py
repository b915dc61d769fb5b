"""The compact preset's BOLD readout, solved instead of descended to.

Given the recurrent part, a twin's BOLD is linear in the decoder: ``bold = (A_0 + sum_k z_k A_k)
[h; 1]``. So once gradient training has settled the hidden dynamics, every A is a ridge regression
of measured BOLD on ``[1, z] x [h, 1]`` with an exact solution. A small effect under much noise,
such as the Stroop contrast (some ten-thousandths of the variance), is then found as well as the
data allow, where gradient descent stops before it gets there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .config import NetworkConfig
from .hypernetwork import CompactHypernetwork, TwinNetwork
from .main_network import run_hidden, split_weights
from .tensors import TrainingData

GROUP_PENALTIES = (1e-5, 1e-4, 1e-3)
PERSON_PENALTIES = (1e-2, 1e-1, 1.0, 1e4)
"""Ridge penalties tried for A_0 and for the A_k, relative to each regressor's mean square; the
last of the second row all but switches the personal part off."""


@dataclass(frozen=True, slots=True)
class ReadoutFit:
    """Which penalties won, and the BOLD loss of the validation people before and after."""

    group_penalty: float
    person_penalty: float
    loss_before: float
    loss_after: float


@torch.no_grad()
def refit_bold_readout(
    network: TwinNetwork, training: TrainingData, validation: TrainingData
) -> ReadoutFit:
    """Replace the decoder's BOLD rows by the ridge solution, if validation people gain from it.

    Parameters
    ----------
    network : TwinNetwork
        Compact, on the CPU; changed in place.
    training, validation : TrainingData
        BOLD at TR. Penalties are chosen by the validation people's loss.

    Raises
    ------
    TypeError
        If the network is not of the compact preset.
    """
    hypernetwork = network.hypernetwork
    if not isinstance(hypernetwork, CompactHypernetwork):
        raise TypeError("only the compact preset's readout is linear in its decoder")
    moments = _moments(network, training)
    held_out = _moments(network, validation)
    old = _current_readout(hypernetwork.decoder, network.config)
    best, best_loss = old, held_out.loss(old)
    fit = ReadoutFit(0.0, 0.0, best_loss, best_loss)
    size = network.config.hidden_size + 1
    for group in GROUP_PENALTIES:
        for person in PERSON_PENALTIES:
            penalty = torch.full((len(moments.gram),), person, dtype=torch.float64)
            penalty[:size] = group
            # Half way to the mean of a constant regressor would be no solution: it goes free.
            penalty[size - 1] = 0.0
            scale = torch.diagonal(moments.gram)
            readout = torch.linalg.solve(
                moments.gram + torch.diag(penalty * scale + 1e-9 * scale.mean()), moments.cross
            )
            loss = held_out.loss(readout)
            if loss < best_loss:
                best, best_loss = readout, loss
                fit = ReadoutFit(group, person, fit.loss_before, loss)
    _write_readout(hypernetwork.decoder, network.config, best)
    return fit


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over people and frames that a least-squares loss is made of, float64."""

    gram: Tensor
    """(regressors, regressors)"""
    cross: Tensor
    """(regressors, regions)"""
    squares: float
    n_frames: int

    def loss(self, readout: Tensor) -> float:
        """Return the mean squared error of a readout, shape (regressors, regions)."""
        error = self.squares - 2 * (readout * self.cross).sum()
        error = error + (readout * (self.gram @ readout)).sum()
        return float(error) / (self.n_frames * readout.shape[1])


def _moments(network: TwinNetwork, data: TrainingData) -> _Moments:
    config = network.config
    n_regressors = (config.latent_size + 1) * (config.hidden_size + 1)
    gram = torch.zeros(n_regressors, n_regressors, dtype=torch.float64)
    cross = torch.zeros(n_regressors, config.n_bold, dtype=torch.float64)
    squares, n_frames = 0.0, 0
    for regressors, bold in _frames(network, data):
        gram += (regressors.T @ regressors).double()
        cross += (regressors.T @ bold).double()
        squares += float(bold.double().square().sum())
        n_frames += len(bold)
    return _Moments(gram, cross, squares, n_frames)


def _frames(network: TwinNetwork, data: TrainingData) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each run's regressors (frames, regressors) and BOLD (frames, regions)."""
    z = network.latent(data.edges)
    for block in data.blocks:
        for rows in _chunks(range(len(block.people)), 16):
            people = [block.people[row] for row in rows]
            weights = split_weights(network.decode(z[people]), network.config)
            state = torch.zeros(len(rows), network.config.hidden_size)
            stimulus = block.stimulus[list(rows)].float()
            hidden = run_hidden(weights, stimulus, state, network.leak)
            hidden = hidden[:, :: network.config.bold_stride]
            for k, row in enumerate(rows):
                seen = block.bold_counted[row]
                h = torch.cat([hidden[k], torch.ones(len(hidden[k]), 1)], 1)[seen]
                personal = torch.cat([torch.ones(1), z[people[k]]])
                regressors = (personal[None, :, None] * h[:, None, :]).flatten(1)
                yield regressors, block.bold[row][seen]


def _chunks(rows: range, size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _positions(c: NetworkConfig) -> tuple[Tensor, Tensor]:
    """Return where W_ho's and b_ho's BOLD entries lie among the flat weights."""
    before = c.hidden_size * (c.n_inputs + c.hidden_size + 2)
    first = before + c.n_actions * c.hidden_size
    matrix = torch.arange(first, first + c.n_bold * c.hidden_size).reshape(c.n_bold, c.hidden_size)
    bias = torch.arange(c.n_weights - c.n_bold, c.n_weights)
    return matrix, bias


def _current_readout(decoder: torch.nn.Linear, config: NetworkConfig) -> Tensor:
    """Return the decoder's BOLD rows as a readout, shape (regressors, regions), float64."""
    matrix, bias = _positions(config)
    # Column 0 is A_0, column k + 1 is A_k.
    columns = torch.cat([decoder.bias[:, None], decoder.weight], 1).double()
    by_region = torch.cat([columns[matrix], columns[bias][:, None]], 1)  # (R, H + 1, K + 1)
    return by_region.permute(2, 1, 0).reshape(-1, config.n_bold)


def _write_readout(decoder: torch.nn.Linear, c: NetworkConfig, readout: Tensor) -> None:
    matrix, bias = _positions(c)
    by_region = readout.reshape(c.latent_size + 1, c.hidden_size + 1, c.n_bold).permute(2, 1, 0)
    by_region = by_region.float()
    decoder.bias[matrix] = by_region[:, :-1, 0]
    decoder.bias[bias] = by_region[:, -1, 0]
    decoder.weight[matrix] = by_region[:, :-1, 1:]
    decoder.weight[bias] = by_region[:, -1, 1:]
