"""What one row of each task's events must hold, and which answer is right in it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from .errors import EventsError
from .tables import is_missing, to_number
from .tasks import HAMMER, SHAPE_CODES, STROOP

TrialReader = Callable[[Mapping[str, str], str], tuple[str, int]]
"""From a row (column to cell) and where it stands to its trial group and correct option."""

_PLACES = ("stimLeft", "stimTop", "stimRight")
_STROOP_GROUPS = {
    "congruent": re.compile(r"con[1-3]?|congruent", re.IGNORECASE),
    "incongruent": re.compile(r"inc[1-6]?|incongruent", re.IGNORECASE),
}


def shape_name(file_name: str) -> str:
    """A shape's name from its file name: ``"circle.bmp"`` is ``"circle"``."""
    return PurePosixPath(file_name).stem.lower()


def read_hammer_trial(trial: Mapping[str, str], where: str) -> tuple[str, int]:
    """Trial group and correct side of a row; raises EventsError, as every reader here."""
    group = trial["trial_type"]
    if group not in HAMMER.trial_types:
        raise EventsError(
            f"{where}: trial_type is {group!r}, expected one of {', '.join(HAMMER.trial_types)}. "
            "Correct this cell, or leave the row out if it is no trial."
        )
    for place in _PLACES:
        name = trial[place]
        if is_missing(name):
            raise EventsError(f"{where}: {place} is {name!r}, expected a picture's file name.")
        is_shape = shape_name(name) in SHAPE_CODES
        if group == "shape" and not is_shape:
            raise EventsError(
                f"{where}: {place} is {name!r}, expected a known shape "
                f"({', '.join(SHAPE_CODES)}) because trial_type is 'shape'."
            )
        if group == "face" and is_shape:
            raise EventsError(
                f"{where}: {place} is the shape {name!r}, but trial_type is 'face'. Correct one."
            )
    left, top, right = (trial[place] for place in _PLACES)
    if (left == top) == (right == top):
        which = "both sides match" if left == top else "neither side matches"
        raise EventsError(
            f"{where}: {which} the top picture (stimLeft {left!r}, stimTop {top!r}, stimRight "
            f"{right!r}), so there is no correct answer. Exactly one side must equal stimTop."
        )
    _check_cue(trial, where)
    return group, 0 if left == top else 1


def _check_cue(trial: Mapping[str, str], where: str) -> None:
    start, end = trial["cueStartTime"], trial["cueEndTime"]
    if is_missing(start) and is_missing(end):
        return
    try:
        is_period = 0 <= to_number(start) < to_number(end) < math.inf
    except ValueError:
        is_period = False
    if not is_period:
        raise EventsError(
            f"{where}: cueStartTime is {start!r} and cueEndTime {end!r}, expected two times in "
            "seconds, the first earlier, or n/a in both."
        )
    trial_end_s = float(trial["onset"]) + float(trial["duration"])
    if float(start) >= trial_end_s:
        raise EventsError(
            f"{where}: the cue starts at {start} s, after its trial, which ends at "
            f"{trial_end_s:g} s. Give the cue in the row of the first trial that follows it."
        )


def read_stroop_trial(trial: Mapping[str, str], where: str) -> tuple[str, int]:
    """Trial group and ink color of a row, which is the right answer."""
    trial_type = trial["trial_type"]
    groups = [name for name, form in _STROOP_GROUPS.items() if form.fullmatch(trial_type)]
    if not groups:
        raise EventsError(
            f"{where}: trial_type is {trial_type!r}, expected con1 to con3, inc1 to inc6, "
            "congruent or incongruent. Correct this cell, or leave the row out if it is no trial."
        )
    for column in ("stimulus_text", "stimulus_color"):
        if trial[column].lower() not in STROOP.options:
            raise EventsError(
                f"{where}: {column} is {trial[column]!r}, expected one of "
                f"{', '.join(STROOP.options)}. Correct this cell."
            )
    text, color = trial["stimulus_text"].lower(), trial["stimulus_color"].lower()
    if (text == color) != (groups[0] == "congruent"):
        raise EventsError(
            f"{where}: trial_type is {trial_type!r}, but the word {text!r} is shown in {color}. "
            "Correct trial_type, stimulus_text or stimulus_color."
        )
    return groups[0], STROOP.options.index(color)


TRIAL_READERS: Mapping[str, TrialReader] = MappingProxyType(
    {HAMMER.name: read_hammer_trial, STROOP.name: read_stroop_trial}
)
"""The reader of each task's rows, by the task's name."""
