"""The paper's way: one direction in the space of weights along which an indicator changes.

Takahashi et al. 2026, "Interventions": partial least squares with one component of an indicator on
everybody's generated weights, standardized. ``v = W's / |W's|``, a person's score is ``z1 = W v``,
and an intervention is ``W + alpha v``. Effects there are simulated with the moved weights; no
connectome is edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import UsageError
from dtb_runtime.indicator_forecasts import IndicatorForecasts, drawn_weights

Floats = NDArray[np.float64]

N_DRAWN = 256
"""Twins that a direction is found over where no cohort is given."""
FOLDS = 10
"""Of people left out in turn."""
_CONSTANT = 1e-12  # SD of a weight that is the same in everybody
_FEWEST = 3  # people


@dataclass(frozen=True, slots=True, eq=False)
class WeightDirection:
    """A direction in the space of standardized weights. Arrays are read-only."""

    indicator: str
    mean: Floats
    """Of each weight over the cohort, shape (n_weights,)."""
    sd: Floats
    """Shape (n_weights,); 0 where a weight is the same in everybody."""
    vector: Floats
    """v, of length 1, in standardized weights: more of it is more of the indicator. Shape
    (n_weights,)."""
    score_sd: float
    """SD of z1 over the cohort."""
    r: float
    """Pearson correlation of z1 with the indicator over the cohort that it was found over: too
    high."""
    r_left_out: float
    """The same of people left out of it in turn."""
    n_people: int

    @classmethod
    def of(
        cls, bundle: Bundle, indicator: str, connectomes: Sequence[Connectome] | None = None
    ) -> WeightDirection:
        """Find the direction of an indicator over a cohort.

        Parameters
        ----------
        bundle : Bundle
        indicator : str
        connectomes : sequence of Connectome, optional
            The cohort's; by default twins drawn from how connectomes place the training cohort
            (seeded), which need no connectome.

        Raises
        ------
        UsageError
            Less than three people, an indicator that nobody differs in or that is not there, or no
            cohort and no norms of latents.
        ConnectomeError
            A connectome is of another parcellation.
        """
        weights = _drawn(bundle) if connectomes is None else _made(bundle, connectomes)
        values = IndicatorForecasts(bundle, [indicator]).of_weights(weights)[:, 0]
        return cls.through(indicator, weights, values)

    @classmethod
    def through(
        cls, indicator: str, weights: NDArray[np.float32], values: Floats
    ) -> WeightDirection:
        """Find the direction from people's weights and indicator.

        Parameters
        ----------
        indicator : str
        weights : numpy.ndarray, shape (people, n_weights)
        values : numpy.ndarray, shape (people,)
            NaN for whoever lacks it, who is left out.

        Raises
        ------
        UsageError
            Less than three people have it, or nobody differs in it.
        """
        known = np.isfinite(values)
        n_people = int(known.sum())
        if n_people < _FEWEST or float(np.ptp(values[known])) == 0.0:
            raise UsageError(
                f"A direction of {indicator!r} needs at least {_FEWEST} people who differ in it, "
                f"found {n_people}. Give a larger cohort."
            )
        own, target = weights[known].astype(np.float64), values[known]
        mean, sd, vector = _fitted(own, target)
        scores = _standard(own, mean, sd) @ vector
        if not float(scores.std()) > 0.0:
            raise UsageError(
                f"No weight of this cohort's twins goes with {indicator!r}, so it has no "
                "direction. Give another cohort."
            )
        left_out = np.empty(n_people)
        fold = np.random.default_rng(0).permutation(n_people) % min(FOLDS, n_people)
        for k in range(int(fold.max()) + 1):
            train, test = fold != k, fold == k
            means, sds, along = _fitted(own[train], target[train])
            left_out[test] = _standard(own[test], means, sds) @ along
        for array in (mean, sd, vector):
            array.setflags(write=False)
        return cls(
            indicator=indicator,
            mean=mean,
            sd=sd,
            vector=vector,
            score_sd=float(scores.std(ddof=1)),
            r=_r(scores, target),
            r_left_out=_r(left_out, target),
            n_people=n_people,
        )

    @property
    def readout(self) -> Floats:
        """What z1, in SDs of the cohort, gains per unit of each weight, shape (n_weights,)."""
        per_unit = np.divide(self.vector, self.sd, out=np.zeros_like(self.sd), where=self.sd > 0.0)
        readout: Floats = per_unit / self.score_sd
        return readout

    def scores(self, weights: NDArray[np.float32]) -> Floats:
        """z1 of people, in SDs of the cohort; weights of shape (people, n_weights)."""
        scores: Floats = (np.asarray(weights, np.float64) - self.mean) @ self.readout
        return scores

    def moved(self, weights: NDArray[np.float32], alphas: Floats) -> NDArray[np.float32]:
        """``W + alpha v`` of one person, with alpha in SDs of z1.

        Parameters
        ----------
        weights : numpy.ndarray, shape (n_weights,)
        alphas : numpy.ndarray, shape (n,)

        Returns
        -------
        numpy.ndarray, shape (n, n_weights)
        """
        step = self.score_sd * self.vector * self.sd
        return np.asarray(weights + np.outer(alphas, step), np.float32)


def _fitted(weights: Floats, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean and SD of each weight, and v of length 1 (0 where nothing goes with the values)."""
    mean = weights.mean(axis=0)
    sd = weights.std(axis=0, ddof=1) if len(weights) > 1 else np.zeros_like(mean)
    sd[sd < _CONSTANT] = 0.0
    vector = _standard(weights, mean, sd).T @ (values - values.mean())
    length = float(np.linalg.norm(vector))
    return mean, sd, vector / length if length > 0.0 else vector


def _r(one: Floats, other: Floats) -> float:
    """Pearson r; 0 where one of them is constant."""
    if float(np.ptp(one)) == 0.0 or float(np.ptp(other)) == 0.0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _standard(weights: Floats, mean: Floats, sd: Floats) -> Floats:
    away = weights - mean
    standard: Floats = np.divide(away, sd, out=np.zeros_like(away), where=sd > 0.0)
    return standard


def _drawn(bundle: Bundle) -> NDArray[np.float32]:
    weights = drawn_weights(bundle, N_DRAWN)
    if weights is None:
        raise UsageError(
            f"Bundle {bundle.name!r} has no norms of a latent to draw a cohort from. Give the "
            "connectomes of a cohort."
        )
    return weights


def _made(bundle: Bundle, connectomes: Sequence[Connectome]) -> NDArray[np.float32]:
    if not connectomes:
        raise UsageError("A direction needs a cohort, found nobody.")
    return np.stack([twin.weights for twin in bundle.personalize_several(connectomes)])
