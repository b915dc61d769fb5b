"""A plan made the paper's way, and held to what it promised.

``W + alpha v`` says what an indicator would become. Here the edges that SmoothGrad finds the score
z1 to depend on are edited, until the twin of the edited connectome has the score of
``W + alpha v``; and its indicator is put beside what was promised.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.edges import edges_from_correlations
from dtb_runtime.errors import UsageError
from dtb_runtime.gradients import ChangeLimits, DirectionSettings, Promise
from dtb_runtime.indicator_forecasts import IndicatorForecasts, all_indicators
from dtb_runtime.plan import Goal

from .bundle_network import BundleNetwork
from .change_search import ChangeSearch, by_correlation
from .plan_search import FoundPlan, written_plan
from .smooth_grad import check_settings, smooth_gradient
from .weight_direction import WeightDirection

Floats = NDArray[np.float64]

MOST_ALPHA = 6.0
"""SDs of z1 beyond which nothing is promised."""
_STEP = 0.25  # SDs of z1 at which promises are looked at, and between which they are refined
_REFINED = 12  # bisections of one step


class DirectionSearch:
    """Makes plans along one direction of weights.

    Parameters
    ----------
    bundle : Bundle
    goal : Goal
        Of the direction's indicator.
    direction : WeightDirection
    settings : DirectionSettings, optional

    Raises
    ------
    UsageError
        A setting is out of its range, or the goal is of another indicator.
    """

    def __init__(
        self,
        bundle: Bundle,
        goal: Goal,
        direction: WeightDirection,
        settings: DirectionSettings | None = None,
    ) -> None:
        settings = settings or DirectionSettings()
        check_settings(settings)
        if goal.name != direction.indicator:
            raise UsageError(
                f"The direction is one of {direction.indicator!r}, the goal is {goal.name!r}."
            )
        self.bundle, self.goal, self.direction = bundle, goal, direction
        self._settings = settings
        self._forecasts = IndicatorForecasts(bundle, [goal.name])
        others = [name for name in all_indicators(bundle) if name != goal.name]
        self._others = IndicatorForecasts(bundle, others)
        self._search = ChangeSearch(bundle, _Score(bundle, direction, settings))

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        goals: Sequence[Goal],
        holds: Sequence[str] = (),
        settings: DirectionSettings | None = None,
    ) -> DirectionSearch:
        """Find the direction of the one goal's indicator, over the settings' cohort.

        Raises
        ------
        UsageError
            Not one goal, a hold, or what `WeightDirection.of` refuses.
        """
        if len(goals) != 1 or holds:
            raise UsageError(
                "The paper's way (method pls) moves one indicator and holds none, found "
                f"{len(goals)} targets and {len(holds)} holds. Leave out --method for more."
            )
        settings = settings or DirectionSettings()
        check_settings(settings)
        direction = WeightDirection.of(bundle, goals[0].name, settings.cohort)
        return cls(bundle, goals[0], direction, settings)

    def promise(self, weights: NDArray[np.float32]) -> tuple[float, float]:
        """The smallest alpha at which ``W + alpha v`` promises the goal.

        Parameters
        ----------
        weights : numpy.ndarray, shape (n_weights,)
            W of one person.

        Returns
        -------
        alpha : float
            SDs of z1, at most `MOST_ALPHA` either way; where less than the goal is promised, the
            one that promises most.
        promised : float
            Change of the indicator there, in its unit.
        """
        change = self.goal.change
        alphas = float(np.sign(change)) * np.arange(0.0, MOST_ALPHA + _STEP, _STEP)
        promised = self.promises(weights, alphas)
        # A twin that never answers any more promises nothing.
        shares = np.nan_to_num(promised / change, nan=-np.inf)
        enough = np.flatnonzero(shares >= 1.0)
        if not len(enough):
            most = int(np.argmax(shares))
            return float(alphas[most]), float(promised[most])
        low, high = float(alphas[enough[0] - 1]), float(alphas[enough[0]])
        best = float(promised[enough[0]])
        for _ in range(_REFINED):
            middle = (low + high) / 2
            (value,) = self.promises(weights, np.array([middle]))
            if value / change >= 1.0:
                high, best = middle, float(value)
            else:
                low = middle
        return high, best

    def promises(self, weights: NDArray[np.float32], alphas: Floats) -> Floats:
        """Change of the indicator with ``W + alpha v``, shape (n,), of one person's W."""
        shown = np.concatenate([[0.0], alphas])
        values = self._forecasts.of_weights(self.direction.moved(weights, shown))[:, 0]
        changes: Floats = values[1:] - values[0]
        return changes

    def find(
        self,
        connectome: Connectome,
        limits: ChangeLimits | None = None,
        *,
        participant_id: str | None = None,
    ) -> FoundPlan:
        """Edit what SmoothGrad names until the score has moved as the promise needs.

        Parameters
        ----------
        connectome : Connectome
        limits : ChangeLimits, optional
        participant_id : str, optional

        Returns
        -------
        FoundPlan
            With a `Promise`.

        Raises
        ------
        ConnectomeError
            Of another parcellation, or not positive semi-definite.
        BundleError
            The bundle does not know which changes are possible.
        """
        limits = limits or ChangeLimits()
        start = self._search.start(connectome, limits)
        own = edges_from_correlations(start.original)
        (twin,) = self.bundle.personalize_edges(own[np.newaxis])
        alpha, promised = self.promise(twin.weights)
        found = self._search.best(start, limits, np.array([alpha]))
        found, is_within = self._search.within_budget(start, found, limits.budget)
        edited = edges_from_correlations(found.point.found)
        values = self._forecasts.of_edges(np.stack([own, edited]))[:, 0]
        reached = float(values[1] - values[0])
        moved = float(found.point.moved[0])
        plan = written_plan(
            self.bundle,
            connectome,
            found,
            goals=(self.goal,),
            holds=(),
            method="pls",
            reached={self.goal.name: reached},
            participant_id=participant_id,
        )
        promise = Promise(
            alpha=alpha,
            promised=promised,
            reached=reached,
            score_moved=moved,
            direction_r=self.direction.r_left_out,
            n_people=self.direction.n_people,
            others=self._others_moved(twin.weights, alpha, own, edited),
            settings=self._settings,
        )
        return FoundPlan(
            plan=plan,
            correlations=found.point.found,
            gradient=start.by_edges[0] / (alpha or 1.0),  # towards the goal
            size=self._search.size(start.original, found.point.found),
            is_within_budget=is_within,
            n_evaluations=found.search.n_evaluations,
            promise=promise,
        )

    def _others_moved(
        self,
        weights: NDArray[np.float32],
        alpha: float,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
    ) -> dict[str, tuple[float, float]]:
        """By how much all else moves: with ``W + alpha v``, and with the edited connectome."""
        shown = self.direction.moved(weights, np.array([0.0, alpha]))
        promised = np.diff(self._others.of_weights(shown), axis=0)[0]
        reached = np.diff(self._others.of_edges(np.stack([before, after])), axis=0)[0]
        pairs = zip(promised.tolist(), reached.tolist(), strict=True)
        return dict(zip(self._others.names, pairs, strict=True))

    def trade_off(
        self, connectome: Connectome, limits: ChangeLimits | None = None
    ) -> list[dict[str, float]]:
        """Nothing: there is one goal, and nothing is held."""
        return []


class _Score:
    """z1 of a connectome's twin, as an objective; its derivatives are SmoothGrad's."""

    def __init__(
        self, bundle: Bundle, direction: WeightDirection, settings: DirectionSettings
    ) -> None:
        self._bundle, self._direction, self._settings = bundle, direction, settings
        self._network = BundleNetwork.of(bundle)

    def values(self, correlations: Floats) -> Floats:
        """See `Objective`."""
        edges = edges_from_correlations(correlations)[np.newaxis]
        (twin,) = self._bundle.personalize_edges(edges)
        return self._direction.scores(twin.weights[np.newaxis])

    def derivatives(self, correlations: Floats) -> Floats:
        """See `Objective`."""
        edges = edges_from_correlations(correlations)
        by_z = smooth_gradient(self._network, self._direction, edges, self._settings)
        return by_correlation(edges, by_z)[np.newaxis]
