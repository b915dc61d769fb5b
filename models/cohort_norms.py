"""What the people of a bundle are like: distributions that give one person's numbers a meaning.

The arrays go into a bundle's ``norms.npz`` as they are; `dtb_runtime.norms_file` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dtb_runtime.errors import UsageError
from dtb_runtime.glm import design_matrix, fit_contrast, structure_bold
from dtb_runtime.indicators import Indicators, combine_indicators, task_indicators
from dtb_runtime.latent import LatentDistribution
from dtb_runtime.norms import N_QUANTILES
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.responses import read_densities, read_hazards
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import DT_S, TASKS, TR_S, get_task

from .array_types import BatchWeights
from .demographic_norms import demographic_norms
from .encoder_fit import EncoderFit
from .hypernetwork import TwinNetwork
from .phenotypes import Phenotype, phenotype_cells, phenotype_numbers
from .population_mean import matched_mean

_AT_ONCE = 16  # people whose networks run together; more need memory and save little


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
        for first in range(0, len(weights), _AT_ONCE):
            some = weights[first : first + _AT_ONCE]
            output = network.run(some, stimulus.expand(len(some), -1, -1))
            actions = torch.sigmoid(output.action_logits).numpy()
            for i in range(len(some)):
                distributions = read(actions[i], events, len(task.options), DT_S)
                series = structure_bold(
                    output.bold[i].numpy(), bold_regions, parcellation.structures
                )
                t = {
                    structure: float(fit_contrast(bold[:, None], design, task.contrast).t[0])
                    for structure, bold in series.items()
                }
                found = task_indicators(task, events, distributions, t)
                per_person[first + i].append(found)
    return [combine_indicators(indicators) for indicators in per_person]


@torch.no_grad()
def cohort_norms(
    network: TwinNetwork,
    training: Tensor,
    held_out: Tensor,
    weights: Tensor,
    tasks: tuple[str, ...],
    parcellation: Parcellation,
    bold_regions: tuple[str, ...],
    *,
    encoder: EncoderFit | None = None,
    phenotypes: Sequence[Phenotype] = (),
) -> dict[str, NDArray[Any]]:
    """Return the arrays of ``norms.npz``.

    Parameters
    ----------
    network : TwinNetwork
        In its exported form.
    training, held_out : Tensor, shape (people, n_edges)
        Edges (Fisher z); nobody need be held out.
    weights : Tensor, shape (people, n_weights)
        Main networks whose indicators make the norms: those of the training people.
    tasks : tuple of str
    parcellation : Parcellation
    bold_regions : tuple of str
    encoder : EncoderFit, optional
        Of the compact preset, for the priors and for distances of left-out people: an encoder fits
        its own people closer than any new one.
    phenotypes : sequence of mapping, optional
        Of the people of `weights`, for norms by ``age`` and ``sex``, in any case.

    Returns
    -------
    dict
        ``latent_mean`` (K,), ``latent_covariance`` (K, K) shrunk towards its diagonal,
        ``latent_distance`` (people,) sorted Mahalanobis distances, ``edge_mean`` and
        ``edge_sd`` (n_edges,) float16, the latter of two people or more, ``edge_similarity``
        (people,) sorted correlations with the mean of the others,
        ``indicator_names`` (n,), ``indicator_quantiles`` (n, 101), ``indicator_offsets`` (n,) how
        much more twins of left-out people's connectomes have (of medians), the priors
        ``population_mean`` (K,), ``population_covariance`` and ``connectome_covariance`` (K, K),
        and what `demographic_norms` gives. There are no latent arrays without an encoder.

    Raises
    ------
    UsageError
        If there is no indicator that everybody has.
    """
    edge_mean = training.mean(0).half()
    others = (training.mean(0) * len(training) - training) / max(len(training) - 1, 1)
    left_out = [_similarity(row[None], mean) for row, mean in zip(training, others, strict=True)]
    similarity = np.concatenate([*left_out, _similarity(held_out, edge_mean.float())])
    norms: dict[str, NDArray[Any]] = {
        "edge_mean": edge_mean.numpy(),
        "edge_similarity": np.sort(similarity),
    }
    if len(training) > 1:
        norms["edge_sd"] = training.std(0).half().numpy()
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
    if encoder is not None:
        norms |= _latent_norms(network.latent(held_out).double().numpy(), encoder)
        means = dict(zip(names, values.mean(axis=0).tolist(), strict=True))

        def indicators_of(latents: Tensor) -> list[Indicators]:
            drawn = network.decode(latents)
            return default_indicators(network, drawn, tasks, parcellation, bold_regions)

        norms["population_mean"] = _population_mean(encoder, means, indicators_of)
        twins = indicators_of(torch.from_numpy(encoder.out_of_fold).float())
        typical = [np.nanmedian([who.values.get(name, np.nan) for who in twins]) for name in names]
        norms["indicator_offsets"] = (typical - np.median(values, axis=0)).astype(np.float32)
    if phenotypes:
        by_name = {name: values[:, column] for column, name in enumerate(names)}
        norms |= demographic_norms(
            by_name, phenotype_numbers(phenotypes, "age"), phenotype_cells(phenotypes, "sex")
        )
    return norms


def _latent_norms(held_out: NDArray[np.float64], encoder: EncoderFit) -> dict[str, NDArray[Any]]:
    """Return where connectomes of left-out people put them, and what both priors leave open."""
    left_out = np.concatenate([encoder.out_of_fold, held_out])
    size = left_out.shape[1]
    mean = encoder.out_of_fold.mean(0)
    spread = np.cov(encoder.out_of_fold.T).reshape(size, size)
    covariance = _shrunk(spread, len(encoder.out_of_fold))
    away = left_out - mean
    squared = np.einsum("pk,kl,pl->p", away, np.linalg.inv(covariance), away)
    arrays = {
        "latent_mean": mean,
        "latent_covariance": covariance,
        "latent_distance": np.sort(np.sqrt(np.maximum(squared, 0))),
        "population_mean": encoder.population.intercept,
        "population_covariance": encoder.population.covariance,
        "connectome_covariance": encoder.regression.covariance,
    }
    return {name: values.astype(np.float32) for name, values in arrays.items()}


def _population_mean(
    encoder: EncoderFit,
    means: Mapping[str, float],
    indicators_of: Callable[[Tensor], list[Indicators]],
) -> NDArray[np.float32]:
    """Return the prior's mean: draws from it shall respond as fast as people, task by task."""
    times = [name for name in (f"reaction_time:{task}" for task in TASKS) if name in means]

    def behavior(latents: NDArray[np.float32]) -> NDArray[np.float64]:
        them = indicators_of(torch.from_numpy(latents))
        return np.array([[who.values.get(name, np.nan) for name in times] for who in them])

    population = LatentDistribution(encoder.population.intercept, encoder.population.covariance)
    wanted = np.array([means[name] for name in times])
    return matched_mean(population, wanted, behavior).astype(np.float32)


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
