"""A twin: the main network with the weights generated for one person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .atomic import write_files
from .basis import Basis
from .connectome_facts import ConnectomeFacts
from .errors import UsageError
from .forecast import Forecast, forecast_runs
from .participants import participant_id_from
from .strangeness import Strangeness
from .task_transfer import in_part, shared_part
from .tasks import get_task

if TYPE_CHECKING:
    from .bundle import Bundle
    from .calibration import Calibration
    from .events import Events
    from .latent import LatentDistribution
    from .observed_run import ObservedRun

NO_CONNECTOME = "No connectome was given: before any trial, this is the population's mean."
"""Warning of a twin made without a connectome."""
NOT_CONVERGED = (
    "The search for what this person's trials say did not come to its end, so the twin may be far "
    "from them. Compare it with the trials that it has seen, and check that they are this person's."
)
"""Warning of a twin whose calibration did not converge."""

Origin = Literal["connectome", "edges", "population"]
"""What a twin was made from before any trial was seen: a connectome, bare edges, or neither."""


@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """One person's network. Immutable; may be used from several threads at once.

    Made by `Bundle.personalize` or read by `Bundle.load_twin`.
    """

    bundle: Bundle
    """The bundle it was made with and runs in."""
    latent: NDArray[np.float32] | None
    """The person as a few numbers, shape (latent_size,), read-only; None without a latent. Once
    trials were seen, forecasts take those of `distribution` for their task instead."""
    weights: NDArray[np.float32]
    """Weights of the main network, shape (n_weights,), read-only: W_ih, W_hh, b_ih, b_hh, W_ho,
    b_ho, each row by row. Those of `latent`."""
    participant_id: str | None
    """``sub-<label>``, or None."""
    strangeness: Strangeness | None
    """How unusual the connectome is for the training cohort; None if the bundle cannot say."""
    origin: Origin
    """What it was made from before any trial was seen."""
    connectome_digest: str | None = None
    """SHA-256 of the connectome it was made from; None without one, and for bare edges."""
    notes: tuple[str, ...] = ()
    """What was set or is doubtful about the connectome."""
    prior: LatentDistribution | None = None
    """The latent before any trial was seen; None if the bundle has no latent or cannot say."""
    posterior: LatentDistribution | None = None
    """The latent given `observed`; the prior where nothing was observed."""
    observed: tuple[ObservedRun, ...] = ()
    """The person's own trials that the twin has learned from."""
    calibration: Calibration | None = None
    """How the posterior was found; None before `calibrate`."""
    facts: ConnectomeFacts | None = None
    """How good the connectome is, as far as it shows; None without one."""

    def __post_init__(self) -> None:
        if self.posterior is None:
            object.__setattr__(self, "posterior", self.prior)
        for name in ("latent", "weights"):
            array = getattr(self, name)
            if array is not None:
                own = np.array(array, dtype=np.float32)
                own.setflags(write=False)
                object.__setattr__(self, name, own)

    def __repr__(self) -> str:
        return f"Twin({self.participant_id!r}, bundle={self.bundle.name!r})"

    @property
    def is_mean(self) -> bool:
        """Whether its latent is the mean of what a connectome tells, and no trial was seen."""
        return self.latent is not None and self.origin != "population" and not self.observed

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that every output of this twin carries: the bundle's, then its own."""
        outside = self.strangeness is not None and self.strangeness.is_outside
        own = (self.strangeness.sentence,) if self.strangeness is not None and outside else ()
        if self.origin == "population":
            own = (NO_CONNECTOME, *own)
        if self.calibration is not None and not self.calibration.converged:
            own = (*own, NOT_CONVERGED)
        if self.observed:
            own = (*own, *Basis.of(self).doubts)
        if self.calibration is not None:
            own = (*own, *self.calibration.misfits)
        return (*self.bundle.warnings, *self.notes, *own)

    def forecast(
        self,
        task: str,
        events: Events | Path | str | None = None,
        *,
        seed: int | None = None,
        draws: int | None = None,
        threads: int = 1,
    ) -> Forecast:
        """Forecast choices, response times and BOLD in one run of a task.

        What is not known of the person is part of it: it averages over draws of the latent.

        Parameters
        ----------
        task : str
            ``"hammer"`` or ``"stroop"``.
        events : Events, or path of an events.tsv, optional
            The schedule; the study's own by default.
        seed : int, optional
            Also draw one choice and response time per trial, with this seed.
        draws : int, optional
            Draws of the latent to average over. 1 takes the mean of `distribution` alone, which is
            quicker, and as a rule too fast and too sure a person; so does a twin that has no
            distribution of latents, by default.
        threads : int
            How many draws run at a time. It changes no number.

        Raises
        ------
        UsageError
            No such task, one this bundle was not trained on, a negative seed, less than one draw
            or thread, or several draws of a twin that has no distribution of latents.
        EventsError
            The events file cannot be used.
        """
        (forecast,) = forecast_runs(self, {task: events}, seed=seed, draws=draws, threads=threads)
        return forecast

    def forecast_tasks(
        self,
        schedules: Mapping[str, Events | Path | str | None] | None = None,
        *,
        seed: int | None = None,
        draws: int | None = None,
        threads: int = 1,
    ) -> list[Forecast]:
        """Forecast one run of several tasks: the numbers of `forecast`, sooner where that is so.

        Bundles without a latent take all runs of a person through the network in one call.

        Parameters
        ----------
        schedules : mapping of str to Events or path, optional
            Task to schedule, None for the study's own; by default all tasks of the bundle.
        seed, draws, threads
            As for `forecast`.

        Returns
        -------
        list of Forecast
            In the order of the mapping, by default that of the bundle's tasks.

        Raises
        ------
        UsageError, EventsError
            As `forecast`.
        """
        if schedules is None:
            schedules = dict.fromkeys(self.bundle.manifest.tasks)
        return forecast_runs(self, schedules, seed=seed, draws=draws, threads=threads)

    def distribution(self, task: str | None = None) -> LatentDistribution | None:
        """What is known of the person's latent, in one task or over all trials seen.

        Parameters
        ----------
        task : str, optional
            What the trials tell holds in a task in part, the less the more they are of other
            tasks (`task_transfer`). By default the posterior as it is.

        Returns
        -------
        LatentDistribution or None
            None if the bundle does not say how sure it is.

        Raises
        ------
        UsageError
            No such task.
        """
        if task is not None:
            get_task(task)
        if self.prior is None or self.posterior is None or task is None:
            return self.posterior
        return in_part(self.prior, self.posterior, shared_part(self.observed, task))

    def draws(self, n: int, *, seed: int = 0, task: str | None = None) -> NDArray[np.float32]:
        """Latents that stand for what is known about the person.

        Decode them (`Bundle.decode`) to average over them: the person of mean latent is not the
        mean over persons.

        Parameters
        ----------
        n : int
            How many, at least 1; one is the latent itself. See `LatentDistribution.draws`.
        seed : int
            The same seed gives the same draws.
        task : str, optional
            Of the person in this task; see `distribution`.

        Returns
        -------
        numpy.ndarray, shape (n, latent_size), float32

        Raises
        ------
        UsageError
            This twin has no distribution of latents, no such task, less than one draw, or a
            negative seed.
        """
        known = self.distribution(task)
        if known is None:
            raise UsageError(f"{why_no_prior(self.bundle)} So there is nothing to draw from.")
        return known.draws(n, seed=seed)

    def calibrate(
        self,
        trials: ObservedRun | Path | str | Sequence[ObservedRun | Path | str],
        *,
        seed: int = 0,
    ) -> Twin:
        """Learn from trials that the person did: a new twin.

        All trials are kept, and each time the latent is found anew from all of them, so the order
        of updates does not matter.

        Parameters
        ----------
        trials : ObservedRun or path, or sequence of them
            Runs, or parts of runs, of the tasks this bundle knows, with the person's responses:
            events.tsv files, or what `read_observed` makes of them. An empty sequence keeps prior
            and latent.
        seed : int
            Of the draws that refine the posterior.

        Raises
        ------
        UsageError
            This bundle cannot be calibrated, something else instead of trials, a file of another
            participant or whose task cannot be told, or trials that were given before.
        EventsError
            An events file cannot be used.
        """
        # Late: a forecast needs neither of them.
        from .calibration import calibrate_latent
        from .observed_run import ObservedRun
        from .run_joining import canonical_order, check_not_seen
        from .seen_trials import seen_trials
        from .trials_seen import read_observed

        if self.prior is None:
            raise UsageError(f"{why_no_prior(self.bundle)} So it cannot learn from trials.")
        given: list[Any] = [trials]
        if isinstance(trials, Iterable) and not isinstance(trials, str):
            given = list(trials)
        if any(run is None for run in given):
            raise UsageError(
                "Expected runs to learn from, found None, which ObservedRun.until gives where no "
                "trial begins before its time. Leave it out; an empty list keeps prior and latent."
            )
        for file in given:
            if not isinstance(file, ObservedRun | Path | str):
                raise UsageError(
                    "Expected events files or what read_observed makes of them, found "
                    f"{type(file).__name__}."
                )
            if isinstance(file, Path | str):
                self._check_is_theirs(file)
        new = [run if isinstance(run, ObservedRun) else read_observed(run) for run in given]
        if not new and self.calibration is not None:
            return self
        check_not_seen(self.observed, new)
        observed = canonical_order([*self.observed, *new])
        calibration = calibrate_latent(self.bundle, self.prior, observed, seed=seed)
        latent = calibration.posterior.mean.astype(np.float32)
        twin = replace(
            self,
            latent=latent,
            weights=self.bundle.decode(latent),
            posterior=calibration.posterior,
            observed=observed,
            calibration=calibration,
        )
        # The latent alone is enough to see what is off by much, and quick.
        misfits = [m for each in seen_trials(twin, draws=1) for m in each.misfits if each.is_whole]
        return replace(twin, calibration=replace(calibration, misfits=tuple(misfits)))

    def _check_is_theirs(self, file: Path | str) -> None:
        """Refuse a file whose name is of another participant."""
        other = participant_id_from(file)
        if other is not None and self.participant_id not in (None, other):
            raise UsageError(
                f"{Path(file).name} is of {other}, but this is the twin of {self.participant_id}. "
                "Give this person's files; read_observed reads one whatever its name says."
            )

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the twin to one .npz file without pickled objects.

        It holds the latent (the weights where there is none), its prior and posterior, the trials
        it has learned from, what is known about the person and the digest of the bundle, which is
        needed again to load it: `Bundle.load_twin`.

        Raises
        ------
        OutputError
            The file is there already and `force` is not set, or it cannot be written.
        """
        from .twin_file import twin_bytes  # late: it needs this module

        path = Path(path)
        write_files(path.parent, {path.name: twin_bytes(self)}, force=force)


def why_no_prior(bundle: Bundle) -> str:
    """Sentence that says why the twins of a bundle have no distribution of latents."""
    if bundle.manifest.latent_size == 0:
        return f"Bundle {bundle.name!r} has no latent."
    return (
        f"Bundle {bundle.name!r} does not say how sure it is of a latent; export it again with a "
        "newer version of dtb-runtime."
    )
