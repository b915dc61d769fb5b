"""Who responds is predicted where something tells it, and not where nothing does."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from dtb_models.response_prediction import (
    ALPHAS,
    FEWEST,
    FOLDS,
    PERMUTATIONS,
    predict_responses,
)
from dtb_runtime.arm_effects import TrialValues
from dtb_runtime.arm_settings import TrialSettings
from dtb_runtime.errors import MissingDependencyError
from dtb_runtime.plan import Goal

pytest.importorskip("sklearn", reason="scikit-learn is an extra")
SETTINGS = TrialSettings((Goal("reaction_time", -0.1),), (), ("common",))


def made(n: int, weight: float) -> tuple[TrialValues, dict[str, np.ndarray]]:
    """People whose effect hangs on one of five features of their connectomes."""
    rng = np.random.default_rng(n)
    features = {f"connectivity:a:{k}": rng.normal(size=n) for k in range(5)}
    before = rng.normal(size=n)
    effect = weight * features["connectivity:a:2"] + rng.normal(size=n)
    values = {
        "reaction_time_before": before,
        "reaction_time_common": before - 1.0 - effect,
        "accuracy_before": rng.normal(size=n),
        "accuracy_common": rng.normal(size=n),
    }
    return TrialValues(SETTINGS, ("reaction_time", "accuracy"), values), features


def test_what_tells_it_is_found() -> None:
    found = predict_responses(*made(150, 2.0))["common"]["reaction_time"]
    assert found["n"] == 150
    truth = 2.0 / np.sqrt(5.0)  # correlation of the feature with the effect
    assert found["sets"]["connectivity"]["r"] == pytest.approx(truth, abs=0.08)
    assert found["sets"]["connectivity"]["r2"] == pytest.approx(truth**2, abs=0.12)
    assert found["sets"]["connectivity"]["p"] == pytest.approx(1 / (PERMUTATIONS + 1))
    assert found["sets"]["own baseline"]["r2"] < 0.1
    assert found["sets"]["own baseline"]["p"] > 0.01
    assert next(iter(found["in_sample"]["r"])) == "connectivity:a:2"
    assert found["in_sample"]["of_features"] == 7


def test_nothing_is_found_where_nothing_tells_it() -> None:
    p = [
        predict_responses(*made(n, 0.0))["common"]["reaction_time"]["sets"]["all"]["p"]
        for n in range(60, 80)
    ]
    # Uniform where nothing is there: of 20 more than 5 below .1 would be one chance in 100.
    assert sum(value <= 0.1 for value in p) <= 5
    assert min(p) >= 1 / (PERMUTATIONS + 1)
    assert np.mean(p) == pytest.approx(0.5, abs=0.2)


def test_figures_are_those_of_scikit_learn() -> None:
    """One set beside cross_val_predict of the same pipeline, one person order."""
    linear = pytest.importorskip("sklearn.linear_model")
    selection = pytest.importorskip("sklearn.model_selection")
    pipeline = pytest.importorskip("sklearn.pipeline")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    found, features = made(80, 1.0)
    table = np.stack(list(features.values()), axis=1)
    effects = found.effects("reaction_time", "common")
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), linear.RidgeCV(ALPHAS))
    folds = selection.KFold(FOLDS, shuffle=True, random_state=0)
    expected = selection.cross_val_predict(model, table, effects, cv=folds)
    sets = predict_responses(found, features)["common"]["reaction_time"]["sets"]
    r = np.corrcoef(expected, effects)[0, 1]
    assert sets["connectivity"]["r"] == pytest.approx(r, abs=1e-4)


def test_of_personal_plans_the_size_is_predicted() -> None:
    common, features = made(80, 1.0)
    settings = TrialSettings(SETTINGS.goals, (), ("personal",))
    size = 0.5 + 0.1 * features["connectivity:a:1"]
    values = {**common.values, "personal_size_sd": size}
    found = predict_responses(TrialValues(settings, common.names, values), features)
    assert set(found["personal"]) == {"size_sd"}
    assert found["personal"]["size_sd"]["sets"]["connectivity"]["r"] > 0.95


def test_where_nothing_can_be_said_it_says_why() -> None:
    few = predict_responses(*made(FEWEST - 1, 2.0))["common"]["reaction_time"]
    assert few["left_out"] == (
        f"needs {FEWEST} people of whom it is known, found {FEWEST - 1}: left out."
    )
    found, features = made(60, 1.0)
    values = {**found.values, "reaction_time_common": found.values["reaction_time_before"] - 1.0}
    alike = predict_responses(TrialValues(SETTINGS, found.names, values), features)
    said = alike["common"]["reaction_time"]["left_out"]
    assert said == "the same in everybody: left out."


def test_without_scikit_learn_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingDependencyError, match=r"dtb-runtime\[evaluate\]"):
        predict_responses(*made(60, 1.0))
