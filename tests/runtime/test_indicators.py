"""Indicators: the numbers by hand, over tasks, and a reason wherever one cannot be given."""

from __future__ import annotations

import numpy as np
import pytest

from dtb_runtime.errors import UsageError
from dtb_runtime.events import Events, events_from_columns
from dtb_runtime.glm import Contrast
from dtb_runtime.indicators import (
    Indicators,
    combine_indicators,
    contrast_indicator,
    task_indicators,
)
from dtb_runtime.responses import read_densities
from dtb_runtime.tasks import DT_S, HAMMER, STROOP, TASKS
from dtb_runtime.trial_distributions import TrialDistributions

NO_AMYGDALA: dict[str, float] = {}
ONSETS_S = [0.0, 1.6, 3.2, 4.8]


def presses(events: Events, rows: list[tuple[int, list[float]]]) -> TrialDistributions:
    """One trial after another: all options' chances in one step, so many steps after its onset.

    Trials begin on the grid, so the response time is the middle of that step.
    """
    actions = np.zeros((events.n_steps, 3))
    for onset_step, (delay, chances) in zip(events.onset_step, rows, strict=True):
        actions[onset_step + delay, : len(chances)] = chances
    return read_densities(actions, events, len(TASKS[events.task].options), DT_S)


def stroop_run(trial_types: list[str], source: str = "sub-1_events.tsv") -> Events:
    """Four trials whose right answer is green."""
    return events_from_columns(
        {
            "onset": ONSETS_S,
            "duration": [1.6] * 4,
            "trial_type": trial_types,
            "stimulus_text": ["green" if x.startswith("con") else "red" for x in trial_types],
            "stimulus_color": ["green"] * 4,
        },
        STROOP,
        source,
    )


def hammer_run(trial_types: list[str], source: str = "sub-1_events.tsv") -> Events:
    """Four trials whose right answer is left."""
    matching = ["a.jpg" if x == "face" else "circle.bmp" for x in trial_types]
    other = ["b.jpg" if x == "face" else "oval-vertical.bmp" for x in trial_types]
    return events_from_columns(
        {
            "onset": ONSETS_S,
            "duration": [1.6] * 4,
            "trial_type": trial_types,
            "stimLeft": matching,
            "stimTop": matching,
            "stimRight": other,
            "cueStartTime": ["n/a"] * 4,
            "cueEndTime": ["n/a"] * 4,
        },
        HAMMER,
        source,
    )


STROOP_TYPES = ["con1", "inc1", "inc1", "con1"]
STROOP_ROWS = [
    (5, [0.1, 0.8, 0.0]),
    (9, [0.2, 0.6, 0.0]),
    (11, [0.0, 0.5, 0.5]),
    (6, [0.0, 0.9, 0]),
]
HAMMER_TYPES = ["face", "face", "shape", "shape"]
HAMMER_ROWS = [(8, [0.9, 0.1]), (10, [0.7, 0.1]), (4, [1.0, 0.0]), (5, [0.5, 0.5])]


def stroop() -> Indicators:
    """Indicators of the four stroop trials."""
    events = stroop_run(STROOP_TYPES)
    return task_indicators(STROOP, events, presses(events, STROOP_ROWS), NO_AMYGDALA)


def hammer(structure_t: dict[str, float] | None = None) -> Indicators:
    """Indicators of the four hammer trials."""
    events = hammer_run(HAMMER_TYPES)
    found = {"right_amygdala": 2.75} if structure_t is None else structure_t
    return task_indicators(HAMMER, events, presses(events, HAMMER_ROWS), found)


# ---- the numbers


def test_stroop_by_hand() -> None:
    expected = {
        "reaction_time:stroop": (5 + 9 + 11 + 6) / 4 * 0.08 + 0.04,
        "reaction_time:stroop:congruent": 5.5 * 0.08 + 0.04,
        "reaction_time:stroop:incongruent": 10 * 0.08 + 0.04,
        "accuracy:stroop": (0.8 + 0.6 + 0.5 + 0.9) / 4,
        "accuracy:stroop:congruent": 0.85,
        "accuracy:stroop:incongruent": 0.55,
        "reaction_time": (5 + 9 + 11 + 6) / 4 * 0.08 + 0.04,
        "accuracy": (0.8 + 0.6 + 0.5 + 0.9) / 4,
        "stroop_effect": 4.5 * 0.08,
    }
    assert dict(stroop().values) == pytest.approx(expected)


def test_hammer_by_hand() -> None:
    expected = {
        "reaction_time:hammer": (8 + 10 + 4 + 5) / 4 * 0.08 + 0.04,
        "reaction_time:hammer:face": 9 * 0.08 + 0.04,
        "reaction_time:hammer:shape": 4.5 * 0.08 + 0.04,
        "accuracy:hammer": (0.9 + 0.7 + 1.0 + 0.5) / 4,
        "accuracy:hammer:face": 0.8,
        "accuracy:hammer:shape": 0.75,
        "reaction_time": (8 + 10 + 4 + 5) / 4 * 0.08 + 0.04,
        "accuracy": (0.9 + 0.7 + 1.0 + 0.5) / 4,
        "face_shape_effect": 4.5 * 0.08,
        "amygdala_response": 2.75,
    }
    assert dict(hammer().values) == pytest.approx(expected)


