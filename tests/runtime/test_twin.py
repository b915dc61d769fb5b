"""Twins: made once, immutable; what they learn from trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import UsageError
from dtb_runtime.twin import Twin, checked_participant_id


@pytest.fixture
def twin(tiny: Bundle, correlations: NDArray[np.float64]) -> Twin:
    return tiny.personalize(correlations, participant_id="01")


def test_a_twin_is_the_latent_and_its_weights(
    twin: Twin, tiny: Bundle, correlations: NDArray[np.float64]
) -> None:
    assert twin.participant_id == "sub-01"
    assert twin.latent is not None
    assert twin.latent.shape == (3,)
    assert twin.weights.shape == (287,)
    np.testing.assert_array_equal(tiny.decode(twin.latent), twin.weights)
    assert twin.connectome_digest == Connectome.from_matrix(correlations).digest()
    assert repr(twin) == "Twin('sub-01', bundle='tiny')"


def test_a_twin_cannot_be_changed(twin: Twin) -> None:
    assert twin.latent is not None
    with pytest.raises(FrozenInstanceError):
        twin.participant_id = "sub-02"  # type: ignore[misc]
    for array in (twin.latent, twin.weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_different_people_give_different_twins(
    tiny: Bundle, people: Callable[[int], NDArray[np.float64]]
) -> None:
    one, two = (tiny.personalize(people(i)) for i in range(2))
    assert not np.allclose(one.weights, two.weights, atol=1e-3)


def test_warnings_are_the_bundles_then_the_connectomes(
    tiny: Bundle, correlations: NDArray[np.float64]
) -> None:
    np.fill_diagonal(correlations, 0.0)
    twin = tiny.personalize(correlations)
    assert twin.warnings[: len(tiny.warnings)] == tiny.warnings
    assert any("diagonal" in warning for warning in twin.warnings)


def test_a_connectome_outside_the_cohort_is_a_warning(tiny: Bundle) -> None:
    twin = tiny.personalize(np.eye(12))
    assert twin.strangeness is not None
    assert twin.strangeness.is_outside
    assert twin.warnings[-1] == twin.strangeness.sentence


@pytest.mark.parametrize("label", ["01", "sub-01", "sub-NDARINVAB12", None])
def test_participant_labels(label: str | None) -> None:
    expected = None if label is None else f"sub-{label.removeprefix('sub-')}"
    assert checked_participant_id(label) == expected


@pytest.mark.parametrize("label", ["", "sub-", "a b", "../01", "sub-01/02", "é", "01\n", "a_b"])
def test_a_label_that_could_be_a_path_is_refused(
    tiny: Bundle, correlations: NDArray[np.float64], label: str
) -> None:
    with pytest.raises(UsageError, match="must be letters and digits, as in sub-01"):
        tiny.personalize(correlations, participant_id=label)
