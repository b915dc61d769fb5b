"""What the people of a bundle are like: distributions that give one person's numbers a meaning.

The arrays go into a bundle's ``norms.npz`` as they are; `dtb_runtime.norms` reads them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dtb_runtime.errors import UsageError
from dtb_runtime.glm import design_matrix, fit_contrast, structure_bold
from dtb_runtime.indicators import Indicators, combine_indicators, task_indicators
from dtb_runtime.norms import N_QUANTILES
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.responses import read_densities, read_hazards
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import DT_S, TR_S, get_task

from .array_types import BatchWeights
from .hypernetwork import CompactHypernetwork, TwinNetwork


@torch.no_grad()
def default_indicators(
    network: TwinNetwork,
    weights: BatchWeights,
    tasks: tuple[str, ...],
    parcellation: Parcellation,
    bold_regions: tuple[str, ...],
) -> list[Indicators]:
    """Return each person's indicators over the default schedules, as the runtime computes them."""
    read = read_hazards if network.config.action_reading == "hazard" else read_densities
    per_person: list[list[Indicators]] = [[] for _ in range(len(weights))]
    for name in tasks:
        task = get_task(name)
        events = task.schedule()
        stimulus = torch.from_numpy(network_input(task.stimulus(events))).unsqueeze(0)
        design = design_matrix(events, events.n_frames, TR_S)
        for i in range(len(weights)):
            output = network.run(weights[i : i + 1], stimulus)
            actions = torch.sigmoid(output.action_logits[0]).numpy()
            distributions = read(actions, events, len(task.options), DT_S)
            series = structure_bold(output.bold[0].numpy(), bold_regions, parcellation.structures)
            t = {
                structure: float(fit_contrast(bold[:, None], design, task.contrast).t[0])
                for structure, bold in series.items()
            }
            per_person[i].append(task_indicators(task, events, distributions, t))
    return [combine_indicators(indicators) for indicators in per_person]


@torch.no_grad()
def cohort_norms(
    network: TwinNetwork,
    training: Tensor,
    held_out: Tensor,
    tasks: tuple[str, ...],
    parcellation: Parcellation,
    bold_regions: tuple[str, ...],
) -> dict[str, NDArray[Any]]:
    """Return the arrays of ``norms.npz``.

    Parameters
    ----------
    network : TwinNetwork
        In its exported form.
    training, held_out : Tensor, shape (people, n_edges)
        Edges (Fisher z). Means and covariances are the training people's; the distances and
        similarities that others are ranked among are those of people the training did not see,
        because an encoder fits its own people closer than any new one.
    tasks : tuple of str
    parcellation : Parcellation
    bold_regions : tuple of str

    Returns
    -------
    dict
        ``latent_mean`` (K,), ``latent_covariance`` (K, K) shrunk towards its
        diagonal, ``latent_distance`` (people,) sorted
        Mahalanobis distances, ``edge_mean`` (n_edges,) float16, ``edge_similarity`` (people,)
        sorted correlations with it, ``indicator_names`` (n,), ``indicator_quantiles`` (n, 101).
        There are no latent arrays where the network has no latent.
    """
    edge_mean = training.mean(0).half()
    norms: dict[str, NDArray[Any]] = {
        "edge_mean": edge_mean.numpy(),
        "edge_similarity": np.sort(_similarity(held_out, edge_mean.float())),
    }
    if isinstance(network.hypernetwork, CompactHypernetwork):
        latent_size = network.config.latent_size
        z = network.latent(training).double().numpy()
        mean, covariance = z.mean(0), _shrunk(np.cov(z.T).reshape(latent_size, latent_size), len(z))
        away = network.latent(held_out).double().numpy() - mean
        squared = np.einsum("pk,kl,pl->p", away, np.linalg.inv(covariance), away)
        distance = np.sort(np.sqrt(np.maximum(squared, 0)))
        norms["latent_mean"] = mean.astype(np.float32)
        norms["latent_covariance"] = covariance.astype(np.float32)
        norms["latent_distance"] = distance.astype(np.float32)
    weights = network.weights(torch.cat([training, held_out]))
    people = default_indicators(network, weights, tasks, parcellation, bold_regions)
    names = [name for name in people[0].values if all(name in p.values for p in people)]
    if not names:
        raise UsageError(
            "No indicator can be computed for everybody in the training cohort; a bundle without "
            "norms is of no use. Check that the cohort's runs are of the known tasks."
        )
    values = np.array([[p.values[name] for name in names] for p in people])
    levels = np.linspace(0, 1, N_QUANTILES)
    norms["indicator_names"] = np.array(names, dtype=np.str_)
    norms["indicator_quantiles"] = np.quantile(values, levels, axis=0).T.astype(np.float32)
    return norms


def _shrunk(covariance: NDArray[np.float64], n_people: int) -> NDArray[np.float64]:
    """Shrink a sample covariance towards its diagonal, the more the fewer people it is of.

    Of fewer people than latent numbers it would be singular, and no distance could be told.
    """
    size = len(covariance)
    diagonal = np.diag(np.diag(covariance) + 1e-6 * np.trace(covariance) / size + 1e-12)
    share = size / (size + n_people)
    return np.asarray((1 - share) * covariance + share * diagonal)


def _similarity(edges: Tensor, mean: Tensor) -> NDArray[np.float32]:
    """Return the Pearson correlation of each person's edges with the mean edges."""
    a = edges.double() - edges.double().mean(1, keepdim=True)
    b = mean.double() - mean.double().mean()
    similarity: NDArray[np.float32] = ((a @ b) / (a.norm(dim=1) * b.norm())).float().numpy()
    return similarity
