"""Schedules made from a BIDS folder: medians of the order that most people share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dtb_models.schedules import main, make_schedule
from dtb_runtime.errors import CohortError, EventsError
from dtb_runtime.events import SCHEDULES_DIR, read_events

STROOP = "onset\tduration\ttrial_type\tresponse_time\tstimulus_text\tstimulus_color\n"
HAMMER = (
    "onset\tduration\ttrial_type\tcueStartTime\tcueEndTime\trunEndTime\t"
    "stimLeft\tstimTop\tstimRight\n"
)


def write_run(bids_dir: Path, person: str, run: str, text: str) -> None:
    """Write one person's events of one run."""
    path = bids_dir / f"sub-{person}" / "func" / f"sub-{person}_task-{run}_run-01_events.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def bids_dir(tmp_path: Path) -> Path:
    """Four people; the last one had another order of Stroop trials."""
    folder = tmp_path / "bids"
    onsets = {"A": 11.061, "B": 11.124, "C": 11.083, "D": 11.2}
    for person, onset in onsets.items():
        cue_start, run_end = ("n/a", "n/a") if person == "D" else ("8.02", f"{onset + 20}")
        cue_end = "n/a" if person == "D" else "11.011"
        write_run(
            folder,
            person,
            "hammerAP",
            f"{HAMMER}{onset}\t1.9\tface\t{cue_start}\t{cue_end}\tn/a\ta.jpg\ta.jpg\tb.jpg\n"
            f"14.0\t1.8\tshape\tn/a\tn/a\t{run_end}\tcircle.bmp\toval-vertical.bmp\t"
            "oval-vertical.bmp\n",
        )
        rows = ["2.0\t2.25\tcon1\t0.8\tred\tred\n", "4.25\t4.5\tinc3\tn/a\tred\tgreen\n"]
        if person == "D":
            rows = ["2.0\t2.25\tcon2\t0.8\tgreen\tgreen\n", rows[1]]
        write_run(folder, person, "stroopAP", STROOP + "".join(rows))
    return folder


def test_times_are_medians_and_the_rest_is_shared(bids_dir: Path) -> None:
    assert make_schedule(bids_dir, "hammer").splitlines() == [
        HAMMER.strip(),
        # Median of 11.061, 11.124, 11.083, 11.2 is 11.1035; the cue's of the three that have one.
        "11.10\t1.90\tface\t8.02\t11.01\tn/a\ta.jpg\ta.jpg\tb.jpg",
        "14.00\t1.80\tshape\tn/a\tn/a\t31.08\tcircle.bmp\toval-vertical.bmp\toval-vertical.bmp",
    ]


def test_the_commonest_order_is_taken_and_no_response_with_it(bids_dir: Path) -> None:
    assert make_schedule(bids_dir, "stroop").splitlines() == [
        "onset\tduration\ttrial_type\tstimulus_text\tstimulus_color",
        "2.00\t2.25\tcon1\tred\tred",
        "4.25\t4.50\tinc3\tred\tgreen",
    ]


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"No file in .* matches sub-\*.*hammerAP.*folder that"):
        make_schedule(tmp_path, "hammer")


def test_a_bad_run_is_named(bids_dir: Path) -> None:
    write_run(bids_dir, "B", "stroopAP", STROOP + "x\t2.25\tcon1\t0.8\tred\tred\n")
    with pytest.raises(EventsError, match=r"sub-B_task-stroopAP_run-01_events.tsv, row 1: onset"):
        make_schedule(bids_dir, "stroop")


def test_the_command_writes_tables_that_can_be_read(
    bids_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "schedules"
    assert main([str(bids_dir), "--out", str(out)]) == 0
    assert capsys.readouterr().out.split() == [str(out / "hammer.tsv"), str(out / "stroop.tsv")]
    assert read_events(out / "hammer.tsv", "hammer").n_frames == 38  # 31.08 s / 0.8 s
    assert read_events(out / "stroop.tsv", "stroop").n_trials == 2


def test_the_command_prints_one_sentence_on_failure(
    bids_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none"), "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("Error: No file in ")
    (tmp_path / "file").touch()
    assert main([str(bids_dir), "--out", str(tmp_path / "file" / "x")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_it_runs_as_a_module_without_torch(bids_dir: Path, tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['schedules', {str(bids_dir)!r}, '--out', {str(tmp_path / 'out')!r}]\n"
        "try: runpy.run_module('dtb_models.schedules', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "stroop.tsv").is_file()


@pytest.mark.parametrize("task", ["hammer", "stroop"])
def test_the_shipped_schedules_are_what_the_real_data_give(shared_data: Path, task: str) -> None:
    assert make_schedule(shared_data / "tcp", task) == (SCHEDULES_DIR / f"{task}.tsv").read_text()
