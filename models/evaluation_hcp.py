"""Face > shape maps forecast from real connectomes, beside the same people's real activations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.forecast import Forecast
from dtb_runtime.tasks import get_task

from .evaluated_people import OnPerson
from .evaluation_maps import figure_of_mean, identification_json
from .evaluation_report import Facts, json_values, n_known, versions
from .group_halves import group_reliability, halves_r
from .hcp import HcpCohort
from .identification import identify, is_same_for_everybody
from .map_statistics import map_r, mean_of_others, others_forecasts_r
from .progress import OnProgress

Floats = NDArray[np.float64]

TASK = "hammer"


@dataclass(frozen=True, slots=True, eq=False)
class HalfBundle:
    """A bundle made with the activations of some people, judged on the mean of the others."""

    bundle: Bundle
    unseen: tuple[str, ...]
    """Ids of the people whose activations it does not know."""


@dataclass(frozen=True, slots=True, eq=False)
class HcpBundles:
    """With which bundle each person is judged."""

    own: Mapping[str, Bundle]
    """Participant id to the bundle: the same for all, or one each that does not know the person."""
    is_left_out: bool
    """Whether nobody's bundle knows their activations."""
    halves: tuple[HalfBundle, ...] = ()
    """Bundles made with half of the people."""


def evaluate_hcp(
    cohort: HcpCohort,
    bundles: HcpBundles,
    facts: Facts,
    *,
    on_person: OnPerson | None = None,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Judge forecast maps, and return what ``metrics.json`` holds.

    Parameters
    ----------
    cohort : HcpCohort
        With the parcellation of the bundles, at least two people.
    bundles : HcpBundles
    facts : Facts
    on_person : callable, optional
        Called with each person's twin and forecast.
    on_progress : callable, optional

    Raises
    ------
    UsageError
        If a bundle does not know the task.
    CohortError
        If there are fewer than two people.
    """
    ids = [person.participant_id for person in cohort.participants]
    if len(ids) < 2 or cohort.parcellation is None:
        raise CohortError(
            f"Maps are compared between at least two people of a known parcellation, found "
            f"{len(ids)}. Give the folder that holds all of them."
        )
    maps = _Maps(cohort, bundles, on_person, on_progress)
    predicted = maps.predicted()
    measured = maps.measured
    own = predicted[np.arange(len(ids)), np.arange(len(ids))] if predicted.ndim == 3 else predicted
    twin_r, others_r = map_r(own, measured), map_r(mean_of_others(measured), measured)
    anybody = maps.population()
    seed = facts.seed
    reliability = group_reliability(measured, seed) if len(ids) >= 4 else float("nan")
    judged_bundles = {bundle.digest: bundle for bundle in bundles.own.values()}
    found: dict[str, Any] = {
        "data": dict(facts.data),
        "protocol": None,
        "bundle": facts.bundle,
        "training": None if facts.training is None else dict(facts.training),
        "folds": facts.folds,
        "seed": facts.seed,
        "judged": {TASK: len(ids)},
        "left_out": {TASK: {"files cannot be used": len(cohort.skipped)} if cohort.skipped else {}},
        "in_sample": n_known((bundles.own[one], one) for one in ids),
        "methods": {},
        "differences": {},
        "reliability": {},
        "planted": None,
        "maps": {
            "contrast": get_task(TASK).contrast_name,
            "n_regions": int(measured.shape[1]),
            "leave_one_out": bundles.is_left_out,
            "people": {
                "twin_r": figure_of_mean(twin_r),
                "rule/mean_of_others_r": figure_of_mean(others_r),
                "difference": figure_of_mean(twin_r - others_r),
                "control/other_connectomes_r": figure_of_mean(
                    others_forecasts_r(predicted, measured)
                ),
                "control/population_r": None
                if anybody is None
                else figure_of_mean(map_r(anybody, measured)),
                "by_person": {
                    one: {"twin_r": float(ours), "rule/mean_of_others_r": float(theirs)}
                    for one, ours, theirs in zip(ids, twin_r, others_r, strict=True)
                },
            },
            "group": {
                "all_r": float(map_r(own.mean(axis=0), measured.mean(axis=0))),
                "control/population_all_r": None
                if anybody is None
                else float(map_r(anybody.mean(axis=0), measured.mean(axis=0))),
                "half_against_other_half_r": halves_r(own, measured, seed),
                "rule/half_against_other_half_r": halves_r(measured, measured, seed),
                "control/population_half_against_other_half_r": None
                if anybody is None
                else halves_r(anybody, measured, seed),
                "unseen_half_r": [maps.unseen_r(half) for half in bundles.halves],
                "reliability": reliability,
                "bound": float(np.sqrt(np.maximum(reliability, 0.0))),
            },
            "identification": {
                "maps": _identification(predicted, measured, from_group=False),
                "departures_from_the_mean": _identification(predicted, measured, from_group=True),
            },
        },
        "calibration": None,
        "warnings": list(facts.warnings),
        "notes": [],
        "versions": versions(list(judged_bundles.values())),
    }
    values: dict[str, Any] = json_values(found)
    return values


class _Maps:
    """Forecasts maps, each once."""

    def __init__(
        self,
        cohort: HcpCohort,
        bundles: HcpBundles,
        on_person: OnPerson | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._bundles, self._on_person, self._on_progress = bundles, on_person, on_progress
        self._people = {person.participant_id: person for person in cohort.participants}
        self.ids = list(self._people)
        first = next(iter(bundles.own.values()))
        self._regions = first.manifest.bold_regions
        for bundle in (*bundles.own.values(), *(half.bundle for half in bundles.halves)):
            if TASK not in bundle.manifest.tasks or bundle.manifest.bold_regions != self._regions:
                raise UsageError(
                    f"Bundle {bundle.name!r} must know the task {TASK!r} and give the same regions "
                    "as the others, and it does not. Take another bundle."
                )
        parcellation = cohort.parcellation
        if parcellation is None:
            raise CohortError("Maps need the regions of the people's activations, found none.")
        columns = parcellation.indices(self._regions)
        self.measured: Floats = cohort.face_shape_maps()[:, columns]
        self._made: dict[tuple[str, str], Floats] = {}

    def predicted(self) -> Floats:
        """Everybody's map by everybody's own bundle, (n, n, regions); (n, regions) by one."""
        n_bundles = len({bundle.digest for bundle in self._bundles.own.values()})
        total = len(self.ids) * n_bundles
        done = 0
        rows = []
        for judge in self.ids if n_bundles > 1 else self.ids[:1]:
            bundle = self._bundles.own[judge]
            row = []
            for one in self.ids:
                row.append(self._map(bundle, one, is_own=n_bundles == 1 or one == judge))
                done += 1
                if self._on_progress is not None:
                    self._on_progress(done, total, f"maps: {one}")
            rows.append(np.stack(row))
        return np.stack(rows) if n_bundles > 1 else rows[0]

    def population(self) -> Floats | None:
        """Everybody's map as their bundle forecasts it of a person of whom nothing is known.

        None where a bundle does not know its population.
        """
        made = {bundle.digest: bundle for bundle in self._bundles.own.values()}
        found = {digest: _population_map(bundle) for digest, bundle in made.items()}
        rows = [found[self._bundles.own[one].digest] for one in self.ids]
        known = [row for row in rows if row is not None]
        return np.stack(known) if len(known) == len(rows) else None

    def unseen_r(self, half: HalfBundle) -> dict[str, Any]:
        """Mean forecast map of the people a bundle does not know, beside their mean map.

        Beside it, the mean measured map of those it knows, and its forecast for anybody.
        """
        rows = np.isin(self.ids, half.unseen)
        measured = self.measured[rows].mean(axis=0)
        forecast = np.mean([self._map(half.bundle, one) for one in half.unseen], axis=0)
        anybody = _population_map(half.bundle)
        return {
            "unseen": list(half.unseen),
            "r": float(map_r(forecast, measured)),
            "rule/mean_of_known_r": float(map_r(self.measured[~rows].mean(axis=0), measured)),
            "control/population_r": None if anybody is None else float(map_r(anybody, measured)),
        }

    def _map(self, bundle: Bundle, participant_id: str, *, is_own: bool = False) -> Floats:
        key = bundle.digest, participant_id
        if key not in self._made:
            connectome = self._people[participant_id].connectome
            if connectome is None:
                raise CohortError(f"{participant_id} has no connectome any more.")
            twin = bundle.personalize(connectome, participant_id=participant_id)
            forecast = twin.forecast(TASK)
            self._made[key] = _map_of(forecast)
            if is_own and self._on_person is not None:
                self._on_person(twin, [forecast])
        return self._made[key]


def _identification(predicted: Floats, measured: Floats, *, from_group: bool) -> dict[str, Any]:
    """Tell people apart; at chance where the forecast is the same for everybody."""
    if is_same_for_everybody(predicted):
        predicted = np.broadcast_to(measured.mean(axis=0), measured.shape)
        from_group = False  # equal maps tie, equal departures are nothing to compare
    return identification_json(identify(predicted, measured, from_group=from_group))


def _population_map(bundle: Bundle) -> Floats | None:
    """The map of a person of whom nothing is known; None where the bundle has no population."""
    if bundle.norms.prior is None:
        return None
    return _map_of(bundle.population_twin().forecast(TASK))


def _map_of(forecast: Forecast) -> Floats:
    """The contrast in the units of the training data, shape (n_regions,)."""
    sd = np.array(forecast.twin.bundle.manifest.normalization.bold_sd)
    return np.asarray(forecast.contrasts[get_task(TASK).contrast_name].estimate * sd)
