"""The page on training runs from end to end, on simulated people in the study's layout."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from dtb_cli.app import main
from dtb_runtime import load_bundle

PAGE = Path(__file__).resolve().parents[1] / "docs" / "train-on-tcp.md"
STEP = re.compile(r"^```(sh|python)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def test_the_way_to_an_own_bundle(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    brief_training: Callable[[], AbstractContextManager[None]],
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    commands = []
    for language, block in STEP.findall(PAGE.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(block, PAGE.name, "exec"), names)
            continue
        for line in block.strip().splitlines():
            if line.startswith("pip "):
                continue
            words = shlex.split(line)
            # Two updates show that the chain runs; a real training takes as many as it takes.
            few = ["--updates", "2"] if words[1] == "train" else []
            with brief_training():
                assert main(words[1:] + few) == 0, capsys.readouterr().err
            commands.append(words[1])
    assert commands == ["simulate", "train", "train", "export", "inspect", "predict"]

    assert len(names["cohort"].participants) == 8
    assert not names["cohort"].skipped
    bundle = load_bundle(tmp_path / "my434")
    assert bundle.manifest.training.n_train + bundle.manifest.training.n_test == 8
    assert bundle.manifest.training.n_test > 0
    assert bundle.manifest.training.epochs == 2
    assert bundle.manifest.training.kind == "simulated"
    assert names["forecast"].warnings[0] == bundle.manifest.training.warning
    written = {path.name for path in (tmp_path / "forecasts").iterdir()}
    label = "sub-NDARINVSIM00001"
    assert {
        f"{label}_task-hammer_desc-twin_events.tsv",
        f"{label}_task-stroop_desc-twin_timeseries.tsv",
        f"{label}_desc-twin_summary.json",
    } <= written
