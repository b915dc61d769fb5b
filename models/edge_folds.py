"""Scores of people on an edge basis that was made without them.

A basis fits the people it was made from: their own scores have unit variance, while a new person's
are smaller, the more so the less of a component is signal. Judged by its own people, an encoder
would look better than it is and then forecast new people too close to the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .config import NetworkConfig
from .encoder_fit import Floats, Fold, split_folds
from .hypernetwork import CompactHypernetwork

FEWEST_FOR_SCALE = 20
"""With fewer people the scale of new people's scores is not worth correcting for."""
SMALLEST_SCALE = 0.1
"""A component on which new people hardly differ is noise, and is not blown up."""


def basis_folds(edges: Tensor, config: NetworkConfig, seed: int) -> tuple[tuple[Fold, ...], Floats]:
    """Return the folds, and how large new people's scores are.

    Parameters
    ----------
    edges : Tensor, shape (people, n_edges)
    config : NetworkConfig
        With the largest number of components.
    seed : int

    Returns
    -------
    folds : tuple of Fold
        Scores of left-out people are brought to the variance that their own basis' people have.
    scale : ndarray, shape (components,)
        SD of left-out people's scores; 1 where there are too few people to tell.
    """
    drawn = [_fold(edges, config, people) for people in split_folds(len(edges), seed)]
    n_components = min(fold.scores.shape[1] for fold in drawn)
    left_out = np.concatenate([fold.scores[:, :n_components] for fold in drawn])
    scale = np.ones(config.n_components)
    if len(edges) >= FEWEST_FOR_SCALE:
        sd = np.sqrt(np.square(left_out).mean(0))
        scale[:n_components] = np.clip(sd, SMALLEST_SCALE, 1.0)
    folds = [
        replace(
            fold,
            scores=fold.scores[:, :n_components] / scale[:n_components],
            scores_of_others=fold.scores_of_others[:, :n_components],
        )
        for fold in drawn
    ]
    return tuple(folds), scale


def _fold(edges: Tensor, config: NetworkConfig, people: Sequence[int] | np.ndarray) -> Fold:
    left_out = np.asarray(people)
    others = np.setdiff1d(np.arange(len(edges)), left_out)
    basis = CompactHypernetwork(replace(config, component_limit=1e6))
    basis.fit_basis(edges[torch.from_numpy(others)])
    scores_of_others = basis.components(edges[torch.from_numpy(others)]).double().numpy()
    scores = basis.components(edges[torch.from_numpy(left_out)]).double().numpy()
    used = scores_of_others.std(0) > 0
    return Fold(left_out, others, scores[:, used], scores_of_others[:, used])
