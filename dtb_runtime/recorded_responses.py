"""What a person did in the trials of one run, from the columns of a BIDS events table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import EventsError
from .events import Events, cell_number, read_events
from .tables import is_missing
from .tasks import Task

MIN_RESPONSE_TIME_S = 0.2
"""A faster press answers something other than the stimulus."""
MAX_RESPONSE_TIME_S = 5.0
"""A slower press is a lapse."""
_ACCURACY = "1 (correct), 0 (error or no response) or n/a"


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """What one person did in the trials of one run."""

    response_time_s: NDArray[np.float64]
    """Shape (n_trials,): seconds from the trial's onset to the press, NaN where nobody pressed."""
    correct: NDArray[np.bool_]
    """Shape (n_trials,): answered, and rightly."""
    usable: NDArray[np.bool_]
    """Shape (n_trials,): either no response, or one of known correctness at 0.2 to 5 s and inside
    its trial."""

    @classmethod
    def from_events(cls, events: Events) -> Responses:
        """Responses recorded in the columns ``response_time`` and ``accuracy_binarized``.

        Raises
        ------
        EventsError
            One of the two columns is missing, a value in it is not a number (n/a is allowed), or
            most response times are later than any response counts, as milliseconds are.
        """
        values = []
        expected = {"response_time": "seconds or n/a", "accuracy_binarized": _ACCURACY}
        for name in expected:
            if name not in events.columns:
                raise EventsError(
                    f"{events.source} has no column {name!r}, so it does not tell how the person "
                    "responded. Use an events file recorded in the scanner."
                )
            rows = enumerate(events.columns[name], start=1)
            numbers = [
                math.nan
                if is_missing(cell)
                else cell_number(cell, name, events.source, row, expected[name])
                for row, cell in rows
            ]
            values.append(np.array(numbers))
        response_time, accuracy = values
        for row, value in enumerate(accuracy, start=1):
            if not (math.isnan(value) or value in (0.0, 1.0)):
                raise EventsError(
                    f"{events.source}, row {row}: accuracy_binarized is {value:g}, expected "
                    f"{_ACCURACY}. Correct it."
                )
        _check_unit(response_time, events.source)
        answered = ~np.isnan(response_time)
        in_time = (  # false where the time is NaN
            (response_time >= MIN_RESPONSE_TIME_S)
            & (response_time <= MAX_RESPONSE_TIME_S)
            & (response_time <= events.duration_s)
        )
        usable = np.where(answered, in_time & ~np.isnan(accuracy), accuracy != 1.0)
        responses = cls(response_time, answered & (accuracy == 1.0), usable)
        for array in (responses.response_time_s, responses.correct, responses.usable):
            array.setflags(write=False)
        return responses


def _check_unit(response_time: NDArray[np.float64], source: str) -> None:
    """Refuse times that cannot be seconds after the onset; else all would count for nothing."""
    late = response_time > MAX_RESPONSE_TIME_S  # false where the time is NaN
    n_answered = int(np.count_nonzero(~np.isnan(response_time)))
    if 2 * np.count_nonzero(late) > n_answered:
        row = int(np.flatnonzero(late)[0])
        raise EventsError(
            f"{source}: {np.count_nonzero(late)} of {n_answered} response times are more than "
            f"{MAX_RESPONSE_TIME_S:g}, the first in row {row + 1} ({response_time[row]:g}); "
            "expected seconds from the onset of the trial. Divide milliseconds by 1000; from times "
            "on the clock of the run take off the onset."
        )


def read_responses(path: str | Path, task: Task | str) -> Responses:
    """Read the responses recorded in a BIDS events.tsv; raises as `read_events` does."""
    return Responses.from_events(read_events(path, task))
