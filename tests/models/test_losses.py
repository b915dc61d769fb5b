"""The masked action loss is a survival likelihood; the other parts are plain means."""

from __future__ import annotations

import numpy as np
import torch

from dtb_models.losses import action_loss, bold_loss, total_loss


def test_masked_loss_is_the_survival_likelihood_of_the_press() -> None:
    rng = np.random.default_rng(0)
    n_steps, press, option = 12, 7, 1
    hazard = rng.uniform(0.02, 0.3, (n_steps, 2))
    logits = torch.tensor(np.log(hazard / (1 - hazard)))[None]
    targets = torch.zeros(1, n_steps, 2, dtype=torch.float64)
    targets[0, press, option] = 1
    counted = torch.zeros(1, n_steps, dtype=torch.float64)
    counted[0, : press + 1] = 1

    log_likelihood = np.log(1 - hazard[:press]).sum()  # nobody pressed anything before
    log_likelihood += np.log(hazard[press, option]) + np.log(1 - hazard[press, 1 - option])
    loss = float(action_loss(logits, targets, counted)) * (press + 1) * 2
    np.testing.assert_allclose(loss, -log_likelihood, rtol=1e-10)


def test_masked_steps_do_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 10, 3, generator=generator)
    targets = torch.zeros(2, 10, 3)
    counted = torch.ones(2, 10)
    counted[:, 4:7] = 0
    before = action_loss(logits, targets, counted)
    logits[:, 4:7] = 50.0
    assert torch.equal(action_loss(logits, targets, counted), before)


def test_a_shared_target_is_the_expected_loss_over_the_unknown_press() -> None:
    logits = torch.tensor([[[-2.0, -1.0, -3.0]]])
    counted = torch.ones(1, 1)

    def loss(*target: float) -> float:
        return float(action_loss(logits, torch.tensor([[target]], dtype=torch.float32), counted))

    np.testing.assert_allclose(loss(0, 0.5, 0.5), (loss(0, 1, 0) + loss(0, 0, 1)) / 2, rtol=1e-6)


def test_bold_loss_counts_measured_frames_only() -> None:
    predicted = torch.zeros(1, 4, 2)
    measured = torch.tensor([[[1.0, 1.0], [2.0, 0.0], [9.0, 9.0], [9.0, 9.0]]])
    counted = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    assert float(bold_loss(predicted, measured, counted)) == (1.0 + 2.0) / 2


def test_nothing_measured_is_no_loss() -> None:
    zero = bold_loss(torch.ones(1, 4, 2), torch.zeros(1, 4, 2), torch.zeros(1, 4))
    assert float(zero) == 0.0


def test_total_loss_weights_both_parts() -> None:
    assert float(total_loss(torch.tensor(2.0), torch.tensor(3.0), 1.0, 1.0)) == 5.0
    assert float(total_loss(torch.tensor(2.0), torch.tensor(3.0), 10.0, 0.5)) == 21.5
