"""The benchmarks run and report what they measured; how fast is not for a test to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "tests" / "bundles" / "tiny"


@pytest.mark.parametrize("form", ["--json", "table"])
def test_cold_start_times_the_installed_command(form: str, tmp_path: Path) -> None:
    if not (Path(sys.prefix) / "bin" / "dtb-run").is_file():
        pytest.skip("dtb-run is not installed in this environment as a command")
    np.save(tmp_path / "sub-01.npy", 0.5 ** np.abs(np.arange(12)[:, None] - np.arange(12)))
    command = [sys.executable, str(ROOT / "benchmarks" / "cold_start.py"), "--venv", sys.prefix]
    command += ["--bundle", str(TINY), "--connectome", str(tmp_path / "sub-01.npy")]
    command += ["--repeats", "2", form] if form == "--json" else ["--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    if form == "--json":
        figures = json.loads(done.stdout)
        assert len(figures["runs"]) == 2
        assert all(run["wall_s"] > 0 and run["peak_mb"] > 10 for run in figures["runs"])
        assert figures["within_limits"] is (done.returncode == 0)
    else:
        assert "run  wall (s)  peak (MB)" in done.stdout
        assert "median" in done.stdout


def test_a_command_that_fails_is_no_measurement(tmp_path: Path) -> None:
    if not (Path(sys.prefix) / "bin" / "dtb-run").is_file():
        pytest.skip("dtb-run is not installed in this environment as a command")
    np.save(tmp_path / "sub-01.npy", np.eye(5))
    command = [sys.executable, str(ROOT / "benchmarks" / "cold_start.py"), "--venv", sys.prefix]
    command += ["--bundle", str(TINY), "--connectome", str(tmp_path / "sub-01.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "is 5 x 5" in done.stderr
    assert "ended with exit code 1" in done.stderr


@pytest.mark.parametrize("form", ["--json", "table"])
def test_calibration_times_drawn_people(form: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "calibration.py")]
    command += ["--bundle", str(TINY), "--people", "1", *([form] if form == "--json" else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    if form == "--json":
        figures = json.loads(done.stdout)
        (person,) = figures["people"]
        assert person["wall_s"] > 0
        assert person["n_trials"] > 60
        assert figures["within_limits"] is (done.returncode == 0)
    else:
        assert "person  wall (s)  trials  steps" in done.stdout


def test_calibration_of_a_bundle_without_a_prior_is_no_measurement() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "calibration.py")]
    command += ["--bundle", str(TINY.with_name("tiny_plain"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Bundle 'tiny_plain' has no latent" in done.stderr


def test_costs_of_the_bids_app_are_of_all_kinds_of_files() -> None:
    pytest.importorskip("bids", reason="pybids is not installed: the extra bids")
    if not Path("/proc/self/status").is_file():
        pytest.skip("memory is read from /proc, as Linux has it")
    command = [sys.executable, str(ROOT / "benchmarks" / "bids_costs.py"), "--bundle", str(TINY)]
    command += ["--people", "3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    kinds = [row["file"] for row in figures["memory"]]
    assert kinds == ["matrix", "short series", "long series"]
    assert all(min(row["leads_mb"], row["works_mb"]) > 10 for row in figures["memory"])
    found = [(row["how"], row["people"], row["asked"]) for row in figures["finding"]]
    assert found == [("pybids", 3, 3), ("folders", 3, 3), ("pybids", 3, 1)]


def test_a_bids_app_that_fails_is_no_measurement() -> None:
    pytest.importorskip("bids", reason="pybids is not installed: the extra bids")
    command = [sys.executable, str(ROOT / "benchmarks" / "bids_costs.py"), "--bundle"]
    done = subprocess.run(
        [*command, str(TINY.with_name("nowhere"))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "nowhere" in done.stderr