def test_indicators_are_plain_numbers_and_cannot_be_changed() -> None:
    indicators = hammer()
    assert all(type(value) is float for value in indicators.values.values())
    with pytest.raises(TypeError):
        indicators.values["reaction_time"] = 0.0  # type: ignore[index]


def test_a_trial_that_is_never_answered_counts_in_accuracy_and_not_in_reaction_time() -> None:
    events = stroop_run(STROOP_TYPES)
    rows = [*STROOP_ROWS[:3], (6, [0.0, 0.0, 0.0])]
    indicators = task_indicators(STROOP, events, presses(events, rows), NO_AMYGDALA)
    assert indicators.value("reaction_time:stroop:congruent") == pytest.approx(5.5 * 0.08)
    assert indicators.value("accuracy:stroop:congruent") == pytest.approx(0.4)


def test_a_value_is_found_by_its_name() -> None:
    assert hammer().value("amygdala_response") == 2.75


# ---- over tasks


def test_tasks_count_alike_however_many_trials_they_have() -> None:
    hammer_part = hammer()
    events = events_from_columns(
        {
            "onset": [0.0],
            "duration": [1.6],
            "trial_type": ["con1"],
            "stimulus_text": ["green"],
            "stimulus_color": ["green"],
        },
        STROOP,
    )
    one_trial = presses(events, [(15, [0.0, 1.0, 0.0])])
    stroop_part = task_indicators(STROOP, events, one_trial, NO_AMYGDALA)
    both = combine_indicators([hammer_part, stroop_part])
    assert both.value("reaction_time") == pytest.approx((0.58 + 1.24) / 2)
    assert both.value("accuracy") == pytest.approx((0.775 + 1.0) / 2)
    assert both.tasks == ("hammer", "stroop")


@pytest.mark.parametrize("turned", [False, True])
def test_combining_keeps_what_each_task_gives(turned: bool) -> None:
    parts = [hammer(), stroop()]
    both = combine_indicators(parts[::-1] if turned else parts)
    for part in parts:
        for name, value in part.values.items():
            if name not in ("reaction_time", "accuracy"):
                assert both.value(name) == value
    assert not both.unavailable
    assert set(both.values) == set(parts[0].values) | set(parts[1].values)


@pytest.mark.parametrize("turned", [False, True])
def test_combining_keeps_the_reason_of_the_task_that_could_have_given_it(turned: bool) -> None:
    parts = [hammer({}), stroop()]
    both = combine_indicators(parts[::-1] if turned else parts)
    assert list(both.unavailable) == ["amygdala_response"]
    with pytest.raises(UsageError, match="regions have no right amygdala"):
        both.value("amygdala_response")


def test_combining_one_task_gives_it_again() -> None:
    again = combine_indicators([stroop()])
    assert again.values == stroop().values
    assert again.unavailable == stroop().unavailable


def test_a_mean_over_tasks_needs_every_task() -> None:
    events = stroop_run(STROOP_TYPES)
    silent = presses(events, [(0, [0.0, 0.0, 0.0])] * 4)
    part = task_indicators(STROOP, events, silent, NO_AMYGDALA)
    both = combine_indicators([hammer(), part])
    with pytest.raises(UsageError, match="responds in none of the trials of sub-1_events"):
        both.value("reaction_time")
    assert both.value("accuracy") == pytest.approx(0.775 / 2)


def test_combining_refuses_nothing_and_the_same_task_twice() -> None:
    with pytest.raises(UsageError, match="no forecasts to combine"):
        combine_indicators([])
    with pytest.raises(UsageError, match="different tasks, but stroop comes more than once"):
        combine_indicators([stroop(), hammer(), stroop()])


# ---- why not


def test_every_number_is_finite_and_every_other_name_has_a_reason() -> None:
    events = stroop_run(STROOP_TYPES)
    part = task_indicators(STROOP, events, presses(events, [(0, [0.0, 0.0, 0.0])] * 4), NO_AMYGDALA)
    assert set(part.values) == {
        "accuracy",
        "accuracy:stroop",
        "accuracy:stroop:congruent",
        "accuracy:stroop:incongruent",
    }
    assert all(np.isfinite(value) for value in part.values.values())
    assert set(part.unavailable) == {
        "reaction_time",
        "reaction_time:stroop",
        "reaction_time:stroop:congruent",
        "reaction_time:stroop:incongruent",
        "stroop_effect",
        "face_shape_effect",
        "amygdala_response",
    }


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("face_shape_effect", "hammer"),
        ("amygdala_response", "hammer"),
        ("reaction_time:hammer", "hammer"),
        ("accuracy:hammer:face", "hammer"),
    ],
)
def test_an_indicator_of_another_task_says_which_task_it_needs(name: str, task: str) -> None:
    expected = f"'{name}' cannot be given. It needs the task {task}, but this is a forecast of str"
    with pytest.raises(UsageError, match=expected):
        stroop().value(name)


