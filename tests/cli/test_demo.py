"""`dtb-run demo` as a newcomer runs it: with the lean installation, in an empty folder."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dtb_cli import demo
from dtb_cli.app import main
from dtb_cli.demo_text import COMMANDS
from dtb_runtime import load_bundle, read_connectome
from dtb_runtime.bundle import Bundle
from dtb_runtime.example_person import (
    BUNDLE,
    CONNECTOME_FILE,
    EVENTS_FILE,
    FOLDER,
    PERSON_FILES,
    SIMULATED,
)
from dtb_runtime.report_inputs import find_inputs

Run = Callable[..., Any]
EXAMPLES = Path(__file__).parents[2] / "examples"
NOT_LEAN = ("torch", "onnx", "scipy", "pandas", "nilearn", "matplotlib", "jinja2", "h5py")


@pytest.fixture(scope="module")
def few_draws_and_shams() -> Iterator[None]:
    """Four draws of the latent and two random changes: what they are of is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dtb_runtime.forecast.DRAWS", 4)
        patched.setattr(demo, "SHAMS", 2)
        yield


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, few_draws_and_shams: None) -> tuple[Path, str]:
    """Where the demonstration lies that was made without any extra, and what it printed."""
    folder = tmp_path_factory.mktemp("empty")
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OPENBLAS_NUM_THREADS", "1")
        patched.chdir(folder)
        for name in NOT_LEAN:
            patched.setitem(sys.modules, name, None)
        with contextlib.redirect_stdout(printed):
            assert main(["demo"]) == 0
    return folder / "dtb-demo", printed.getvalue()


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(BUNDLE, device="cpu")


def _numbers(text: str, pattern: str) -> list[float]:
    found = re.search(pattern.replace("#", r"(-?\d+\.\d+)"), text)
    assert found is not None, pattern
    return [float(number) for number in found.groups()]


def test_it_opens_with_what_it_is_not_and_so_do_its_files(shown: tuple[Path, str]) -> None:
    folder, text = shown
    first, second, *_ = text.splitlines()
    assert "not a medical device" in first
    assert second.startswith(SIMULATED)
    assert "semi-synthetic" in second
    assert "says nothing about anybody" in second
    for step in ("forecast", "calibration"):
        summary = json.loads((folder / step / "sub-example_desc-twin_summary.json").read_text())
        assert SIMULATED in summary["warnings"], step


def test_the_forecast_printed_is_that_of_the_connectome(
    shown: tuple[Path, str], bundle: Bundle
) -> None:
    _, text = shown
    twin = bundle.personalize(read_connectome(EXAMPLES / CONNECTOME_FILE))
    for task in ("hammer", "stroop"):
        forecast = twin.forecast(task)
        measures = [f"reaction_time:{task}", f"accuracy:{task}"]
        numbers = _numbers(
            text, rf"\({task}\): response time # s \(# to #\), accuracy # \(# to #\)"
        )
        expected = [
            value
            for name in measures
            for value in (forecast.indicators[name], *forecast.indicator_intervals[name])
        ]
        assert numbers == pytest.approx(expected, abs=5.1e-4)
    (effect, *_) = _numbers(text, r"Stroop effect .*: # s \(# to #\)")
    assert effect == pytest.approx(forecast.indicators["stroop_effect"], abs=5.1e-4)
    assert twin.strangeness is not None
    assert f"\n   {twin.strangeness.sentence.partition(':')[0]}.\n" in text


def test_the_calibration_printed_is_that_of_the_saved_twin(
    shown: tuple[Path, str], bundle: Bundle
) -> None:
    folder, text = shown
    with (EXAMPLES / EVENTS_FILE).open(encoding="utf-8") as file:
        times = [row["response_time"] for row in csv.DictReader(file, delimiter="\t")]
    answered = [float(time) for time in times if time not in ("n/a", "")]
    twin = bundle.load_twin(folder / "calibration" / "sub-example_twin.npz")
    forecast = twin.forecast("stroop")
    numbers = _numbers(
        text, r"in stroop: # s \(# to #\) before, # s \(# to #\) after; .* own mean was # s"
    )
    name = "reaction_time:stroop"
    expected = [forecast.indicators[name], *forecast.indicator_intervals[name]]
    assert numbers[3:6] == pytest.approx(expected, abs=5.1e-4)
    assert numbers[6] == pytest.approx(np.mean(answered), abs=5.1e-4)
    assert f"learns from {len(times)} stroop trials" in text
    summary = json.loads(
        (folder / "calibration" / "sub-example_desc-twin_summary.json").read_text()
    )
    (whole,) = (each for each in summary["seen"] if each["trial_type"] is None)
    assert whole["response_time_s"] == pytest.approx(np.mean(answered))
    assert summary["before"]["indicators"][name] == pytest.approx(numbers[0], abs=5.1e-4)


