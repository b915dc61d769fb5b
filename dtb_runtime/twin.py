"""A twin: the main network with the weights generated for one person."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFileError, load_npz
from .atomic import write_files
from .errors import TwinError, UsageError
from .forecast import Forecast, forecast_run
from .json_object import JsonObject
from .norms import Strangeness
from .tables import check_is_file

if TYPE_CHECKING:
    from .bundle import Bundle
    from .calibration import Calibration
    from .events import Events
    from .latent import LatentDistribution
    from .trials_seen import ObservedRun

NO_CONNECTOME = "No connectome was given: before any trial, this is the population's mean."
"""Note of a twin made without a connectome."""
FORMAT_VERSION = 1
"""Version of the file that `Twin.save` writes."""
MAX_FILE_BYTES = 64 * 1024**2
"""Limit for a saved twin, packed or unpacked; 400 hidden units and no latent take 0.7 MB."""

_PARTICIPANT = re.compile(r"(?:sub-)?([A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """One person's network. Immutable; may be used from several threads at once.

    Made by `Bundle.personalize` or read by `Bundle.load_twin`.
    """

    bundle: Bundle
    """The bundle it was made with and runs in."""
    latent: NDArray[np.float32] | None
    """The person as a few numbers, shape (latent_size,), read-only; None without a latent."""
    weights: NDArray[np.float32]
    """Weights of the main network, shape (n_weights,), read-only: W_ih, W_hh, b_ih, b_hh, W_ho,
    b_ho, each row by row."""
    participant_id: str | None
    """``sub-<label>``, or None."""
    strangeness: Strangeness | None
    """How unusual the connectome is for the training cohort; None if the bundle cannot say."""
    connectome_digest: str | None = None
    """SHA-256 of the connectome it was made from; None for bare edges."""
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
    def warnings(self) -> tuple[str, ...]:
        """Sentences that every output of this twin carries: the bundle's, then its own."""
        outside = self.strangeness is not None and self.strangeness.is_outside
        own = (self.strangeness.sentence,) if self.strangeness is not None and outside else ()
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
            Draws of the latent to average over. 1 takes the latent itself, which is faster, and as
            a rule too fast and too sure a person; so does a twin that has no distribution of
            latents, by default.
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
        return forecast_run(self, task, events, seed=seed, draws=draws, threads=threads)

    def draws(self, n: int, *, seed: int = 0) -> NDArray[np.float32]:
        """Latents that stand for what is known about the person.

        Decode them (`Bundle.decode`) to average over them: the person of mean latent is not the
        mean over persons.

        Parameters
        ----------
        n : int
            How many, at least 1; one is the latent itself. See `LatentDistribution.draws`.
        seed : int
            The same seed gives the same draws.

        Returns
        -------
        numpy.ndarray, shape (n, latent_size), float32

        Raises
        ------
        UsageError
            This twin has no distribution of latents, less than one draw, or a negative seed.
        """
        if self.posterior is None:
            raise UsageError(f"{_why_no_prior(self.bundle)} So there is nothing to draw from.")
        return self.posterior.draws(n, seed=seed)

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
            events.tsv files, or what `read_observed` makes of them. None leaves everything as it
            is.
        seed : int
            Of the draws that refine the posterior.

        Raises
        ------
        UsageError
            This bundle cannot be calibrated, a file's task cannot be told, or trials that were
            given before.
        EventsError
            An events file cannot be used.
        """
        # Late: a forecast needs neither of them.
        from .calibration import calibrate_latent
        from .trials_seen import ObservedRun, canonical_order, read_observed

        if self.prior is None:
            raise UsageError(f"{_why_no_prior(self.bundle)} So it cannot learn from trials.")
        given = [trials] if isinstance(trials, ObservedRun | Path | str) else trials
        new = [run if isinstance(run, ObservedRun) else read_observed(run) for run in given]
        if not new and self.calibration is not None:
            return self
        observed = canonical_order([*self.observed, *new])
        calibration = calibrate_latent(self.bundle, self.prior, observed, seed=seed)
        latent = calibration.posterior.mean.astype(np.float32)
        return replace(
            self,
            latent=latent,
            weights=self.bundle.decode(latent),
            posterior=calibration.posterior,
            observed=observed,
            calibration=calibration,
        )

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the twin to one .npz file without pickled objects.

        It holds the latent (the weights where there is none), what is known about the person and
        the digest of the bundle, which is needed again to load it: `Bundle.load_twin`.

        Raises
        ------
        OutputError
            The file is there already and `force` is not set, or it cannot be written.
        """
        strangeness = None if self.strangeness is None else self.strangeness.to_json()
        about = {
            "twin_version": FORMAT_VERSION,
            "bundle": self.bundle.name,
            "bundle_digest": self.bundle.digest,
            "participant_id": self.participant_id,
            "connectome_digest": self.connectome_digest,
            "strangeness": strangeness,
            "notes": list(self.notes),
        }
        key, values = ("weights", self.weights) if self.latent is None else ("latent", self.latent)
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {"about": np.array(json.dumps(about)), key: values}
        np.savez(buffer, **arrays)
        path = Path(path)
        write_files(path.parent, {path.name: buffer.getvalue()}, force=force)


