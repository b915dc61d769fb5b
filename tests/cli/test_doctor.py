"""`dtb-run doctor` finds what is broken, and says so with its exit code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_cli import doctor
from dtb_runtime import bundle_loading
from dtb_runtime.forecast import Forecast
from dtb_runtime.twin import Twin

Run = Callable[..., Any]


@pytest.fixture
def shipped(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound installation: one wheel of ONNX Runtime, the tiny bundle shipped as the default."""
    folder = tmp_path / "shipped"
    shutil.copytree(tiny, folder / "tiny")
    monkeypatch.setattr(bundle_loading, "SHIPPED_BUNDLES", folder)
    monkeypatch.setattr(bundle_loading, "DEFAULT_BUNDLE", "tiny")
    return folder


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say which wheels of ONNX Runtime are installed."""
    real = metadata.version

    def say(*wheels: str) -> None:
        def version(name: str) -> str:
            if name in doctor.ORT_WHEELS:
                if name not in wheels:
                    raise metadata.PackageNotFoundError(name)
                return "1.31.1"
            return real(name)

        monkeypatch.setattr(metadata, "version", version)

    return say


@pytest.mark.usefixtures("shipped")
def test_a_sound_installation_is_reported(dtb_run: Run) -> None:
    done = dtb_run("doctor", "--json")
    assert done.code == 0, done.out
    report = json.loads(done.out)
    assert report["ok"] is True
    assert report["problems"] == []
    assert report["versions"]["dtb-runtime"] == metadata.version("dtb-runtime")
    assert report["versions"]["numpy"] == np.__version__
    assert set(report["versions"]) & set(doctor.ORT_WHEELS)
    assert "CPUExecutionProvider" in report["providers"]
    assert 1 <= report["threads"]["usable"] <= report["threads"]["processors"]
    assert [bundle["name"] for bundle in report["bundles"]] == ["tiny"]
    assert report["bundles"][0]["ok"] is True
    assert report["self_test"]["bundle"] == "tiny"
    assert report["self_test"]["tasks"] == ["hammer", "stroop"]


@pytest.mark.usefixtures("shipped")
def test_the_table_says_that_everything_works(dtb_run: Run) -> None:
    done = dtb_run("doctor")
    assert done.code == 0, done.err
    assert done.err == ""
    assert "Everything works." in done.out
    assert "bundle tiny" in done.out
    assert "hammer, stroop forecast with tiny on" in done.out


@pytest.mark.usefixtures("shipped")
def test_both_wheels_of_onnx_runtime_are_a_problem(
    dtb_run: Run, installed: Callable[..., None]
) -> None:
    installed("onnxruntime", "onnxruntime-gpu")
    done = dtb_run("doctor", "--json")
    assert done.code == 1
    report = json.loads(done.out)
    assert report["ok"] is False
    (problem,) = report["problems"]
    assert "onnxruntime and onnxruntime-gpu are both installed" in problem
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in problem
    assert "dtb-runtime[cpu]" in problem
    table = dtb_run("doctor")
    assert table.code == 1
    assert f"Problem: {problem}\n" in table.err
    assert "Everything works." not in table.out


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize("wheel", doctor.ORT_WHEELS)
def test_one_wheel_is_fine(wheel: str, dtb_run: Run, installed: Callable[..., None]) -> None:
    installed(wheel)
    assert dtb_run("doctor").code == 0


@pytest.mark.usefixtures("shipped")
def test_no_wheel_is_a_problem_with_the_pip_command(
    dtb_run: Run, installed: Callable[..., None]
) -> None:
    installed()
    done = dtb_run("doctor", "--json")
    assert done.code == 1
    (problem,) = json.loads(done.out)["problems"]
    assert "ONNX Runtime is not installed" in problem
    assert "pip install 'dtb-runtime[cpu]'" in problem


def test_a_damaged_bundle_is_named_and_the_others_still_checked(
    dtb_run: Run, shipped: Path
) -> None:
    shutil.copytree(shipped / "tiny", shipped / "broken")
    (shipped / "broken" / "manifest.json").write_text("{}", encoding="utf-8")
    done = dtb_run("doctor", "--json")
    assert done.code == 1
    report = json.loads(done.out)
    assert {bundle["name"]: bundle["ok"] for bundle in report["bundles"]} == {
        "broken": False,
        "tiny": True,
    }
    assert any(problem.startswith("bundle broken: ") for problem in report["problems"])
    assert report["self_test"] is not None
    table = dtb_run("doctor")
    assert "BROKEN" in table.out
    assert "Problem: bundle broken: " in table.err


def test_a_forecast_that_fails_is_a_problem(
    dtb_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_loading, "SHIPPED_BUNDLES", tmp_path)
    done = dtb_run("doctor", "--json")
    assert done.code == 1
    report = json.loads(done.out)
    assert report["self_test"] is None
    assert any(problem.startswith("self-test: ") for problem in report["problems"])


@pytest.mark.usefixtures("shipped")
def test_a_forecast_that_is_not_finite_is_a_problem(
    dtb_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    forecast = Twin.forecast

    def spoiled(twin: Twin, task: str) -> Forecast:
        good = forecast(twin, task)
        return replace(good, bold=np.full_like(good.bold, np.nan))

    monkeypatch.setattr(Twin, "forecast", spoiled)
    done = dtb_run("doctor", "--json")
    assert done.code == 1
    assert json.loads(done.out)["problems"] == [
        "self-test: the forecast of hammer is not finite.",
        "self-test: the forecast of stroop is not finite.",
    ]
