"""What a cohort is: participants with connectomes and with what they did in each task run.

A cohort of thousands does not fit into memory, so a participant holds trials only; connectome and
BOLD are computed, or read from disk, at the moment someone asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.events import Events
from dtb_runtime.manifest_sections import TrainingKind
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.recorded_responses import Responses

Bold = NDArray[np.float32]
CohortKind: TypeAlias = TrainingKind
"""What a bundle's manifest will say that it was trained on."""
Value = TypeVar("Value")
Source: TypeAlias = Value | Callable[[], Value] | None
"""A thing, a function that makes it when it is needed, or nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One uninterrupted task run of one participant."""

    task: str
    """Name of the task, e.g. ``"stroop"``."""
    run: str
    """Which of the task's runs, as in file names, e.g. ``"stroopAP_run-01"``."""
    events: Events
    """The trials."""
    responses: Responses
    """What the participant did in them."""
    bold_source: Source[Bold] = field(default=None, repr=False)
    """BOLD, or a function that returns it."""

    @property
    def has_bold(self) -> bool:
        """Whether there is BOLD of this run; asking costs nothing."""
        return self.bold_source is not None

    @property
    def bold(self) -> Bold | None:
        """BOLD at TR, shape (n_frames, n_regions), read-only; None if there is none.

        The scan may be shorter or longer than the events say.
        """
        return _resolve(self.bold_source)


