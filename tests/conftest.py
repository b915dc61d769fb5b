"""Fixtures for every test: a seeded generator and, where it is present, the real data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
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


BRIEF = {"window_steps": 40, "burn_in_steps": 10, "slow_epochs": 1, "slow_people": 2}
"""Settings of the compact preset that train next to nothing in next to no time."""


@pytest.fixture(scope="session")
def brief_training() -> Callable[[], AbstractContextManager[None]]:
    """Within it, these are the defaults: the command line and the documents name none of them.

    And the mean of the prior over people is looked for in two runs of four draws, and the readout
    with one penalty of the group, which would otherwise take most of such a training.
    """

    @contextmanager
    def brief() -> Iterator[None]:
        from dtb_models.population_settings import PopulationSettings

        defaults = tuple(BRIEF.get(f.name, f.default) for f in fields(PopulationSettings))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(PopulationSettings.__init__, "__defaults__", defaults)
            patched.setattr("dtb_models.population_mean.MOST_RUNS", 2)
            patched.setattr("dtb_models.population_mean.DRAWS", 4)
            patched.setattr("dtb_models.bold_readout.GROUP_PENALTIES", (1e-4,))
            yield

    return brief
