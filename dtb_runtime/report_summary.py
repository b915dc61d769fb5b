"""What a forecast's summary says of one person, as far as a report shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DataError
from .json_object import MAX_JSON_BYTES, JsonObject
from .report_numbers import bounded, numbers_in
from .tables import file_label, read_text

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Values:
    """Indicators of one forecast."""

    basis: str
    """What it rests on, in a sentence."""
    values: Mapping[str, float]
    intervals: Mapping[str, Interval]
    """Where each lies in 90 % of the draws; empty without draws."""


@dataclass(frozen=True, slots=True)
class SeenLine:
    """Trials of one kind that a twin has learned from, beside its forecast for them."""

    task: str
    trial_type: str | None
    n_trials: int
    n_answered: int
    accuracy: float | None
    forecast_accuracy: float | None
    response_time_s: float | None
    forecast_response_time_s: float | None


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """What is said of one person."""

    source: str
    """Name of the file."""
    participant_id: str | None
    bundle: str
    bundle_digest: str
    made_with: str
    """Version of dtb-runtime."""
    draws: int
    n_trials: int
    """Of the person's own trials, that the twin has learned from."""
    forecast: Values
    percentiles: Mapping[str, tuple[float, str]]
    """Percent of whom the indicator is higher than, and who they are."""
    connectome: Mapping[str, Any] | None
    """`ConnectomeFacts`, as JSON values; None without a connectome."""
    strangeness: Mapping[str, float | None]
    """Numbers of `Strangeness` by name; empty where the bundle cannot say."""
    strangeness_sentence: str | None
    warnings: tuple[str, ...]
    meanings: Mapping[str, str]
    """What indicators are, in a sentence; those by task and trial type are their parts."""
    before: Values | None = None
    """The same twin before it learned, where the file says so (`calibrate --json`)."""
    spread_left: float | None = None
    """Share of the doubt about the person that learning left."""
    seen: tuple[SeenLine, ...] = ()

    @property
    def is_mean(self) -> bool:
        """Whether it is of a twin at the mean of what a connectome tells: `Twin.is_mean`."""
        return self.draws == 1 and self.n_trials == 0 and self.connectome is not None


def read_summary(path: Path) -> PersonSummary:
    """Read what `predict` or `calibrate` summed up: a file, what `--json` printed, or an answer of
    the service's JSON API.

    What a report has no use for may be there and is passed over.

    Raises
    ------
    DataError
        It is missing, too large, no JSON, or no such summary.
    """
    name = file_label(path)
    whole = JsonObject.parse(read_text(path, DataError, MAX_JSON_BYTES), name, DataError)
    there = set(whole.remaining_keys())
    # The service's answers hold summaries among other things.
    inner = next((key for key in ("summary", "after") if key in there), None)
    document = whole if inner is None or "indicators" in there else whole.child(inner)
    if not {"participant_id", "indicators", "calibration"} <= set(document.remaining_keys()):
        raise DataError(
            f"{name} is no summary of a forecast: it lacks participant_id, indicators or "
            "calibration. Give what dtb-run predict or calibrate wrote, or printed with --json."
        )
    basis, versions = document.child("calibration"), document.child("versions")
    n_trials = basis.integer("trials", minimum=0)
    strange = document.optional_child("strangeness")
    facts = document.optional_child("connectome")
    return PersonSummary(
        source=name,
        participant_id=document.optional_text("participant_id"),
        bundle=document.text("bundle"),
        bundle_digest=versions.text("bundle_digest"),
        made_with=versions.text("dtb_runtime"),
        draws=document.integer("draws", minimum=1),
        n_trials=n_trials,
        forecast=_values(document, basis.text("sentence")),
        percentiles=_percentiles(document.child("percentiles")),
        connectome=None if facts is None else _facts(facts),
        strangeness={} if strange is None else _strangeness(strange),
        strangeness_sentence=None if strange is None else strange.text("sentence"),
        warnings=document.texts("warnings"),
        meanings=_meanings(document.optional_child("indicator_meanings")),
        before=_before(whole.child("before")) if "before" in there else None,
        spread_left=_spread_left(whole) if "learned" in there else None,
        seen=_seen(whole) if "seen" in there else (),
    )


def _values(document: JsonObject, basis: str) -> Values:
    bounds = document.child("indicator_intervals")
    return Values(
        basis=basis,
        values=numbers_in(document.child("indicators")),
        intervals={name: _interval(bounds, name) for name in bounds.remaining_keys()},
    )


def _interval(bounds: JsonObject, name: str) -> Interval:
    numbers = bounds.numbers(name)
    if len(numbers) != 2 or numbers[0] > numbers[1]:
        raise DataError(f"{bounds.where}, {name}: expected two numbers, the lower one first.")
    low, high = (bounded(end, f"{bounds.where}, {name}") for end in numbers)
    return low, high


def _percentiles(document: JsonObject) -> dict[str, tuple[float, str]]:
    found = {}
    for name in document.remaining_keys():
        of = document.child(name)
        percent = of.number("percent")
        if not 0.0 <= percent <= 100.0:
            raise DataError(f"{of.where}: expected a percent from 0 to 100, found {percent:g}.")
        found[name] = (percent, of.text("compared_to"))
    return found


def _meanings(document: JsonObject | None) -> dict[str, str]:
    if document is None:
        return {}
    return {name: document.child(name).text("Description") for name in document.remaining_keys()}


def _facts(document: JsonObject) -> dict[str, Any]:
    return {
        "taken_for": document.text("taken_for"),
        "regions": document.text("regions"),
        "mean_r": document.number("mean_r"),
        "sd_r": document.number("sd_r"),
        "n_timepoints": document.optional_number("n_timepoints"),
        "mean_fd_mm": document.optional_number("mean_fd_mm"),
        "imputed": document.texts("imputed"),
    }


def _strangeness(document: JsonObject) -> dict[str, float | None]:
    names = (
        *("distance", "distance_percentile"),
        *("similarity_to_cohort", "similarity_percentile"),
    )
    found = {name: document.optional_number(name) for name in names}
    for name, value in found.items():
        bounded(value or 0.0, f"{document.where}, {name}")
    return found


def _before(document: JsonObject) -> Values:
    return _values(document, document.child("calibration").text("sentence"))


def _spread_left(document: JsonObject) -> float | None:
    learned = document.optional_child("learned")
    return None if learned is None else learned.number("spread_left")


def _seen(document: JsonObject) -> tuple[SeenLine, ...]:
    return tuple(
        SeenLine(
            task=of.text("task"),
            trial_type=of.optional_text("trial_type"),
            n_trials=of.integer("n_trials", minimum=0),
            n_answered=of.integer("n_answered", minimum=0),
            accuracy=of.optional_number("accuracy"),
            forecast_accuracy=of.optional_number("forecast_accuracy"),
            response_time_s=of.optional_number("response_time_s"),
            forecast_response_time_s=of.optional_number("forecast_response_time_s"),
        )
        for of in document.children("seen")
    )
