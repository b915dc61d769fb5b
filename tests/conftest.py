"""Fixtures for every test: a seeded generator and, where it is present, the real data."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

SEED = 20260719

SHAPED_MODULES = (
    "dtb_models.acting_part",
    "dtb_models.cohort_norms",
    "dtb_models.hypernetwork",
    "dtb_models.losses",
    "dtb_models.main_network",
    "dtb_models.recurrence",
)
"""Modules whose annotations name axes: in tests, every call is held against them."""

if find_spec("jaxtyping") and find_spec("beartype"):
    from jaxtyping import install_import_hook

    # Before any test imports these modules; in use nothing is checked, since it costs time.
    install_import_hook(SHAPED_MODULES, "beartype.beartype")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test, always with the same seed."""
    return np.random.default_rng(SEED)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data that development uses; tests that need it skip without it."""
    beside_checkout = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("DTB_SHARED", beside_checkout)) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set DTB_SHARED to the folder that holds data/")
    return folder
