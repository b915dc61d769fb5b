"""Hypernetworks: connectome edges in, every weight of a main network out.

`PaperHypernetwork` is the paper's multi-layer perceptron (equations 1 to 3). `CompactHypernetwork`
is linear: a basis of edges, a latent z of a few numbers, and weights linear in z, so that a twin is
its z, and norms, intervals and calibration live in z.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from .acting_part import INITIAL_ACTION_BIAS
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


class DirectInput(nn.Module):
    """The paper's control model: the connectome as an additional constant input, no hypernetwork.

    Everybody has the same weights; a person's edges, times input weights of their own, only add to
    the drive of the hidden units, which is the same as writing that unit's bias.
    """

    def __init__(self, config: NetworkConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.dropout = config.dropout
        base, _ = initial_weights(config, generator)
        self.base = nn.Parameter(base)
        self.edge_weights = nn.Linear(config.n_edges, config.hidden_size, bias=False)
        nn.init.zeros_(self.edge_weights.weight)
        # Adam moves every weight by about its rate, and ten thousands of edges would add up to
        # steps that no unit can bear: all edges together count as much as the other inputs.
        self.scale = config.n_inputs / config.n_edges
        first = config.hidden_size * (config.n_inputs + config.hidden_size)
        self.after = config.n_weights - first - config.hidden_size
        self.before = first

    def forward(self, edges: BatchEdges, generator: torch.Generator | None = None) -> BatchWeights:
        """Return the weights of each person, shape (batch, n_weights)."""
        drive = self.edge_weights(dropped(edges, self.dropout, generator)) * self.scale
        return self.base + functional.pad(drive, (self.before, self.after))


class CompactHypernetwork(nn.Module):
    """Edge basis, linear encoder, latent z, linear decoder.

    Nothing here is learned by gradient through a connectome: with some hundred people and ten
    thousands of edges only the directions in which people differ can carry anything. Decoder and
    everybody's z come from trials and BOLD (`population`, `bold_readout`), the encoder is a
    regression of z on the scores of the connectomes (`encoder_fit`).
    """

    edge_mean: Tensor
    basis: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.component_limit = config.component_limit
        self.register_buffer("edge_mean", torch.zeros(config.n_edges))
        self.register_buffer("basis", torch.zeros(config.n_components, config.n_edges))
        self.encoder = nn.Linear(config.n_components, config.latent_size)
        self.decoder = nn.Linear(config.latent_size, config.n_weights)
        for layer in (self.encoder, self.decoder):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

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
    def rescale(self, scale: Tensor) -> None:
        """Divide the scores by `scale`, shape (n_components,): that of new people's."""
        self.basis.copy_((self.basis / scale.unsqueeze(1)).half().float())

    @torch.no_grad()
    def round_for_export(self) -> None:
        """Round the decoder's matrix to float16, its form in a bundle."""
        self.decoder.weight.copy_(self.decoder.weight.half().float())

    def components(self, edges: BatchEdges) -> BatchComponents:
        """Return each person's squashed scores on the edge basis, shape (batch, n_components)."""
        scores = (edges - self.edge_mean) @ self.basis.T
        return self.component_limit * torch.tanh(scores / self.component_limit)

    def encode(self, scores: BatchComponents) -> BatchLatent:
        """Return z from the basis scores."""
        z: Tensor = self.encoder(scores)
        return z

    def forward(self, edges: BatchEdges, generator: torch.Generator | None = None) -> BatchWeights:
        """Return the weights of each person, shape (batch, n_weights)."""
        weights: Tensor = self.decoder(self.encode(self.components(edges)))
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
        self.hypernetwork: PaperHypernetwork | CompactHypernetwork | DirectInput
        if config.preset == "compact":
            self.hypernetwork = CompactHypernetwork(config)
        elif config.preset == "paper":
            self.hypernetwork = PaperHypernetwork(config, generator)
        else:
            self.hypernetwork = DirectInput(config, generator)
        # Not in the state dict: the leak is a setting, and its one home is the config.
        self.register_buffer("leak", torch.tensor(config.leak), persistent=False)

    def latent(self, edges: BatchEdges) -> BatchLatent:
        """Return z; raises `TypeError` for a preset that has none."""
        if not isinstance(self.hypernetwork, CompactHypernetwork):
            raise TypeError("only the compact preset has a latent; other twins are their weights")
        return self.hypernetwork.encode(self.hypernetwork.components(edges))

    def decode(self, latent: BatchLatent) -> BatchWeights:
        """Return the main networks' weights of given z (compact preset)."""
        if not isinstance(self.hypernetwork, CompactHypernetwork):
            raise TypeError("only the compact preset has a latent; other twins are their weights")
        weights: Tensor = self.hypernetwork.decoder(latent)
        return weights

    def weights(self, edges: BatchEdges, generator: torch.Generator | None = None) -> BatchWeights:
        """Return every person's main-network weights; with a generator, under dropout."""
        weights: Tensor = self.hypernetwork(edges, generator)
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
