"""A cohort as training arrays: one block per run that people share, people along the first axis."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dtb_runtime.errors import CohortError
from dtb_runtime.press_targets import press_targets
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import N_INPUTS, get_task

from .bold_targets import N_DESIGN_SIGNALS, design_signals, interpolated_bold
from .cohorts import Participant


@dataclass(frozen=True, slots=True)
class RunBlock:
    """One run (say ``hammer``, ``AP``) of every person who has it.

    Shorter runs are padded at the end; what is padded does not count.
    """

    task: str
    run: str
    people: tuple[int, ...]
    """Positions in the list of participants that the block was made from."""
    stimulus: Tensor
    """(people, time, inputs) float16, delayed by one step."""
    targets: Tensor
    """(people, time, actions) float16"""
    counted: Tensor
    """(people, time) bool, steps that count in the action loss"""
    bold: Tensor
    """(people, frames, bold) float32, in SDs of the training data; NaN never"""
    bold_counted: Tensor
    """(people, frames) bool"""
    design: Tensor
    """(people, frames, signals) float32, see `bold_targets.design_signals`"""
    right_option: Tensor
    """(people, time) int8, the right option of the trial that a step is in; -1 between trials"""
    trial_start: Tensor
    """(people, time) int32, the first step of that trial"""

    @property
    def n_steps(self) -> int:
        """Steps of the longest run in the block."""
        return int(self.stimulus.shape[1])


@dataclass(frozen=True, slots=True)
class BoldScale:
    """Mean and SD of each BOLD region over the people and frames of the training data."""

    mean: NDArray[np.float32]
    sd: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BlockForm:
    """How runs become arrays; the same for every part of a cohort."""

    n_actions: int
    columns: tuple[int, ...]
    """Positions of the BOLD outputs in the cohort's parcellation."""
    scale: BoldScale
    """Of the training people, applied to all."""
    masked: bool
    """See `dtb_runtime.press_targets.press_targets`."""
    bold_stride: int
    """10 for BOLD at TR, 1 for the paper's BOLD at every step."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Edges and runs of a part of a cohort; blocks number people by their row in ``edges``."""

    edges: Tensor
    """(people, n_edges) Fisher z"""
    blocks: tuple[RunBlock, ...]

    def digest(self) -> str:
        """Return a digest of edges and targets, by which a resumed training knows its cohort."""
        digest = hashlib.sha256(self.edges.contiguous().numpy().tobytes())
        for block in self.blocks:
            digest.update(f"{block.task} {block.run} {block.people}".encode())
            digest.update(block.targets.contiguous().numpy().tobytes())
        return digest.hexdigest()


def edge_matrix(participants: Sequence[Participant]) -> Tensor:
    """Return the connectomes' edges (Fisher z), shape (people, n_edges).

    Raises
    ------
    CohortError
        If a participant has no connectome.
    """
    rows = []
    for person in participants:
        connectome = person.connectome
        if connectome is None:
            raise CohortError(
                f"Training needs a connectome of everybody; {person.participant_id} has none. "
                "Give the cohort's derivatives folder, or leave this participant out."
            )
        rows.append(connectome.edges())
    return torch.from_numpy(np.stack(rows))


def bold_scale(participants: Sequence[Participant], columns: Sequence[int]) -> BoldScale:
    """Return each region's mean and SD over all people and frames (paper, "z-score normalization").

    Raises
    ------
    CohortError
        If nobody has BOLD, or a region does not vary.
    """
    total = np.zeros(len(columns))
    squares = np.zeros(len(columns))
    n_frames = 0
    for person in participants:
        for run in person.runs:
            # Asked for once: a cohort may compute BOLD, or read it, each time.
            bold = run.bold
            if bold is None:
                continue
            values = np.asarray(bold, np.float64)[:, list(columns)]
            total += values.sum(0)
            squares += np.square(values).sum(0)
            n_frames += len(values)
    if n_frames == 0:
        raise CohortError(
            "Training needs task BOLD of at least one participant; this cohort has none. "
            "Give the derivatives folder that holds the task time series."
        )
    mean = total / n_frames
    sd = np.sqrt(np.maximum(squares / n_frames - np.square(mean), 0))
    if not np.all(sd > 0):
        flat = [int(columns[i]) for i in np.flatnonzero(sd <= 0)[:10]]
        raise CohortError(
            f"Every BOLD region must vary over the training data; regions at positions {flat} "
            "are constant. Leave them out or check the parcellated series."
        )
    return BoldScale(mean.astype(np.float32), sd.astype(np.float32))


