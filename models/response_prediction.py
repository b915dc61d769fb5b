"""How well baseline features predict who responds to an intervention, in people left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.arm_effects import TrialValues
from dtb_runtime.arm_settings import BEFORE, column
from dtb_runtime.errors import MissingDependencyError
from dtb_runtime.summary import rounded

Floats = NDArray[np.float64]

FOLDS = 10
FEWEST = 30
"""People; with fewer nothing is said."""
PERMUTATIONS = 499
"""Of responses between people, to know what chance gives."""
ALPHAS = tuple(float(alpha) for alpha in np.logspace(-1, 4, 11))
"""Ridge penalties, chosen within the training people."""
STRONGEST = 10
PERSONAL = "size_sd"
"""What is predicted of personal plans: how large a change they take. Their effect is the goal."""
_SAME = 1e-9  # relative


def predict_responses(found: TrialValues, features: Mapping[str, Floats]) -> dict[str, Any]:
    """Predict everybody's response from what was known before, by cross-validated ridge regression.

    Of the common plan the response is the effect on each goal, of personal plans the size of the
    change that it takes (their effect is the goal).

    Parameters
    ----------
    found : TrialValues
    features : mapping of str to numpy.ndarray, shape (people,)
        Baseline features of connectomes.

    Returns
    -------
    dict
        By arm and response: ``n``, and for each set of features (the goals' own baselines, all
        indicators, connectivity between networks, all of these) Pearson r and R2 (beside the mean
        of the training people) in people left out, p (how often R2 is as high where responses are
        exchanged between people) and how many features there are; and ``in_sample``: which single
        features go with the response most, of how many. These are picked as the highest of many and
        not tested. Where nothing can be said, ``left_out`` says why.

    Raises
    ------
    MissingDependencyError
        scikit-learn is not installed.
    """
    try:
        import sklearn  # noqa: F401
    except ModuleNotFoundError as cause:
        raise MissingDependencyError(
            "it needs scikit-learn, which is not installed: pip install 'dtb-runtime[evaluate]'"
        ) from cause
    responses: dict[str, dict[str, Floats]] = {}
    for arm in found.settings.arms:
        if arm == "personal":
            responses[arm] = {PERSONAL: found.values[f"{arm}_{PERSONAL}"]}
        else:
            goals = found.settings.goals
            responses[arm] = {goal.name: found.effects(goal.name, arm) for goal in goals}
    return {
        arm: {name: _of_response(found, features, values) for name, values in of_arm.items()}
        for arm, of_arm in responses.items()
    }


def _of_response(
    found: TrialValues, features: Mapping[str, Floats], values: Floats
) -> dict[str, Any]:
    baseline = {name: found.values[column(name, BEFORE)] for name in found.names}
    sets = {
        "own baseline": {goal.name: baseline[goal.name] for goal in found.settings.goals},
        "indicators": baseline,
        "connectivity": dict(features),
        "all": baseline | dict(features),
    }
    known = np.isfinite(values)
    for feature in sets["all"].values():
        known &= np.isfinite(feature)
    n_people = int(known.sum())
    if n_people < FEWEST:
        said = f"needs {FEWEST} people of whom it is known, found {n_people}: left out."
        return {"n": n_people, "left_out": said}
    response = values[known]
    if not float(response.std()) > _SAME * max(abs(float(response.mean())), 1.0):
        return {"n": n_people, "left_out": "the same in everybody: left out."}
    rng = np.random.default_rng(0)
    # The true order first, then as chance would have it.
    orders = np.stack([response, *(rng.permutation(response) for _ in range(PERMUTATIONS))], axis=1)
    alone = {name: _r(of[known], response) for name, of in sets["all"].items()}
    strongest = sorted(alone, key=lambda name: -abs(alone[name]))[:STRONGEST]
    tables = {name: np.stack([of[known] for of in each.values()], 1) for name, each in sets.items()}
    return {
        "n": n_people,
        "sets": {name: _figures(table, orders) for name, table in tables.items()},
        "in_sample": {
            "of_features": len(alone),
            "r": {name: rounded(alone[name]) for name in strongest},
        },
    }


def _figures(table: Floats, orders: Floats) -> dict[str, float]:
    """Figures of the first column, with those of all others as chance."""
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    predicted, of_mean = np.empty_like(orders), np.empty_like(orders)
    for train, test in KFold(FOLDS, shuffle=True, random_state=0).split(table):
        model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS, alpha_per_target=True))
        model.fit(table[train], orders[train])
        predicted[test] = model.predict(table[test])
        of_mean[test] = orders[train].mean(axis=0)
    missed = np.square(orders - predicted).sum(axis=0)
    r2 = 1.0 - missed / np.square(orders - of_mean).sum(axis=0)
    return {
        "r": rounded(_r(predicted[:, 0], orders[:, 0])),
        "r2": rounded(float(r2[0])),
        "p": rounded(float((r2 >= r2[0]).sum()) / len(r2)),  # the true order is one of them
        "features": table.shape[1],
    }


def _r(one: Floats, other: Floats) -> float:
    """Pearson r; 0 where one of them is constant."""
    if float(np.ptp(one)) == 0.0 or float(np.ptp(other)) == 0.0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
