"""Evaluations are run once, in the data folder, with what each needs; and what is kept of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import results
import results_runs
from results_data import data_folder
from results_files import kept, no_trials, report_bytes
from results_page import NAMES
from results_runs import RUNS, Run, do, is_finished, needed_by, small

from dtb_cli.app import main
from dtb_models.judged_files import judged_tsv
from dtb_models.judged_trials import PREDICTED, TEXT, JudgedTrials

Calls = list[tuple[list[str], Path]]


def run_named(name: str) -> Run:
    """Return one of the runs."""
    return next(run for run in RUNS if run.name == name)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Commands of `dtb-run`, which are noted and succeed."""
    noted: Calls = []

    def dtb_run(words: list[str], folder: Path) -> int:
        noted.append((words, folder))
        Path(words[words.index("--out") + 1]).mkdir(parents=True, exist_ok=True)
        return 0

    monkeypatch.setattr(results_runs, "dtb_run", dtb_run)
    return noted


def test_every_evaluation_of_the_page_has_a_run() -> None:
    assert [run.name for run in RUNS if run.is_evaluation] == sorted(
        (name for name in NAMES if name != "ablations"),
        key=[run.name for run in RUNS].index,
    )


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_commands_have_the_options_that_runs_give(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    help_page = capsys.readouterr().out
    for run in (*RUNS, *map(small, RUNS)):
        words = run.command(Path("work"), 2)
        if words[0] == command:
            options = [word for word in words if word.startswith("--")]
            assert [x for x in options if not re.search(rf"{x}\b", help_page)] == [], run.name


def test_a_run_is_done_once(tmp_path: Path, calls: Calls) -> None:
    run = run_named("simulated_glasser360")
    assert not is_finished(run, tmp_path)
    do(run, Path("data"), tmp_path, 2)
    ((words, folder),) = calls
    assert folder == Path("data")
    assert words[-2:] == ["--jobs", "2"]
    assert "--resume" in words
    assert words[words.index("--out") + 1] == str(tmp_path / "simulated_glasser360")
    assert is_finished(run, tmp_path)
    assert not is_finished(small(run), tmp_path)


def test_a_run_that_fails_is_not_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_runs, "dtb_run", lambda _words, _folder: 3)
    run = run_named("tcp_temporal")
    with pytest.raises(SystemExit, match="tcp_temporal --resume --jobs 1 ended with exit code 3"):
        do(run, Path("data"), tmp_path, 1)
    assert not is_finished(run, tmp_path)


def test_new_people_are_judged_with_the_networks_of_the_calibrated(
    tmp_path: Path, calls: Calls
) -> None:
    do(run_named("tcp_new_people"), Path("data"), tmp_path, 1)
    (tmp_path / "tcp_calibrated" / "folds" / "plan.json").write_text("{}", encoding="utf-8")
    assert (tmp_path / "tcp_new_people" / "folds" / "plan.json").is_file()
    do(run_named("tcp_new_people"), Path("data"), tmp_path, 1)
    assert len(calls) == 2
    ours, theirs = (run_named(name).line for name in ("tcp_new_people", "tcp_calibrated"))
    assert ours.replace("new-people", "calibrated") == theirs


def test_leave_one_out_begins_with_a_training(tmp_path: Path, calls: Calls) -> None:
    assert needed_by("hcp_leave_one_out") == ("glasser360_checkpoint", "hcp_leave_one_out")
    run = run_named("hcp_leave_one_out")
    do(run, Path("data"), tmp_path, 1)
    do(run, Path("data"), tmp_path, 1, Path("elsewhere"))
    reused = [words[words.index("--reuse") + 1] for words, _ in calls]
    assert reused == [str(tmp_path / "glasser360_checkpoint"), "elsewhere"]
    assert "--jobs" not in run_named("glasser360_checkpoint").command(tmp_path, 2)


def test_small_runs_replace_options_and_keep_the_rest() -> None:
    line = small(run_named("simulated_tcp434")).line
    assert line.count("--people") == line.count("--new") == 1
    assert "--people 24" in line and "--direct-input" in line and "--updates 3" in line
    assert "--updates" not in small(run_named("hcp_leave_one_out")).line


def test_without_data_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTB_SHARED", str(tmp_path))
    with pytest.raises(SystemExit, match="set DTB_SHARED to the folder that holds data/tcp"):
        data_folder()


