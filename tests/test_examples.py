"""The examples run as they are, in a process of their own, with what a host program has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dtb_runtime import available_bundles, load_bundle

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "tests" / "bundles" / "tiny"


def _run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / "embed.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_a_program_forecasts_several_people(tmp_path: Path, rng: np.random.Generator) -> None:
    matrices = {}
    for person in range(4):
        series = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 12))
        series += rng.standard_normal(series.shape)
        name = f"sub-{person}_connectome.npy"
        matrices[name] = np.corrcoef(series.T)
        np.save(tmp_path / name, matrices[name])
    done = _run("--bundle", TINY, *(tmp_path / name for name in matrices), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    bundle = load_bundle(TINY, device="cpu")
    warning, *lines = done.stdout.splitlines()
    assert warning == f"Warning: {bundle.warnings[0]}"
    shown = {}
    for line in lines:
        match = re.match(r"(\S+): Stroop effect (-?\d+) ms, hardest trials (\d+), (\d+), ", line)
        assert match is not None, line
        shown[match[1]] = int(match[2])
        forecast = bundle.personalize(matrices[match[1]]).forecast("stroop")
        assert int(match[2]) == round(1000 * forecast.indicators["stroop_effect"])
        p_correct = forecast.trials["p_correct"]
        assert p_correct[int(match[3]) - 1] == p_correct.min()
    assert set(shown) == set(matrices)
    assert list(shown.values()) == sorted(shown.values(), reverse=True)


def test_a_program_shows_the_sentence_of_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "wrong.npy", np.eye(5))
    done = _run("--bundle", TINY, tmp_path / "wrong.npy", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == ""
    assert "wrong.npy is 5 x 5" in done.stdout


def test_the_example_participant_is_the_default(tmp_path: Path) -> None:
    if not any(info.name == "tcp434" for info in available_bundles()):
        pytest.skip("the bundle tcp434 is not in this checkout")
    done = _run(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^sub-example\S+: Stroop effect \d+ ms", done.stdout, flags=re.MULTILINE)
