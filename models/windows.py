"""Random windows of runs: what one update of the population fit sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from .acting_part import ActingPart
from .tensors import RunBlock


@dataclass(frozen=True, slots=True)
class Windows:
    """One window of every run, for the same people."""

    inputs: Tensor
    """(people, runs, steps, inputs + clocks)"""
    targets: Tensor
    """(people, runs, steps, actions)"""
    counted: Tensor
    """(people, runs, steps) float: 0 where a step is burn-in, padding, masked, or not there."""
    right_option: Tensor
    """(people, runs, steps) right option of the trial that a step is in; -1 between trials, in
    burn-in and in padding"""
    trial_start: Tensor
    """(people, runs, steps) position of that trial's first step in the window, 0 if before it"""
    scale: Tensor
    """(runs,) what the sum over a window is multiplied with, so that its mean over random windows
    is the sum over the run."""

    def to(self, device: torch.device) -> Windows:
        """Return the same on a device."""
        return Windows(*(getattr(self, f.name).to(device) for f in fields(self)))

    def first(self, n: int) -> Windows:
        """Return those of the first `n` people."""
        of_people = [f.name for f in fields(self) if f.name != "scale"]
        return replace(self, **{name: getattr(self, name)[:n] for name in of_people})


class WindowSampler:
    """Draws windows such that every step of a run counts equally often.

    Parameters
    ----------
    blocks : sequence of RunBlock
    n_people : int
        People of the cohort; blocks number them.
    part : ActingPart
        Gives the clocks.
    window_steps, burn_in_steps : int
    """

    def __init__(
        self,
        blocks: Sequence[RunBlock],
        n_people: int,
        part: ActingPart,
        window_steps: int,
        burn_in_steps: int,
    ) -> None:
        self.blocks = tuple(blocks)
        self.part = part
        self.window_steps = window_steps
        self.burn_in_steps = burn_in_steps
        self.rows = torch.full((len(self.blocks), n_people), -1, dtype=torch.long)
        for index, block in enumerate(self.blocks):
            self.rows[index, list(block.people)] = torch.arange(len(block.people))

    def draw(self, people: Tensor, generator: torch.Generator) -> Windows:
        """Return one window of every run of these people, shape (people,) of positions."""
        starts = [
            int(torch.randint(1 - self.window_steps, block.n_steps, (1,), generator=generator))
            for block in self.blocks
        ]
        each = [
            self._window(block, rows[people], start)
            for block, rows, start in zip(self.blocks, self.rows, starts, strict=True)
        ]
        inputs, targets, counted, right_option, trial_start = (
            torch.stack(parts, 1) for parts in zip(*each, strict=True)
        )
        # A step counts in window_steps of the n_steps + window_steps - 1 possible windows.
        scale = [(b.n_steps + self.window_steps - 1) / self.window_steps for b in self.blocks]
        return Windows(inputs, targets, counted, right_option, trial_start, torch.tensor(scale))

    def whole(self, index: int, people: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return inputs, targets and counted of one run, whole, each (people, 1, steps, ...)."""
        block = self.blocks[index]
        inputs, targets, counted = self._steps(block, self.rows[index][people], 0, block.n_steps)
        return inputs.unsqueeze(1), targets.unsqueeze(1), counted.unsqueeze(1)

    def _window(self, block: RunBlock, rows: Tensor, start: int) -> tuple[Tensor, ...]:
        first, stop = max(start, 0), min(start + self.window_steps, block.n_steps)
        begin = max(first - self.burn_in_steps, 0)
        inputs, targets, counted = self._steps(block, rows, begin, stop)
        counted[:, : first - begin] = 0
        known = rows.clamp(min=0)
        right = block.right_option[known, begin:stop].long()
        right[:, : first - begin] = -1
        right[rows < 0] = -1
        trial_start = (block.trial_start[known, begin:stop].long() - begin).clamp(min=0)
        missing = self.window_steps + self.burn_in_steps - (stop - begin)
        pad = torch.nn.functional.pad
        return (
            pad(inputs, (0, 0, 0, missing)),
            pad(targets, (0, 0, 0, missing)),
            pad(counted, (0, missing)),
            pad(right, (0, missing), value=-1),
            pad(trial_start, (0, missing)),
        )

    def _steps(
        self, block: RunBlock, rows: Tensor, begin: int, stop: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps = slice(begin, stop)
        is_there = rows >= 0
        known = rows.clamp(min=0)
        stimulus = block.stimulus[known, steps].float()
        clocks = self.part.clocks(begin, stop).expand(len(rows), -1, -1)
        counted = block.counted[known, steps].float() * is_there.unsqueeze(1)
        return torch.cat([stimulus, clocks], 2), block.targets[known, steps].float(), counted
