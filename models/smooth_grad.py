"""Which edges a score depends on: gradients averaged over noisy copies of a connectome.

SmoothGrad (Smilkov et al. 2017), as Takahashi et al. 2026 use it: 100 copies with noise of 0.1 SD.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dtb_runtime.errors import BundleError, UsageError
from dtb_runtime.gradients import DirectionSettings

from .bundle_network import BundleNetwork
from .weight_direction import WeightDirection

Floats = NDArray[np.float64]

MOST_NOISE = 10.0
"""SDs of edges between people: far beyond anybody."""
_AT_ONCE = 25  # copies whose gradients are taken together


def smooth_gradient(
    network: BundleNetwork,
    direction: WeightDirection,
    edges: NDArray[np.float32],
    settings: DirectionSettings | None = None,
) -> Floats:
    """Return what a person's score z1 gains per unit of Fisher z of each edge.

    Parameters
    ----------
    network : BundleNetwork
    direction : WeightDirection
    edges : numpy.ndarray, shape (n_edges,)
        Fisher z of the person.
    settings : DirectionSettings, optional
        Samples, noise (0 gives the plain gradient) and seed.

    Returns
    -------
    numpy.ndarray, shape (n_edges,)
        In SDs of z1 over the cohort.

    Raises
    ------
    UsageError
        A setting is out of its range, or the noise drowns everything.
    BundleError
        The bundle does not say how far edges differ between people.
    """
    settings = settings or DirectionSettings()
    check_settings(settings)
    norms = network.bundle.norms.edges
    if norms is None or norms.sd is None:
        raise BundleError(
            f"Bundle {network.bundle.name!r} does not say how far edges differ between people. "
            "Export it again with this version of dtb-runtime."
        )
    spread = torch.tensor(settings.noise * norms.sd.astype(np.float64), dtype=network.dtype)
    readout = torch.tensor(direction.readout, dtype=network.dtype)
    own = torch.tensor(edges, dtype=network.dtype)
    generator = torch.Generator().manual_seed(settings.seed)
    total = torch.zeros_like(own)
    for first in range(0, settings.samples, _AT_ONCE):
        n = min(_AT_ONCE, settings.samples - first)
        # Drawn one by one, so that copy 7 is the same however many there are.
        shift = torch.stack([torch.randn(len(own), generator=generator) for _ in range(n)])
        copies = (own + spread * shift.to(network.dtype)).requires_grad_()
        score = (network.weights(copies) @ readout).sum()
        total += torch.autograd.grad(score, copies)[0].sum(0)
    mean = np.asarray((total / settings.samples).double().numpy(), np.float64)
    if not np.isfinite(mean).all() or not mean.any():
        raise UsageError(
            f"With noise of {settings.noise:g} SD the score depends on no edge any more. Use less."
        )
    return mean


def check_settings(settings: DirectionSettings) -> None:
    """Raise `UsageError` if one is out of its range."""
    is_noise = 0.0 <= settings.noise <= MOST_NOISE
    is_count = settings.samples == int(settings.samples) and settings.samples >= 1
    if not is_count or not is_noise or not 0 <= settings.seed < 2**63:
        raise UsageError(
            f"SmoothGrad needs at least 1 sample, noise from 0 to {MOST_NOISE:g} and a seed of at "
            f"least 0, below 2^63; found {settings.samples}, {settings.noise} and {settings.seed}."
        )
