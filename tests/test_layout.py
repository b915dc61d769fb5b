"""The wheel holds exactly what the four folders hold, under the names that are imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE_OF_FOLDER = {
    "dtb_runtime": "dtb_runtime",
    "models": "dtb_models",
    "export": "dtb_export",
    "cli": "dtb_cli",
}


def _files_of(folder: str) -> set[str]:
    """Every file of a folder as it should be named in the wheel; caches left out."""
    base = ROOT / folder
    return {
        f"{PACKAGE_OF_FOLDER[folder]}/{path.relative_to(base).as_posix()}"
        for path in base.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, without network and without leftovers."""
    source = tmp_path_factory.mktemp("source")
    for folder in PACKAGE_OF_FOLDER:
        shutil.copytree(
            ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # A file that nobody lists, or a data folder taken for a package, is said as a warning only.
    warned = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert warned == []
    return source / done.stdout.splitlines()[-1]


def test_the_wheel_holds_what_the_folders_hold(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = set().union(*(_files_of(folder) for folder in PACKAGE_OF_FOLDER))
    assert sorted(expected - packed) == []
    assert sorted(packed - expected) == []


def test_the_wheel_carries_the_license_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = next(name for name in names if name.endswith("/entry_points.txt"))
        command = archive.read(entry_points).decode()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "dtb-run = dtb_cli.app:main" in command


def test_the_wheel_stays_small_enough_to_ship(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        bundles = sum(
            info.file_size
            for info in archive.infolist()
            if info.filename.startswith("dtb_runtime/bundles/")
        )
    assert bundles <= 20_000_000


@pytest.mark.parametrize("folder", ["models", "export", "cli"])
def test_a_folder_name_is_not_importable_outside_the_checkout(folder: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {folder}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"No module named '{folder}'" in done.stderr


@pytest.mark.parametrize(("folder", "package"), sorted(PACKAGE_OF_FOLDER.items()))
def test_every_folder_is_mapped_listed_and_typed(folder: str, package: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    setuptools = settings["tool"]["setuptools"]
    assert setuptools["package-dir"][package] == folder
    assert package in setuptools["packages"]
    assert (ROOT / folder / "py.typed").is_file()


@pytest.mark.parametrize("folder", sorted(PACKAGE_OF_FOLDER))
def test_folders_stay_flat(folder: str) -> None:
    """A sub-package works when editable and is missing from the wheel, which lists packages."""
    nested = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*.py")
        if path.parent != ROOT / folder
    ]
    assert nested == []


def test_top_level_folders_are_the_planned_ones() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode != 0:
        pytest.skip("not a git checkout, so there is no list of the project's own files")
    folders = {line.split("/")[0] for line in tracked.stdout.splitlines() if "/" in line}
    planned = {*PACKAGE_OF_FOLDER, "tests", "docs", "examples", "benchmarks", ".ci"}
    assert sorted(folders - planned) == []
