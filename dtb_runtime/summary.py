"""What one twin's forecasts say, as JSON values: indicators, where they stand, and warnings."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .basis import Basis
from .demographics import Percentile, Sex
from .draws import indicator_intervals
from .errors import UsageError
from .forecast import Forecast
from .indicator_names import AVERAGED
from .indicators import Indicators, combine_indicators
from .inference import import_onnxruntime
from .strangeness import Strangeness
from .twin import Twin

MEANINGS: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "reaction_time": (
            "Mean response time over trials, given that there is a response; without a task the "
            "mean of the tasks' means",
            "s",
        ),
        "accuracy": (
            "Mean chance over trials of the right response, where no response is not right; "
            "without a task the mean of the tasks' means",
            None,
        ),
        "stroop_effect": ("Response time in incongruent minus that in congruent trials", "s"),
        "face_shape_effect": ("Response time in face minus that in shape trials", "s"),
        "amygdala_response": (
            "t of the right amygdala's forecast BOLD for face > shape, without measurement noise: "
            "for comparisons between people, not with a threshold",
            None,
        ),
    }
)
"""What each indicator is, and its unit."""


def summary(
    twin: Twin,
    forecasts: Sequence[Forecast],
    files: Iterable[str | Path] = (),
    *,
    age: float | None = None,
    sex: Sex | None = None,
) -> dict[str, Any]:
    """Sum up one twin's forecasts as JSON values.

    Parameters
    ----------
    twin : Twin
        The twin that was forecast.
    forecasts : sequence of Forecast
        At most one per task.
    files : iterable of str or pathlib.Path
        Files written; their names without folder go in, so that the summary can move with them.
    age, sex : optional
        Of the person, for the percentiles; see `Norms.indicator_percentile`.

    Returns
    -------
    dict
        Keys ``participant_id``, ``bundle``, ``provider``, ``draws`` (of the latent),
        ``calibration`` (what the forecast rests on), ``indicators``, ``indicator_intervals`` (90 %
        over draws; empty without), ``indicator_meanings``, ``percentiles`` (of each indicator that
        the bundle has norms of, with those it is compared to; of a mean over tasks only where all
        tasks of the bundle were forecast), ``connectome`` (what it was taken for and how good it
        is), ``strangeness``, ``warnings``, ``files``, ``versions``.

    Raises
    ------
    UsageError
        There is no forecast, two of one task, one of another twin, or they average over different
        numbers of draws.
    """
    check_owner(twin, forecasts)
    report = combine_indicators(forecast.indicator_report for forecast in forecasts)
    # The norms of a mean over tasks are those of all tasks of the bundle.
    is_whole = set(report.tasks) == set(twin.bundle.manifest.tasks)
    persons = _persons(forecasts)
    percentiles = {
        name: twin.bundle.norms.indicator_percentile(
            name,
            draw_values(name, report, persons),
            of_mean_twin=twin.is_mean and not persons,
            age=age,
            sex=sex,
        )
        for name in report.values
        if is_whole or name not in AVERAGED
    }
    return {
        "participant_id": twin.participant_id,
        "bundle": twin.bundle.name,
        "provider": forecasts[0].provider,
        "draws": forecasts[0].n_draws,
        "calibration": Basis.of(twin).to_json(),
        "indicators": {name: rounded(value) for name, value in report.values.items()},
        "indicator_intervals": {
            name: [rounded(low), rounded(high)]
            for name, (low, high) in indicator_intervals(persons).items()
        },
        "indicator_meanings": {
            measure: {"Description": description} | ({"Units": unit} if unit else {})
            for measure, (description, unit) in MEANINGS.items()
            if any(name.partition(":")[0] == measure for name in report.values)
        },
        "percentiles": {
            name: _percentile(found) for name, found in percentiles.items() if found is not None
        },
        "connectome": None if twin.facts is None else twin.facts.to_json(),
        "strangeness": None if twin.strangeness is None else _strangeness(twin.strangeness),
        "warnings": list(_warnings(twin, forecasts)),
        "files": [Path(file).name for file in files],
        "versions": {
            "dtb_runtime": package_version(),
            "bundle_digest": twin.bundle.digest,
            "onnxruntime": str(import_onnxruntime().__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def package_version() -> str:
    """Version of the installed distribution, ``"unknown"`` where it is not installed as one."""
    from importlib import metadata  # late: it costs a tenth of a cold start

    try:
        return metadata.version("dtb-runtime")
    except metadata.PackageNotFoundError:
        return "unknown"


def check_owner(twin: Twin, forecasts: Sequence[Forecast]) -> None:
    """Refuse to file one person's forecast under another's name."""
    for forecast in forecasts:
        if forecast.twin is not twin:
            raise UsageError(
                f"The {forecast.task} forecast is one of {forecast.twin}, not of {twin}. Write "
                "each twin's own forecasts."
            )


def _persons(forecasts: Sequence[Forecast]) -> list[Indicators]:
    """Indicators of everybody who the twin may be, over all tasks; none without draws.

    A draw is the same person in each task. What is not known of how tasks go together is paired as
    well, so intervals of means over tasks are a little too wide.
    """
    counts = sorted({forecast.n_draws for forecast in forecasts})
    if len(counts) > 1:
        raise UsageError(
            f"Forecasts of one twin must average over the same number of draws, found {counts[0]} "
            f"and {counts[1]}. Forecast each task with the same draws."
        )
    persons = zip(*(forecast.draw_indicators for forecast in forecasts), strict=True)
    return [combine_indicators(person) for person in persons]


def draw_values(name: str, report: Indicators, persons: Sequence[Indicators]) -> list[float]:
    """Return an indicator's value in each draw that has it; that of the report without draws."""
    values = [person.values[name] for person in persons if name in person.values]
    return values or [report.values[name]]


def _percentile(percentile: Percentile) -> dict[str, Any]:
    # A tenth of a percent is finer than any cohort.
    return {"percent": round(percentile.percent, 1), "compared_to": percentile.compared_to}


def _warnings(twin: Twin, forecasts: Sequence[Forecast]) -> tuple[str, ...]:
    own = (warning for forecast in forecasts for warning in forecast.warnings)
    return tuple(dict.fromkeys((*twin.warnings, *own)))


def _strangeness(strangeness: Strangeness) -> dict[str, Any]:
    return {
        key: rounded(value) if isinstance(value, float) else value
        for key, value in strangeness.to_json().items()
    }


def rounded(value: float) -> float:
    """Six significant digits: the last ones of a float differ between machines."""
    return float(f"{value:.6g}")