def run_blocks(participants: Sequence[Participant], form: BlockForm) -> tuple[RunBlock, ...]:
    """Return the cohort's runs as blocks, in the order in which runs first appear."""
    groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for i, person in enumerate(participants):
        for j, run in enumerate(person.runs):
            groups.setdefault((run.task, run.run), []).append((i, j))
    return tuple(
        _block(participants, task, run, members, form) for (task, run), members in groups.items()
    )


def training_data(participants: Sequence[Participant], form: BlockForm) -> TrainingData:
    """Return the edges and runs of a part of a cohort.

    Raises
    ------
    CohortError
        If somebody has no connectome.
    """
    return TrainingData(edge_matrix(participants), run_blocks(participants, form))


def _block(
    participants: Sequence[Participant],
    task: str,
    run: str,
    members: list[tuple[int, int]],
    form: BlockForm,
) -> RunBlock:
    definition = get_task(task)
    n_steps = max(participants[i].runs[j].events.n_steps for i, j in members)
    n_frames = -(-n_steps // form.bold_stride)
    people = len(members)
    stimulus = np.zeros((people, n_steps, N_INPUTS), np.float16)
    targets = np.zeros((people, n_steps, form.n_actions), np.float16)
    counted = np.zeros((people, n_steps), np.bool_)
    bold = np.zeros((people, n_frames, len(form.columns)), np.float32)
    bold_counted = np.zeros((people, n_frames), np.bool_)
    design = np.zeros((people, n_frames, N_DESIGN_SIGNALS), np.float32)
    right_option = np.full((people, n_steps), -1, np.int8)
    trial_start = np.zeros((people, n_steps), np.int32)
    for k, (i, j) in enumerate(members):
        one = participants[i].runs[j]
        length = one.events.n_steps
        stimulus[k, :length] = network_input(definition.stimulus(one.events))
        targets[k, :length], counted[k, :length] = press_targets(
            one.events, one.responses, form.n_actions, masked=form.masked
        )
        for trial in range(one.events.n_trials):
            steps = slice(one.events.onset_step[trial], one.events.offset_step[trial])
            right_option[k, steps] = one.events.correct_option[trial]
            trial_start[k, steps] = one.events.onset_step[trial]
        if form.bold_stride > 1:
            design[k, : one.events.n_frames] = design_signals(one.events, one.events.n_frames)
        measured = one.bold
        if measured is None:
            continue
        series = (
            np.asarray(measured, np.float32)[:, list(form.columns)] - form.scale.mean
        ) / form.scale.sd
        if form.bold_stride == 1:
            series = interpolated_bold(series, length)
        usable = min(len(series), n_frames)
        bold[k, :usable] = series[:usable]
        bold_counted[k, :usable] = True
    return RunBlock(
        task=task,
        run=run,
        people=tuple(i for i, _ in members),
        stimulus=torch.from_numpy(stimulus),
        targets=torch.from_numpy(targets),
        counted=torch.from_numpy(counted),
        bold=torch.from_numpy(bold),
        bold_counted=torch.from_numpy(bold_counted),
        design=torch.from_numpy(design),
        right_option=torch.from_numpy(right_option),
        trial_start=torch.from_numpy(trial_start),
    )
