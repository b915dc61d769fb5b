"""Files damaged by chance: each is read or refused in a sentence. `benchmarks/fuzz.py` in short."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_runtime.errors import DataError
from dtb_runtime.readers import READERS

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PACKAGES = ("h5py", "nibabel", "pandas", "pyarrow", "scipy")
pytestmark = [
    pytest.mark.skipif(
        not all(map(find_spec, PACKAGES)), reason=f"files are made with {', '.join(PACKAGES)}"
    ),
    pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of memory there"),
]
sys.path.insert(0, str(BENCHMARKS))  # as for a program that is started there
fuzz, fuzz_mutators, fuzz_page, fuzz_targets, fuzz_worker = map(
    import_module, ("fuzz", "fuzz_mutators", "fuzz_page", "fuzz_targets", "fuzz_worker")
)

N_INPUTS, N_ISOLATED = 120, 8
"""Of each kind of file; fewer where a process is started anew for most of them."""


def n_inputs(name: str) -> int:
    return N_ISOLATED if fuzz_targets.TARGETS[name].is_isolated else N_INPUTS


@pytest.mark.parametrize("name", fuzz_targets.TARGETS)
def test_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    found = fuzz.fuzz(name, tmp_path, seed=20261130, inputs=n_inputs(name))
    assert found.is_good, found
    assert found.inputs == n_inputs(name)
    tried = found.accepted + sum(found.refused.values()) + sum(found.failed.values())
    assert tried + found.crashes + found.hangs == found.inputs
    assert sum(found.refused.values()) > 0


def test_every_reader_is_fuzzed() -> None:
    assert set(READERS) <= set(fuzz_targets.TARGETS)


def test_the_same_seed_damages_in_the_same_way(tmp_path: Path) -> None:
    target = fuzz_targets.TARGETS["manifest"]
    prepared = target.prepare(tmp_path)
    several = [
        [fuzz_worker.damaged(target, prepared, seed, number) for number in range(20)]
        for seed in (1, 1, 2)
    ]
    assert several[0] == several[1] != several[2]
    assert len(set(several[0])) > 15


@pytest.mark.parametrize("name", [".npz", ".nii.gz", "manifest", "norms", "twin", "plan"])
def test_damage_that_knows_what_is_packed_gets_inside(name: str, tmp_path: Path) -> None:
    """Some inputs are taken, and others are refused for what is inside of them."""
    target = fuzz_targets.TARGETS[name]
    prepared = target.prepare(tmp_path)
    path, said = tmp_path / f"x{target.ending}", set()
    for way in prepared.ways[1:]:
        for number in range(60):
            rng = np.random.default_rng(number)
            good = prepared.good[number % len(prepared.good)]
            path.write_bytes(way(good, rng, prepared.good))
            try:
                prepared.read(path)
            except DataError as error:
                said.add(str(error).replace(str(tmp_path), "")[:80])
    assert len(said) > 8, said


# ---- what counts as found


def fuzz_with(read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    """Fuzz a reader that is this code, in a process of its own."""
    code = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import json, os, signal, time
import fuzz_targets, fuzz_worker
from dtb_runtime.errors import DataError

started = []

def read(path):
    if len(started) < 1:  # the undamaged file
        return started.append(path)
    {read}

target = fuzz_targets.Target(
    "plan", ".json", lambda folder: fuzz_targets.Prepared([b"hello"], [fuzz_targets.blind], read)
)
fuzz_worker.TARGETS = {{"plan": target}}
fuzz_worker.main(json.loads(sys.argv[1]))
"""
    worker = tmp_path / "worker.py"
    worker.write_text(code, encoding="utf-8")
    monkeypatch.setattr(fuzz, "_WORKER", worker)
    return fuzz.fuzz("plan", tmp_path / "kept", seed=1, **options)


def test_our_own_errors_are_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = "raise DataError('This file cannot be used. Fetch it again.')"
    found = fuzz_with(read, tmp_path, monkeypatch, inputs=5)
    assert (found.inputs, found.refused, found.is_good) == (5, {"DataError": 5}, True)
    assert found.kept == []