@dataclass(frozen=True, slots=True, eq=False)
class Participant:
    """One person of a cohort."""

    participant_id: str
    """BIDS id with its prefix, e.g. ``"sub-NDARINVAG023WG3"``."""
    runs: tuple[Run, ...]
    """Task runs, in the cohort's order of runs."""
    connectome_source: Source[Connectome] = field(default=None, repr=False)
    """Connectome, or a function that returns it."""
    phenotype: Mapping[str, str | float] = field(default_factory=lambda: MappingProxyType({}))
    """Columns of participants.tsv."""
    truth: Mapping[str, float] | None = None
    """What a simulation knows: traits, factors and response scales; None for real people."""
    motion_fd: Mapping[str, NDArray[np.float64]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Framewise displacement in mm of each run that has it: per frame, or one mean value."""

    @property
    def connectome(self) -> Connectome | None:
        """Resting connectome (correlations r); None if there is none."""
        return _resolve(self.connectome_source)

    def run(self, name: str) -> Run:
        """Return the run of this name.

        Raises
        ------
        UsageError
            If the participant has no such run.
        """
        for run in self.runs:
            if run.run == name:
                return run
        found = ", ".join(run.run for run in self.runs) or "none"
        raise UsageError(f"{self.participant_id} has no run {name!r}; there are: {found}.")


class Cohort(Protocol):
    """People to train on or to compare with."""

    @property
    def participants(self) -> Sequence[Participant]:
        """Everybody, in a fixed order."""
        ...

    @property
    def parcellation(self) -> Parcellation | None:
        """Regions of connectomes and BOLD; None if the cohort has neither."""
        ...

    @property
    def kind(self) -> CohortKind:
        """Whether people are real, simulated, or real behavior with simulated brains."""
        ...

    @property
    def description(self) -> str:
        """One sentence for model cards: who these people are and what was measured."""
        ...

    @property
    def warning(self) -> str | None:
        """Sentence that must stand beside every result learned from this cohort, or None."""
        ...

    def rest_runs(self, participant_id: str) -> Mapping[str, Bold]:
        """Return a participant's resting scans by run name, each (n_frames, n_regions)."""
        ...


def contributors(cohort: Cohort) -> tuple[str, ...]:
    """Return ids of real people who are none of a cohort's participants, but whose data are in it.

    Those whose activations its BOLD was simulated with, for instance. Who is judged must be none of
    them either.
    """
    found: tuple[str, ...] = getattr(cohort, "contributors", ())
    return found


def connectome_from_rest(
    runs: Mapping[str, Bold], *, labels: Sequence[str] | None, source: str
) -> Connectome:
    """Return the connectome of several resting runs, each z-scored and then put end to end.

    Z-scoring per run keeps differences of level and scale between runs out of the correlations.

    Parameters
    ----------
    runs : mapping of str to ndarray, shape (n_frames, n_regions)
    labels : sequence of str or None
        Region labels, in the order of the columns.
    source : str
        Whose scans these are, for messages.

    Raises
    ------
    CohortError
        If there is no run, runs differ in regions, or a region of a run is constant or not finite.
    """
    if not runs:
        raise CohortError(
            f"A connectome of {source} needs at least one resting run, found none. "
            "Leave this participant out or add the run."
        )
    pieces = []
    widths = {name: series.shape[1] for name, series in runs.items()}
    if len(set(widths.values())) > 1:
        raise CohortError(
            f"The resting runs of {source} differ in their number of regions: {widths}. "
            "Parcellate all of them with the same atlas."
        )
    for name, series in runs.items():
        bad = np.flatnonzero(~np.all(np.isfinite(series), axis=0))
        if not len(bad):
            centered = series - series.mean(0, dtype=np.float64).astype(np.float32)
            sd = np.sqrt(np.mean(np.square(centered), axis=0, dtype=np.float64))
            bad = np.flatnonzero(sd == 0)
        if len(bad):
            which = [labels[i] if labels else str(i) for i in bad[:5]]
            raise CohortError(
                f"Every region of a resting run must vary and be finite; in run {name} of {source} "
                f"{len(bad)} regions are constant or not finite, first {', '.join(which)}. "
                "Leave the run out or repair its parcellation."
            )
        centered /= sd.astype(np.float32)
        pieces.append(centered)
    return Connectome.from_timeseries(np.concatenate(pieces), labels=labels, source=source)


def split_participants(
    ids: Sequence[str], fractions: Mapping[str, float], seed: int
) -> dict[str, tuple[str, ...]]:
    """Split people, never trials, into named parts.

    The same people and seed always give the same parts, whatever order the ids come in.

    Parameters
    ----------
    ids : sequence of str
        Participant ids, each once.
    fractions : mapping of str to float
        Name of each part and its share; shares are positive and sum to 1.
    seed : int

    Returns
    -------
    dict of str to tuple of str
        Each part's ids, sorted. Parts are disjoint and together everybody.

    Raises
    ------
    UsageError
        If shares are not positive or do not sum to 1.
    CohortError
        If an id stands twice, or there are too few people to give every part one.

    Examples
    --------
    >>> split_participants(["a", "b", "c", "d"], {"train": 0.75, "test": 0.25}, seed=1)
    {'train': ('a', 'b', 'd'), 'test': ('c',)}
    """
    shares = np.array(list(fractions.values()), np.float64)
    if len(shares) == 0 or np.any(shares <= 0) or abs(shares.sum() - 1) > 1e-9:
        raise UsageError(
            "The parts of a split must have positive shares that sum to 1, "
            f"found {dict(fractions)}."
        )
    ordered = sorted(ids)
    repeated = [a for a, b in pairwise(ordered) if a == b]
    if repeated:
        raise CohortError(
            f"Every participant must stand once in a split, found {repeated[0]} more than once."
        )
    if len(ordered) < len(shares):
        raise CohortError(
            f"A split into {len(shares)} parts needs at least {len(shares)} people, "
            f"found {len(ordered)}."
        )
    edges = np.rint(np.cumsum(shares) * len(ordered)).astype(int)
    for part in range(len(edges)):  # no part is left empty by rounding
        edges[part] = min(max(edges[part], part + 1), len(ordered) - (len(edges) - 1 - part))
    shuffled = np.random.default_rng(seed).permutation(len(ordered))
    starts = (0, *edges[:-1])
    return {
        name: tuple(sorted(ordered[i] for i in shuffled[start:end]))
        for name, start, end in zip(fractions, starts, edges, strict=True)
    }


def _resolve(source: Source[Value]) -> Value | None:
    if callable(source):
        return source()
    return source
