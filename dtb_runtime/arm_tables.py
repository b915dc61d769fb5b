"""The files of a trial: a row for everybody, their baseline features, and the trial summed up."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .arm_columns import effect_columns, effect_values, fact_columns, trial_descriptions
from .arm_effects import RESPONDER_SHARE, TrialValues, sum_up
from .arm_scoring import feature_names
from .arm_settings import TrialSettings, trial_columns
from .cohort_listing import CohortListing
from .cohort_table import CohortTable, replaced_file
from .errors import MissingDependencyError, UsageError
from .indicator_forecasts import all_indicators
from .plan import GOAL_TOLERANCE, Goal, parcellation_of, plan_of_text
from .score_columns import column_descriptions, indicator_description
from .score_journal import Journal
from .summary import package_version, rounded

if TYPE_CHECKING:
    from .bundle import Bundle

TABLE_FILE, SIDECAR_FILE = "trial.tsv", "trial_columns.json"
SUMMARY_FILE, FEATURES_FILE, FIGURE_FILE = "trial.json", "baseline.tsv", "trial.svg"
COMMON_FILE = "common_plan.json"
TRIAL_FILES = (TABLE_FILE, SIDECAR_FILE, SUMMARY_FILE, FEATURES_FILE, FIGURE_FILE)
REACHED = 1.0 - GOAL_TOLERANCE
"""Share of its goal from which on a plan has reached it."""
_NO_HELPER = "the caller gave nothing that makes it"


@dataclass(frozen=True, slots=True)
class TrialHelpers:
    """What belongs to a trial and needs more than the lean runtime."""

    predict: Callable[[TrialValues, Mapping[str, np.ndarray]], dict[str, Any]] | None = None
    """How well baseline features predict the response;
    `dtb_models.response_prediction.predict_responses`."""
    draw: Callable[[TrialValues, Mapping[str, Any]], bytes] | None = None
    """Content of ``trial.svg``."""
    needs: tuple[str, ...] = ()
    """Modules that the two import."""

    @property
    def can_all(self) -> bool:
        """Whether there are both, and what they need."""
        is_there = all(find_spec(name) is not None for name in self.needs)
        return is_there and self.predict is not None and self.draw is not None


class TrialTables:
    """The files of one trial, as products.

    Parameters
    ----------
    bundle : Bundle
    listing : CohortListing
    settings : TrialSettings
    helpers : TrialHelpers
    responder_share : float
        See `TrialValues`.
    """

    names = TRIAL_FILES

    def __init__(
        self,
        bundle: Bundle,
        listing: CohortListing,
        settings: TrialSettings,
        helpers: TrialHelpers,
        responder_share: float = RESPONDER_SHARE,
    ) -> None:
        if not 0.0 < responder_share < float("inf"):
            raise UsageError(
                f"The responder rule is a share of the goal above 0, found {responder_share:g}."
            )
        self._responder_share = responder_share
        self._bundle, self._listing, self._settings = bundle, listing, settings
        self._helpers = helpers
        self._indicators = all_indicators(bundle)
        own = (*(goal.name for goal in settings.goals), *settings.holds)
        self._reported = tuple(dict.fromkeys((*own, *self._indicators)))
        numbers = (
            *effect_columns(settings),
            *trial_columns(settings, self._reported),
            *fact_columns(settings),
        )
        self.table = CohortTable(listing.has_sessions, listing.own_columns, numbers)
        self._features = feature_names(parcellation_of(bundle))

    @property
    def can_write_all(self) -> bool:
        """See `Products`."""
        return self._helpers.can_all

    @property
    def made_with(self) -> dict[str, Any]:
        """See `Products`."""
        return {"responder_share": self._responder_share}

    def write(self, out: Path, journal: Journal) -> tuple[tuple[Path, ...], tuple[str, ...]]:
        """See `Products`."""
        values, features = self._arrays(journal)
        found = TrialValues(self._settings, self._reported, values, self._responder_share)
        left_out = []
        summary: dict[str, Any] = {
            "bundle": self._bundle.name,
            "bundle_digest": self._bundle.digest,
            "n_people": len(self._listing.entries),
            "n_ok": journal.n_done - journal.n_failed,
            **{
                name: of
                for name, of in self._settings.to_json().items()
                if name not in ("kind", "files", "common", "goals", "arms")
            },
            "goals": [self._goal(goal) for goal in self._settings.goals],
            "responder_share": self._responder_share,
            **sum_up(found),
            "plans": self._plans(values),
            "prediction": None,
            "warnings": list(self._bundle.warnings),
            "versions": {"dtb_runtime": package_version()},
        }
        if self._helpers.predict is None:
            left_out.append(f"the prediction of responses: {_NO_HELPER}")
        else:
            try:
                summary["prediction"] = self._helpers.predict(found, features)
            except MissingDependencyError as error:
                left_out.append(f"the prediction of responses: {error}")
        files = [
            self._write_table(out, journal, effect_values(found)),
            self._write_sidecar(out),
            self._write_features(out, journal),
            _write_json(out / SUMMARY_FILE, summary),
        ]
        if self._helpers.draw is None:
            left_out.append(f"{FIGURE_FILE}: {_NO_HELPER}")
        else:
            try:
                picture = self._helpers.draw(found, summary)
            except MissingDependencyError as error:
                left_out.append(f"{FIGURE_FILE}: {error}")
            else:
                with replaced_file(out / FIGURE_FILE) as file:
                    file.write(picture)
                files.append(out / FIGURE_FILE)
        if "common" in self._settings.arms:
            files.append(out / COMMON_FILE)
        return tuple(files), tuple(left_out)

    @staticmethod
    def _goal(goal: Goal) -> dict[str, Any]:
        unit = indicator_description(goal.name).get("Units")
        return {"name": goal.name, "change": goal.change, "unit": unit}

    def _plans(self, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """How far plans reach where they were made."""
        plans: dict[str, Any] = {}
        if "personal" in self._settings.arms:
            shares = values["personal_share_reached"]
            known = shares[np.isfinite(shares)]
            plans["personal"] = {
                "n": len(known),
                "n_reached": int((known >= REACHED).sum()),
                "n_over_budget": int((values["personal_within_budget"] == 0.0).sum()),
            }
        if "common" in self._settings.arms and self._settings.common is not None:
            plan = plan_of_text(self._settings.common, COMMON_FILE, self._bundle)
            possible = values["common_share_possible"]
            plans["common"] = {
                "share_reached_where_made": rounded(plan.share_reached),
                "share_possible": rounded(float(np.nanmean(possible)))
                if np.isfinite(possible).any()
                else None,
            }
        return plans

    def _arrays(self, journal: Journal) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Everybody's forecasts and baseline features; NaN where there is none."""
        n_people = len(self._listing.entries)
        columns = (*trial_columns(self._settings, self._reported), *fact_columns(self._settings))
        values = {name: np.full(n_people, np.nan) for name in columns}
        features = {name: np.full(n_people, np.nan) for name in self._features}
        for row, person in enumerate(journal.people()):
            for name, value in person.values.items():
                for arrays in (values, features):
                    if name in arrays:
                        arrays[name][row] = value
        return values, features

    def _write_table(self, out: Path, journal: Journal, effects: Mapping[str, Any]) -> Path:
        def rows() -> Iterator[Mapping[str, str | float | None]]:
            for row, person in enumerate(journal.people()):
                entry = self._listing.entries[row]
                own = {name: of[row] for name, of in effects.items() if math.isfinite(of[row])}
                known = {name: rounded(value) for name, value in own.items()}
                complete = replace(person, values={**person.values, **known})
                yield self.table.row(entry, complete, self._listing.place(entry))

        return self.table.write_tsv(out, rows(), TABLE_FILE)

    def _write_features(self, out: Path, journal: Journal) -> Path:
        table = CohortTable(self._listing.has_sessions, (), self._features)

        def rows() -> Iterator[Mapping[str, str | float | None]]:
            for row, person in enumerate(journal.people()):
                entry = self._listing.entries[row]
                yield table.row(entry, replace(person, notes=()), self._listing.place(entry))

        return table.write_tsv(out, rows(), FEATURES_FILE)

    def _write_sidecar(self, out: Path) -> Path:
        nobody = TrialValues(self._settings, self._reported, {}, self._responder_share)
        described = trial_descriptions(nobody)
        return _write_json(
            out / SIDECAR_FILE, column_descriptions(self.table, self._bundle, described)
        )


def _write_json(path: Path, document: Mapping[str, Any]) -> Path:
    with replaced_file(path) as file:
        file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    return path
