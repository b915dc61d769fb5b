"""What imagined people are asked for: right choices, whenever they press."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from dtb_models.imagined_people import SHARE_OF_SLIPS, wrong_choice_loss
from dtb_models.windows import Windows


def windows_of(right_option: list[list[int]], trial_start: list[list[int]]) -> Windows:
    """Return the windows of as many people, one run each."""
    right = torch.tensor(right_option).unsqueeze(1)
    empty = torch.zeros(*right.shape, 3)
    return Windows(
        inputs=empty,
        targets=empty,
        counted=torch.ones(right.shape),
        right_option=right,
        trial_start=torch.tensor(trial_start).unsqueeze(1),
        scale=torch.tensor([2.0]),
    )


WINDOWS = windows_of(
    # Rest, a trial of three steps, rest, the beginning of a trial; burn-in inside a trial.
    [[-1, 2, 2, 2, -1, 0, 0], [-1, -1, 1, 1, -1, -1, 2]],
    [[0, 1, 1, 1, 0, 5, 5], [0, 0, 0, 0, 0, 0, 6]],
)


def logits_of(seed: int) -> Tensor:
    drawn = torch.randn(2, 1, 7, 3, generator=torch.Generator().manual_seed(seed))
    return (drawn - 1).requires_grad_()


def by_hand(logits: Tensor) -> float:
    """Sum over steps: chance of a press in it, times the cross-entropy of which one it is."""
    hazards = torch.sigmoid(logits.detach()).double().numpy()
    total = 0.0
    for person in range(2):
        for step in range(7):
            right = int(WINDOWS.right_option[person, 0, step])
            if right == -1:
                continue
            h = hazards[person, 0]
            survival = np.prod(1 - h[int(WINDOWS.trial_start[person, 0, step]) : step])
            press = survival * (1 - np.prod(1 - h[step]))
            odds = h[step] / (1 - h[step])
            share = odds[right] / odds.sum()
            entropy = -(1 - SHARE_OF_SLIPS) * np.log(share) - SHARE_OF_SLIPS * np.log(1 - share)
            total += press * entropy
    return 2.0 * total / 2  # scale of the run, mean over two people


@pytest.mark.parametrize("seed", [1, 2])
def test_the_loss_is_that_computed_by_hand(seed: int) -> None:
    logits = logits_of(seed)
    found = float(wrong_choice_loss(logits, WINDOWS).detach())
    assert found == pytest.approx(by_hand(logits), rel=1e-5)


def test_only_which_option_is_pressed_is_asked_for_not_when() -> None:
    logits = logits_of(3)
    (gradient,) = torch.autograd.grad(wrong_choice_loss(logits, WINDOWS), logits)
    in_trial = WINDOWS.right_option >= 0
    assert gradient[in_trial].abs().sum(-1).all()
    assert not gradient[~in_trial].any()
    # All options up by as much is a press that is likelier, and not a righter one.
    torch.testing.assert_close(gradient.sum(-1), torch.zeros(2, 1, 7), rtol=0, atol=1e-6)


def test_descending_it_leads_to_the_share_of_slips() -> None:
    logits = logits_of(4)
    descent = torch.optim.Adam([logits], lr=0.1)
    for _ in range(400):
        descent.zero_grad()
        wrong_choice_loss(logits, WINDOWS).backward()
        descent.step()
    in_trial = WINDOWS.right_option >= 0
    share = torch.softmax(logits.detach(), -1)[in_trial]
    right = share.gather(1, WINDOWS.right_option[in_trial].unsqueeze(1))
    torch.testing.assert_close(right, torch.full_like(right, 1 - SHARE_OF_SLIPS), rtol=0, atol=0.01)


def test_improbable_hazards_give_no_infinite_loss() -> None:
    extreme = torch.tensor([-60.0, 60.0, 0.0]).expand(2, 1, 7, 3).clone().requires_grad_()
    loss = wrong_choice_loss(extreme, WINDOWS)
    (gradient,) = torch.autograd.grad(loss, extreme)
    assert bool(torch.isfinite(loss))
    assert bool(torch.isfinite(gradient).all())
