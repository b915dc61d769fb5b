"""Random windows stand for the whole run: every step counts equally often."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from dtb_models.acting_part import ActingPart
from dtb_models.config import compact_config
from dtb_models.tensors import RunBlock
from dtb_models.windows import Windows, WindowSampler

N_PEOPLE, WINDOW, BURN_IN = 4, 5, 3
PART = ActingPart(compact_config(10, 2, personal_units=2, slow_units=1))
EVERYBODY = torch.arange(N_PEOPLE)


def block(people: tuple[int, ...], n_steps: int, seed: int) -> RunBlock:
    """Return a run whose first input says which step it is, and whose targets are whole numbers.

    Trials of four steps follow each other after one step of rest.
    """
    generator = torch.Generator().manual_seed(seed)
    n, step = len(people), torch.arange(n_steps)
    stimulus = torch.zeros(n, n_steps, 9)
    stimulus[:, :, 0] = step
    stimulus[:, :, 1] = torch.tensor(people).unsqueeze(1)
    return RunBlock(
        task="hammer",
        run=f"hammerAP_run-{seed:02d}",
        people=people,
        stimulus=stimulus.half(),
        targets=torch.randint(0, 9, (n, n_steps, 3), generator=generator).half(),
        counted=torch.rand(n, n_steps, generator=generator) > 0.3,
        bold=torch.zeros(n, 1, 2),
        bold_counted=torch.zeros(n, 1, dtype=torch.bool),
        design=torch.zeros(n, 1, 5),
        right_option=torch.where(step % 5 == 0, -1, step // 5 % 3).to(torch.int8).repeat(n, 1),
        trial_start=torch.where(step % 5 == 0, 0, step // 5 * 5 + 1).int().repeat(n, 1),
    )


# The second run is shorter than a window.
BLOCKS = (block((0, 2, 3), 23, 1), block((3, 1), 4, 2))


@pytest.fixture
def sampler() -> WindowSampler:
    return WindowSampler(BLOCKS, N_PEOPLE, PART, WINDOW, BURN_IN)


@pytest.fixture
def every_window(
    sampler: WindowSampler, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, int, Windows]]:
    """Yield run, first step and what is drawn, for every window that may be drawn of each run."""

    def of_run(index: int) -> Iterator[tuple[int, int, Windows]]:
        spans: list[tuple[int, int]] = []

        def first(low: int, high: int, *_: object, **__: object) -> Tensor:
            spans.append((low, high))
            return torch.tensor([low])

        monkeypatch.setattr(torch, "randint", first)
        sampler.draw(EVERYBODY, torch.Generator())
        for start in range(*spans[index]):
            starts = [low for low, _ in spans[: len(BLOCKS)]]
            starts[index] = start
            left = iter(starts)
            monkeypatch.setattr(torch, "randint", lambda *_, left=left, **__: next(left))
            yield index, start, sampler.draw(EVERYBODY, torch.Generator())

    return (window for index in range(len(BLOCKS)) for window in of_run(index))


def test_every_step_counts_equally_often(
    every_window: Iterator[tuple[int, int, Windows]],
) -> None:
    counts = [torch.zeros(len(b.people), b.n_steps) for b in BLOCKS]
    for index, _, windows in every_window:
        for row, person in enumerate(BLOCKS[index].people):
            seen = windows.inputs[person, index, windows.counted[person, index] > 0, 0].long()
            counts[index][row, seen] += 1
    for count, b in zip(counts, BLOCKS, strict=True):
        assert torch.equal(count, WINDOW * b.counted.float())


def test_the_mean_over_all_windows_is_the_sum_over_the_run(
    every_window: Iterator[tuple[int, int, Windows]],
) -> None:
    sums = [torch.zeros(N_PEOPLE, dtype=torch.float64) for _ in BLOCKS]
    n_windows = [0 for _ in BLOCKS]
    for index, _, windows in every_window:
        each = windows.targets[:, index].sum(-1) * windows.counted[:, index]
        sums[index] += each.sum(1).double() * float(windows.scale[index])
        n_windows[index] += 1
    assert n_windows == [23 + WINDOW - 1, 4 + WINDOW - 1]
    for total, n, b in zip(sums, n_windows, BLOCKS, strict=True):
        expected = torch.zeros(N_PEOPLE, dtype=torch.float64)
        expected[list(b.people)] = (b.targets.double().sum(-1) * b.counted).sum(1)
        torch.testing.assert_close(total / n, expected, rtol=1e-6, atol=1e-6)


def test_a_window_is_burnt_in_on_the_steps_before_it_which_do_not_count(
    every_window: Iterator[tuple[int, int, Windows]],
) -> None:
    for index, start, windows in every_window:
        b = BLOCKS[index]
        first, stop = max(start, 0), min(start + WINDOW, b.n_steps)
        begin = max(first - BURN_IN, 0)
        assert windows.inputs.shape == (N_PEOPLE, 2, WINDOW + BURN_IN, 9 + 2)
        assert windows.counted.shape == (N_PEOPLE, 2, WINDOW + BURN_IN)
        for row, person in enumerate(b.people):
            inputs = windows.inputs[person, index]
            n = stop - begin
            assert inputs[:n, 0].tolist() == list(range(begin, stop))
            assert set(inputs[:n, 1].tolist()) == {person}
            torch.testing.assert_close(inputs[:n, 9:], PART.clocks(begin, stop))
            assert not inputs[n:].any()
            assert torch.equal(
                windows.targets[person, index, :n], b.targets[row, begin:stop].float()
            )
            counted = windows.counted[person, index]
            assert not counted[: first - begin].any()
            assert torch.equal(counted[first - begin : n], b.counted[row, first:stop].float())
            assert not counted[n:].any()


def test_a_window_knows_which_trial_each_of_its_counted_steps_is_in(
    every_window: Iterator[tuple[int, int, Windows]],
) -> None:
    for index, start, windows in every_window:
        b = BLOCKS[index]
        first, stop = max(start, 0), min(start + WINDOW, b.n_steps)
        begin = max(first - BURN_IN, 0)
        for row, person in enumerate(b.people):
            right = windows.right_option[person, index]
            assert (right[: first - begin] == -1).all()
            assert torch.equal(right[first - begin : stop - begin], b.right_option[row, first:stop])
            assert (right[stop - begin :] == -1).all()
            for step in range(begin, stop):
                found = int(windows.trial_start[person, index, step - begin])
                # Counted from where the window begins, its burn-in included.
                assert found == max(int(b.trial_start[row, step]) - begin, 0)


def test_people_without_a_run_do_not_count_in_it(
    every_window: Iterator[tuple[int, int, Windows]],
) -> None:
    for index, _, windows in every_window:
        absent = sorted(set(range(N_PEOPLE)) - set(BLOCKS[index].people))
        assert not windows.counted[absent, index].any()
        assert (windows.right_option[absent, index] == -1).all()


def test_windows_come_in_the_order_of_the_people_asked_for(sampler: WindowSampler) -> None:
    everybody = sampler.draw(EVERYBODY, torch.Generator().manual_seed(1))
    some = sampler.draw(torch.tensor([3, 0]), torch.Generator().manual_seed(1))
    for name in ("inputs", "targets", "counted", "right_option", "trial_start"):
        assert torch.equal(getattr(some, name), getattr(everybody, name)[[3, 0]]), name
        assert torch.equal(getattr(everybody.first(2), name), getattr(everybody, name)[:2]), name
    assert torch.equal(everybody.first(2).scale, everybody.scale)
    other = sampler.draw(EVERYBODY, torch.Generator().manual_seed(2))
    assert not torch.equal(other.inputs, everybody.inputs)


def test_the_generator_draws_all_windows(sampler: WindowSampler) -> None:
    generator = torch.Generator().manual_seed(3)
    seen = {
        tuple(sampler.draw(EVERYBODY[:1], generator).inputs[0, 0, :, 0].tolist())
        for _ in range(300)
    }
    # 23 + 4 windows; those that begin before the run differ in where they end.
    assert len(seen) == 27


def test_a_whole_run_is_given_as_it_is(sampler: WindowSampler) -> None:
    inputs, targets, counted = sampler.whole(1, torch.tensor([1, 2]))
    assert inputs.shape == (2, 1, 4, 11)
    assert torch.equal(inputs[0, 0, :, :9], BLOCKS[1].stimulus[1].float())
    assert torch.equal(targets[0, 0], BLOCKS[1].targets[1].float())
    assert torch.equal(counted[0, 0], BLOCKS[1].counted[1].float())
    assert not counted[1].any()
