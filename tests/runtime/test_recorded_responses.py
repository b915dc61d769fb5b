"""What a person did in a run, from the columns of its events."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dtb_runtime.errors import EventsError
from dtb_runtime.events import events_from_columns
from dtb_runtime.recorded_responses import Responses, read_responses

Columns = dict[str, list[str]]


@pytest.fixture
def stroop() -> Columns:
    """Three trials without responses."""
    return {
        "onset": ["2", "5", "8"],
        "duration": ["2.5"] * 3,
        "trial_type": ["con1"] * 3,
        "stimulus_text": ["red"] * 3,
        "stimulus_color": ["red"] * 3,
    }


def test_responses_are_read_and_judged() -> None:
    n = 8
    columns: Columns = {
        "onset": [str(10 * i) for i in range(n)],
        "duration": ["8.25"] * (n - 1) + ["0.9"],
        "trial_type": ["con1"] * n,
        "stimulus_text": ["red"] * n,
        "stimulus_color": ["red"] * n,
        # right, wrong, none, too early, negative, too late, not known to be right, after the trial
        "response_time": ["0.8", "0.9", "n/a", "0.19", "-0.1", "5.01", "0.7", "1.0"],
        "accuracy_binarized": ["1.0", "0", "0.0", "1", "1", "1", "n/a", "1"],
    }
    responses = Responses.from_events(events_from_columns(columns, "stroop"))
    assert responses.response_time_s.tolist()[:2] == [0.8, 0.9]
    assert math.isnan(responses.response_time_s[2])
    assert responses.correct.tolist() == [True, False, False, True, True, True, False, True]
    assert responses.usable.tolist() == [True, True, True, False, False, False, False, False]
    with pytest.raises(ValueError, match="read-only"):
        responses.usable[0] = False


def test_responses_without_their_column_say_so(tmp_path: Path, stroop: Columns) -> None:
    path = tmp_path / "e.tsv"
    path.write_text(
        "\n".join(
            "\t".join(row)
            for row in zip(*((name, *cells) for name, cells in stroop.items()), strict=True)
        )
        + "\n"
    )
    with pytest.raises(EventsError, match=r"e\.tsv has no column 'response_time'.*recorded"):
        read_responses(path, "stroop")


def test_an_accuracy_that_is_no_accuracy_is_named(stroop: Columns) -> None:
    stroop |= {"response_time": ["1"] * 3, "accuracy_binarized": ["1", "0", "2"]}
    with pytest.raises(
        EventsError, match=r"row 3: accuracy_binarized is 2, expected 1 .* 0 .* n/a"
    ):
        Responses.from_events(events_from_columns(stroop, "stroop"))


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (["812", "n/a", "930.5"], r"2 of 2 response times .* row 1 \(812\).* by 1000"),
        (["2.7", "5.9", "8.8"], r"2 of 3 response times .* row 2 \(5.9\).* clock of the run"),
    ],
)
def test_times_of_another_unit_or_clock_are_refused(
    stroop: Columns, times: list[str], said: str
) -> None:
    stroop |= {"response_time": times, "accuracy_binarized": ["1"] * 3}
    with pytest.raises(EventsError, match=said):
        Responses.from_events(events_from_columns(stroop, "stroop", "sub-1_events.tsv"))


def test_a_few_late_times_are_only_not_usable(stroop: Columns) -> None:
    stroop |= {"response_time": ["0.8", "6.1", "n/a"], "accuracy_binarized": ["1", "1", "0"]}
    responses = Responses.from_events(events_from_columns(stroop, "stroop"))
    assert responses.usable.tolist() == [True, False, True]
