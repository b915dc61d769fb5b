"""The one door to PyTorch: new plans take gradients, and everything else does not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from .errors import MissingDependencyError, UsageError
from .plan import Goal, Method, Plan
from .summary import rounded

if TYPE_CHECKING:
    from .bundle import Bundle
    from .connectome import Connectome


@dataclass(frozen=True, slots=True)
class ChangeLimits:
    """What a plan may change, and how much."""

    edges: int | None = None
    """At most so many edges; None for all."""
    regions: int | None = None
    """The coupling of at most so many whole regions; None for single edges."""
    networks: bool = False
    """All edges between two networks alike."""
    budget: float = 1.0
    """Largest change, in SDs of edges between people (root mean square over edges)."""

    def check(self) -> None:
        """Raise `UsageError` if more than one kind is asked for, or less than one place."""
        if sum((self.edges is not None, self.regions is not None, self.networks)) > 1:
            raise UsageError("Changes are of edges, of regions or of networks: choose one.")
        for name, n in (("edges", self.edges), ("regions", self.regions)):
            if n is not None and (n < 1 or n != int(n)):
                raise UsageError(f"{name} must be a whole number of at least 1, found {n}.")
        if not 0.0 < self.budget < float("inf"):
            raise UsageError(f"The budget must be a number above 0, found {self.budget:g}.")


@dataclass(frozen=True, slots=True)
class DirectionSettings:
    """How the paper's way finds a direction of weights, and the edges that it depends on."""

    samples: int = 100
    """Noisy copies of SmoothGrad."""
    noise: float = 0.1
    """SD of their noise, in SDs of each edge between people."""
    seed: int = 0
    """Of the noise."""
    cohort: Sequence[Connectome] | None = None
    """Whose weights the direction is found over; None for twins drawn from how connectomes place
    the training cohort."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; of a cohort its digest."""
        digest = None
        if self.cohort is not None:
            everybody = "".join(connectome.digest() for connectome in self.cohort)
            digest = hashlib.sha256(everybody.encode()).hexdigest()
        return {
            "samples": self.samples,
            "noise": self.noise,
            "seed": self.seed,
            "cohort_digest": digest,
        }


@dataclass(frozen=True, slots=True)
class Promise:
    """What ``W + alpha v`` says, and what the edited connectome gives, in the indicator's unit."""

    alpha: float
    """SDs of the score z1."""
    promised: float
    """Change of the indicator with ``W + alpha v``."""
    reached: float
    """Change of the indicator with the edited connectome."""
    score_moved: float
    """How far the score of the edited connectome moved, in SDs of z1; alpha where all went well."""
    direction_r: float
    """Pearson correlation of the score with the indicator over the direction's cohort, of people
    left out of it in turn (10 folds)."""
    n_people: int
    """Of that cohort."""
    others: Mapping[str, tuple[float, float]]
    """Change of every other indicator: with ``W + alpha v``, and with the edited connectome."""
    settings: DirectionSettings

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "alpha": rounded(self.alpha),
            "promised": rounded(self.promised),
            "reached": rounded(self.reached),
            "score_moved": rounded(self.score_moved),
            "direction_r_left_out": rounded(self.direction_r),
            "n_people": self.n_people,
            "others": {
                name: {"promised": rounded(promised), "reached": rounded(reached)}
                for name, (promised, reached) in self.others.items()
                if np.isfinite(promised) and np.isfinite(reached)
            },
            **self.settings.to_json(),
        }


class FoundPlan(Protocol):
    """A new plan, as `dtb_models` finds it."""

    @property
    def plan(self) -> Plan:
        """The plan."""
        ...

    @property
    def correlations(self) -> NDArray[np.float64]:
        """The changed connectome, shape (n_regions, n_regions)."""
        ...

    @property
    def gradient(self) -> NDArray[np.float64]:
        """Of the goals together, or of the score, by correlation of each edge, (n_edges,)."""
        ...

    @property
    def size(self) -> float:
        """Of the change, in SDs of edges between people."""
        ...

    @property
    def is_reached(self) -> bool:
        """Whether every goal is reached."""
        ...

    @property
    def is_within_budget(self) -> bool:
        """Whether the budget did not end the search."""
        ...

    @property
    def promise(self) -> Promise | None:
        """What the paper's way said, where the plan was made so."""
        ...


class PlanFinder(Protocol):
    """Finds plans with one bundle."""

    def find(
        self,
        connectome: Connectome,
        limits: ChangeLimits | None = None,
        *,
        participant_id: str | None = None,
    ) -> FoundPlan:
        """Find the smallest change that reaches the goals in one person."""
        ...

    def trade_off(
        self, connectome: Connectome, limits: ChangeLimits | None = None
    ) -> list[dict[str, float]]:
        """What goals cost one another, or what it costs to hold what is held."""
        ...


def plan_finder(
    bundle: Bundle,
    goals: Sequence[Goal],
    holds: Sequence[str] = (),
    *,
    method: Method = "gradient",
    direction: DirectionSettings | None = None,
) -> PlanFinder:
    """What finds new plans.

    Parameters
    ----------
    bundle : Bundle
    goals : sequence of Goal
    holds : sequence of str
    method : {"gradient", "pls"}
        The person's own gradients, or the paper's way: a direction in the space of weights.
    direction : DirectionSettings, optional
        Of the paper's way.

    Raises
    ------
    MissingDependencyError
        PyTorch is not installed.
    UsageError
        There is no goal, an indicator is named twice, or the bundle cannot give one; with the
        paper's way also more than one goal, a hold, a setting out of its range, or a cohort that
        has no direction.
    """
    if method not in get_args(Method):
        raise UsageError(f"The method is {' or '.join(get_args(Method))}, found {method!r}.")
    if method == "gradient" and direction is not None:
        raise UsageError("A direction is of the method pls. Leave it out, or give that method.")
    name = "dtb_models.plan_search" if method == "gradient" else "dtb_models.direction_search"
    try:
        module = import_module(name)
    except ModuleNotFoundError as cause:
        raise MissingDependencyError(
            f"A new plan takes gradients, and these need {cause.name}, which is not installed: pip "
            "install 'dtb-runtime[torch]'. A plan that is there already (--plan) needs none."
        ) from cause
    finder: PlanFinder
    if method == "gradient":
        finder = module.PlanSearch(bundle, goals, holds)
    else:
        finder = module.DirectionSearch.of(bundle, goals, holds, direction)
    return finder
