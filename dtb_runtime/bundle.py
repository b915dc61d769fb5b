"""A bundle: everything that turns connectomes into twins and twins into forecasts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bundle_graphs import BundleGraphs
from .connectome import Connectome
from .connectome_checks import check_spread
from .errors import UsageError
from .imputation import imputed
from .manifest import Manifest
from .norms import Norms
from .personalization import twin_of_the_population, twins_of_connectomes, twins_of_edges
from .twin import Twin

if TYPE_CHECKING:
    from .cohort_entry import CohortEntry
    from .scored_person import ScoredPerson
    from .scoring import ScoreSettings


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A loaded and verified bundle. Immutable; may be used from several threads at once.

    Made by `load_bundle`.
    """

    manifest: Manifest
    digest: str
    """SHA-256 of the manifest: two bundles with one digest are the same."""
    provider: str
    """Execution provider that runs it, e.g. ``"CPUExecutionProvider"``."""
    norms: Norms
    """Distributions over the people it was trained on."""
    model_card: str
    """What it was trained on and how good it is, as Markdown."""
    folder: Path
    """Where it was read from."""
    _graphs: BundleGraphs

    @property
    def name(self) -> str:
        """Name in the manifest."""
        return self.manifest.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that everything made with this bundle carries."""
        return self.manifest.warnings

    @property
    def people_per_call(self) -> int:
        """How many people's main networks to run at once with `run_main`.

        1 where a person's own runs are better taken together: `run_several`.
        """
        return self._graphs.people_per_call

    def __repr__(self) -> str:
        return f"Bundle({self.name!r}, digest={self.digest[:12]!r}, provider={self.provider!r})"

    def personalize(
        self, connectome: Connectome | ArrayLike, *, participant_id: str | None = None
    ) -> Twin:
        """Make the twin of one person.

        Parameters
        ----------
        connectome : Connectome, or array_like of shape (n_regions, n_regions)
            Correlations r, symmetric, with diagonal 1. A labeled `Connectome` is put into the
            order of the bundle's parcellation; an array must be in that order.
        participant_id : str, optional
            BIDS label of the person, with or without ``sub-``.

        Raises
        ------
        ConnectomeError
            It is no connectome, or one of another parcellation.
        UsageError
            This bundle does not take connectomes, or `participant_id` is no BIDS label.
        """
        return self.personalize_several([connectome], participant_ids=[participant_id])[0]

    def personalize_several(
        self,
        connectomes: Sequence[Connectome | ArrayLike],
        *,
        participant_ids: Sequence[str | None] | None = None,
    ) -> list[Twin]:
        """Make the twins of several people, together where that is quicker.

        Parameters
        ----------
        connectomes : sequence of Connectome or array_like
            As for `personalize`. A twin's numbers do not depend on the others.
        participant_ids : sequence of str, optional
            One BIDS label a person.

        Raises
        ------
        ConnectomeError, UsageError
            As `personalize`; another number of participant ids than people.
        """
        return twins_of_connectomes(self, self._graphs, connectomes, participant_ids)

    def aligned(self, connectome: Connectome) -> Connectome:
        """Put a connectome into the order of the bundle's regions, without gaps.

        Parameters
        ----------
        connectome : Connectome
            Regions without data are taken from the bundle's cohort where it says that they may be.

        Raises
        ------
        ConnectomeError
            It is one of another parcellation, or too much of it has no data.
        UsageError
            This bundle does not take connectomes.
        """
        parcellation = self.manifest.parcellation
        if parcellation is None:
            raise UsageError(f"Bundle {self.name!r} was not trained on connectomes.")
        own = connectome.aligned(parcellation.labels, parcellation.name)
        complete = imputed(own, self.norms, self.name)
        check_spread(complete.correlations, complete.source)
        return complete

    def personalize_edges(
        self, edges: ArrayLike, *, participant_ids: Sequence[str | None] | None = None
    ) -> list[Twin]:
        """Make the twins of several people at once, from edges instead of connectomes.

        Parameters
        ----------
        edges : array_like, shape (people, n_edges)
            Hypernetwork inputs; for a bundle with a parcellation the Fisher z of the upper
            triangle, row by row.
        participant_ids : sequence of str, optional
            One BIDS label a person.

        Raises
        ------
        DataError
            Another shape, or a value that is not finite.
        UsageError
            Another number of participant ids than people, or one that is no BIDS label.
        """
        return twins_of_edges(self, self._graphs, edges, participant_ids)

    def population_twin(self, *, participant_id: str | None = None) -> Twin:
        """Make the twin of a person whose connectome is not known.

        Its latent is the population's mean, its uncertainty that of drawing anybody. Calibrate it
        with the person's own trials: `Twin.calibrate`.

        Parameters
        ----------
        participant_id : str, optional
            BIDS label of the person, with or without ``sub-``.

        Raises
        ------
        UsageError
            This bundle does not say how people's latents are distributed, or `participant_id` is
            no BIDS label.
        """
        return twin_of_the_population(self, participant_id)

    def score(
        self, people: Iterable[CohortEntry | str | Path], settings: ScoreSettings | None = None
    ) -> Iterator[ScoredPerson]:
        """Score people one after the other, as they come.

        Parameters
        ----------
        people : iterable of CohortEntry or path
            Connectome files, named ``sub-<label>...``, or entries of `list_cohort`. It is read as
            far as results are asked for, but for those of one call.
        settings : ScoreSettings, optional

        Yields
        ------
        ScoredPerson
            One each, in their order: with numbers, or with the reason why there are none.

        Raises
        ------
        UsageError
            The settings do not fit this bundle.

        Notes
        -----
        In this process. `cohort_run.score_cohort` uses several, and goes on after a kill.
        """
        from .scoring import score_people  # late: a single forecast does not need it

        return score_people(self, people, settings)

    def load_twin(self, path: str | Path) -> Twin:
        """Read a twin that `Twin.save` wrote.

        Raises
        ------
        TwinError
            The file is missing or damaged, or the twin belongs to another bundle.
        """
        from .twin_file import read_twin  # late: most programs have no saved twins

        return read_twin(Path(path), self)

    def decode(self, latent: NDArray[np.float32]) -> NDArray[np.float32]:
        """Main-network weights of one latent, or of several at once.

        Parameters
        ----------
        latent : numpy.ndarray, shape (latent_size,) or (people, latent_size), float32

        Returns
        -------
        numpy.ndarray, shape (n_weights,) or (people, n_weights), float32
            Several at once may differ from one at a time in the last digit.

        Raises
        ------
        UsageError
            This bundle has no latent.
        """
        return self._graphs.decode(latent)

    def run_main(
        self,
        weights: NDArray[np.float32],
        stimulus: NDArray[np.float32],
        state: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Run the main networks of one or several people over one stimulus.

        Parameters
        ----------
        weights : numpy.ndarray, shape (n_weights,) or (people, n_weights)
            `Twin.weights`, or several people's.
        stimulus : numpy.ndarray, shape (n_steps, n_inputs)
            Already delayed by one step (`stimulus.network_input`), at least one step.
        state : numpy.ndarray, shape (hidden_size,) or (people, hidden_size), optional
            Hidden state before the first step, zeros by default.

        Returns
        -------
        actions : numpy.ndarray, shape (n_steps, n_actions)
            In [0, 1].
        bold : numpy.ndarray, shape (ceil(n_steps / bold_stride), n_bold)
            At steps 0, bold_stride, ...; in SDs of the training data.
        state : numpy.ndarray, shape (hidden_size,)
            After the last step: run on from here with the next part of the stimulus.

            Of several people, all three have people along another axis before these. Together or
            alone, a person's numbers are the same to the last digit; `people_per_call` at a time
            are fastest.

        Raises
        ------
        DataError
            Another shape.
        BundleError
            The graph gives another shape, or numbers that are not finite.
        """
        return self._graphs.run_main(weights, stimulus, state)

    def run_several(
        self, weights: NDArray[np.float32], stimuli: Sequence[NDArray[np.float32]]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Run one person's main network over several stimuli, together where that is quicker.

        Parameters
        ----------
        weights : numpy.ndarray, shape (n_weights,)
            `Twin.weights`.
        stimuli : sequence of numpy.ndarray, shape (n_steps, n_inputs)
            As for `run_main`, each from a state of zeros; they may differ in length.

        Returns
        -------
        list of (actions, bold)
            One a stimulus, with shapes as of `run_main`. A run's numbers do not depend on the
            others, to the last digit; a bundle without a latent gives those of `run_main` to 1e-5.

        Raises
        ------
        DataError
            Another shape.
        BundleError
            The graph fails, or gives numbers that are not finite.
        """
        return self._graphs.run_several(weights, stimuli)