@pytest.mark.parametrize(
    "name", ["stroop_effect", "reaction_time:stroop:incongruent", "accuracy:stroop:incongruent"]
)
def test_a_trial_type_that_the_events_lack_is_named(name: str) -> None:
    events = stroop_run(["con1"] * 4)
    part = task_indicators(STROOP, events, presses(events, STROOP_ROWS), NO_AMYGDALA)
    expected = f"'{name}' cannot be given. sub-1_events.tsv has no incongruent trials; add some"
    with pytest.raises(UsageError, match=expected):
        part.value(name)


def test_a_trial_type_that_is_never_answered_is_named() -> None:
    events = hammer_run(HAMMER_TYPES)
    rows = [*HAMMER_ROWS[:2], (0, [0.0, 0.0]), (0, [0.0, 0.0])]
    part = task_indicators(HAMMER, events, presses(events, rows), NO_AMYGDALA)
    with pytest.raises(UsageError, match="The twin responds in none of the shape trials of sub-1"):
        part.value("face_shape_effect")


def test_a_bundle_without_an_amygdala_says_what_to_use() -> None:
    with pytest.raises(UsageError, match="no right amygdala; use a bundle of a parcellation with"):
        hammer({"left_amygdala": 1.0}).value("amygdala_response")


def test_a_flat_amygdala_has_no_response() -> None:
    with pytest.raises(UsageError, match="BOLD of the right amygdala does not vary beyond what"):
        hammer({"right_amygdala": float("nan")}).value("amygdala_response")


def test_a_contrast_that_could_not_be_fitted_passes_its_reason_on() -> None:
    events = hammer_run(["face"] * 4)
    problem = "The contrast face > shape needs trials of both types."
    part = task_indicators(
        HAMMER, events, presses(events, HAMMER_ROWS), NO_AMYGDALA, contrast_problem=problem
    )
    for name in ("amygdala_response", "contrast:face_shape"):
        with pytest.raises(UsageError, match=f"'{name}' cannot be given. {problem}"):
            part.value(name)
    with pytest.raises(UsageError, match=f"'contrast:face_shape:V1' cannot be given. {problem}"):
        contrast_indicator(
            "contrast:face_shape:V1", {}, ["V1"], unavailable=combine_indicators([part]).unavailable
        )


def test_an_unknown_name_lists_what_there_is_and_the_nearest() -> None:
    expected = r"no indicator 'strop_effect'\. Did you mean 'stroop_effect'\? A forecast of stroop "
    with pytest.raises(UsageError, match=expected + "gives reaction_time:stroop, "):
        stroop().value("strop_effect")


# ---- one region's contrast


def contrasts() -> dict[str, Contrast]:
    """A contrast in three regions, the last one without a t."""
    t = np.array([1.5, -2.0, np.nan])
    return {"face_shape": Contrast("face", "shape", t / 10, t, 480)}


LABELS = ("L_V1", "R_V1", "R_TE:x")


def test_a_regions_contrast_is_its_t() -> None:
    assert contrast_indicator("contrast:face_shape:R_V1", contrasts(), LABELS) == -2.0


def test_a_region_label_may_hold_a_colon() -> None:
    with pytest.raises(UsageError, match=r"'contrast:face_shape:R_TE:x' .* BOLD of R_TE:x does no"):
        contrast_indicator("contrast:face_shape:R_TE:x", contrasts(), LABELS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("contrast:face_shape", "written contrast:<contrast>:<region label>, for example contrast"),
        ("contrasts:face_shape:L_V1", "face_shape:L_V1, but 'contrasts:face_shape:L_V1' was asked"),
        ("contrast:face_shape:L_V2", r"No region 'L_V2' is among the 3 .* Did you mean 'L_V1'\?"),
        (
            "contrast:incongruent_congruent:L_V1",
            "has the contrast face_shape; forecast the task stroop for incongruent_congruent",
        ),
        (
            "contrast:shape_face:L_V1",
            "no task has a contrast 'shape_face'; there are face_shape, incongruent_congruent",
        ),
    ],
)
def test_a_contrast_that_does_not_exist_says_what_does(name: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        contrast_indicator(name, contrasts(), LABELS)


def test_a_forecast_without_contrasts_says_so() -> None:
    with pytest.raises(UsageError, match="This forecast has no contrast; forecast the task hammer"):
        contrast_indicator("contrast:face_shape:L_V1", {}, LABELS)