def test_figures_that_mean_nothing_do_not_go_into_the_documents(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["results.py", "--smoke"])
    with pytest.raises(SystemExit):
        results.main()
    assert "give --docs DIR" in capsys.readouterr().err


def test_the_program_keeps_figures_and_writes_the_page(
    tmp_path: Path,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    made_reports: dict[str, dict[str, Any]],
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("DTB_SHARED", str(tmp_path))
    report = made_reports["tcp_new_people"]
    place = tmp_path / "work" / "tcp_new_people"
    place.mkdir(parents=True)
    (place / "metrics.json").write_text(json.dumps(report), encoding="utf-8")
    words = ["--work", str(tmp_path / "work"), "--docs", str(tmp_path / "docs")]
    monkeypatch.setattr("sys.argv", ["results.py", *words, "--only", "tcp_new_people"])
    assert results.main() == results.main() == 0
    assert len(calls) == 1
    page = (tmp_path / "docs" / "RESULTS.md").read_text(encoding="utf-8")
    assert "dtb-run evaluate --data tcp tcp --protocol new-people" in page
    text = (tmp_path / "docs" / "results" / "tcp_new_people.json").read_text(encoding="utf-8")
    assert json.loads(text)["methods"]["twin"] == report["methods"]["twin"]
    (tmp_path / "docs" / "RESULTS.md").write_text("by hand", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["results.py", *words, "--render"])
    assert results.main() == 0
    assert (tmp_path / "docs" / "RESULTS.md").read_text(encoding="utf-8") == page


def judged(rt_s: float, width_s: float) -> JudgedTrials:
    """Return two people's trials with one forecast for all."""
    n = 12
    text = {name: np.full(n, "stroop") for name in TEXT}
    text["participant_id"] = np.repeat(["sub-01", "sub-02"], n // 2)
    observed = JudgedTrials(
        **text,
        trial=np.tile(np.arange(n // 2), 2),
        onset_s=np.arange(n, dtype=np.float64),
        response_time_s=np.linspace(0.5, 1.0, n),
        correct=np.arange(n) > 0,
        usable=np.ones(n, np.bool_),
        **dict.fromkeys(PREDICTED, np.full(n, np.nan)),
    )
    spread = np.full(n, width_s / 2)
    spread[0] = 100.0  # not answered rightly, so it does not count
    return observed.predicting(rt_s=np.full(n, rt_s), rt_q05=rt_s - spread, rt_q95=rt_s + spread)


def test_twins_of_nobody_are_held_against_rules(tmp_path: Path) -> None:
    for name, table in (
        ("control-population", judged(0.8, 0.9)),
        ("twin", judged(0.75, 0.4)),
        ("rule-trial_type_mean", judged(0.9, 0.8)),
    ):
        (tmp_path / f"{name}.tsv").write_bytes(judged_tsv(table))
    found = no_trials(tmp_path)
    assert found["interval_width_s"]["stroop"] == pytest.approx(
        {"control/population": 0.9, "twin": 0.4, "rule/trial_type_mean": 0.8}
    )
    assert list(found["differences"]) == ["rule/trial_type_mean"]
    right = np.linspace(0.5, 1.0, 12)[1:]
    means = np.array([right[:5].mean(), right[5:].mean()])
    rmse = {rt: np.sqrt(np.mean((rt - means) ** 2)) for rt in (0.8, 0.9)}
    difference = found["differences"]["rule/trial_type_mean"]["rt_rmse_s:stroop"]
    assert difference["value"] == pytest.approx(rmse[0.8] - rmse[0.9])


def test_what_is_kept_has_its_command(tmp_path: Path) -> None:
    run = run_named("hcp_leave_one_out")
    (tmp_path / run.name).mkdir()
    report: dict[str, Any] = {"protocol": None, "methods": {}}
    (tmp_path / run.name / "metrics.json").write_text(json.dumps(report), encoding="utf-8")
    assert kept(run, tmp_path) == report | {"command": run.shown()}


def test_kept_figures_have_a_line_each_and_six_digits() -> None:
    report: dict[str, Any] = {
        "a": {"b": {"value": 1 / 3, "n": 3}, "c": [1.0, 2e-9]},
        "d": None,
        "e": "{1} {",
    }
    text = report_bytes(report).decode()
    assert '"b": { "value": 0.333333, "n": 3 }' in text
    report["a"]["b"]["value"] = 0.333333
    assert json.loads(text) == report
