"""What a twin says that it rests on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.basis import Basis
from dtb_runtime.bundle import Bundle
from dtb_runtime.events import Responses, default_schedule
from dtb_runtime.observed_run import ObservedRun


def observed(task: str, *, missing: int, too_fast: int) -> ObservedRun:
    """A run with so many trials that were not answered, or answered too fast to be used."""
    events = default_schedule(task)
    time_s = np.full(events.n_trials, 0.7)
    time_s[:missing] = np.nan
    usable = np.ones(events.n_trials, dtype=np.bool_)
    usable[missing : missing + too_fast] = False
    return ObservedRun(events, Responses(time_s, ~np.isnan(time_s), usable))


def test_a_connectome_alone_says_so(tiny: Bundle, correlations: NDArray[np.float64]) -> None:
    basis = Basis.of(tiny.personalize(correlations))
    assert basis.prior == "connectome"
    assert basis.to_json()["trials"] == 0
    assert "rests on the connectome alone, no trial of this person was seen; its" in basis.sentence


def test_a_bundle_that_cannot_say_how_sure_it_is_says_that(
    tiny_plain: Bundle, correlations: NDArray[np.float64]
) -> None:
    basis = Basis.of(tiny_plain.personalize(correlations))
    assert "does not say how far off a person may be" in basis.sentence


def test_bare_edges_are_those_of_a_connectome(tiny: Bundle) -> None:
    (twin,) = tiny.personalize_edges(np.zeros((1, 66), np.float32))
    assert Basis.of(twin).prior == "connectome"


def test_nothing_at_all_is_a_forecast_of_anybody(tiny: Bundle) -> None:
    basis = Basis.of(tiny.population_twin())
    assert basis.prior == "population"
    assert "Neither a connectome nor a trial" in basis.sentence


@pytest.mark.parametrize(("has_connectome", "known"), [(True, "the"), (False, "no")])
def test_trials_are_counted_by_task(
    has_connectome: bool, known: str, tiny: Bundle, correlations: NDArray[np.float64]
) -> None:
    twin = tiny.personalize(correlations) if has_connectome else tiny.population_twin()
    runs = (
        observed("stroop", missing=3, too_fast=2),
        observed("hammer", missing=0, too_fast=0),
        observed("stroop", missing=0, too_fast=1),
    )
    document = Basis.of(replace(twin, observed=runs)).to_json()
    n_hammer, n_stroop = (default_schedule(task).n_trials for task in ("hammer", "stroop"))
    seen, answered = 2 * n_stroop - 3, 2 * n_stroop - 6
    assert document == {
        "prior": "connectome" if has_connectome else "population",
        "trials": n_hammer + seen,
        "answered": n_hammer + answered,
        "trials_by_task": {"hammer": n_hammer, "stroop": seen},
        "sentence": f"This twin learned from {n_hammer} trials of hammer ({n_hammer} answered) "
        f"and {seen} trials of stroop ({answered} answered), and from {known} connectome.",
    }
