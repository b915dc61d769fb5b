"""The processors a container grants are found where its control groups say so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dtb_runtime import processors
from dtb_runtime.processors import cgroup_limit, usable_processors


@pytest.fixture
def own_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Say which control groups this process is in."""

    def say(lines: str) -> None:
        path = tmp_path / "self_cgroup"
        path.write_text(lines, encoding="utf-8")
        monkeypatch.setattr(processors, "OWN_GROUPS", path)

    say("")
    return say


def _limit(folder: Path, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(content, encoding="ascii")


@pytest.mark.usefixtures("own_group")
def test_no_control_groups_are_no_limit(tmp_path: Path) -> None:
    assert cgroup_limit(tmp_path / "nowhere") is None


@pytest.mark.usefixtures("own_group")
def test_the_word_max_is_no_limit(tmp_path: Path) -> None:
    _limit(tmp_path, "max 100000\n")
    assert cgroup_limit(tmp_path) is None


@pytest.mark.usefixtures("own_group")
def test_quota_over_period_is_the_limit(tmp_path: Path) -> None:
    _limit(tmp_path, "150000 100000\n")
    assert cgroup_limit(tmp_path) == 1.5


def test_the_tightest_of_all_groups_above_counts(
    tmp_path: Path, own_group: Callable[[str], None]
) -> None:
    own_group("0::/slice/job\n")
    _limit(tmp_path / "slice" / "job", "800000 100000\n")
    _limit(tmp_path / "slice", "300000 100000\n")
    _limit(tmp_path, "max 100000\n")
    assert cgroup_limit(tmp_path) == 3.0


def test_version_1_is_read_too(tmp_path: Path, own_group: Callable[[str], None]) -> None:
    own_group("4:memory:/x\n3:cpu,cpuacct:/job\n")
    for folder, quota in ((tmp_path / "cpu" / "job", "250000"), (tmp_path / "cpu", "-1")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.cfs_quota_us").write_text(quota + "\n", encoding="ascii")
        (folder / "cpu.cfs_period_us").write_text("100000\n", encoding="ascii")
    assert cgroup_limit(tmp_path) == 2.5


@pytest.mark.usefixtures("own_group")
def test_what_cannot_be_understood_is_no_limit(tmp_path: Path) -> None:
    _limit(tmp_path, "some of it\n")
    assert cgroup_limit(tmp_path) is None


def test_libraries_are_kept_to_what_is_usable_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processors, "n_usable", lambda: 3)
    environment: dict[str, str] = {}
    processors.limit_libraries(environment)
    assert environment == {"OPENBLAS_NUM_THREADS": "3"}
    environment = {}
    processors.limit_libraries(environment, most=1)
    assert environment == {"OPENBLAS_NUM_THREADS": "1"}
    processors.limit_libraries(environment)
    assert environment == {"OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.usefixtures("own_group")
def test_usable_is_the_least_of_affinity_and_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    _limit(tmp_path, "250000 100000\n")
    assert usable_processors(tmp_path) == {
        "processors": 64,
        "affinity": 16,
        "cgroup_limit": 2.5,
        "usable": 2,
    }
    _limit(tmp_path, "50000 100000\n")
    assert usable_processors(tmp_path)["usable"] == 1  # never none
    _limit(tmp_path, "max 100000\n")
    assert usable_processors(tmp_path)["usable"] == 16
