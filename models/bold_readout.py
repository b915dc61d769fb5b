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
N_PARTS = 4
"""Parts of people; each is left out once to validate the penalties."""


@dataclass(frozen=True, slots=True)
class ReadoutFit:
    """Which penalties won, and the mean squared error of left-out people with them.

    Infinite where too few people have BOLD to leave any out.
    """

    group_penalty: float
    person_penalty: float
    loss: float


@torch.no_grad()
def solve_bold_readout(
    network: TwinNetwork, data: TrainingData, latents: Tensor, seed: int
) -> ReadoutFit:
    """Set the decoder's BOLD rows to the ridge solution.

    Parameters
    ----------
    network : TwinNetwork
        Compact, on the CPU; changed in place.
    data : TrainingData
        BOLD at TR.
    latents : Tensor, shape (people, latent)
        Of the people of `data`.
    seed : int
        Of the parts of people between which the penalties are validated.

    Raises
    ------
    TypeError
        If the network is not of the compact preset.
    """
    hypernetwork = network.hypernetwork
    if not isinstance(hypernetwork, CompactHypernetwork):
        raise TypeError("only the compact preset's readout is linear in its decoder")
    part_of = torch.arange(len(latents)) % N_PARTS
    order = torch.randperm(len(latents), generator=torch.Generator().manual_seed(seed))
    parts = _moments(network, data, latents, part_of[order.argsort()])
    whole = sum(parts[1:], start=parts[0])
    size = network.config.hidden_size + 1
    best = ReadoutFit(GROUP_PENALTIES[0], PERSON_PENALTIES[-1], float("inf"))
    for group in GROUP_PENALTIES:
        for person in PERSON_PENALTIES:
            loss, n_frames = 0.0, 0
            for part in parts:
                others = whole - part
                if part.n_frames and others.n_frames:
                    loss += part.loss(others.solve(group, person, size)) * part.n_frames
                    n_frames += part.n_frames
            # Nothing validates where one part has all the BOLD: nobody's own part is believed then.
            if n_frames and loss / n_frames < best.loss:
                best = ReadoutFit(group, person, loss / n_frames)
    readout = whole.solve(best.group_penalty, best.person_penalty, size)
    _write_readout(hypernetwork.decoder, network.config, readout)
    return best


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over people and frames that a least-squares loss is made of, float64."""

    gram: Tensor
    """(regressors, regressors)"""
    cross: Tensor
    """(regressors, regions)"""
    squares: float
    n_frames: int

    def __add__(self, other: _Moments) -> _Moments:
        return _Moments(
            self.gram + other.gram,
            self.cross + other.cross,
            self.squares + other.squares,
            self.n_frames + other.n_frames,
        )

    def __sub__(self, other: _Moments) -> _Moments:
        return _Moments(
            self.gram - other.gram,
            self.cross - other.cross,
            self.squares - other.squares,
            self.n_frames - other.n_frames,
        )

    def solve(self, group: float, person: float, size: int) -> Tensor:
        """Return the ridge solution, shape (regressors, regions).

        The first `size` regressors are the group's, of which the last is the constant.
        """
        penalty = torch.full((len(self.gram),), person, dtype=torch.float64)
        penalty[:size] = group
        # Half way to the mean of a constant regressor would be no solution: it goes free.
        penalty[size - 1] = 0.0
        scale = torch.diagonal(self.gram)
        ridge = torch.diag(penalty * scale + 1e-9 * scale.mean())
        solution: Tensor = torch.linalg.solve(self.gram + ridge, self.cross)
        return solution

    def loss(self, readout: Tensor) -> float:
        """Return the mean squared error of a readout, shape (regressors, regions)."""
        error = self.squares - 2 * (readout * self.cross).sum()
        error = error + (readout * (self.gram @ readout)).sum()
        return float(error) / (self.n_frames * readout.shape[1])


def _moments(
    network: TwinNetwork, data: TrainingData, latents: Tensor, part_of: Tensor
) -> list[_Moments]:
    """Return the sums over each part of the people."""
    config = network.config
    n_regressors = (config.latent_size + 1) * (config.hidden_size + 1)
    zero = _Moments(
        torch.zeros(n_regressors, n_regressors, dtype=torch.float64),
        torch.zeros(n_regressors, config.n_bold, dtype=torch.float64),
        0.0,
        0,
    )
    parts = [zero] * N_PARTS
    for person, regressors, bold in _frames(network, data, latents):
        own = _Moments(
            (regressors.T @ regressors).double(),
            (regressors.T @ bold).double(),
            float(bold.double().square().sum()),
            len(bold),
        )
        part = int(part_of[person])
        parts[part] = parts[part] + own
    return parts


def _frames(
    network: TwinNetwork, data: TrainingData, latents: Tensor
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield each run's person, regressors (frames, regressors) and BOLD (frames, regions)."""
    for block in data.blocks:
        for rows in _chunks(range(len(block.people)), 16):
            people = [block.people[row] for row in rows]
            weights = split_weights(network.decode(latents[people]), network.config)
            state = torch.zeros(len(rows), network.config.hidden_size)
            stimulus = block.stimulus[list(rows)].float()
            hidden = run_hidden(weights, stimulus, state, network.leak)
            hidden = hidden[:, :: network.config.bold_stride]
            for k, row in enumerate(rows):
                seen = block.bold_counted[row]
                h = torch.cat([hidden[k], torch.ones(len(hidden[k]), 1)], 1)[seen]
                personal = torch.cat([torch.ones(1), latents[people[k]]])
                regressors = (personal[None, :, None] * h[:, None, :]).flatten(1)
                yield people[k], regressors, block.bold[row][seen]


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


def _write_readout(decoder: torch.nn.Linear, c: NetworkConfig, readout: Tensor) -> None:
    matrix, bias = _positions(c)
    by_region = readout.reshape(c.latent_size + 1, c.hidden_size + 1, c.n_bold).permute(2, 1, 0)
    by_region = by_region.float()
    decoder.bias[matrix] = by_region[:, :-1, 0]
    decoder.bias[bias] = by_region[:, -1, 0]
    decoder.weight[matrix] = by_region[:, :-1, 1:]
    decoder.weight[bias] = by_region[:, -1, 1:]
