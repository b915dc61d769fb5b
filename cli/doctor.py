"""`dtb-run doctor`: is this installation able to forecast, and with what."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from typing import Any

import typer

from dtb_runtime.errors import DtbError, MissingDependencyError
from dtb_runtime.processors import usable_processors

from . import terminal
from .options import JsonOption

EXAMPLES = """\b
Examples:
  dtb-run doctor
  dtb-run doctor --json
"""
ORT_WHEELS = ("onnxruntime", "onnxruntime-gpu")
"""Distributions that write the same folder `onnxruntime`: one of them, never both."""
OTHER_PACKAGES = ("numpy", "nibabel", "typer", "rich", "torch", "onnx", "safetensors", "h5py")


def doctor(json: JsonOption = False) -> None:
    """Check this installation, and make a self-test forecast.

    Shows versions, providers, threads and whether the shipped bundles are intact. Exit code 1 if
    something that a forecast needs is broken.
    """
    from importlib import metadata  # slow, and every other command would wait for it

    wheels = installed_versions(ORT_WHEELS)
    problems = wheel_problems(tuple(wheels))
    bundles, bundle_problems = check_bundles()
    self_test, self_test_problems = run_self_test()
    problems += bundle_problems + self_test_problems
    report: dict[str, Any] = {
        "ok": not problems,
        "problems": problems,
        "versions": {
            "dtb-runtime": metadata.version("dtb-runtime"),
            "python": platform.python_version(),
            **wheels,
            **installed_versions(OTHER_PACKAGES),
        },
        "platform": platform.platform(),
        "providers": available_providers(),
        "threads": usable_processors(),
        "bundles": bundles,
        "self_test": self_test,
    }
    if json:
        terminal.print_json(report)
    else:
        _print_report(report)
    if problems:
        raise typer.Exit(1)


def installed_versions(distributions: Sequence[str]) -> dict[str, str]:
    """Return the versions of those distributions that are installed."""
    from importlib import metadata

    versions = {}
    for distribution in distributions:
        try:
            versions[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return versions


def wheel_problems(wheels: Sequence[str]) -> list[str]:
    """Return what is wrong with the installed ONNX Runtime wheels, if anything."""
    if len(wheels) > 1:
        return [
            f"{' and '.join(wheels)} are both installed; they write the same folder, so one has "
            "overwritten parts of the other. Run: pip uninstall -y onnxruntime onnxruntime-gpu, "
            "then pip install 'dtb-runtime[cpu]' or pip install 'dtb-runtime[gpu]'."
        ]
    if not wheels:
        return [
            "ONNX Runtime is not installed, so no bundle can be loaded. Run: "
            "pip install 'dtb-runtime[cpu]', or 'dtb-runtime[gpu]' for an NVIDIA GPU."
        ]
    return []


def available_providers() -> list[str]:
    """Return ONNX Runtime's execution providers; empty where it cannot be imported."""
    from dtb_runtime.inference import import_onnxruntime

    try:
        onnxruntime = import_onnxruntime()
    except MissingDependencyError:
        return []
    return list(onnxruntime.get_available_providers())


def check_bundles() -> tuple[list[dict[str, Any]], list[str]]:
    """Verify every shipped bundle; return what was found and what is broken."""
    from dtb_runtime.bundle_files import read_bundle_files
    from dtb_runtime.bundle_loading import SHIPPED_BUNDLES

    found: list[dict[str, Any]] = []
    problems = []
    # Each one alone: a damaged manifest must not hide the other bundles.
    for folder in sorted(path for path in SHIPPED_BUNDLES.glob("*") if path.is_dir()):
        try:
            files = read_bundle_files(folder)
        except DtbError as error:
            found.append({"name": folder.name, "ok": False, "digest": None})
            problems.append(f"bundle {folder.name}: {error}")
        else:
            found.append({"name": folder.name, "ok": True, "digest": files.digest})
    return found, problems


def run_self_test(bundle: str | None = None) -> tuple[dict[str, Any] | None, list[str]]:
    """Forecast every task from an empty connectome; return the figures and what is broken.

    Parameters
    ----------
    bundle
        Name or folder; default: the default bundle.
    """
    import numpy as np

    from dtb_runtime.bundle_loading import DEFAULT_BUNDLE, load_bundle

    start_s = time.perf_counter()
    try:
        loaded = load_bundle(bundle or DEFAULT_BUNDLE)
        parcellation = loaded.manifest.parcellation
        if parcellation is None:
            return None, []
        # Nobody's, but a possible one: neighbors in the list agree, the more the nearer they are.
        place = np.arange(parcellation.n_regions)
        twin = loaded.personalize(0.5 ** np.abs(place[:, None] - place))
        forecasts = [twin.forecast(task) for task in loaded.manifest.tasks]
    except DtbError as error:
        return None, [f"self-test: {error}"]
    # Nobody's brain has no correlations at all, but numbers must come out of it all the same.
    broken = [
        forecast.task
        for forecast in forecasts
        if not (
            np.isfinite(forecast.bold).all() and np.isfinite(forecast.trials["p_correct"]).all()
        )
    ]
    report = {
        "bundle": loaded.name,
        "provider": loaded.provider,
        "tasks": [forecast.task for forecast in forecasts],
        "seconds": round(time.perf_counter() - start_s, 3),
    }
    return report, [f"self-test: the forecast of {task} is not finite." for task in broken]


def _print_report(report: dict[str, Any]) -> None:
    rows = list(report["versions"].items())
    terminal.print_table(terminal.Table(("package", "version"), rows))
    threads, self_test = report["threads"], report["self_test"]
    limit = threads["cgroup_limit"]
    facts = [
        ("platform", report["platform"]),
        ("providers", ", ".join(report["providers"]) or "none"),
        (
            "threads",
            f"{threads['usable']} usable (machine {threads['processors']}, affinity "
            f"{threads['affinity']}, control group {'no limit' if limit is None else limit})",
        ),
        *(
            (f"bundle {bundle['name']}", "verified" if bundle["ok"] else "BROKEN")
            for bundle in report["bundles"]
        ),
        (
            "self-test",
            "failed"
            if self_test is None
            else f"{', '.join(self_test['tasks'])} forecast with {self_test['bundle']} on "
            f"{self_test['provider']} in {self_test['seconds']} s",
        ),
    ]
    terminal.print_table(terminal.Table(("check", "found"), facts))
    for problem in report["problems"]:
        terminal.message(f"Problem: {problem}")
    if report["ok"]:
        terminal.print_lines("Everything works.")
