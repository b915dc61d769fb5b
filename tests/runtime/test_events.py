"""Events tables: what is read, where it lies on the grid, and what each bad cell says."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dtb_runtime.errors import EventsError, UsageError
from dtb_runtime.events import Events, events_from_columns, read_events
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.tasks import DT_S, TASKS, get_task
from dtb_runtime.trials import TRIAL_READERS

Columns = dict[str, list[str]]


@pytest.fixture
def stroop() -> Columns:
    """Three trials that run into one another, as in the study."""
    return {
        "onset": ["2.0", "4.25", "8.75"],
        "duration": ["2.25", "4.5", "8.25"],
        "trial_type": ["con3", "con1", "inc6"],
        "stimulus_text": ["blue", "red", "green"],
        "stimulus_color": ["blue", "red", "blue"],
    }


@pytest.fixture
def hammer() -> Columns:
    """A shape with a cue before it, and a face."""
    return {
        "onset": ["11.06", "14.14"],
        "duration": ["1.97", "1.89"],
        "trial_type": ["shape", "face"],
        "stimLeft": ["circle.bmp", "a.jpg"],
        "stimTop": ["circle.bmp", "b.jpg"],
        "stimRight": ["oval-vertical.bmp", "b.jpg"],
        "cueStartTime": ["8.02", "n/a"],
        "cueEndTime": ["11.01", "n/a"],
    }


def write(path: Path, columns: Columns) -> Path:
    """Write columns as a BIDS events.tsv."""
    rows = ["\t".join(columns), *("\t".join(row) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")
    return path


# ---- what is read


def test_stroop_trials_are_read_as_they_stand(tmp_path: Path, stroop: Columns) -> None:
    events = read_events(write(tmp_path / "sub-1_events.tsv", stroop), "stroop")
    assert (events.task, events.source) == ("stroop", "sub-1_events.tsv")
    assert events.onset_s.tolist() == [2.0, 4.25, 8.75]
    assert events.duration_s.tolist() == [2.25, 4.5, 8.25]
    assert events.trial_type == ("con3", "con1", "inc6")
    assert events.trial_group == ("congruent", "congruent", "incongruent")
    # The right answer is the ink: blue, red, blue of (red, green, blue).
    assert events.correct_option.tolist() == [2, 0, 2]
    assert events.columns["stimulus_text"] == ("blue", "red", "green")
    assert "onset" not in events.columns


def test_hammer_is_right_on_the_side_of_the_top_picture(hammer: Columns) -> None:
    events = events_from_columns(hammer, TASKS["hammer"])
    assert events.trial_group == ("shape", "face")
    assert events.correct_option.tolist() == [0, 1]


def test_plain_trial_types_and_any_case_are_accepted(stroop: Columns) -> None:
    stroop["trial_type"] = ["congruent", "Con1", "Incongruent"]
    stroop["stimulus_color"] = ["Blue", "RED", "blue"]
    events = events_from_columns(stroop, "stroop")
    assert events.trial_group == ("congruent", "congruent", "incongruent")
    assert events.correct_option.tolist() == [2, 0, 2]


def test_blanks_around_cells_do_not_matter(tmp_path: Path, stroop: Columns) -> None:
    stroop["stimulus_text"] = ["blue ", " red", "green "]  # one run of the study has "green "
    events = read_events(write(tmp_path / "e.tsv", stroop), "stroop")
    assert events.columns["stimulus_text"] == ("blue", "red", "green")


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(
    tmp_path: Path, stroop: Columns
) -> None:
    path = write(tmp_path / "e.tsv", stroop)
    text = path.read_text().replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_events(path, "stroop").n_trials == 3


def test_columns_in_memory_may_be_numbers(stroop: Columns) -> None:
    columns = {
        **stroop,
        "onset": [2.0, 4.25, 8.75],
        "duration": np.array([2.25, 4.5, 8.25]),
        "response_time": [0.5, math.nan, 0.7],
    }
    events = events_from_columns(columns, "stroop")
    assert events.onset_s.tolist() == [2.0, 4.25, 8.75]
    assert events.columns["response_time"] == ("0.5", "n/a", "0.7")


def test_events_cannot_be_changed(stroop: Columns) -> None:
    events = events_from_columns(stroop, "stroop")
    for array in (
        events.onset_s,
        events.duration_s,
        events.correct_option,
        events.onset_step,
        events.offset_step,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(TypeError):
        events.columns["stimulus_text"] = ()  # type: ignore[index]


# ---- the grid


def test_trials_lie_on_the_grid_without_overlap(stroop: Columns) -> None:
    events = events_from_columns(stroop, "stroop")
    # 2 / 0.08 = 25; 4.25 / 0.08 = 53.125; 8.75 / 0.08 = 109.375; 17 / 0.08 = 212.5
    assert events.onset_step.tolist() == [25, 53, 109]
    assert events.offset_step.tolist() == [53, 109, 213]


def test_a_time_on_the_grid_stays_there_despite_rounding(stroop: Columns) -> None:
    steps = np.array([3, 29, 57])  # 0.24 / 0.08 is 3.0000000000000004 in floating point
    stroop["onset"] = [repr(float(s) * DT_S) for s in steps]
    stroop["duration"] = [repr(7 * DT_S)] * 3
    events = events_from_columns(stroop, "stroop")
    assert events.onset_step.tolist() == steps.tolist()
    assert events.offset_step.tolist() == (steps + 7).tolist()


def test_a_run_lasts_to_the_end_of_its_rest(stroop: Columns, hammer: Columns) -> None:
    run = events_from_columns(stroop, "stroop")
    assert run.n_frames == math.floor((17.0 + 10.0) / 0.8)
    assert run.n_steps == 10 * run.n_frames
    assert events_from_columns(hammer, "hammer").n_frames == math.floor((14.14 + 1.89 + 9.4) / 0.8)


def test_run_end_time_sets_the_length_where_it_is_given(hammer: Columns) -> None:
    hammer["runEndTime"] = ["n/a", "40.1"]
    assert events_from_columns(hammer, "hammer").n_frames == 50


def test_a_run_never_ends_before_its_last_trial(hammer: Columns) -> None:
    hammer["runEndTime"] = ["n/a", "16.03"]  # 20 whole frames end at 16.0, the trial at 16.03
    events = events_from_columns(hammer, "hammer")
    assert events.n_frames == 21
    assert events.offset_step[-1] <= events.n_steps


def test_a_trial_may_reach_into_the_next_by_a_screen_frame(stroop: Columns) -> None:
    stroop["onset"][1] = "4.23"
    events = events_from_columns(stroop, "stroop")
    assert events.offset_step[0] == events.onset_step[1] == 52


@pytest.mark.parametrize(
    ("task", "n_trials", "n_frames", "n_steps"),
    [("hammer", 108, 493, 4930), ("stroop", 78, 510, 5100)],
)
def test_default_schedules_have_the_size_of_the_study(
    task: str, n_trials: int, n_frames: int, n_steps: int
) -> None:
    events = TASKS[task].schedule()
    assert (events.n_trials, events.n_frames, events.n_steps) == (n_trials, n_frames, n_steps)
    assert TASKS[task].schedule() is events


def test_default_schedules_have_the_trials_of_the_study() -> None:
    hammer, stroop = TASKS["hammer"].schedule(), TASKS["stroop"].schedule()
    assert [stroop.trial_group.count(g) for g in TASKS["stroop"].trial_types] == [54, 24]
    # 18 blocks of 6, alternating, shapes first.
    assert hammer.trial_group == (("shape",) * 6 + ("face",) * 6) * 9
    cued = [cell != "n/a" for cell in hammer.columns["cueStartTime"]]
    assert np.flatnonzero(cued).tolist() == list(range(0, 108, 6))
    # The words run into one another; a picture leaves a second of fixation.
    assert np.all(stroop.offset_step[:-1] == stroop.onset_step[1:])
    assert np.all(hammer.onset_step[1:] - hammer.offset_step[:-1] >= 12)


# ---- bad tables


def test_a_missing_column_is_named_with_those_found(tmp_path: Path, stroop: Columns) -> None:
    del stroop["stimulus_color"], stroop["duration"]
    with pytest.raises(
        EventsError,
        match=r"sub-1\.tsv has no column 'duration', 'stimulus_color', which the task 'stroop' "
        r"needs; found onset, trial_type, stimulus_text\.",
    ):
        read_events(write(tmp_path / "sub-1.tsv", stroop), "stroop")


def test_commas_instead_of_tabs_are_recognized(tmp_path: Path) -> None:
    path = tmp_path / "e.tsv"
    path.write_text("onset,duration,trial_type\n1,2,con1\n")
    with pytest.raises(EventsError, match="must be separated by tabs"):
        read_events(path, "stroop")


def test_a_table_without_trials_is_refused(tmp_path: Path, stroop: Columns) -> None:
    path = write(tmp_path / "e.tsv", {name: [] for name in stroop})
    with pytest.raises(EventsError, match="holds no trials"):
        read_events(path, "stroop")


def set_cell(column: str, row: int, value: str) -> Callable[[Columns], None]:
    """A change of one cell; `row` counts from 1 as messages do."""

    def change(columns: Columns) -> None:
        columns[column][row - 1] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_cell("onset", 2, "n/a"), "row 2: onset is 'n/a', expected a number"),
        (set_cell("onset", 2, "inf"), "row 2: onset is 'inf', expected a number"),
        (set_cell("duration", 3, "2,25"), "row 3: duration is '2,25', expected a number"),
        (set_cell("onset", 1, "-0.5"), r"row 1: onset is -0\.5 s, expected 0 or later"),
        (set_cell("duration", 1, "0"), "row 1: duration is 0 s, expected more than 0"),
        (set_cell("onset", 3, "87500"), "row 3: the trial at 87500 s .* not milliseconds"),
        (set_cell("onset", 3, "3.5"), r"row 3: onset 3\.5 s comes before that of row 2 .*Sort"),
        (
            set_cell("duration", 1, "2.5"),
            r"rows 1 and 2 overlap: the trial at 2 s ends at 4\.5 s, after the next onset at 4\.25",
        ),
        (set_cell("trial_type", 2, "control"), "row 2: trial_type is 'control', expected con1 to"),
        (set_cell("stimulus_color", 3, "pink"), "row 3: stimulus_color is 'pink', expected one of"),
        (set_cell("stimulus_text", 3, "n/a"), "row 3: stimulus_text is 'n/a', expected one of red"),
        (
            set_cell("stimulus_text", 2, "green"),
            "row 2: trial_type is 'con1', but the word 'green' is shown in red",
        ),
    ],
)
def test_a_bad_stroop_cell_is_named(
    stroop: Columns, change: Callable[[Columns], None], message: str
) -> None:
    change(stroop)
    with pytest.raises(EventsError, match=f"^run.tsv.*{message}"):
        events_from_columns(stroop, "stroop", "run.tsv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_cell("trial_type", 1, "house"), "row 1: trial_type is 'house', expected one of face"),
        (set_cell("stimTop", 1, "square.bmp"), r"row 1: stimTop is 'square\.bmp', .*oval-horizont"),
        (set_cell("stimLeft", 2, "circle.bmp"), r"row 2: stimLeft is the shape 'circle\.bmp'"),
        (set_cell("stimLeft", 2, "n/a"), "row 2: stimLeft is 'n/a', expected a picture"),
        (set_cell("stimLeft", 2, "b.jpg"), "row 2: both sides match the top picture"),
        (set_cell("stimTop", 2, "c.jpg"), r"row 2: neither side matches .*stimTop 'c\.jpg'"),
        (set_cell("cueEndTime", 1, "n/a"), r"row 1: cueStartTime is '8\.02' and cueEndTime 'n/a'"),
        (set_cell("cueEndTime", 1, "7"), "row 1: cueStartTime .*the first earlier, or n/a"),
        (set_cell("cueStartTime", 1, "-1"), "row 1: cueStartTime is '-1'"),
        (set_cell("cueStartTime", 1, "soon"), "row 1: cueStartTime is 'soon'"),
    ],
)
def test_a_bad_hammer_cell_is_named(
    hammer: Columns, change: Callable[[Columns], None], message: str
) -> None:
    change(hammer)
    with pytest.raises(EventsError, match=f"^run.tsv, {message}"):
        events_from_columns(hammer, "hammer", "run.tsv")


@pytest.mark.parametrize("run_end", ["12", "20000", "late"])
def test_a_run_end_that_cannot_be_is_refused(hammer: Columns, run_end: str) -> None:
    hammer["runEndTime"] = ["n/a", run_end]
    with pytest.raises(EventsError, match="row 2: runEndTime is"):
        events_from_columns(hammer, "hammer")


def test_two_trials_in_one_step_are_refused(stroop: Columns) -> None:
    stroop["onset"][:2] = ["2.0", "2.03"]
    stroop["duration"][0] = "0.03"
    with pytest.raises(EventsError, match=r"rows 1 and 2 start in the same 80-ms step \(at 2 and"):
        events_from_columns(stroop, "stroop")


def test_columns_of_different_length_are_refused(stroop: Columns) -> None:
    stroop["onset"].append("30")
    with pytest.raises(EventsError, match="differ in length: onset 4, duration 3"):
        events_from_columns(stroop, "stroop")


def test_a_short_row_and_a_repeated_column_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.tsv"
    path.write_text("onset\tduration\n1\t2\n3\n")
    with pytest.raises(EventsError, match=r"row 2 under the header has 1 cells, .* 2 columns"):
        read_events(path, "stroop")
    path.write_text("onset\tonset\n1\t2\n")
    with pytest.raises(EventsError, match="more than one column named 'onset'"):
        read_events(path, "stroop")


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.tsv"
    with pytest.raises(EventsError, match=r"There is no file at .*e\.tsv"):
        read_events(path, "stroop")
    with pytest.raises(EventsError, match="is a folder, not a file"):
        read_events(tmp_path, "stroop")
    path.write_bytes(b"")
    with pytest.raises(EventsError, match=r"e\.tsv is empty"):
        read_events(path, "stroop")
    path.write_bytes(b"onset\x00\x01")
    with pytest.raises(EventsError, match="not a text file"):
        read_events(path, "stroop")
    path.write_bytes(b"\x80\xff\xfe")
    with pytest.raises(EventsError, match="not a text file"):
        read_events(path, "stroop")


# ---- tasks


def test_an_unknown_task_is_answered_with_the_nearest() -> None:
    assert get_task("stroop") is TASKS["stroop"]
    with pytest.raises(
        UsageError, match=r"no task named 'stroopAP'; .* hammer, stroop\. Did you m"
    ):
        get_task("stroopAP")
    with pytest.raises(UsageError, match=r"the tasks are hammer, stroop\.$"):
        get_task("xyz")


def test_every_task_can_be_read() -> None:
    assert set(TRIAL_READERS) == set(TASKS)
    for task in TASKS.values():
        assert set(task.contrast) == set(task.trial_types)
    assert TASKS["hammer"].contrast_name == "face_shape"
    assert TASKS["stroop"].contrast_name == "incongruent_congruent"


# ---- the real data


def test_every_real_run_is_read(shared_data: Path) -> None:
    paths = sorted((shared_data / "tcp").glob("sub-*/func/*_events.tsv"))
    runs = [read_events(p, "hammer" if "hammer" in p.name else "stroop") for p in paths]
    responses = [Responses.from_events(run) for run in runs]
    assert len(runs) == 521
    assert {(run.task, run.n_trials, run.n_frames) for run in runs} == {
        ("hammer", 108, 493),
        ("stroop", 78, 510),
    }
    # Presses under 0.2 s (2 + 14 + 7) and one beyond 5 s.
    assert sum(int((~r.usable).sum()) for r in responses) == 24
    assert all(fits(run, r) for run, r in zip(runs, responses, strict=True))


def fits(run: Events, responses: Responses) -> bool:
    """Whether every usable press falls into its trial's steps."""
    with np.errstate(invalid="ignore"):
        step = np.floor((run.onset_s + responses.response_time_s) / DT_S)
    pressed = responses.usable & ~np.isnan(responses.response_time_s)
    inside = (step >= run.onset_step) & (step < run.offset_step)
    return bool(inside[pressed].all())


