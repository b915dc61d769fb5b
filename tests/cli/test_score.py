"""`dtb-run score` as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .conftest import TINY, Outcome

Run = Callable[..., Outcome]


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Three people, one of them broken."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(3):
        series = rng.normal(size=(200, 12))
        np.save(folder / f"sub-{number}.npy", np.corrcoef(series.T))
    (folder / "sub-1.npy").write_bytes(b"broken")
    return folder


def test_everybody_gets_a_row_and_the_exit_code_says_that_one_failed(
    dtb_run: Run, cohort: Path, tmp_path: Path
) -> None:
    words = ("score", cohort, "--bundle", TINY, "--out", tmp_path / "out", "--jobs", "1")
    done = dtb_run(*words)
    assert done.code == 1
    assert "Scored 3 people with tiny on CPU: 2 ok, 1 failed." in done.out
    assert "The first of those that failed: sub-(hidden).npy is not a NumPy" in done.err
    assert "sub-1" not in done.err  # messages end in logs
    assert "people/s" in done.err
    again = dtb_run(*words, "--json")
    assert again.code == 1
    result = json.loads(again.out)
    assert (result["people"], result["failed"], result["scored_before"]) == (3, 1, 3)


def test_files_of_each_person_are_those_of_predict(
    dtb_run: Run, few_draws: None, cohort: Path, tmp_path: Path
) -> None:
    words = ("--bundle", TINY, "--out", tmp_path / "out")
    (cohort / "sub-1.npy").unlink()
    assert dtb_run("score", cohort, *words, "--files", "--draws", "4", "--jobs", "1").code == 0
    for label in ("sub-0", "sub-2"):
        out = tmp_path / label
        assert dtb_run("predict", cohort / f"{label}.npy", "--bundle", TINY, "--out", out).code == 0
        own = tmp_path / "out" / "people" / label
        assert {p.name: p.read_bytes() for p in own.iterdir()} == {
            p.name: p.read_bytes() for p in out.iterdir()
        }


def test_fail_fast_says_where(dtb_run: Run, cohort: Path, tmp_path: Path) -> None:
    done = dtb_run(
        *("score", cohort, "--bundle", TINY, "--out", tmp_path / "out", "--fail-fast"),
        *("--jobs", "1"),
    )
    assert done.code == 1
    assert "Person 2 of 3, in the order of their ids, failed: sub-(hidden).npy" in done.err
    assert "without --fail-fast the run goes on" in done.err


def test_what_is_left_out_of_a_folder_is_said(dtb_run: Run, cohort: Path, tmp_path: Path) -> None:
    (cohort / "sub-1.npy").unlink()
    for name in ("sub-2_timeseries.tsv", "report.html"):
        (cohort / name).write_bytes(b"x")
    words = ("score", cohort, "--bundle", TINY, "--out", tmp_path / "out", "--jobs", "1")
    said = "2 files (1 .html, 1 _timeseries.tsv) of the folder, by their names."
    done = dtb_run(*words)
    assert done.code == 0
    assert f"Left out {said}" in done.err
    assert said in json.loads(dtb_run(*words, "--json").out)["left_out"]
