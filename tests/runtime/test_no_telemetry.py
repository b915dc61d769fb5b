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
NOWHERE = "http://127.0.0.1:9"
"""A proxy that is none: what the program without the switch would report goes nowhere."""
SILENCING = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "ORT_RUNNING_UNIT_TESTS", "ORT_DISABLE_TELEMETRY")
"""What keeps ONNX Runtime from collecting anything where programs are tested."""


def files_left_by(code: str, home: Path) -> list[str]:
    """What a program leaves in an empty home folder."""
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in SILENCING}
    kept = {name: value for name, value in kept.items() if not name.startswith("XDG_")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(TINY)],
        env=kept | {"HOME": str(home), "HTTPS_PROXY": NOWHERE, "https_proxy": NOWHERE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks where it is kept on Linux")
def test_a_forecast_leaves_nothing_at_home(tmp_path: Path) -> None:
    assert files_left_by(RUN, tmp_path / "home") == []
    if not files_left_by(WITHOUT_THE_SWITCH, tmp_path / "other"):
        import onnxruntime

        pytest.skip(f"ONNX Runtime {onnxruntime.__version__} leaves nothing without the switch too")


def test_the_switch_is_set_before_it_is_loaded_and_a_users_own_stays(tmp_path: Path) -> None:
    code = """
import os, sys
assert "onnxruntime" not in sys.modules
from dtb_runtime.inference import import_onnxruntime
import_onnxruntime()
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
"""
    files_left_by(code, tmp_path / "home")
    own = "import os; os.environ['ORT_DISABLE_TELEMETRY'] = 'true'\n"
    code = code.replace('== "1"', '== "true"').replace("import os, sys", own + "import sys")
    files_left_by(code, tmp_path / "other")
