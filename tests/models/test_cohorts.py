"""Runs and participants, the connectome of several runs, and the split by person."""

from __future__ import annotations

import numpy as np
import pytest

from dtb_models.cohorts import Participant, Run, connectome_from_rest, split_participants
from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.tasks import get_task


def made_run(bold_source: object = None) -> Run:
    events = get_task("stroop").schedule()
    silent = np.full(events.n_trials, np.nan)
    no = np.zeros(events.n_trials, np.bool_)
    return Run("stroop", "stroopAP_run-01", events, Responses(silent, no, ~no), bold_source)  # type: ignore[arg-type]


def test_bold_is_made_only_when_asked_for() -> None:
    calls: list[int] = []

    def make() -> np.ndarray:
        calls.append(1)
        return np.ones((3, 2), np.float32)

    run = made_run(make)
    assert run.has_bold
    assert calls == []
    assert run.bold is not None
    assert run.bold.shape == (3, 2)
    assert len(calls) == 2


def test_a_run_without_bold_and_a_person_without_connectome_say_none() -> None:
    person = Participant("sub-a", (made_run(),))
    assert not person.runs[0].has_bold
    assert person.runs[0].bold is None
    assert person.connectome is None


def test_bold_can_be_an_array() -> None:
    series = np.ones((3, 2), np.float32)
    assert made_run(series).bold is series


def test_an_unknown_run_is_an_error_that_lists_the_runs() -> None:
    person = Participant("sub-a", (made_run(),))
    assert person.run("stroopAP_run-01") is person.runs[0]
    with pytest.raises(UsageError, match=r"sub-a has no run 'rest'; there are: stroopAP_run-01"):
        person.run("rest")


def test_rest_runs_are_scored_one_by_one_before_they_are_joined(rng: np.random.Generator) -> None:
    first = rng.standard_normal((60, 4)) @ rng.standard_normal((4, 4))
    second = 100 * rng.standard_normal((40, 4)) @ rng.standard_normal((4, 4)) + 1000
    runs = {"one": first.astype(np.float32), "two": second.astype(np.float32)}
    found = connectome_from_rest(runs, labels=("a", "b", "c", "d"), source="sub-a")
    scored = [(series - series.mean(0)) / series.std(0) for series in (first, second)]
    expected = np.corrcoef(np.concatenate(scored).T)
    np.testing.assert_allclose(found.correlations, expected, atol=2e-5)
    assert found.labels == ("a", "b", "c", "d")
    assert found.source == "sub-a"


def test_levels_of_runs_do_not_become_correlations(rng: np.random.Generator) -> None:
    quiet = rng.standard_normal((300, 2)).astype(np.float32)
    shifted = rng.standard_normal((300, 2)).astype(np.float32) + 50
    found = connectome_from_rest({"a": quiet, "b": shifted}, labels=None, source="x")
    assert abs(found.correlations[0, 1]) < 0.15
    assert np.corrcoef(np.concatenate([quiet, shifted]).T)[0, 1] > 0.99


@pytest.mark.parametrize("value", [3.0, np.nan, np.inf])
def test_a_region_without_signal_is_named(rng: np.random.Generator, value: float) -> None:
    series = rng.standard_normal((50, 3)).astype(np.float32)
    series[:, 1] = value
    with pytest.raises(CohortError, match=r"in run restAP of sub-a 1 regions .* first V1\."):
        connectome_from_rest({"restAP": series}, labels=("A", "V1", "C"), source="sub-a")


def test_no_rest_and_runs_of_two_atlases_are_errors() -> None:
    with pytest.raises(CohortError, match=r"sub-a needs at least one resting run, found none"):
        connectome_from_rest({}, labels=None, source="sub-a")
    runs = {"a": np.ones((9, 3), np.float32), "b": np.ones((9, 4), np.float32)}
    with pytest.raises(CohortError, match=r"differ in their number of regions: {'a': 3, 'b': 4}"):
        connectome_from_rest(runs, labels=None, source="sub-a")


IDS = [f"sub-{i:03d}" for i in range(101)]
PARTS = {"train": 0.7, "validation": 0.1, "test": 0.2}


def test_split_gives_everybody_one_part_of_the_right_size() -> None:
    parts = split_participants(IDS, PARTS, seed=4)
    assert list(parts) == ["train", "validation", "test"]
    assert sorted(name for part in parts.values() for name in part) == IDS
    assert [len(part) for part in parts.values()] == [71, 10, 20]


def test_split_depends_on_people_and_seed_alone() -> None:
    parts = split_participants(IDS, PARTS, seed=4)
    assert split_participants(IDS[::-1], PARTS, seed=4) == parts
    assert split_participants(IDS, PARTS, seed=5) != parts


def test_split_leaves_no_part_empty() -> None:
    parts = split_participants(["a", "b", "c"], {"train": 0.98, "x": 0.01, "y": 0.01}, seed=0)
    assert [len(part) for part in parts.values()] == [1, 1, 1]


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": 1.0, "b": 0.0}])
def test_split_refuses_shares_that_do_not_divide(shares: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"positive shares that sum to 1, found"):
        split_participants(IDS, shares, seed=0)


def test_split_refuses_a_repeated_and_too_few_people() -> None:
    with pytest.raises(CohortError, match=r"found sub-a more than once"):
        split_participants(["sub-a", "sub-b", "sub-a"], PARTS, seed=0)
    with pytest.raises(CohortError, match=r"3 parts needs at least 3 people, found 2"):
        split_participants(["sub-a", "sub-b"], PARTS, seed=0)
