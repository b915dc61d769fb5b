"""Fixtures of the runtime's tests: the committed bundles and ways to damage a copy of them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle, load_bundle
from dtb_runtime.bundle_layout import MANIFEST_FILE
from dtb_runtime.manifest import seal

BUNDLES = Path(__file__).parents[1] / "bundles"
Document = dict[str, Any]


@pytest.fixture(scope="session")
def tiny_folder() -> Path:
    """The committed compact bundle: 12 regions, latent of 3, hazards."""
    return BUNDLES / "tiny"


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Bundle:
    """The compact test bundle, loaded on the CPU."""
    return load_bundle(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def tiny_plain() -> Bundle:
    """The test bundle in the paper's layout: no latent, densities, 5 BOLD regions, no warning."""
    return load_bundle(BUNDLES / "tiny_plain", device="cpu")


@pytest.fixture
def tiny_copy(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the compact test bundle, to be damaged."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "tiny"))


@pytest.fixture
def edit_manifest() -> Callable[[Path, Callable[[Document], object]], None]:
    """Change a bundle's manifest and give it a valid checksum again."""

    def edit(folder: Path, change: Callable[[Document], object]) -> None:
        document = json.loads((folder / MANIFEST_FILE).read_bytes())
        del document["checksum"]
        change(document)
        (folder / MANIFEST_FILE).write_bytes(seal(document))

    return edit


@pytest.fixture
def replace_file(
    edit_manifest: Callable[[Path, Callable[[Document], object]], None],
) -> Callable[[Path, str, bytes], None]:
    """Replace a file of a bundle and its digest, as a hostile author would."""

    def replace(folder: Path, name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)
        entry = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        edit_manifest(folder, lambda document: document["files"].update({name: entry}))

    return replace


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    """The script that makes the test bundles; skips where onnx is not installed."""
    pytest.importorskip("onnx")
    path = BUNDLES / "make_tiny_bundle.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def correlations() -> NDArray[np.float64]:
    """A person's connectome for the test bundles, (12, 12)."""
    return make_correlations(0)


@pytest.fixture
def people() -> Callable[[int], NDArray[np.float64]]:
    """Connectomes of as many people as are asked for, by number."""
    return make_correlations


def make_correlations(person: int) -> NDArray[np.float64]:
    """Correlations of 12 regions that share three signals, different for every `person`."""
    rng = np.random.default_rng([11, person])
    series = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 12))
    series += rng.standard_normal(series.shape)
    return np.asarray(np.corrcoef(series.T))
