"""The BIDS sidecars of a forecast's tables: what each column is, its unit, and what made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .basis import Basis
from .draws import INTERVAL
from .forecast import NOT_AVAILABLE, QUARTILES, Forecast
from .summary import package_version
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


def provenance(twin: Twin, forecast: Forecast) -> dict[str, Any]:
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
    } | _imputed(twin)


def _imputed(twin: Twin) -> dict[str, Any]:
    if twin.facts is None or not twin.facts.imputed:
        return {}
    return {"ImputedRegions": list(twin.facts.imputed)}


def events_sidecar(forecast: Forecast) -> dict[str, Any]:
    """Return what each column of a table of trials is."""
    sidecar: dict[str, Any] = {}
    for name in forecast.trials:
        description, unit = _EVENT_COLUMNS[name]
        sidecar[name] = {"Description": description} | ({"Units": unit} if unit else {})
    options = get_task(forecast.task).options
    for name in ("choice", "sampled_choice"):
        if name in sidecar:
            sidecar[name]["Levels"] = {option: f"The response {option}" for option in options}
    return sidecar


def bold_sidecar(forecast: Forecast) -> dict[str, Any]:
    """Return what the numbers of a table of BOLD are."""
    return {
        "Description": "Forecast BOLD, mean over the draws of the person's latent; one column per "
        "region, one row per frame",
        "Units": "SD of the region in the training data, around its mean",
        "SamplingFrequency": round(1.0 / forecast.tr_s, 10),
        "RepetitionTime": forecast.tr_s,
        "StartTime": 0.0,
    }


def contrasts_sidecar(forecast: Forecast) -> dict[str, Any]:
    """Return what each column of a table of a contrast is."""
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
