"""One person's flat weights, cut into the arrays of the main network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .manifest import Manifest


class MainWeights(NamedTuple):
    """Views of the flat weights of one person, in their order."""

    w_ih: NDArray[np.float32]
    """Shape (hidden, inputs)."""
    w_hh: NDArray[np.float32]
    """Shape (hidden, hidden)."""
    b_ih: NDArray[np.float32]
    """Shape (hidden,)."""
    b_hh: NDArray[np.float32]
    """Shape (hidden,)."""
    w_ho: NDArray[np.float32]
    """Shape (outputs, hidden): the actions, then BOLD."""
    b_ho: NDArray[np.float32]
    """Shape (outputs,)."""

    @classmethod
    def split(cls, weights: NDArray[np.float32], manifest: Manifest) -> MainWeights:
        """Cut flat weights, shape (n_weights,), as the manifest's sizes say."""
        n_hidden, n_inputs = manifest.hidden_size, manifest.n_inputs
        n_outputs = manifest.n_actions + manifest.n_bold
        shapes: tuple[tuple[int, ...], ...] = (
            (n_hidden, n_inputs),
            (n_hidden, n_hidden),
            (n_hidden,),
            (n_hidden,),
            (n_outputs, n_hidden),
            (n_outputs,),
        )
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
        parts = np.split(weights, ends[:-1])
        return cls(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))
