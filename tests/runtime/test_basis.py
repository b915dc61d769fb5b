"""What a twin says that it rests on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.basis import Basis
from dtb_runtime.bundle import Bundle
from dtb_runtime.events import default_schedule
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.recorded_responses import Responses


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
        "not_usable": 3,
        "trials_by_task": {"hammer": n_hammer, "stroop": seen},
        "sentence": f"This twin learned from {n_hammer} trials of hammer ({n_hammer} answered) "
        f"and {seen} trials of stroop ({answered} answered, 3 more not usable), "
        f"and from {known} connectome.",
    }


def test_a_run_without_any_answer_is_doubted(tiny: Bundle) -> None:
    n = default_schedule("stroop").n_trials
    silent = replace(tiny.population_twin(), observed=(observed("stroop", missing=n, too_fast=0),))
    (doubt,) = Basis.of(silent).doubts
    assert doubt.startswith(f"None of {n} trials of stroop has an answer")
    assert doubt in silent.warnings
    answered = replace(silent, observed=(observed("stroop", missing=n - 1, too_fast=0),))
    assert Basis.of(answered).doubts == ()


@pytest.mark.parametrize(("n_right", "is_doubted"), [(16, True), (17, False)])
def test_answers_worse_than_chance_are_doubted(
    n_right: int, is_doubted: bool, tiny: Bundle
) -> None:
    """Chance is a third of 78 in stroop; at most 16 by chance is less likely than 1 %."""
    by_chance = sum(math.comb(78, n) * 2 ** (78 - n) for n in range(n_right + 1)) / 3**78
    assert (by_chance < 0.01) == is_doubted
    run = observed("stroop", missing=0, too_fast=0)
    correct = np.arange(run.events.n_trials) < n_right
    run = ObservedRun(run.events, replace(run.responses, correct=correct))
    doubts = Basis.of(replace(tiny.population_twin(), observed=(run,))).doubts
    assert len(doubts) == is_doubted
    if is_doubted:
        assert f"Of 78 answers in stroop {n_right} are right, fewer than by chance" in doubts[0]


def test_mostly_useless_trials_are_doubted(tiny: Bundle) -> None:
    run = observed("hammer", missing=0, too_fast=55)
    (doubt,) = Basis.of(replace(tiny.population_twin(), observed=(run,))).doubts
    assert doubt.startswith("55 of 108 trials of hammer could not be used")
