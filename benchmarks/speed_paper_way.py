"""The paper's own way of running, created anew in PyTorch, and the way of `torch.nn.RNN`.

The authors' public code writes all weights of the main network with a multi-layer perceptron, then
calls `torch.nn.RNNCell` once per 80 ms step, mapped over the people of a batch with `vmap`, each
with weights of their own, and reads out all steps at the end. This does the same sums in the same
calls with today's `torch.func`; the numbers are the runtime's own to 1e-4.

PyTorch's `vmap` cannot batch that cell and runs it one person after the other. A cell that it can
batch, two linear layers and a tanh, is here as well: the paper's way at its best.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap

from dtb_models.hypernetwork import PaperHypernetwork, TwinNetwork
from dtb_models.main_network import MainWeights, split_weights
from dtb_runtime.edges import edges_from_correlations

_NO_BATCHING_RULE = "There is a performance drop because we have not yet implemented"
"""PyTorch's word for what `vmap` does with this cell: one person after the other."""

_OF_A_CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
"""PyTorch's names of a recurrent cell's weights, in the order in which they are generated."""


class Outputs(NamedTuple):
    """What a batch of people answers in one run."""

    actions: Tensor
    """Shape (people, time, actions), after the sigmoid."""
    bold: Tensor
    """Shape (people, time, regions), at every step."""


class PaperWay:
    """Hypernetwork and main network of the paper preset, called as the paper's code calls them.

    Parameters
    ----------
    network : TwinNetwork
        Of the paper preset; its weights are used, not copied.

    Raises
    ------
    TypeError
        If it is of another preset.
    """

    def __init__(self, network: TwinNetwork) -> None:
        hyper, self.config = network.hypernetwork, network.config
        if not isinstance(hyper, PaperHypernetwork):
            raise TypeError(f"the paper's way is that of its preset, not {self.config.preset!r}")
        layers: list[nn.Module] = [nn.Dropout(self.config.dropout)]
        for layer in hyper.layers:
            layers += [layer, nn.Mish()]
        self.hypernetwork = nn.Sequential(*layers[:-1]).eval()
        self.cell = nn.RNNCell(self.config.n_inputs, self.config.hidden_size)
        self.readout = nn.Linear(self.config.hidden_size, self.config.n_outputs)
        self._cells = vmap(_as_function(self.cell))
        self._linear_cells = vmap(_linear_cell)
        self._readouts = vmap(_as_function(self.readout))
        self._rnn = nn.RNN(self.config.n_inputs, self.config.hidden_size, batch_first=True)

    @torch.no_grad()
    def weights(self, correlations: NDArray[np.float32]) -> Tensor:
        """Return main-network weights of people, shape (people, n_weights).

        Parameters
        ----------
        correlations : ndarray, shape (people, n_regions, n_regions)
            Pearson's r, symmetric, diagonal 1.
        """
        weights: Tensor = self.hypernetwork(torch.from_numpy(edges_from_correlations(correlations)))
        return weights

    @torch.no_grad()
    def forecast(
        self,
        correlations: NDArray[np.float32],
        stimuli: Sequence[NDArray[np.float32]],
        *,
        linear: bool = False,
    ) -> list[Outputs]:
        """Run a batch of people through every stimulus, from their connectomes on.

        Parameters
        ----------
        correlations : ndarray, shape (people, n_regions, n_regions)
            Pearson's r, symmetric, diagonal 1.
        stimuli : sequence of ndarray, shape (time, n_inputs)
            Delayed by one step, the same for all people.
        linear : bool
            Whether to make the cell of linear layers, which `vmap` can batch.
        """
        cells = self._linear_cells if linear else self._cells
        w = split_weights(self.weights(correlations), self.config)
        people = len(correlations)
        cell = dict(zip(_OF_A_CELL, w[:4], strict=True))
        answers = []
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=_NO_BATCHING_RULE)
            for stimulus in stimuli:
                x = torch.from_numpy(stimulus).expand(people, -1, -1)
                h = torch.zeros(people, self.config.hidden_size)
                hidden = torch.empty(people, len(stimulus), self.config.hidden_size)
                for step in range(len(stimulus)):
                    h = cells(cell, x[:, step], h)
                    hidden[:, step] = h
                answers.append(self._read_out(w, hidden))
        return answers

    @torch.no_grad()
    def forecast_by_rnn(
        self, correlations: NDArray[np.float32], stimuli: Sequence[NDArray[np.float32]]
    ) -> list[Outputs]:
        """Return the same for one person, with `torch.nn.RNN` instead of a loop over steps.

        Parameters
        ----------
        correlations : ndarray, shape (1, n_regions, n_regions)
        stimuli : sequence of ndarray, shape (time, n_inputs)
        """
        w = split_weights(self.weights(correlations), self.config)
        # It takes one set of weights for all sequences, so people cannot be batched.
        for name, values in zip(_OF_A_CELL, w[:4], strict=True):
            self._rnn.get_parameter(f"{name}_l0").copy_(values[0])
        return [
            self._read_out(w, self._rnn(torch.from_numpy(stimulus).unsqueeze(0))[0])
            for stimulus in stimuli
        ]

    def _read_out(self, w: MainWeights, hidden: Tensor) -> Outputs:
        outputs = self._readouts({"weight": w.w_ho, "bias": w.b_ho}, hidden)
        n_actions = self.config.n_actions
        return Outputs(torch.sigmoid(outputs[..., :n_actions]), outputs[..., n_actions:])


def _linear_cell(weights: dict[str, Tensor], x: Tensor, h: Tensor) -> Tensor:
    w_ih, w_hh, b_ih, b_hh = (weights[name] for name in _OF_A_CELL)
    return torch.tanh(nn.functional.linear(x, w_ih, b_ih) + nn.functional.linear(h, w_hh, b_hh))


def _as_function(module: nn.Module) -> Callable[..., Any]:
    def call(parameters: dict[str, Tensor], *inputs: Tensor) -> Any:
        return functional_call(module, parameters, inputs)

    return call