def test_the_intervention_printed_is_the_forecast_of_the_changed_connectome(
    shown: tuple[Path, str], bundle: Bundle
) -> None:
    folder, text = shown
    files = (EXAMPLES / CONNECTOME_FILE, folder / "intervention" / "connectome.npy")
    expected = [
        bundle.personalize(read_connectome(file))
        .forecast("stroop", draws=1)
        .indicators["stroop_effect"]
        for file in files
    ]
    *numbers, sd = _numbers(text, r"stroop_effect: # s before, # s after \(# SD")
    assert numbers == pytest.approx(expected, abs=5.1e-4)
    assert sd == pytest.approx(-0.5, abs=0.02)  # what the plan is for
    assert "2 of 2 random changes of this size move it less far" in text


def test_without_the_extra_the_report_says_how_to_get_it(shown: tuple[Path, str]) -> None:
    folder, text = shown
    assert "Left out: a report needs jinja2, which is not installed" in text
    assert "pip install 'dtb-runtime[report]'" in text
    assert not (folder / "report.html").exists()


def test_the_report_is_made_of_everything_that_was_written(
    shown: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = shown
    given: list[Path] = []

    def make_report(places: list[Path]) -> SimpleNamespace:
        given.extend(places)
        return SimpleNamespace(html=b"<!doctype html>")

    monkeypatch.setattr("dtb_runtime.report_contents.make_report", make_report)
    for name in ("forecast", "calibration", "intervention"):
        (tmp_path / name).symlink_to(folder / name)
    assert demo._report(tmp_path, force=False) == {
        "file": str(tmp_path / "report.html"),
        "why_none": None,
    }
    assert (tmp_path / "report.html").read_bytes() == b"<!doctype html>"
    inputs = find_inputs(given)
    assert [person.label for person in inputs.people] == ["sub-example"] * 2
    assert inputs.intervention is not None


def test_the_commands_printed_have_their_options(shown: tuple[Path, str], dtb_run: Run) -> None:
    _, text = shown
    printed = re.findall(r"^ {6}(dtb-run [a-z]+ .*)$", text, flags=re.MULTILINE)
    assert len(printed) == len(COMMANDS)
    for line in printed:
        assert len(line) < 80  # it can be copied from a terminal
        _, command, *words = shlex.split(line)
        page = dtb_run(command, "--help")
        assert page.code == 0, line
        options = [word for word in words if word.startswith("--")]
        assert [option for option in options if not re.search(rf"{option}\b", page.out)] == []


def test_a_printed_command_does_the_same_on_the_files_of_the_demo(
    shown: tuple[Path, str], dtb_run: Run, few_draws_and_shams: None, tmp_path: Path
) -> None:
    folder, _ = shown
    line = COMMANDS["forecast"].replace("CONNECTOME", shlex.quote(str(folder / CONNECTOME_FILE)))
    done = dtb_run(*shlex.split(line.replace("FORECAST", str(tmp_path / "own")))[1:])
    assert done.code == 0, done.err
    for path in sorted((tmp_path / "own").glob("*.tsv")):
        assert path.read_bytes() == (folder / "forecast" / path.name).read_bytes()


def test_json_is_one_document_and_nothing_else(
    dtb_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    for step in ("_forecast", "_calibration", "_intervention", "_report"):
        monkeypatch.setattr(demo, step, lambda *_, step=step, **__: {"step": step})
    done = dtb_run("demo", "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["simulated"] is True
    assert "Semi-synthetic bundle" in result["warnings"][0]
    assert result["connectome"] == str(tmp_path / "out" / CONNECTOME_FILE)
    steps = ("forecast", "calibration", "intervention", "report")
    assert [result[step] for step in steps] == [{"step": f"_{step}"} for step in steps]
    again = dtb_run("demo", "--out", tmp_path / "out", "--json", "--force")
    assert again.code == 0


def test_it_writes_over_nothing(dtb_run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    done = dtb_run("demo", "--out", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert "is there already and is not empty; nothing was written. Add --force" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    done = dtb_run("demo", "--out", tmp_path / "mine")
    assert done.code == 1
    assert "is a file, and the demo writes a folder" in done.err


def test_the_person_that_ships_is_that_of_the_examples() -> None:
    """Where this fails, or the plan is one of another bundle: python examples/make_demo.py."""
    assert {path.name for path in FOLDER.iterdir()} == {*PERSON_FILES, "plan.json"}
    for name in PERSON_FILES:
        assert (FOLDER / name).read_bytes() == (EXAMPLES / name).read_bytes(), name
        if name.endswith(".json"):
            assert json.loads((FOLDER / name).read_text())["Simulated"] is True