@pytest.mark.parametrize(
    ("read", "what"),
    [
        ("raise KeyError('x')", "KeyError at worker.py:read"),
        ("raise MemoryError", "MemoryError at worker.py:read"),
        ("raise DataError('a\\x1b[31m file that is not printable.')", "not printable"),
        ("raise DataError('x')", "no sentence"),
        ("assert False", "AssertionError"),
    ],
)
def test_anything_else_is_found_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: str, what: str
) -> None:
    found = fuzz_with(read, tmp_path, monkeypatch, inputs=5)
    assert not found.is_good
    ((said, n),) = found.failed.items()
    assert what in said
    assert n == 5
    assert found.kept == ["failed-0.json", "failed-1.json", "failed-2.json"]


def test_a_crash_is_counted_and_the_rest_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = "len(path.read_bytes()) % 3 or os.kill(os.getpid(), signal.SIGSEGV)"
    found = fuzz_with(read, tmp_path, monkeypatch, inputs=12)
    assert found.inputs == 12
    assert found.crashes > 0
    assert found.accepted + found.crashes == 12
    assert not found.is_good
    assert all(name.startswith("crash-11-") for name in found.kept)
    assert len(found.kept) == found.crashes


def test_a_hang_is_ended_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fuzz_with("time.sleep(60)", tmp_path, monkeypatch, inputs=1, hang_s=0.5)
    assert (found.inputs, found.hangs, found.crashes, found.is_good) == (1, 1, 0, False)
    assert found.kept == ["hang-0.json"]


def test_the_program_says_what_it_found_and_ends_accordingly(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "fuzz.py"), "--inputs", "50", "--only", "manifest"]
    options = ["--json", "--seed", "3", "--folder", str(tmp_path)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (figures,) = json.loads(done.stdout)
    assert figures["target"] == "manifest"
    assert figures["inputs"] == 50
    assert figures["seed"] == 3
    assert "manifest: 50 inputs" in done.stderr


# ---- the page


def test_figures_of_one_kind_replace_older_ones(tmp_path: Path) -> None:
    figures = {
        **{"target": ".npy", "inputs": 1000, "refused": {"ConnectomeError": 900}, "accepted": 99},
        **{"failed": {"KeyError": 1}, "crashes": 0, "hangs": 0, "slowest_s": 0.25, "peak_mb": 42},
        **{"seconds": 60.0, "date": "2026-11-30", "seed": 1},
    }
    file = tmp_path / fuzz_page.FIGURES
    fuzz_page.update_figures(file, figures)
    fuzz_page.update_figures(file, figures | {"inputs": 2000})
    fuzz_page.update_figures(file, figures | {"target": "plan"})
    page = tmp_path / "docs" / "SECURITY.md"
    page.parent.mkdir()
    page.write_text(f"before\n{fuzz_page.BEGIN}\nold\n{fuzz_page.END}\nafter\n", encoding="utf-8")
    fuzz_page.write_page(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{fuzz_page.BEGIN}\n3,000 inputs in 2 minutes")
    assert text.endswith(f"{fuzz_page.END}\nafter\n")
    assert "| .npy | 2,000 | 900 | 99 | 1 | 0 | 0 | 0.2 | 42 | 1.0 | 2026-11-30 |" in text
    assert "old" not in text
    page.write_text("no marks", encoding="utf-8")
    fuzz_page.write_page(tmp_path)
    assert page.read_text(encoding="utf-8") == "no marks"


def test_the_page_has_the_figures_that_were_measured() -> None:
    root = BENCHMARKS.parent
    text = (root / fuzz_page.PAGE).read_text(encoding="utf-8")
    figures = json.loads((root / fuzz_page.FIGURES).read_text(encoding="utf-8"))
    table = text.partition(fuzz_page.BEGIN)[2].partition(fuzz_page.END)[0].strip()
    assert table == fuzz_page.render(list(figures.values()))
    assert set(figures) == set(fuzz_targets.TARGETS)
    assert all(fuzz.Found.from_json(each).is_good for each in figures.values())


def test_blind_damage_of_nothing_is_possible(rng: np.random.Generator) -> None:
    assert isinstance(fuzz_mutators.blind(b"", rng, []), bytes)
