"""What a fresh interpreter loads, so that embedding the runtime stays cheap."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    *("fastapi", "starlette", "uvicorn", "httptools", "prometheus_client", "pydantic"),
    *("pydantic_core", "jinja2", "markupsafe", "matplotlib", "PIL"),
    "torch",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "safetensors",
    "jaxtyping",
    "typer",
    "click",
    "rich",
    "scipy",
    "pandas",
    "sklearn",
    "nibabel",
    "nilearn",
    "h5py",
    "pyarrow",
    "bids",
    "sqlalchemy",
}


def _loaded_by(code: str, cwd: Path) -> set[str]:
    """Top-level modules in `sys.modules` after `code`, in an interpreter of its own."""
    script = (
        f"{code}\nimport json, sys\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_runtime_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = _loaded_by("import dtb_runtime", tmp_path)
    assert "dtb_runtime" in loaded
    assert sorted(loaded & HEAVY) == []


def test_the_runtime_loads_only_numpy_beside_the_standard_library(tmp_path: Path) -> None:
    before = _loaded_by("pass", tmp_path)  # e.g. what an editable install's hook brings
    new = _loaded_by("import dtb_runtime", tmp_path) - before
    foreign = {name for name in new if name not in sys.stdlib_module_names}
    # numpy's own optional accelerations may show up as modules of its making.
    assert {name for name in foreign if not name.startswith(("numpy", "_numpy"))} == {"dtb_runtime"}


def test_every_public_name_is_reachable_without_onnxruntime(tmp_path: Path) -> None:
    code = "import dtb_runtime\nfor name in dtb_runtime.__all__: getattr(dtb_runtime, name)"
    assert sorted(_loaded_by(code, tmp_path) & HEAVY) == []


def test_the_other_layers_load_late(tmp_path: Path) -> None:
    loaded = _loaded_by("import dtb_runtime", tmp_path)
    assert sorted(loaded & {"dtb_models", "dtb_export", "dtb_cli"}) == []


@pytest.mark.parametrize("package", ["dtb_models", "dtb_export"])
def test_a_training_package_itself_is_light(package: str, tmp_path: Path) -> None:
    loaded = _loaded_by(f"import {package}", tmp_path)
    assert sorted(loaded & {"torch", "onnx", "onnxruntime", "scipy", "nilearn"}) == []


SIMULATE = """
import sys
for name in ("torch", "onnx", "onnxruntime", "h5py", "nilearn"):
    sys.modules[name] = None  # importing it now fails
import numpy as np
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.parcellation import Parcellation
labels = tuple(f"{side}_{name}" for side in ("LH", "RH") for name in ("Vis", "SomMot", "Default"))
regions = Parcellation("six", labels, ("Vis", "SomMot", "Default") * 2, ("L",) * 3 + ("R",) * 3,
                       np.full((6, 3), np.nan), {})
person = SimulatedCohort(regions, n_people=1, seed=0).participants[0]
assert person.connectome.n_regions == 6
assert all(run.bold.shape[1] == 6 for run in person.runs)
for name in ("torch", "onnx", "onnxruntime", "h5py", "nilearn"):
    del sys.modules[name]
"""


def test_people_are_simulated_without_torch(tmp_path: Path) -> None:
    assert sorted(_loaded_by(SIMULATE, tmp_path) & {"torch", "onnx", "onnxruntime"}) == []


def test_the_command_line_starts_without_the_training_side(tmp_path: Path) -> None:
    loaded = _loaded_by("import dtb_cli.app", tmp_path)
    assert sorted(loaded & (HEAVY - {"typer", "click", "rich"})) == []
