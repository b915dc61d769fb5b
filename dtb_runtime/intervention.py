"""A plan tried out in one person: what it does there, what else it does, and what chance does.

Everything here runs through the lean runtime. The forecasts are those of the twin at the mean of
what its connectome tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .connectome import Connectome
from .edges import edges_from_correlations
from .errors import UsageError
from .indicator_forecasts import IndicatorForecasts, all_indicators, cohort_sds
from .plan import Plan, parcellation_of
from .possible_connectomes import (
    EdgeRange,
    change_size_sd,
    check_original,
    nearest_possible,
)
from .sham_changes import sham_connectomes

Floats = NDArray[np.float64]

DOSES = tuple(0.25 * step for step in range(9))
"""From none to twice the plan's."""
SHAMS = 100
OnStep = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Intervention:
    """What a plan does in one person. Arrays are read-only."""

    plan: Plan
    original: Floats
    """The person's connectome, shape (n_regions, n_regions)."""
    changed: Floats
    """The same after the plan, at dose 1."""
    share_possible: float
    """How much of the change was possible in this person, in [0, 1]."""
    size: float
    """Of the change: root mean square over edges, in correlation."""
    size_sd: float
    """The same in SDs of edges between people."""
    smallest_eigenvalue: float
    """Of the changed connectome."""
    names: tuple[str, ...]
    """Indicators reported."""
    before: Floats
    """Shape (names,), each in its unit."""
    after: Floats
    sds: Floats
    """SD of each over the training cohort."""
    doses: tuple[float, ...]
    at_doses: Floats
    """Indicators at each dose, shape (doses, names)."""
    dose_shares: tuple[float, ...]
    """How much of each dose's change was possible, in [0, 1]."""
    shams: Floats
    """Indicators after each random change, shape (shams, names)."""

    @property
    def effects(self) -> Floats:
        """By how much each indicator changed, in SDs of the cohort, shape (names,)."""
        return (self.after - self.before) / self.sds

    def random_range(self, name: str) -> tuple[float, float] | None:
        """Between which effects, in SDs, nine in ten random changes lie; None without any."""
        if not len(self.shams):
            return None
        k = self.names.index(name)
        effects = (self.shams[:, k] - self.before[k]) / self.sds[k]
        low, high = np.quantile(effects, (0.05, 0.95))
        return float(low), float(high)

    def percentile(self, name: str) -> float | None:
        """Percent of random changes that move an indicator less far the way that the plan did.

        None without random changes.
        """
        if not len(self.shams):
            return None
        k = self.names.index(name)
        moved = self.after[k] - self.before[k]
        others = (self.shams[:, k] - self.before[k]) * np.sign(moved)
        return float(100.0 * np.mean(others < abs(moved)))