def checked_participant_id(participant_id: str | None) -> str | None:
    """``sub-<label>`` from a label with or without ``sub-``; None stays None.

    Raises
    ------
    UsageError
        The label is not made of letters and digits alone, as BIDS asks. It becomes part of file
        names.
    """
    if participant_id is None:
        return None
    match = _PARTICIPANT.fullmatch(participant_id)
    if match is None:
        raise UsageError(
            f"A participant label must be letters and digits, as in sub-01, found "
            f"{participant_id!r}."
        )
    return f"sub-{match[1]}"


def _why_no_prior(bundle: Bundle) -> str:
    if bundle.manifest.latent_size == 0:
        return f"Bundle {bundle.name!r} has no latent."
    return (
        f"Bundle {bundle.name!r} does not say how sure it is of a latent; export it again with a "
        "newer version of dtb-runtime."
    )


def read_twin(path: Path, bundle: Bundle) -> Twin:
    """Read what `Twin.save` wrote; raises `TwinError`, see `Bundle.load_twin`."""
    about, arrays = _read(path)
    version = about.take("twin_version")
    if version != FORMAT_VERSION:
        raise TwinError(
            f"{path} is a twin of version {version!r}, this dtb-runtime reads version "
            f"{FORMAT_VERSION}. Update dtb-runtime, or personalize again."
        )
    name, digest = about.text("bundle"), about.text("bundle_digest")
    if digest != bundle.digest:
        raise TwinError(
            f"{path} was made with bundle {name!r} (digest {digest[:12]}), but this is bundle "
            f"{bundle.name!r} (digest {bundle.digest[:12]}). Load it with its own bundle, or "
            "personalize the connectome again."
        )
    participant_id, connectome_digest = (
        about.optional_text(key) for key in ("participant_id", "connectome_digest")
    )
    strangeness = about.optional_child("strangeness")
    notes = about.texts("notes")
    about.close()
    has_latent = bundle.manifest.latent_size > 0
    key = "latent" if has_latent else "weights"
    length = bundle.manifest.latent_size if has_latent else bundle.manifest.n_weights
    if set(arrays) != {key} or arrays[key].shape != (length,):
        raise TwinError(f"{path} must hold {length} numbers named {key!r}. Personalize again.")
    values = arrays[key]
    if values.dtype != np.float32 or not np.isfinite(values).all():
        raise TwinError(f"{path}: {key} must be finite float32 numbers. Personalize again.")
    return Twin(
        bundle=bundle,
        latent=values if has_latent else None,
        weights=bundle.decode(values) if has_latent else values,
        participant_id=participant_id,
        strangeness=None if strangeness is None else _strangeness(strangeness),
        connectome_digest=connectome_digest,
        notes=notes,
    )


def _strangeness(document: JsonObject) -> Strangeness:
    strangeness = Strangeness(
        distance=document.optional_number("distance"),
        distance_percentile=document.optional_number("distance_percentile"),
        similarity_to_cohort=document.optional_number("similarity_to_cohort"),
        similarity_percentile=document.optional_number("similarity_percentile"),
        sentence=document.text("sentence"),
    )
    document.close()
    return strangeness


def _read(path: Path) -> tuple[JsonObject, dict[str, NDArray[Any]]]:
    """What is said about the twin, and the other arrays of its file."""
    check_is_file(path, TwinError)  # a device could be read forever
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise TwinError(f"{path} is larger than any twin. Give a file that Twin.save wrote.")
        data = path.read_bytes()
    except OSError as cause:
        raise TwinError(f"{path} cannot be read: {cause.strerror or cause}.") from cause
    try:
        arrays = load_npz(io.BytesIO(data), path.name, MAX_FILE_BYTES)
    except ArrayFileError as cause:
        raise TwinError(
            f"{path} is not a saved twin, or it is damaged ({cause.problem}). Personalize again."
        ) from cause
    if "about" not in arrays:
        raise TwinError(f"{path} is not a saved twin. Give a file that Twin.save wrote.")
    return JsonObject.parse(str(arrays.pop("about")), str(path), TwinError), arrays
