"""A cohort as training arrays: one block per run, how BOLD is scaled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from dtb_models.bold_targets import design_signals
from dtb_models.cohorts import Participant, Run
from dtb_models.tensors import (
    BlockForm,
    BoldScale,
    bold_scale,
    edge_matrix,
    run_blocks,
    training_data,
)
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import CohortError
from dtb_runtime.events import Events
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import get_task


def answers(events: Events, time_s: float = 0.7, correct: bool = True) -> Responses:
    n = events.n_trials
    return Responses(
        response_time_s=np.full(n, time_s),
        correct=np.full(n, correct),
        usable=np.ones(n, np.bool_),
    )


@pytest.fixture
def stroop() -> Events:
    return get_task("stroop").schedule()


@pytest.fixture
def hammer() -> Events:
    return get_task("hammer").schedule()


@dataclass(frozen=True)
class People:
    participants: tuple[Participant, ...]
    bold: tuple[np.ndarray, ...]


@pytest.fixture
def people(stroop: Events, hammer: Events, rng: np.random.Generator) -> People:
    participants, series = [], []
    for i in range(3):
        matrix = np.corrcoef(rng.normal(size=(4, 30)))
        runs = []
        for task, events in (("hammer", hammer), ("stroop", stroop)):
            if i == 2 and task == "hammer":
                continue
            bold = rng.normal(i, 2, (events.n_frames - 7, 4)).astype(np.float32)
            series.append(bold)
            runs.append(Run(task, f"{task}AP_run-01", events, answers(events), bold))
        connectome = Connectome.from_matrix(matrix)
        participants.append(Participant(f"sub-{i}", tuple(runs), connectome))
    return People(tuple(participants), tuple(series))


def test_bold_scale_is_the_mean_and_sd_over_people_and_frames(people: People) -> None:
    scale = bold_scale(people.participants, [2, 0])
    everything = np.concatenate(people.bold).astype(np.float64)[:, [2, 0]]
    np.testing.assert_allclose(scale.mean, everything.mean(0), rtol=1e-5)
    np.testing.assert_allclose(scale.sd, everything.std(0), rtol=1e-5)


def test_blocks_hold_each_run_once_delayed_and_scaled(people: People, hammer: Events) -> None:
    scale = BoldScale(np.full(2, 1.0, np.float32), np.full(2, 2.0, np.float32))
    form = BlockForm(n_actions=3, columns=(2, 0), scale=scale, masked=True, bold_stride=10)
    blocks = run_blocks(people.participants, form)
    assert [(b.task, b.people) for b in blocks] == [("hammer", (0, 1)), ("stroop", (0, 1, 2))]
    block = blocks[0]
    expected = network_input(get_task("hammer").stimulus(hammer))
    np.testing.assert_allclose(block.stimulus[0].float(), expected, atol=5e-4)
    n_measured = hammer.n_frames - 7
    np.testing.assert_allclose(
        block.bold[0, :n_measured], (people.bold[0][:, [2, 0]] - 1) / 2, rtol=1e-6
    )
    assert block.bold_counted[0].sum() == n_measured
    assert bool(torch.isfinite(block.bold).all())


def test_blocks_know_which_trial_each_step_is_in(people: People, stroop: Events) -> None:
    scale = BoldScale(np.zeros(2, np.float32), np.ones(2, np.float32))
    form = BlockForm(n_actions=3, columns=(2, 0), scale=scale, masked=True, bold_stride=10)
    block = run_blocks(people.participants, form)[1]
    right, start = block.right_option[2].numpy(), block.trial_start[2].numpy()
    is_between = np.ones(len(right), np.bool_)
    for trial in range(stroop.n_trials):
        steps = slice(stroop.onset_step[trial], stroop.offset_step[trial])
        assert set(right[steps]) == {stroop.correct_option[trial]}
        assert set(start[steps]) == {stroop.onset_step[trial]}
        is_between[steps] = False
    assert is_between.any()
    assert set(right[is_between]) == {-1}


def test_somebody_without_a_connectome_is_named(people: People) -> None:
    alone = replace(people.participants[1], connectome_source=None)
    with pytest.raises(CohortError, match="connectome of everybody; sub-1 has none"):
        edge_matrix([people.participants[0], alone])


def test_a_cohort_without_bold_is_refused(people: People) -> None:
    runs = tuple(replace(run, bold_source=None) for run in people.participants[0].runs)
    with pytest.raises(CohortError, match="task BOLD of at least one participant"):
        bold_scale([replace(people.participants[0], runs=runs)], [0, 1])


def test_a_constant_region_is_refused(people: People, stroop: Events) -> None:
    bold = people.bold[0].copy()
    bold[:, 1] = 4.0
    run = Run("stroop", "stroopAP_run-01", stroop, answers(stroop), bold)
    with pytest.raises(CohortError, match=r"positions \[1\] are constant"):
        bold_scale([replace(people.participants[0], runs=(run,))], [0, 1])


@pytest.mark.parametrize("bold_stride", [10, 1])
def test_blocks_hold_the_designs_signals_where_bold_is_at_tr(
    people: People, hammer: Events, bold_stride: int
) -> None:
    scale = BoldScale(np.zeros(2, np.float32), np.ones(2, np.float32))
    form = BlockForm(3, (2, 0), scale, masked=True, bold_stride=bold_stride)
    block = run_blocks(people.participants, form)[0]
    if bold_stride == 1:
        assert not block.design.any()
    else:
        np.testing.assert_array_equal(block.design[1], design_signals(hammer, hammer.n_frames))


def test_a_digest_knows_connectomes_answers_and_who_has_which_run(
    people: People, hammer: Events
) -> None:
    scale = BoldScale(np.zeros(2, np.float32), np.ones(2, np.float32))
    form = BlockForm(3, (2, 0), scale, masked=True, bold_stride=10)

    def digest(*participants: Participant) -> str:
        return training_data(participants, form).digest()

    first, second, third = people.participants
    whole = digest(first, second, third)
    assert whole == digest(first, second, third)
    slower = replace(first.runs[0], responses=answers(hammer, 0.9))
    others = (
        (second, first, third),
        (first, second),
        (first, replace(second, runs=second.runs[1:]), third),
        (replace(first, runs=(slower, first.runs[1])), second, third),
        (replace(first, connectome_source=second.connectome), second, third),
    )
    assert whole not in {digest(*participants) for participants in others}
