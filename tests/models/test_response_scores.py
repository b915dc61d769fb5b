"""Response scores: planted scales on group maps come out of BOLD, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dtb_models.cohorts import Participant, Run
from dtb_models.response_scores import response_scores
from dtb_models.tensors import BlockForm, BoldScale, TrainingData, run_blocks
from dtb_runtime.glm import design_matrix
from dtb_runtime.tasks import get_task

PeopleOfSpeed = Callable[..., list[Participant]]
Floats = NDArray[np.float64]
N_PEOPLE, N_REGIONS = 10, 30
FORM = BlockForm(
    3,
    tuple(range(N_REGIONS)),
    BoldScale(np.zeros(N_REGIONS, np.float32), np.ones(N_REGIONS, np.float32)),
    True,
    10,
)


def with_bold(
    run: Run, response: Floats, contrast: Floats, noise: float, rng: np.random.Generator
) -> Run:
    """Give a run BOLD that answers its trial types with response +- half the contrast."""
    events = run.events
    shown = replace(events, duration_s=np.minimum(events.duration_s, 2.0))
    design = design_matrix(shown, events.n_frames, 0.8)
    positive, negative = (design.columns.index(name) for name in get_task(run.task).contrast)
    bold = np.outer(design.matrix[:, positive], response + contrast / 2)
    bold += np.outer(design.matrix[:, negative], response - contrast / 2)
    bold += noise * rng.standard_normal(bold.shape)
    return replace(run, bold_source=bold.astype(np.float32))


@pytest.fixture
def scales(rng: np.random.Generator) -> Floats:
    """How much of each group map everybody shows, shape (people, 4): two maps, two tasks."""
    return rng.uniform(0.5, 1.5, (N_PEOPLE, 4))


@pytest.fixture
def own_pattern(rng: np.random.Generator) -> Floats:
    """How much everybody shows of a Stroop response that the group does not have."""
    values = rng.standard_normal(N_PEOPLE)
    return values - values.mean()


@pytest.fixture
def people(
    people_of_speed: PeopleOfSpeed,
    scales: Floats,
    own_pattern: Floats,
    rng: np.random.Generator,
) -> list[Participant]:
    maps = rng.standard_normal((4, N_REGIONS))
    pattern = rng.standard_normal(N_REGIONS)
    pattern -= maps[0] * (pattern @ maps[0]) / (maps[0] @ maps[0])
    made = []
    for own, extra, stroop, hammer in zip(
        scales,
        own_pattern,
        people_of_speed(np.zeros(N_PEOPLE)),
        people_of_speed(np.zeros(N_PEOPLE), task="hammer"),
        strict=True,
    ):
        a, b, c, d = own[:, None] * maps
        runs = (
            with_bold(stroop.runs[0], a + 0.3 * extra * pattern, b, 0.2, rng),
            with_bold(hammer.runs[0], c, d, 0.2, rng),
        )
        made.append(replace(stroop, runs=runs))
    return made


def scored(people: list[Participant], n_scores: int) -> tuple[Floats, NDArray[np.bool_]]:
    data = TrainingData(torch.zeros(len(people), 6), run_blocks(people, FORM))
    scores = response_scores(people, data, n_scores)
    return scores.values, scores.is_measured


def r(a: Floats, b: Floats) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_planted_scales_are_recovered_in_the_order_of_the_tasks(
    people: list[Participant], scales: Floats
) -> None:
    values, is_measured = scored(people, 4)
    assert values.shape == is_measured.shape == (N_PEOPLE, 4)
    assert is_measured.all()
    for column in range(4):
        others = [k for k in range(4) if k != column]
        assert r(values[:, column], scales[:, column]) > 0.95
        assert all(r(values[:, column], scales[:, k]) < 0.8 for k in others)
    np.testing.assert_allclose(values.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(values.std(0), 1, atol=1e-9)


def test_what_scales_leave_over_comes_in_components(
    people: list[Participant], own_pattern: Floats
) -> None:
    values, is_measured = scored(people, 6)
    assert is_measured.all()
    np.testing.assert_allclose(values[:, :4], scored(people, 4)[0])
    assert abs(r(values[:, 4], own_pattern)) > 0.9
    assert abs(r(values[:, 4], values[:, 5])) < 1e-6


@pytest.mark.parametrize("n_scores", [0, 1, 3])
def test_fewer_scores_are_the_first_ones(people: list[Participant], n_scores: int) -> None:
    values, is_measured = scored(people, n_scores)
    assert values.shape == is_measured.shape == (N_PEOPLE, n_scores)
    np.testing.assert_allclose(values, scored(people, 4)[0][:, :n_scores])


def test_people_without_bold_score_0_and_change_nobodys_scores(
    people: list[Participant],
) -> None:
    alone = scored(people[2:], 6)[0]
    stroop, hammer = people[0].runs
    silent = [
        replace(people[0], runs=(stroop, replace(hammer, bold_source=None))),
        replace(people[1], runs=()),
    ]
    values, is_measured = scored([*silent, *people[2:]], 6)
    assert is_measured.tolist() == [
        [True, True, False, False, False, False],
        [False] * 6,
        *[[True] * 6] * (N_PEOPLE - 2),
    ]
    assert not values[~is_measured].any()
    np.testing.assert_allclose(values[2:, 2:4], alone[:, 2:4])  # Hammer: of the others alone
    silent[0] = replace(people[0], runs=(replace(stroop, bold_source=None),))
    np.testing.assert_allclose(scored([*silent, *people[2:]], 6)[0][2:], alone)


def test_a_scan_that_broke_off_before_both_trial_types_tells_nothing(
    people: list[Participant],
) -> None:
    stroop, hammer = people[0].runs
    assert stroop.bold is not None
    broken = replace(stroop, bold_source=stroop.bold[:6])
    _, is_measured = scored([replace(people[0], runs=(broken, hammer)), *people[1:]], 4)
    assert is_measured[0].tolist() == [False, False, True, True]
    assert is_measured[1:].all()


def test_two_runs_of_a_task_are_averaged(
    people: list[Participant], rng: np.random.Generator
) -> None:
    """A second run that is the opposite of the first leaves no response at all."""
    stroop, hammer = people[0].runs
    assert stroop.bold is not None
    opposite = replace(stroop, run="stroopPA_run-01", bold_source=-stroop.bold)
    values, _ = scored([replace(people[0], runs=(stroop, opposite, hammer)), *people[1:]], 1)
    # The scale is then 0, which is below everybody else's.
    assert values[0, 0] == values[:, 0].min()
    same = replace(stroop, run="stroopPA_run-01")
    again, _ = scored([replace(people[0], runs=(stroop, same, hammer)), *people[1:]], 1)
    np.testing.assert_allclose(again, scored(people, 1)[0], atol=1e-6)


def test_one_person_alone_differs_from_nobody(people: list[Participant]) -> None:
    silent = [replace(person, runs=()) for person in people[1:]]
    values, is_measured = scored([people[0], *silent], 4)
    assert not values.any()
    assert not is_measured.any()


def test_where_nobody_has_bold_nobody_is_measured(people_of_speed: PeopleOfSpeed) -> None:
    values, is_measured = scored(people_of_speed(np.zeros(3)), 5)
    assert not values.any()
    assert not is_measured.any()
