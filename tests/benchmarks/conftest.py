"""Fixtures of the benchmarks' tests: their modules, and a data folder so small that it trains."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_cli.app import main
from dtb_models.bold_regions import PAPER_AREAS

ROOT = Path(__file__).resolve().parents[2]
# As for a program that is started there; and what is made for these tests lies beside them.
sys.path[:0] = [str(ROOT / "benchmarks"), str(Path(__file__).parent)]

N_PEOPLE = 25
N_WITH_ACTIVATIONS = 4


def regions_table() -> str:
    """Return a regions table of the paper's areas in both hemispheres, and the amygdalae."""
    lines = ["label,network,hemisphere,x,y,z"]
    for area, (x, y, z) in PAPER_AREAS.items():
        network = "VisCent" if "visual" in area else "SomMotA"
        lines += [f"{side}_{area},{network},{side},{sign * x},{y},{z}" for side, sign in _SIDES]
    lines += [f"lAMY-{side}h,,{name},,," for side, name in (("l", "L"), ("r", "R"))]
    return "\n".join(lines) + "\n"


_SIDES = (("L", -1), ("R", 1))


@pytest.fixture(scope="session")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `DTB_SHARED` names, with simulated people and 20 regions in both tables."""
    shared = tmp_path_factory.mktemp("shared")
    data = shared / "data"
    tables = data / "parcellations"
    tables.mkdir(parents=True)
    for name in ("tcp434_regions.csv", "glasser360_cabnp.csv"):
        (tables / name).write_text(regions_table(), encoding="utf-8")
    people = ["--regions", tables / "tcp434_regions.csv", "--n", N_PEOPLE, "--seed", 1]
    words = ["simulate", *people, "--out", data / "tcp", "--tcp-layout"]
    assert main([str(word) for word in words]) == 0
    shutil.rmtree(data / "tcp" / "derivatives")
    _add_ages(data / "tcp" / "participants.tsv")
    for number in range(N_WITH_ACTIVATIONS):
        _write_activations(data / "hcp_rest", f"{number + 1:02d}")
    return shared


def _add_ages(table: Path) -> None:
    """Say of simulated people what regressions on age and sex need."""
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    lines = [f"{header}\tage\tsex"]
    lines += [f"{row}\t{20 + 3 * i % 31}\t{'FM'[i % 2]}" for i, row in enumerate(rows)]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_activations(folder: Path, name: str) -> None:
    rng = np.random.default_rng(int(name))
    n_regions = 2 * len(PAPER_AREAS) + 2
    person = folder / f"sub-{name}"
    person.mkdir(parents=True)
    series = (rng.standard_normal((220, 3)) @ rng.standard_normal((3, n_regions))).astype("f4")
    series += rng.standard_normal((220, n_regions)).astype("f4")
    np.save(person / f"sub-{name}_task-rest_atlas-X_timeseries.npy", series)
    betas = rng.standard_normal((n_regions, 2))
    rows = "".join(f"{i}\t{face:.6f}\t{shape:.6f}\n" for i, (face, shape) in enumerate(betas))
    table = person / f"sub-{name}_task-emotion_atlas-X_betas.tsv"
    table.write_text(f"region_index\tfaces\tshapes\n{rows}", encoding="utf-8")


@pytest.fixture
def made_reports() -> dict[str, dict[str, Any]]:
    """Reports of every evaluation with made-up figures, in the form that evaluations write."""
    from made_reports import all_reports

    return all_reports()
