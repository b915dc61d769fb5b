"""Simple rules, on people whose answers were made for them to be right or wrong by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from dtb_models.cohorts import Participant, Run
from dtb_models.simple_rules import rule_figures, shuffled
from dtb_models.tensors import BlockForm, BoldScale, TrainingData, run_blocks
from dtb_runtime.events import Events
from dtb_runtime.glm import design_matrix
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.tasks import get_task

N_REGIONS = 6


@dataclass(frozen=True)
class Part:
    people: list[Participant]
    data: TrainingData


def person(
    name: str, events: Events, seconds: tuple[float, float], n_wrong: int, bold: np.ndarray
) -> Participant:
    """Answer congruent and incongruent trials in these times, the first so many wrongly."""
    congruent = np.array([group == "congruent" for group in events.trial_group])
    responses = Responses(
        response_time_s=np.where(congruent, *seconds),
        correct=np.arange(events.n_trials) >= n_wrong,
        usable=np.ones(events.n_trials, np.bool_),
    )
    run = Run("stroop", "stroopAP_run-01", events, responses, bold.astype(np.float32))
    return Participant(name, (run,))


def part(people: list[Participant]) -> Part:
    scale = BoldScale(np.zeros(N_REGIONS, np.float32), np.ones(N_REGIONS, np.float32))
    form = BlockForm(3, tuple(range(N_REGIONS)), scale, masked=True, bold_stride=10)
    edges = torch.arange(len(people) * 3, dtype=torch.float32).reshape(-1, 3)
    return Part(people, TrainingData(edges, run_blocks(people, form)))


@pytest.fixture
def events() -> Events:
    return get_task("stroop").schedule()


def response(events: Events, effect: np.ndarray) -> np.ndarray:
    design = design_matrix(events, events.n_frames, 0.8)
    return np.outer(design.matrix[:, design.columns.index("incongruent")], effect)


def test_rules_reach_what_can_be_worked_out_by_hand(
    events: Events, rng: np.random.Generator
) -> None:
    effect = rng.normal(size=N_REGIONS)
    noise = 1e-6 * rng.normal(size=(events.n_frames, N_REGIONS))
    bold = response(events, effect) + noise
    training = part(
        [person("sub-1", events, (0.6, 0.8), 0, bold), person("sub-2", events, (0.8, 1.0), 0, bold)]
    )
    held_out = part([person("sub-3", events, (0.9, 1.1), 7, bold)])
    figures = rule_figures(held_out.people, held_out.data, training.people, training.data)
    # Group means are 0.7 and 0.9 s, and this person is 0.2 s slower in both trial types.
    assert figures["reaction_time_rmse_s:stroop"] == pytest.approx(0.2)
    assert figures["choice_concordance:stroop"] == pytest.approx(1 - 7 / 78)
    assert figures["group_contrast_r:stroop"] == pytest.approx(1.0, abs=1e-6)
    assert figures["bold_mse"] == pytest.approx(np.mean(np.square(bold)), rel=1e-5)


def test_the_contrast_rule_is_only_as_good_as_the_training_people(
    events: Events, rng: np.random.Generator
) -> None:
    effect = rng.normal(size=N_REGIONS)
    noise = 1e-6 * rng.normal(size=(events.n_frames, N_REGIONS))
    training = part([person("sub-1", events, (0.6, 0.8), 0, response(events, -effect) + noise)])
    held_out = part([person("sub-3", events, (0.6, 0.8), 0, response(events, effect) + noise)])
    figures = rule_figures(held_out.people, held_out.data, training.people, training.data)
    assert figures["group_contrast_r:stroop"] == pytest.approx(-1.0, abs=1e-6)


def test_exchanged_connectomes_are_everybodys_but_the_persons_own(
    events: Events, rng: np.random.Generator
) -> None:
    bold = rng.normal(size=(events.n_frames, N_REGIONS))
    three = part([person(f"sub-{i}", events, (0.6, 0.8), 0, bold) for i in range(3)])
    exchanged = shuffled(three.data)
    assert not (exchanged.edges == three.data.edges).all(1).any()
    assert sorted(exchanged.edges[:, 0].tolist()) == sorted(three.data.edges[:, 0].tolist())
    assert exchanged.blocks is three.data.blocks