def test_a_quote_that_is_never_closed_swallows_no_trials(tmp_path: Path, stroop: Columns) -> None:
    stroop["comment"] = ["x", '"forgot to close', "y"]
    with pytest.raises(EventsError, match="Check its quotes and separators"):
        read_events(write(tmp_path / "events.tsv", stroop), "stroop")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_any_line_ending_is_read(tmp_path: Path, stroop: Columns, line_end: str) -> None:
    path = write(tmp_path / "events.tsv", stroop)
    path.write_bytes(path.read_bytes().replace(b"\n", line_end.encode()))
    assert read_events(path, "stroop").n_trials == 3


def test_numbers_written_as_code_are_refused(stroop: Columns) -> None:
    stroop["onset"][2] = "1_0"
    with pytest.raises(EventsError, match="row 3: onset is '1_0', expected a number"):
        events_from_columns(stroop, "stroop")


def test_a_cue_after_its_trial_is_refused(hammer: Columns) -> None:
    hammer["cueStartTime"][0], hammer["cueEndTime"][0] = "1e6", "2e6"
    with pytest.raises(EventsError, match=r"row 1: the cue starts at 1e6 s, after its trial"):
        events_from_columns(hammer, "hammer")


def dense(n_trials: int, first_s: float) -> dict[str, list[str | float]]:
    """One long trial, then short ones, as fast as the grid allows."""
    return {
        "onset": [0.0, *(first_s + 0.16 * i for i in range(n_trials - 1))],
        "duration": [first_s, *[0.08] * (n_trials - 1)],
        "trial_type": ["con1"] * n_trials,
        "stimulus_text": ["red"] * n_trials,
        "stimulus_color": ["red"] * n_trials,
    }


def test_what_would_not_fit_into_memory_is_refused() -> None:
    assert events_from_columns(dense(5000, 8.0), "stroop").n_trials == 5000
    with pytest.raises(EventsError, match="holds 5001 trials, expected at most 5000"):
        events_from_columns(dense(5001, 8.0), "stroop")
    with pytest.raises(EventsError, match="row 1: a trial of 8000 s is too long among 100 trials"):
        events_from_columns(dense(100, 8000.0), "stroop")
    assert events_from_columns(dense(1, 8000.0), "stroop").n_steps > 100_000
