"""Hypernetworks: connectome edges in, every weight of a main network out.

`PaperHypernetwork` is the paper's multi-layer perceptron (equations 1 to 3). `CompactHypernetwork`
puts a fixed basis of edges in front of a small encoder and a latent z behind it; weights are
linear in z, so a twin is a few numbers, and norms, intervals and calibration live in z.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .array_types import (
    BatchComponents,
    BatchEdges,
    BatchLatent,
    BatchState,
    BatchStimulus,
    BatchWeights,
)
from .config import NetworkConfig
from .main_network import MainOutput, run_main_network, weight_shapes

INITIAL_ACTION_BIAS = -3.0
"""Starts the hazards near 0.05 per step, the order of real ones, instead of 0.5."""

LATENT_EFFECT = 0.05
"""How far one SD of z moves a weight at the start, in units of that weight's initial scale."""


def dropped(x: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Return `x` with a share `rate` of it set to zero and the rest scaled up.

    The mask comes from `generator`, never from PyTorch's global one, so that a resumed training
    draws what the uninterrupted one would have drawn; None switches dropout off.
    """
    if generator is None or rate == 0:
        return x
    keep = torch.rand(x.shape, generator=generator, device="cpu", dtype=torch.float32) >= rate
    return x * keep.to(device=x.device, dtype=x.dtype) / (1 - rate)


def initial_weights(config: NetworkConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return a starting weight vector and the scale of each of its entries, both (n_weights,).

    Uniform within ``1 / sqrt(fan in)`` as `torch.nn.RNN` and `torch.nn.Linear` start, with the
    recurrent matrix scaled to a spectral radius near 1 and low action biases.
    """
    values, scales = [], []
    for name, shape in zip(
        ("w_ih", "w_hh", "b_ih", "b_hh", "w_ho", "b_ho"), weight_shapes(config), strict=True
    ):
        fan_in = shape[1] if len(shape) == 2 else config.hidden_size
        bound = math.sqrt(3 / fan_in) if name == "w_hh" else 1 / math.sqrt(fan_in)
        value = (torch.rand(shape, generator=generator) * 2 - 1) * bound
        if name in ("b_ih", "b_hh"):
            value = value * 0.5
        if name == "b_ho":
            value = torch.zeros(shape)
            value[: config.n_actions] = INITIAL_ACTION_BIAS
        values.append(value.flatten())
        scales.append(torch.full(shape, bound).flatten())
    return torch.cat(values), torch.cat(scales)


class PaperHypernetwork(nn.Module):
    """Dropout, linear, Mish, linear, Mish, linear: edges to all weights of the main network."""

    def __init__(self, config: NetworkConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.dropout = config.dropout
        sizes = (config.n_edges, *config.hypernetwork_sizes, config.n_weights)
        linear = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        self.layers = nn.ModuleList(linear)
        for layer in linear:
            bound = 1 / math.sqrt(layer.in_features)
            for parameter in layer.parameters():
                with torch.no_grad():
                    parameter.copy_(torch.rand(parameter.shape, generator=generator) * 2 - 1)
                    parameter.mul_(bound)
        base, scale = initial_weights(config, generator)
        last = linear[-1]
        with torch.no_grad():
            last.bias.copy_(base)
            last.weight.mul_(scale.unsqueeze(1))

    def forward(self, edges: BatchEdges, generator: torch.Generator | None = None) -> BatchWeights:
        """Return the weights of each person, shape (batch, n_weights)."""
        x = dropped(edges, self.dropout, generator)
        for layer in self.layers[:-1]:
            x = functional.mish(layer(x))
        weights: Tensor = self.layers[-1](x)
        return weights


class CompactHypernetwork(nn.Module):
    """Edge basis, small encoder with a linear path, latent z, linear decoder.

    The basis is not learned by gradient: with some hundred people and ten thousands of edges only
    the directions in which people differ can carry anything. `fit_basis` sets it from the training
    people before the first step.
    """

    edge_mean: Tensor
    basis: Tensor

    def __init__(self, config: NetworkConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.component_limit = config.component_limit
        (size,) = config.hypernetwork_sizes
        self.register_buffer("edge_mean", torch.zeros(config.n_edges))
        self.register_buffer("basis", torch.zeros(config.n_components, config.n_edges))
        self.hidden = nn.Linear(config.n_components, size)
        self.latent = nn.Linear(size, config.latent_size)
        self.skip = nn.Linear(config.n_components, config.latent_size, bias=False)
        self.decoder = nn.Linear(config.latent_size, config.n_weights)
        base, scale = initial_weights(config, generator)
        with torch.no_grad():
            for layer in (self.hidden, self.latent, self.skip):
                bound = 1 / math.sqrt(layer.in_features)
                for parameter in layer.parameters():
                    parameter.copy_(torch.rand(parameter.shape, generator=generator) * 2 - 1)
                    parameter.mul_(bound)
            self.decoder.bias.copy_(base)
            draw = torch.randn(self.decoder.weight.shape, generator=generator)
            self.decoder.weight.copy_(draw * scale.unsqueeze(1) * LATENT_EFFECT)

    @torch.no_grad()
    def fit_basis(self, edges: BatchEdges) -> None:
        """Set mean and basis from the training people: principal axes, scores of unit variance.

        Both are rounded to float16, which is how a bundle stores them, before anything is learned
        on top of them: the exported encoder is then exactly the trained one.
        """
        mean = edges.mean(0).half().float()
        centered = edges - mean
        n_components = min(self.basis.shape[0], edges.shape[0] - 1)
        _, singular, axes = torch.linalg.svd(centered, full_matrices=False)
        scale = singular[:n_components] / math.sqrt(max(edges.shape[0] - 1, 1))
        basis = torch.zeros_like(self.basis)
        floor = 1e-6 * singular[0] + 1e-12
        kept = axes[:n_components] / torch.clamp(scale, min=float(floor)).unsqueeze(1)
        # The sign of a principal axis is arbitrary; a fixed one makes reruns comparable.
        signs = torch.sign(kept.sum(1, keepdim=True))
        basis[:n_components] = kept * torch.where(signs == 0, torch.ones_like(signs), signs)
        self.edge_mean.copy_(mean)
        self.basis.copy_(basis.half().float())

    @torch.no_grad()
    def round_for_export(self) -> None:
        """Round the decoder's matrix to float16, its form in a bundle."""
        self.decoder.weight.copy_(self.decoder.weight.half().float())

    def components(self, edges: BatchEdges) -> BatchComponents:
        """Return each person's squashed scores on the edge basis, shape (batch, n_components)."""
        scores = (edges - self.edge_mean) @ self.basis.T
        return self.component_limit * torch.tanh(scores / self.component_limit)

    def encode(
        self, scores: BatchComponents, generator: torch.Generator | None = None
    ) -> BatchLatent:
        """Return z from the basis scores."""
        s = dropped(scores, self.dropout, generator)
        z: Tensor = self.skip(s) + self.latent(functional.mish(self.hidden(s)))
        return z

    def forward(self, edges: BatchEdges, generator: torch.Generator | None = None) -> BatchWeights:
        """Return the weights of each person, shape (batch, n_weights)."""
        weights: Tensor = self.decoder(self.encode(self.components(edges), generator))
        return weights


class TwinNetwork(nn.Module):
    """A hypernetwork and the main network it writes, for a batch of people.

    Parameters
    ----------
    config : NetworkConfig
    seed : int
        Of the starting weights.
    """

    leak: Tensor

    def __init__(self, config: NetworkConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        generator = torch.Generator().manual_seed(seed)
        self.hypernetwork: PaperHypernetwork | CompactHypernetwork = (
            PaperHypernetwork(config, generator)
            if config.preset == "paper"
            else CompactHypernetwork(config, generator)
        )
        # Not in the state dict: the leak is a setting, and its one home is the config.
        self.register_buffer("leak", torch.tensor(config.leak), persistent=False)

    def latent(self, edges: BatchEdges) -> BatchLatent:
        """Return z; the paper preset has none and raises `TypeError`."""
        if not isinstance(self.hypernetwork, CompactHypernetwork):
            raise TypeError("the paper preset has no latent: its twin is the weights themselves")
        return self.hypernetwork.encode(self.hypernetwork.components(edges))

    def decode(self, latent: BatchLatent) -> BatchWeights:
        """Return the main networks' weights of given z (compact preset)."""
        if not isinstance(self.hypernetwork, CompactHypernetwork):
            raise TypeError("the paper preset has no latent: its twin is the weights themselves")
        weights: Tensor = self.hypernetwork.decoder(latent)
        return weights

    def weights(self, edges: BatchEdges, generator: torch.Generator | None = None) -> BatchWeights:
        """Return every person's main-network weights; with a generator, under dropout."""
        weights: Tensor = self.hypernetwork(edges, generator)
        return weights

    def encoder_inputs(self, edges: BatchEdges) -> Tensor:
        """Return what the learned part of the hypernetwork sees; it stays the same in training.

        Compact: the scores on the fixed edge basis, shape (batch, n_components); paper: the edges.
        """
        if isinstance(self.hypernetwork, CompactHypernetwork):
            return self.hypernetwork.components(edges)
        return edges

    def weights_from(
        self, inputs: Tensor, generator: torch.Generator | None = None
    ) -> BatchWeights:
        """Return the weights from `encoder_inputs`."""
        if isinstance(self.hypernetwork, CompactHypernetwork):
            return self.decode(self.hypernetwork.encode(inputs, generator))
        weights: Tensor = self.hypernetwork(inputs, generator)
        return weights

    def run(
        self,
        weights: BatchWeights,
        stimulus: BatchStimulus,
        state: BatchState | None = None,
        bold_stride: int | None = None,
    ) -> MainOutput:
        """Run the main networks; see `run_main_network`."""
        return run_main_network(weights, stimulus, state, self.config, self.leak, bold_stride)

    def forward(self, edges: BatchEdges, stimulus: BatchStimulus) -> MainOutput:
        """Return the answer of each person's twin to a stimulus, from a connectome's edges."""
        return self.run(self.weights(edges), stimulus)
