"""From what is known of people to their twins: a connectome, bare edges, or nothing yet.

What the methods of `Bundle` do that make twins; they are described there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bundle_graphs import BundleGraphs
from .connectome import Connectome
from .connectome_facts import ConnectomeFacts
from .errors import UsageError
from .imputation import imputation_covariance
from .latent import LatentDistribution
from .participants import checked_participant_id
from .twin import Origin, Twin, why_no_prior

if TYPE_CHECKING:
    from .bundle import Bundle

ParticipantIds = Sequence[str | None] | None
"""One BIDS label a person, or None where nobody has one."""


def twins_of_connectomes(
    bundle: Bundle,
    graphs: BundleGraphs,
    connectomes: Sequence[Connectome | ArrayLike],
    participant_ids: ParticipantIds,
) -> list[Twin]:
    """Twins of people with connectomes; see `Bundle.personalize_several`."""
    if bundle.manifest.parcellation is None:
        raise UsageError(
            f"Bundle {bundle.name!r} was not trained on connectomes. Give it its own kind of "
            f"edges, {bundle.manifest.n_edges} numbers a person: personalize_edges."
        )
    given = [
        each if isinstance(each, Connectome) else Connectome.from_matrix(each)
        for each in connectomes
    ]
    ids = _checked_ids(participant_ids, len(given))
    if not given:
        return []
    aligned = [bundle.aligned(each) for each in given]
    twins = _generated(
        bundle,
        graphs,
        np.stack([each.edges() for each in aligned]),
        ids,
        origin="connectome",
        notes=[each.notes for each in aligned],
        connectome_digests=[each.digest() for each in aligned],
    )
    return [
        replace(
            twin,
            facts=ConnectomeFacts.of(each),
            prior=_prior_of_imputed(bundle, graphs, twin.prior, each),
            posterior=None,
        )
        for twin, each in zip(twins, aligned, strict=True)
    ]


def twins_of_edges(
    bundle: Bundle, graphs: BundleGraphs, edges: ArrayLike, participant_ids: ParticipantIds
) -> list[Twin]:
    """Twins of people whose hypernetwork inputs are given; see `Bundle.personalize_edges`."""
    values = graphs.checks.edges(edges)
    ids = _checked_ids(participant_ids, len(values))
    if not len(values):
        return []
    nothing: tuple[str, ...] = ()
    return _generated(
        bundle,
        graphs,
        values,
        ids,
        origin="edges",
        notes=[nothing] * len(values),
        connectome_digests=[None] * len(values),
    )


def twin_of_the_population(bundle: Bundle, participant_id: str | None) -> Twin:
    """The twin of somebody of whom nothing is known yet; see `Bundle.population_twin`."""
    prior = bundle.norms.prior
    if prior is None:
        raise UsageError(f"{why_no_prior(bundle)} So it needs a connectome.")
    latent = prior.population.mean.astype(np.float32)
    return Twin(
        bundle=bundle,
        latent=latent,
        weights=bundle.decode(latent),
        participant_id=checked_participant_id(participant_id),
        strangeness=None,
        origin="population",
        prior=prior.population,
    )


def _generated(
    bundle: Bundle,
    graphs: BundleGraphs,
    edges: NDArray[np.float32],
    participant_ids: Sequence[str | None],
    *,
    origin: Origin,
    notes: Sequence[tuple[str, ...]],
    connectome_digests: Sequence[str | None],
) -> list[Twin]:
    latents, weights = graphs.generate(edges)
    prior = bundle.norms.prior
    return [
        Twin(
            bundle=bundle,
            latent=latent,
            weights=own,
            participant_id=participant_id,
            strangeness=bundle.norms.strangeness(row, latent),
            origin=origin,
            connectome_digest=digest,
            notes=own_notes,
            prior=None if prior is None or latent is None else prior.around(latent),
        )
        for row, latent, own, participant_id, own_notes, digest in zip(
            edges, latents, weights, participant_ids, notes, connectome_digests, strict=True
        )
    ]


def _prior_of_imputed(
    bundle: Bundle,
    graphs: BundleGraphs,
    prior: LatentDistribution | None,
    connectome: Connectome,
) -> LatentDistribution | None:
    """What is known of a person: less where regions were imputed."""
    norms = bundle.norms.edges
    if not connectome.imputed or prior is None or norms is None or connectome.labels is None:
        return prior
    wider = imputation_covariance(
        connectome.edges(),
        tuple(connectome.labels.index(name) for name in connectome.imputed),
        norms.mean,
        graphs.latents,
    )
    return LatentDistribution(prior.mean, prior.covariance + wider)


def _checked_ids(participant_ids: ParticipantIds, n_people: int) -> list[str | None]:
    ids = [None] * n_people if participant_ids is None else participant_ids
    if len(ids) != n_people:
        raise UsageError(f"There are {n_people} people but {len(ids)} participant ids.")
    return [checked_participant_id(name) for name in ids]
