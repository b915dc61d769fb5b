"""The axes that annotations name are checked in tests, so that they cannot go stale."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("beartype")

from jaxtyping import TypeCheckError

from dtb_models.config import compact_config
from dtb_models.hypernetwork import TwinNetwork
from dtb_models.losses import bold_loss
from dtb_models.recurrence import run_recurrence


def test_a_wrong_number_of_axes_is_noticed() -> None:
    network = TwinNetwork(compact_config(10, 2, latent_size=2, bold_latents=1, n_components=2))
    assert network.weights(torch.zeros(3, 10)).shape == (3, network.config.n_weights)
    with pytest.raises(TypeCheckError, match="edges"):
        network.weights(torch.zeros(10))


def test_an_axis_of_two_lengths_is_noticed() -> None:
    with pytest.raises(TypeCheckError, match="measured"):
        bold_loss(torch.zeros(2, 5, 3), torch.zeros(2, 4, 3), torch.ones(2, 5))
    with pytest.raises(TypeCheckError, match="w_hh"):
        run_recurrence(
            torch.zeros(2, 1, 5, 3), torch.zeros(2, 3, 4), torch.zeros(2, 1, 3), torch.ones(3)
        )