def try_plan(
    bundle: Bundle,
    connectome: Connectome,
    plan: Plan,
    *,
    doses: Sequence[float] = DOSES,
    shams: int = SHAMS,
    seed: int = 0,
    changed: Floats | None = None,
    names: Sequence[str] | None = None,
    on_step: OnStep | None = None,
) -> Intervention:
    """Apply a plan to a person's connectome and forecast the person again.

    Parameters
    ----------
    bundle : Bundle
        The one that the plan was made with.
    connectome : Connectome
    plan : Plan
    doses : sequence of float
        Multiples of the change, at least 0.
    shams : int
        Random changes of the same size and kind to compare with; 0 for none.
    seed : int
        Of the random changes.
    changed : numpy.ndarray, shape (n_regions, n_regions), optional
        The changed connectome where it is known already; else the possible one that is nearest to
        what the plan asks for.
    names : sequence of str, optional
        Indicators to report beside those of the plan; by default all but single regions'.
    on_step : callable, optional
        Called with how many connectomes were forecast, and how many there will be.

    Raises
    ------
    PlanError
        The plan is of another bundle.
    ConnectomeError
        Of another parcellation, or not positive semi-definite.
    UsageError
        A negative dose, a negative number of random changes, or an unknown indicator.
    """
    plan.check_bundle(bundle)
    wrong = [dose for dose in doses if not 0.0 <= dose < float("inf")]
    if shams < 0 or seed < 0 or wrong:
        raise UsageError(
            "Doses, the number of random changes and the seed must be numbers of at least 0, found "
            f"{(wrong or [0])[0]}, {shams} and {seed}."
        )
    parcellation = parcellation_of(bundle)
    aligned = bundle.aligned(connectome)
    original = aligned.correlations.astype(np.float64)
    check_original(original, connectome.source)
    allowed = EdgeRange.around(original, bundle.norms, bundle.name)
    reported = all_indicators(bundle) if names is None else names
    own = (*(goal.name for goal in plan.goals), *plan.holds)
    forecasts = IndicatorForecasts(bundle, tuple(dict.fromkeys((*own, *reported))))
    share = 1.0
    if changed is None:
        possible = nearest_possible(plan.change.apply(original, parcellation), original, allowed)
        changed = possible.correlations
        share = _share(plan.change.apply(original, parcellation), original, changed)
    changed = rounded(changed)
    total = 2 + len(doses) + shams
    steps = _Steps(forecasts, total, on_step)
    before, after = steps.values([original, changed])
    dosed = []
    for dose in doses:
        asked = plan.change.apply(original, parcellation, dose)
        dosed.append((asked, nearest_possible(asked, original, allowed).correlations))
    at_doses = steps.values([found for _, found in dosed])
    random = sham_connectomes(
        plan.change, original, changed, allowed, parcellation, n=shams, seed=seed
    )
    found = steps.values(random)
    return Intervention(
        plan=plan,
        original=original,
        changed=changed,
        share_possible=share,
        size=_rms(changed - original),
        size_sd=change_size_sd(bundle.norms, original, changed),
        smallest_eigenvalue=float(np.linalg.eigvalsh(changed)[0]),
        names=forecasts.names,
        before=before,
        after=after,
        sds=cohort_sds(bundle, forecasts.names),
        doses=tuple(doses),
        at_doses=at_doses,
        dose_shares=tuple(_share(asked, original, found) for asked, found in dosed),
        shams=found,
    )


def rounded(correlations: Floats) -> Floats:
    """Correlations in float32, as a file holds them, so that what is written is what was tried."""
    return correlations.astype(np.float32).astype(np.float64)


def _share(asked: Floats, original: Floats, found: Floats) -> float:
    """Along what was asked for, how much of it was done."""
    wanted = asked - original
    squared = float(np.sum(np.square(wanted)))
    done = float(np.sum(wanted * (found - original)))
    return float(np.clip(done / squared, 0.0, 1.0)) if squared > 0 else 1.0


def _rms(change: Floats) -> float:
    n = len(change)
    return float(np.sqrt(np.sum(np.square(change)) / (n * (n - 1))))


class _Steps:
    """Forecasts connectomes a few at a time, and says how far it is."""

    AT_ONCE = 16

    def __init__(self, forecasts: IndicatorForecasts, total: int, on_step: OnStep | None) -> None:
        self._forecasts, self._total, self._on_step = forecasts, total, on_step
        self._done = 0

    def values(self, connectomes: Iterable[Floats]) -> Floats:
        """Indicators of each, shape (connectomes, names)."""
        found: list[Floats] = []
        waiting: list[NDArray[np.float32]] = []
        for each in connectomes:
            waiting.append(edges_from_correlations(each))
            if len(waiting) == self.AT_ONCE:
                found.append(self._run(waiting))
                waiting = []
        if waiting:
            found.append(self._run(waiting))
        if not found:
            return np.empty((0, len(self._forecasts.names)))
        return np.concatenate(found)

    def _run(self, edges: list[NDArray[np.float32]]) -> Floats:
        values = self._forecasts.of_edges(np.stack(edges))
        self._done += len(edges)
        if self._on_step is not None:
            self._on_step(self._done, self._total)
        return values
