"""Nothing leaves the machine: ONNX Runtime's telemetry is off before it is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TINY = Path(__file__).parents[1] / "bundles" / "tiny"
RUN = """
import sys
from dtb_runtime.bundle_loading import load_bundle
load_bundle(sys.argv[1], device="cpu").population_twin().forecast("stroop")
"""
WITHOUT_THE_SWITCH = """
import sys
import onnxruntime
onnxruntime.InferenceSession(f"{sys.argv[1]}/main.onnx", providers=["CPUExecutionProvider"])
"""
THE_SWITCH_WHEN_LOADED = """
import os, sys

class Watcher:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))

sys.meta_path.insert(0, Watcher())
from dtb_runtime.inference import import_onnxruntime
import_onnxruntime()
"""
NOWHERE = "http://127.0.0.1:9"
"""A proxy that is none: what the program without the switch would report goes nowhere."""
SILENCING = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "ORT_RUNNING_UNIT_TESTS", "ORT_DISABLE_TELEMETRY")
"""What keeps ONNX Runtime from collecting anything where programs are tested."""


def printed_by(code: str, home: Path, **environment: str) -> str:
    """What a program prints that is run as by somebody with an empty home folder."""
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in SILENCING}
    kept = {name: value for name, value in kept.items() if not name.startswith("XDG_")}
    kept |= {"HOME": str(home), "HTTPS_PROXY": NOWHERE, "https_proxy": NOWHERE}
    done = subprocess.run(
        [sys.executable, "-c", code, str(TINY)],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_left_by(code: str, home: Path) -> list[str]:
    """What a program leaves in an empty home folder."""
    printed_by(code, home)
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks where it is kept on Linux")
def test_a_forecast_leaves_nothing_at_home(tmp_path: Path) -> None:
    assert files_left_by(RUN, tmp_path / "home") == []
    if not files_left_by(WITHOUT_THE_SWITCH, tmp_path / "other"):
        import onnxruntime

        pytest.skip(f"ONNX Runtime {onnxruntime.__version__} leaves nothing without the switch too")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, "1"), ({"ORT_DISABLE_TELEMETRY": "true"}, "true")],
    ids=["not set", "a user's own"],
)
def test_the_switch_is_set_when_it_is_loaded_and_a_users_own_stays(
    tmp_path: Path, environment: dict[str, str], expected: str
) -> None:
    assert printed_by(THE_SWITCH_WHEN_LOADED, tmp_path / "home", **environment).split() == [
        expected
    ]
