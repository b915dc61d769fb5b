"""Figures of evaluations as names and numbers, as a bundle's manifest carries them.

A name is ``<evaluation>/<method>/<metric>:<task>``. The first part says who was judged and how: it
is the protocol for real people, and has a prefix of its own where people or their connectomes were
simulated, so that nobody takes the figures of the one for those of the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtb_models.evaluation import MEANINGS
from dtb_models.protocols import PROTOCOLS
from dtb_models.rules import rules_beside
from dtb_runtime.errors import DataError
from dtb_runtime.tables import check_is_file

from .map_figures import MAPS, check_left_out, map_figures

CARD_METRICS = (
    "rt_r",
    "rt_rmse_s",
    "rt_trial_r",
    "choice_concordance",
    "choice_log_loss",
    "coverage_90",
)
"""Metrics that go into a bundle; an evaluation's own files have all of them."""
CARD_METHODS: Mapping[str, str] = {
    **{name: method.label for name, method in MEANINGS.items()},
    "rule/own_mean": "own mean",
    "rule/loo_regression": "regression",
    "rule/own_mean_trial_type": "own mean + trial type",
    "rule/own_mean_position": "own mean + position",
    "rule/trial_type_mean": "trial type mean",
    "rule/position_mean": "position mean",
    "rule/demographics": "age, sex, site, group",
    "rule/always_correct": "always right",
    "rule/own_accuracy": "own accuracy",
}
"""Methods that go into a bundle, and what a narrow column calls them."""
SIMULATED = "simulated-"
"""How the name of an evaluation begins whose people were simulated."""
SEMI_SYNTHETIC = "semi-synthetic-"
"""The same where real people had connectomes that were simulated around their behavior."""
_RULE = "rule/"
_MAX_BYTES = 64 * 1024**2


def read_all_figures(paths: Sequence[Path]) -> dict[str, float]:
    """Read the figures of several evaluations, each of another kind.

    Parameters
    ----------
    paths : sequence of Path

    Returns
    -------
    dict of str to float
        See `read_figures`.

    Raises
    ------
    DataError
        As `read_figures`; or if two files hold figures of the same name.
    """
    found: dict[str, float] = {}
    places: dict[str, Path] = {}
    for path in paths:
        figures = read_figures(path)
        for name in dict.fromkeys(name.partition("/")[0] for name in figures):
            if name in places:
                raise DataError(
                    f"A bundle carries one evaluation of each kind, but {places[name]} and {path} "
                    f"both hold figures of {name!r}. Leave one of them out."
                )
            places[name] = path
        found |= figures
    return found


def read_figures(path: Path) -> dict[str, float]:
    """Read the figures that a bundle carries from an evaluation's ``metrics.json``.

    Parameters
    ----------
    path : Path
        Written by ``dtb-run evaluate --out``.

    Returns
    -------
    dict of str to float
        ``<evaluation>/<method>/<metric>:<task>``, for example
        ``calibrated/rule/own_mean/rt_r:stroop``, ``<evaluation>/n:<task>``, the people judged, and
        what the card says of the evaluation. All of them are listed on the page of the bundle
        format.

    Raises
    ------
    DataError
        If the file is no such evaluation, or judges people whom its bundle may know.
    """
    check_is_file(path, DataError)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("it is larger than any evaluation's")
        report = json.loads(path.read_text(encoding="utf-8"))
        if report["protocol"] is None:
            check_left_out(report["maps"], path)
            (task,) = report["judged"]
            return dict(map_figures(_prefix(report["data"]) + MAPS, task, report["maps"]))
        _check_held_out(report, path)
        name = _prefix(report["data"]) + PROTOCOLS[report["protocol"]].name
        return dict([*_facts(name, report), *_of_trials(name, report["methods"])])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is not the metrics.json of an evaluation ({error!r}). Give the file that "
            "`dtb-run evaluate --out` wrote."
        ) from error


def evaluations_in(measured: Mapping[str, float]) -> tuple[str, ...]:
    """Return the evaluations whose figures a manifest's ``measured`` holds, in their order."""
    found = (name.partition("/")[0] for name in measured if "/twin/" in name)
    return tuple(dict.fromkeys(found))


def _prefix(data: Mapping[str, Any]) -> str:
    """Return what tells people or connectomes that were made up from real ones."""
    kind, connectomes = data["kind"], data["connectomes"]
    if kind not in ("real", "semi-synthetic", "simulated"):
        raise ValueError(f"people are real, semi-synthetic or simulated, not {kind!r}")
    if connectomes not in ("none", "real", "simulated"):
        raise ValueError(f"connectomes are none, real or simulated, not {connectomes!r}")
    if kind == "simulated":
        return SIMULATED
    is_real = kind == "real" and connectomes != "simulated"
    return "" if is_real else SEMI_SYNTHETIC


def _check_held_out(report: Mapping[str, Any], path: Path) -> None:
    """Refuse figures of people that the card would wrongly call held out."""
    protocol, known = report["protocol"], report["in_sample"]
    if PROTOCOLS[protocol].trains_on_judged:
        if report["training"] is None:
            raise DataError(
                f"{path} judges bundle {report['bundle']!r}, which was not trained for the "
                f"protocol {protocol!r}. Evaluate without --bundle, so that one is."
            )
        return
    if known == 0:
        return
    knows = (
        "does not say whether its bundle was trained on the judged people"
        if known is None
        else f"judges {known} people on whom its bundle was trained"
    )
    raise DataError(
        f"{path} {knows} (in_sample), but the figures of {protocol!r} in a bundle must be of "
        "people held out. Evaluate without --bundle: networks are trained for it then."
    )


def _facts(name: str, report: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield what the card says above a table, as numbers: a manifest holds no others."""
    yield f"{name}/connectomes", float(report["data"]["connectomes"] != "none")
    if report["folds"] is not None:
        yield f"{name}/folds", float(report["folds"])
    if report["planted"] is not None:
        yield f"{name}/n_training", float(report["planted"]["n_training"])


def _of_trials(name: str, methods: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    twin = methods["twin"]["figures"]
    figures = [each for each in twin if each.partition(":")[0] in CARD_METRICS]
    for task in dict.fromkeys(each.partition(":")[2] for each in figures):
        n = next(twin[each]["n"] for each in figures if each.endswith(f":{task}"))
        yield f"{name}/n:{task}", float(n)
    for method in CARD_METHODS:
        found = methods.get(method, {}).get("figures", {})
        for each in figures:
            if method.startswith(_RULE) and method.removeprefix(_RULE) not in rules_beside(each):
                continue  # the r over people of a group's mean, for one, tells of nothing
            value = found.get(each, {}).get("value")
            if value is not None and math.isfinite(value):
                yield f"{name}/{method}/{each}", round(float(value), 6)
