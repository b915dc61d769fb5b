"""What is written for one twin: BIDS-named tables with sidecars, and a summary.

For participant ``sub-01`` and task ``hammer``::

    sub-01_task-hammer_desc-twin_events.tsv       .json    one row per trial
    sub-01_task-hammer_desc-twin_timeseries.tsv   .json    BOLD, one row per frame
    sub-01_task-hammer_desc-twin_contrasts.tsv    .json    one row per region
    sub-01_desc-twin_summary.json

Every sidecar and the summary carry the bundle's warnings. The same forecast gives the same bytes.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .atomic import write_files
from .basis import Basis
from .demographics import Percentile, Sex
from .draws import INTERVAL, indicator_intervals
from .errors import UsageError
from .forecast import NOT_AVAILABLE, QUARTILES, Forecast
from .indicators import combine_indicators
from .inference import import_onnxruntime
from .strangeness import Strangeness
from .tasks import get_task
from .twin import Twin

_CHANCE = "Probability in [0, 1]"
_LOW, _LOWER, _UPPER, _HIGH = (
    f"{100 * q:g} % quantile" for q in (INTERVAL[0], *QUARTILES, INTERVAL[1])
)
_RESPONSE_TIME = "of the response time after trial onset, given that there is a response"
_BOTH = "; the trial's own noise and what is not known of the person are both in it"
_EVENT_COLUMNS: Mapping[str, tuple[str, str | None]] = {
    "onset": ("Onset of the trial, measured from the first frame", "s"),
    "duration": ("Duration of the trial", "s"),
    "trial_type": ("Kind of trial, as in the schedule", None),
    "choice": (
        f"Most probable response; {NOT_AVAILABLE} where no response is more probable than any",
        None,
    ),
    "p_correct": (f"{_CHANCE} that the response is the correct one", None),
    "p_no_response": (f"{_CHANCE} that there is no response in the trial", None),
    "response_time": (f"Mean {_RESPONSE_TIME}", "s"),
    "response_time_low": (f"{_LOW} {_RESPONSE_TIME}{_BOTH}", "s"),
    "response_time_lower_quartile": (f"{_LOWER} {_RESPONSE_TIME}{_BOTH}", "s"),
    "response_time_upper_quartile": (f"{_UPPER} {_RESPONSE_TIME}{_BOTH}", "s"),
    "response_time_high": (f"{_HIGH} {_RESPONSE_TIME}{_BOTH}", "s"),
    "sampled_choice": (
        "Response in one random run of one person who may be this one; "
        f"{NOT_AVAILABLE} where there was none",
        None,
    ),
    "sampled_response_time": ("Response time in that run", "s"),
}
"""Column name to its description and unit."""

# Digits kept: a tenth of a millisecond and of a thousandth SD are below anything that is known.
_TEXT_OF_COLUMN = {"onset": "%.10g", "duration": "%.10g", "p_correct": "%.6f"}
_TEXT_OF_COLUMN |= {"p_no_response": "%.6f"}
_TEXT = "%.4f"


def write_forecasts(
    out_dir: str | Path,
    twin: Twin,
    forecasts: Sequence[Forecast],
    *,
    age: float | None = None,
    sex: Sex | None = None,
    force: bool = False,
) -> tuple[Path, ...]:
    """Write one twin's forecasts and their summary, all files or none.

    Parameters
    ----------
    out_dir : str or pathlib.Path
        Folder, made if it is not there.
    twin : Twin
        The twin that was forecast; its `participant_id` names the files.
    forecasts : sequence of Forecast
        At most one per task.
    age, sex : optional
        Of the person, for the percentiles; see `Norms.indicator_percentile`.
    force : bool
        Replace files that are there already.

    Returns
    -------
    tuple of pathlib.Path
        The files, the summary last.

    Raises
    ------
    UsageError
        The twin has no participant id, a forecast is another twin's, there is no forecast or two
        of one task, or they average over different numbers of draws.
    OutputError
        A file is there already and `force` is not set, or the folder cannot be written.
    """
    if twin.participant_id is None:
        raise UsageError(
            "Files are named after the participant, but this twin has no participant id. "
            "Personalize with participant_id='sub-<label>' (--participant-label)."
        )
    _check_owner(twin, forecasts)
    subject = twin.participant_id
    contents: dict[str, bytes] = {}
    for forecast in forecasts:
        stem = f"{subject}_task-{forecast.task}_desc-twin"
        about = _about(twin, forecast)
        contents[f"{stem}_events.tsv"] = _events_table(forecast)
        contents[f"{stem}_events.json"] = _json_bytes(_events_sidecar(forecast) | about)
        contents[f"{stem}_timeseries.tsv"] = _bold_table(forecast)
        contents[f"{stem}_timeseries.json"] = _json_bytes(_bold_sidecar(forecast) | about)
        if forecast.contrasts:
            contents[f"{stem}_contrasts.tsv"] = _contrasts_table(forecast)
            contents[f"{stem}_contrasts.json"] = _json_bytes(_contrasts_sidecar(forecast) | about)
    name = f"{subject}_desc-twin_summary.json"
    contents[name] = _json_bytes(summary(twin, forecasts, [*contents, name], age=age, sex=sex))
    return write_files(Path(out_dir), contents, force=force)


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
        over draws; empty without), ``percentiles`` (of each indicator that the bundle has norms
        of, with those it is compared to), ``strangeness``, ``warnings``, ``files``, ``versions``.

    Raises
    ------
    UsageError
        There is no forecast, two of one task, one of another twin, or they average over different
        numbers of draws.
    """
    _check_owner(twin, forecasts)
    report = combine_indicators(forecast.indicator_report for forecast in forecasts)
    percentiles = {
        name: twin.bundle.norms.indicator_percentile(name, value, age=age, sex=sex)
        for name, value in report.values.items()
    }
    return {
        "participant_id": twin.participant_id,
        "bundle": twin.bundle.name,
        "provider": forecasts[0].provider,
        "draws": forecasts[0].n_draws,
        "calibration": Basis.of(twin).to_json(),
        "indicators": {name: _rounded(value) for name, value in report.values.items()},
        "indicator_intervals": {
            name: [_rounded(low), _rounded(high)]
            for name, (low, high) in _intervals(forecasts).items()
        },
        "percentiles": {
            name: _percentile(found) for name, found in percentiles.items() if found is not None
        },
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


def _check_owner(twin: Twin, forecasts: Sequence[Forecast]) -> None:
    """Refuse to file one person's forecast under another's name."""
    for forecast in forecasts:
        if forecast.twin is not twin:
            raise UsageError(
                f"The {forecast.task} forecast is one of {forecast.twin}, not of {twin}. Write "
                "each twin's own forecasts."
            )


def _intervals(forecasts: Sequence[Forecast]) -> Mapping[str, tuple[float, float]]:
    """Intervals of all tasks' indicators; a draw is the same person in each."""
    counts = sorted({forecast.n_draws for forecast in forecasts})
    if len(counts) > 1:
        raise UsageError(
            f"Forecasts of one twin must average over the same number of draws, found {counts[0]} "
            f"and {counts[1]}. Forecast each task with the same draws."
        )
    persons = zip(*(forecast.draw_indicators for forecast in forecasts), strict=True)
    return indicator_intervals([combine_indicators(person) for person in persons])


def _percentile(percentile: Percentile) -> dict[str, Any]:
    # A tenth of a percent is finer than any cohort.
    return {"percent": round(percentile.percent, 1), "compared_to": percentile.compared_to}


def _warnings(twin: Twin, forecasts: Sequence[Forecast]) -> tuple[str, ...]:
    own = (warning for forecast in forecasts for warning in forecast.warnings)
    return tuple(dict.fromkeys((*twin.warnings, *own)))


def _strangeness(strangeness: Strangeness) -> dict[str, Any]:
    return {
        key: _rounded(value) if isinstance(value, float) else value
        for key, value in strangeness.to_json().items()
    }


def _about(twin: Twin, forecast: Forecast) -> dict[str, Any]:
    """What every sidecar says, last."""
    return {
        "TaskName": forecast.task,
        "GeneratedBy": [
            {
                "Name": "dtb-runtime",
                "Version": package_version(),
                "Bundle": twin.bundle.name,
                "BundleDigest": twin.bundle.digest,
                "Provider": forecast.provider,
            }
        ],
        "Draws": forecast.n_draws,
        "RestsOn": Basis.of(twin).sentence,
        "Sources": [] if twin.connectome_digest is None else [f"sha256:{twin.connectome_digest}"],
        "warnings": list(forecast.warnings),
    }


def _events_table(forecast: Forecast) -> bytes:
    columns = [
        _cells(values, _TEXT_OF_COLUMN.get(name, _TEXT)) for name, values in forecast.trials.items()
    ]
    return _table(forecast.trials, zip(*columns, strict=True))


def _events_sidecar(forecast: Forecast) -> dict[str, Any]:
    sidecar: dict[str, Any] = {}
    for name in forecast.trials:
        description, unit = _EVENT_COLUMNS[name]
        sidecar[name] = {"Description": description} | ({"Units": unit} if unit else {})
    options = get_task(forecast.task).options
    for name in ("choice", "sampled_choice"):
        if name in sidecar:
            sidecar[name]["Levels"] = {option: f"The response {option}" for option in options}
    return sidecar


def _bold_table(forecast: Forecast) -> bytes:
    # One format for a whole row: 200,000 numbers one by one would take longer than the forecast.
    # Adding 0 turns -0 into 0.
    form = "\t".join([_TEXT] * len(forecast.region_labels))
    rows = (np.round(forecast.bold.astype(np.float64), 4) + 0.0).tolist()
    lines = ["\t".join(forecast.region_labels), *(form % tuple(row) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _bold_sidecar(forecast: Forecast) -> dict[str, Any]:
    return {
        "Description": "Forecast BOLD, mean over the draws of the person's latent; one column per "
        "region, one row per frame",
        "Units": "SD of the region in the training data, around its mean",
        "SamplingFrequency": round(1.0 / forecast.tr_s, 10),
        "RepetitionTime": forecast.tr_s,
        "StartTime": 0.0,
    }


def _contrasts_table(forecast: Forecast) -> bytes:
    (contrast,) = forecast.contrasts.values()
    columns = (
        forecast.region_labels,
        _cells(contrast.estimate, "%.6g"),
        _cells(contrast.t, _TEXT),
    )
    return _table(("region", "estimate", "t"), zip(*columns, strict=True))


def _contrasts_sidecar(forecast: Forecast) -> dict[str, Any]:
    ((name, contrast),) = forecast.contrasts.items()
    return {
        "Contrast": name,
        "Description": f"{contrast.positive} > {contrast.negative} in the forecast BOLD: Glover "
        "response and derivative, cosine drifts below 0.01 Hz, ordinary least squares",
        "DegreesOfFreedom": contrast.degrees_of_freedom,
        "region": {"Description": "Label of the region in the bundle's parcellation"},
        "estimate": {
            "Description": "Difference of the two effects",
            "Units": "SD of the region in the training data",
        },
        "t": {
            "Description": "Estimate divided by its standard error, mean over the draws of the "
            "person's latent. Forecast BOLD has no measurement noise, so t is far larger than that "
            "of a scan; compare it between people and regions, not with a threshold"
        },
    }


def _cells(values: NDArray[Any], form: str) -> list[str]:
    if values.dtype.kind != "f":
        return [str(value) for value in values.tolist()]
    return [
        NOT_AVAILABLE if math.isnan(value) else form % (value + 0.0) for value in values.tolist()
    ]


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    lines = ["\t".join(row) for row in (header, *rows)]
    return ("\n".join(lines) + "\n").encode()


def _rounded(value: float) -> float:
    """Six significant digits: the last ones of a float differ between machines."""
    return float(f"{value:.6g}")


def _json_bytes(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
