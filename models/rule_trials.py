"""What simple rules may know: a person's own first half, and other people's whole runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dtb_runtime.errors import UsageError

from .judged_trials import JudgedTrials
from .protocols import JudgedPeople

Values = NDArray[np.float64]
Keys = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class RuleTrials:
    """The trials of everybody who is judged, sorted into seen and judged ones.

    A *unit* is one person's run of one task; units are numbered as in `people.runs`. *Others* are
    the people of the other folds, so that no rule knows more than the twins beside it.
    """

    people: JudgedPeople
    """Whose runs these are."""
    seen: JudgedTrials
    """First halves."""
    judged: JudgedTrials
    """Second halves."""
    seen_unit: NDArray[np.int64]
    """Unit of each row of `seen`."""
    judged_unit: NDArray[np.int64]
    """Unit of each row of `judged`."""
    fold: NDArray[np.int64]
    """Fold of each unit's person, shape (n_units,)."""

    @classmethod
    def of(cls, people: JudgedPeople, folds: Sequence[Sequence[str]] | None = None) -> RuleTrials:
        """Sort the trials.

        Parameters
        ----------
        people : JudgedPeople
        folds : sequence of sequence of str, optional
            Participant ids of each fold. Without it everybody is a fold of their own, and others
            are all other people.

        Raises
        ------
        UsageError
            If nobody is judged, or somebody who is judged is in no fold or in two.
        """
        if folds is None:
            folds = [[participant_id] for participant_id in people.participant_ids]
        number: dict[str, int] = {}
        for fold, ids in enumerate(folds):
            for participant_id in ids:
                if participant_id in number:
                    raise UsageError(f"{participant_id} is in two folds. Give disjoint folds.")
                number[participant_id] = fold
        missing = [one for one in people.participant_ids if one not in number]
        if missing:
            raise UsageError(
                f"{missing[0]} and {len(missing) - 1} more judged people are in no fold. Make the "
                "folds of everybody."
            )
        return cls(
            people=people,
            seen=people.trials("seen"),
            judged=people.trials("judged"),
            seen_unit=np.repeat(
                np.arange(len(people.runs)), [int(run.seen.sum()) for run in people.runs]
            ),
            judged_unit=np.repeat(
                np.arange(len(people.runs)), [int(run.judged.sum()) for run in people.runs]
            ),
            fold=np.array([number[run.participant_id] for run in people.runs]),
        )

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.people.runs)

    @property
    def unit_task(self) -> tuple[str, ...]:
        """Task of each unit."""
        return tuple(run.run.task for run in self.people.runs)

    def own_mean_s(self) -> Values:
        """Mean response time of each unit's seen right trials, shape (n_units,)."""
        return unit_means(self.seen.response_time_s, self.seen.right, self.seen_unit, self.n_units)

    def own_log_sd(self, forecast_s: Values) -> Values:
        """SD of log response times around a forecast of each unit's seen trials, (n_units,).

        Parameters
        ----------
        forecast_s : numpy.ndarray, shape (n_seen_rows,)
            Seconds; NaN where there is none.
        """
        counts = self.seen.right & np.isfinite(forecast_s)
        return unit_sds(
            np.log(self.seen.response_time_s[counts] / forecast_s[counts]),
            self.seen_unit[counts],
            self.n_units,
        )


@dataclass(frozen=True, slots=True, eq=False)
class OthersStatistics:
    """Sums over trials by key and fold, from which one fold can be left out."""

    keys: Keys
    """Shape (n_keys,), sorted."""
    totals: Values
    """Number, sum and sum of squares by fold and key, shape (3, n_folds, n_keys)."""

    @classmethod
    def of(cls, values: ArrayLike, keys: Keys, folds: NDArray[np.int64]) -> OthersStatistics:
        """Sum values up by key and fold; all arguments have shape (n_trials,)."""
        values = np.asarray(values, np.float64)
        names, key = np.unique(keys, return_inverse=True)
        n_folds = int(folds.max(initial=-1)) + 1
        cell = folds * len(names) + key
        sums = [
            np.bincount(cell, each, minlength=n_folds * len(names)).reshape(n_folds, len(names))
            for each in (np.ones(len(values)), values, np.square(values))
        ]
        return cls(names, np.stack(sums))

    def without(self, keys: Keys, folds: NDArray[np.int64]) -> Values:
        """Number, sum and sum of squares at these keys over all folds but these.

        Returns
        -------
        numpy.ndarray, shape (3, n_queries)
            Zeros at keys that nobody else has.
        """
        if not len(self.keys):
            return np.zeros((3, len(keys)))
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[place] == keys
        inside = folds < self.totals.shape[1]
        own = np.where(inside, self.totals[:, np.where(inside, folds, 0), place], 0.0)
        rest = self.totals.sum(axis=1)[:, place] - own
        return np.where(known & (rest[0] > 0.5), rest, 0.0)

    def mean(self, keys: Keys, folds: NDArray[np.int64]) -> Values:
        """Mean over others, shape (n_queries,); NaN where there is nobody else."""
        number, total, _ = self.without(keys, folds)
        nothing = np.full_like(total, np.nan)
        return np.asarray(np.divide(total, number, out=nothing, where=number > 0))

    def sd(self, keys: Keys, folds: NDArray[np.int64]) -> Values:
        """SD over others' trials (n - 1), shape (n_queries,); NaN for fewer than two trials."""
        number, total, squares = self.without(keys, folds)
        around = squares - np.divide(total**2, number, out=np.zeros_like(total), where=number > 0)
        nothing = np.full_like(total, np.nan)
        variance = np.divide(np.maximum(around, 0), number - 1, out=nothing, where=number > 1)
        return np.asarray(np.sqrt(variance))

    def smoothed_share(self, keys: Keys, folds: NDArray[np.int64]) -> Values:
        """Share of others' trials with value 1, as (n + 1) / (N + 2), shape (n_queries,).

        NaN where there is nobody else.
        """
        number, total, _ = self.without(keys, folds)
        return np.where(number > 0, (total + 1) / (number + 2), np.nan)


def unit_means(
    values: Values, mask: NDArray[np.bool_], unit: NDArray[np.int64], n_units: int
) -> Values:
    """Mean of the masked values of each unit, shape (n_units,); NaN where there is none."""
    number = np.bincount(unit[mask], minlength=n_units).astype(np.float64)
    total = np.bincount(unit[mask], values[mask], minlength=n_units)
    nothing = np.full(n_units, np.nan)
    return np.asarray(np.divide(total, number, out=nothing, where=number > 0))


def unit_sds(values: Values, unit: NDArray[np.int64], n_units: int) -> Values:
    """SD (n - 1) of each unit's values, shape (n_units,); NaN for fewer than two."""
    every = np.ones(len(values), np.bool_)
    away = values - unit_means(values, every, unit, n_units)[unit]
    number = np.bincount(unit, minlength=n_units).astype(np.float64)
    squares = np.bincount(unit, np.square(away), minlength=n_units)
    variance = np.divide(squares, number - 1, out=np.full(n_units, np.nan), where=number > 1)
    return np.asarray(np.sqrt(variance))
